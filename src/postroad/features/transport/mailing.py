"""TLS reports by mail: each night yesterday's go to those domains that ask for them in DNS (RFC 8460 §3 and §5.3)."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from postroad.features.transport.reports import TlsReports
from postroad.model.attempt import Trouble
from postroad.model.clock import DAY, MINUTE, Clock, after, to_datetime
from postroad.model.errors import Refused, Unavailable
from postroad.pipeline.deliver.resolve import DnsTrouble
from postroad.wire import tlsrpt
from postroad.wire.address import Address, AddressError, Mailbox, parse_mailbox
from postroad.wire.headers import HeaderError

_log = structlog.get_logger("postroad.transport")
_ROUND_S: Final = 600.0
_AFTER_MIDNIGHT: Final = 30 * MINUTE
"""By then every node has written down what it counted the day before, and not all the world reports at midnight."""
_MOST_RECIPIENTS: Final = 5
_OURS: Final = frozenset({"domain_not_verified", "unknown_project", "unknown_stream"})
"""Refusals that every report would meet."""

Submit = Callable[[bytes, Sequence[Mailbox], str], Awaitable[None]]
"""Hands a message over to be sent to these; a second one with the same key is not sent. Raises `Refused`."""


class Texts(Protocol):
    """Asks the DNS."""

    async def texts(self, name: str) -> tuple[str, ...] | DnsTrouble:
        """Return the TXT records of a name, or why that is not known."""
        ...


class ReportMailer:
    """Sends each domain's report once a day; of many nodes each may try, as only the first is heard."""

    def __init__(
        self, reports: TlsReports, *, clock: Clock, resolver: Texts, submit: Submit, sender: str, submitter: str
    ) -> None:
        """Take where the counts are, who is asked and what sends; `submitter` is the name that reports call us by.

        Raises:
            Refused: `sender` is no address.
        """
        try:
            self._sender = Address(parse_mailbox(sender))
        except AddressError as flaw:
            raise Refused("invalid_request", f"{sender!r} in tls.report_from is not an address: {flaw}") from flaw
        self._reports = reports
        self._clock = clock
        self._resolver = resolver
        self._submit = submit
        self._submitter = submitter
        self._day: dt.date | None = None
        self._done: set[str] = set()

    async def run(self) -> None:
        """Go round every ten minutes, until canceled."""
        while True:
            await asyncio.sleep(_ROUND_S)
            await self.round()

    async def round(self) -> int:
        """Send what is left of yesterday's reports, and return how many were handed over.

        What DNS or the store would not tell is tried again in the next round, until the day is over.
        """
        day = to_datetime(after(self._clock.now(), -DAY - _AFTER_MIDNIGHT)).date()
        if day != self._day:
            self._day, self._done = day, set()
        sent = 0
        try:
            for domain in await self._reports.domains(day):
                if domain not in self._done:
                    sent += await self._try(domain, day)
        except (Refused, Unavailable) as problem:
            _log.warning("tls_reports_wait", reason=problem.code, detail=problem.detail)
        if sent:
            _log.info("tls_reports_sent", day=day.isoformat(), reports=sent)
        return sent

    async def _try(self, domain: str, day: dt.date) -> bool:
        """Send one report; what is wrong with it alone keeps back no other."""
        try:
            return await self._send(domain, day)
        except Refused as refusal:
            if refusal.code in _OURS:
                raise
            self._done.add(domain)
            _log.warning("tls_report_refused", domain=domain, reason=refusal.code, detail=refusal.detail)
            return False

    async def _send(self, domain: str, day: dt.date) -> bool:
        """Send a domain its report, when it wants one by mail; tell whether one was handed over."""
        found = await self._resolver.texts(f"_smtp._tls.{domain}")
        if isinstance(found, DnsTrouble):
            if found.trouble is not Trouble.NO_SUCH_DOMAIN:
                return False
            found = ()
        recipients = _recipients(tlsrpt.find_addresses(found))
        if recipients:
            await self._submit(await self._written(domain, day, recipients), recipients, _key(domain, day))
        self._done.add(domain)
        return bool(recipients)

    async def _written(self, domain: str, day: dt.date, recipients: Sequence[Mailbox]) -> bytes:
        document = await self._reports.document(day, domain)
        cover = tlsrpt.Cover(
            sender=self._sender,
            recipients=tuple(map(Address, recipients)),
            submitter=self._submitter,
            domain=domain,
            report_id=str(document["report-id"]),
            day=day,
        )
        try:
            return tlsrpt.mail(document, cover)
        except HeaderError as flaw:
            raise Refused("invalid_request", f"The report to {domain} cannot be written: {flaw}") from flaw


def _recipients(urls: Sequence[str]) -> tuple[Mailbox, ...]:
    """Return the mailboxes that reports go to; what is no address there is passed over, and so is what is too much."""
    found: dict[Mailbox, None] = {}
    for text in tlsrpt.mailboxes(urls):
        try:
            found[parse_mailbox(text)] = None
        except AddressError:
            continue
    return tuple(found)[:_MOST_RECIPIENTS]


def _key(domain: str, day: dt.date) -> str:
    return hashlib.sha256(f"{day}.{domain}".encode()).hexdigest()
