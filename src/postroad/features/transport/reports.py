"""Counts of sessions for TLS reports: gathered here, written down now and then, read as the documents of RFC 8460."""

import datetime as dt
import hashlib
from functools import partial
from itertools import groupby, islice
from typing import Final

import msgspec

from postroad.model.clock import SECOND, Clock
from postroad.model.errors import Refused
from postroad.pipeline.deliver.policy import Session
from postroad.store import transport
from postroad.store.database import Database
from postroad.store.transport import Counted
from postroad.wire.tlsrpt import Account, Failures, PolicyType, Result, report

_MOST: Final = 50_000
_WRITTEN_TOGETHER: Final = 200
_DETAIL: Final = 300
_Key = tuple[str, str, str, str, str, str, str]


class _Policy(msgspec.Struct, frozen=True, array_like=True):
    kind: PolicyType
    text: tuple[str, ...]
    hosts: tuple[str, ...]


class TlsReports:
    """Counts sessions."""

    def __init__(self, database: Database, clock: Clock, *, organization: str, contact: str | None = None) -> None:
        """Count under the name by which reports call us, `contact` being the address for questions about them."""
        self._database = database
        self._clock = clock
        self._organization = organization
        self._contact = contact or f"postmaster@{organization}"
        self._counts: dict[_Key, list[int]] = {}
        self._told: dict[_Key, tuple[str, str]] = {}
        self._policies: dict[_Policy, tuple[str, str]] = {}

    def note(self, session: Session) -> None:
        """Count a session; what is too much to be gathered until the next flush is left out."""
        day = self._today().isoformat()
        digest, policy = self._written(_Policy(session.kind, session.text, session.hosts))
        result = "" if session.result is None else session.result.value
        key = (
            day, session.domain, digest, result, session.host or "", session.ip or "", session.sending_ip or "",
        )  # fmt: skip
        count = self._counts.get(key)
        if count is not None:
            count[0] += 1
        elif len(self._counts) < _MOST:
            self._counts[key] = [1]
            self._told[key] = (policy, session.detail[:_DETAIL])

    async def flush(self) -> None:
        """Write down what was gathered, little by little, so that no other write waits long."""
        self._policies = {}
        while keys := list(islice(self._counts, _WRITTEN_TOGETHER)):
            counts, told = self._counts, self._told
            taken = {key: (counts.pop(key)[0], told.pop(key)) for key in keys}
            rows = [Counted(*key, *words, count) for key, (count, words) in taken.items()]
            try:
                await self._database.write(partial(transport.count_sessions, counted=rows))
            except BaseException:
                for key, (count, words) in taken.items():
                    counts.setdefault(key, [0])[0] += count
                    told.setdefault(key, words)
                raise

    async def domains(self, day: dt.date) -> list[str]:
        """Return the domains that there is a report of a day for."""
        await self.flush()
        return await self._database.read(lambda connection: transport.reported_domains(connection, day.isoformat()))

    async def document(self, day: dt.date | None, domain: str) -> dict[str, object]:
        """Return the report of a day to a domain, as it is sent there.

        Raises:
            Refused: no session of that day was to this domain (`not_found`).
        """
        found = await self.read(day, domain.lower())
        if not found:
            raise Refused("not_found", f"No TLS sessions with the mail servers of {domain} were counted on that day.")
        return found[0]

    async def read(self, day: dt.date | None = None, domain: str | None = None) -> list[dict[str, object]]:
        """Return the reports of a day, today's so far when none is named: one for each policy domain."""
        await self.flush()
        chosen = day if day is not None else self._today()
        rows = await self._database.read(lambda connection: transport.sessions(connection, chosen.isoformat(), domain))
        return [
            report(
                _accounts(list(found)),
                organization=self._organization,
                contact=self._contact,
                report_id=f"{chosen.isoformat()}.{name}@{self._organization}",
                day=chosen,
            )
            for name, found in groupby(rows, key=lambda row: row.domain)
        ]

    def _today(self) -> dt.date:
        return dt.datetime.fromtimestamp(self._clock.now() / SECOND, dt.UTC).date()

    def _written(self, policy: _Policy) -> tuple[str, str]:
        """Return a policy as it is stored, with a digest to tell it from others."""
        found = self._policies.get(policy)
        if found is None:
            octets = msgspec.json.encode(policy)
            found = self._policies[policy] = (hashlib.sha256(octets).hexdigest()[:32], octets.decode())
        return found


def _accounts(rows: list[Counted]) -> list[Account]:
    """Return what a domain's counts tell, policy by policy."""
    accounts = []
    for _, grouped in groupby(rows, key=lambda row: row.policy_digest):
        found = list(grouped)
        policy = msgspec.json.decode(found[0].policy, type=_Policy)
        accounts.append(
            Account(
                policy.kind,
                found[0].domain,
                policy.text,
                policy.hosts,
                sum(row.sessions for row in found if not row.result),
                tuple(
                    Failures(
                        Result(row.result),
                        row.sessions,
                        row.sending_ip or None,
                        row.host or None,
                        row.ip or None,
                        row.detail,
                    )
                    for row in found
                    if row.result
                ),
            )
        )
    return accounts
