"""Who gets no mail: the list as it is asked at accept and again at dispatch, and the probes that it lets through.

An entry for a soft cause (a mailbox that was full for weeks) lets one delivery through when its time for a probe has
come. That delivery passes at dispatch too; everything else waits for what becomes of it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy.engine import Connection

from postroad.model.clock import Instant
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.suppression import WHOLE_PROJECT, Cause, fold
from postroad.store import bulk


class Barrier(NamedTuple):
    """An entry of a list, as far as it decides."""

    scope: str
    cause: str
    expires_at: Instant | None
    id: str
    probe_at: Instant | None
    probe_delivery: str | None


Suppressed = dict[tuple[str, str], list[Barrier]]
"""By project and folded address."""

_text = (
    "SELECT folded, scope, cause, expires_at, id, probe_at, probe_delivery FROM suppressions "
    "WHERE project_id = ? AND folded IN (:values)"
)


def find_suppressed(connection: Connection, wanted: Iterable[tuple[str, str]]) -> Suppressed:
    """Return the suppressions of the given (project, folded address) pairs."""
    if not bulk.run(connection, "SELECT 1 FROM suppressions LIMIT 1"):
        return {}
    found: Suppressed = {}
    pairs = set(wanted)
    for project in {project for project, _ in pairs}:
        addresses = sorted([address for owner, address in pairs if owner == project])
        for row in bulk.select_in(connection, _text, addresses, before=(project,)):
            found.setdefault((project, row[0]), []).append(Barrier(*row[1:]))
    return found


def suppression_reason(
    suppressed: Suppressed,
    project: str,
    recipient: str,
    stream: str,
    now: Instant,
    *,
    delivery: str = "",
    probes: dict[str, str] | None = None,
) -> Reason | None:
    """Return why this recipient gets no mail of this stream, or None.

    A delivery that is a probe passes. Where nothing but entries whose probe is due stands in the way, the delivery
    becomes the probe: it is added to `probes` by their identifiers, to be written down by `send_probes`.
    """
    if not suppressed:
        return None
    standing = [
        entry
        for entry in suppressed.get((project, fold(recipient)), ())
        if entry.scope in (WHOLE_PROJECT, stream)
        and (entry.expires_at is None or entry.expires_at > now)
        and (entry.probe_delivery is None or entry.probe_delivery != delivery)
    ]
    if not standing:
        return None
    firm = standing if probes is None else [entry for entry in standing if not _is_due(entry, now, probes)]
    if firm:
        return _reason(firm[0])
    if probes is not None:
        probes.update(dict.fromkeys([entry.id for entry in standing], delivery))
    return None


def send_probes(connection: Connection, probes: Mapping[str, str], now: Instant) -> None:
    """Write down which delivery each entry lets through; until it has ended there is no other."""
    for entry, delivery in probes.items():
        bulk.run(
            connection,
            "UPDATE suppressions SET probe_at = NULL, probe_delivery = ? WHERE id = ? AND probe_at <= ?",
            (delivery, entry, now),
        )


def _is_due(entry: Barrier, now: Instant, probes: Mapping[str, str]) -> bool:
    return entry.probe_at is not None and entry.probe_at <= now and entry.id not in probes


def _reason(entry: Barrier) -> Reason:
    where = "for the whole project" if entry.scope == WHOLE_PROJECT else f"for the stream {entry.scope}"
    return Reason(
        cls=Class.SUPPRESSED,
        permanence=Permanence.PERMANENT,
        scope=Scope.RECIPIENT,
        action=Action.NONE,
        rule=f"suppression.{Cause(entry.cause).value}",
        detail=f"The address is on the suppression list {where} ({entry.cause}).",
        evidence={"scope": entry.scope, "cause": entry.cause},
    )
