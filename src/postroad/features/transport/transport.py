"""The role that writes down what was gathered of TLS, and fetches policies again before they expire."""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog

from postroad.features.transport.broken import BrokenKeeper
from postroad.features.transport.policies import StsKeeper
from postroad.features.transport.reports import TlsReports
from postroad.model.errors import Unavailable

_log = structlog.get_logger("postroad.transport")
_ROUND_S = 15.0


@dataclass(frozen=True, slots=True)
class Transport:
    """All that is kept of transport security; `policies` is None when MTA-STS is off."""

    policies: StsKeeper | None
    broken: BrokenKeeper
    reports: TlsReports

    async def run(self) -> None:
        """Go round until canceled; what was gathered is written down at the end too."""
        await self.broken.load()
        try:
            while True:
                await self.round()
                await asyncio.sleep(_ROUND_S)
        finally:
            with contextlib.suppress(Unavailable):
                await self.flush()

    async def round(self) -> None:
        """Write down what is new, and refresh what is due."""
        try:
            await self.flush()
            if self.policies is not None:
                await self.policies.refresh()
        except Unavailable as error:
            _log.warning("transport_waits", reason=error.code)

    async def flush(self) -> None:
        """Write down what is new."""
        await self.reports.flush()
        await self.broken.flush()
