"""What was learnt of a delivery after its end, in words and in structure, for `explain`."""

from collections.abc import Sequence
from typing import Final

import msgspec

from postroad.model.clock import to_rfc3339
from postroad.model.ids import InboundId
from postroad.model.late import LateFact, Proof, Taken
from postroad.model.reason import Class, Permanence
from postroad.pipeline.outcomes.evidence import Evidence
from postroad.pipeline.outcomes.words import REMEDIES

_WHAT: Final = {
    Taken.BOUNCE: "the receiving side reported by mail that it could not deliver it.",
    Taken.DELAY: "the receiving side reported by mail that it was still trying.",
    Taken.RECEIPT: "the receiving side reported by mail that it had delivered it.",
    Taken.COMPLAINT: "the recipient reported it as unwanted.",
    Taken.AUTO_REPLY: "an automatic reply came back.",
    Taken.CHALLENGE: "the recipient's side asked the sender to confirm being human.",
    Taken.UNSUBSCRIBE: "the recipient asked by mail for no more of it.",
    Taken.OTHER: "a report came back that changes nothing.",
}
_WEAK: Final = "That is known by the Message-ID alone, which can be forged, so that nothing follows from it."


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was learnt by mail."""

    kind: Taken
    at: str
    sentence: str
    cls: Class = msgspec.field(name="class")
    permanence: Permanence
    rule: str
    evidence: Evidence
    proof: Proof
    """How it is known which delivery it is about."""
    inbound_id: InboundId
    """The mail that said so."""


def afterwards(facts: Sequence[LateFact]) -> tuple[Later, ...]:
    """Return what the late facts of a delivery say, in the order in which they came."""
    return tuple(
        Later(
            kind=fact.kind,
            at=to_rfc3339(fact.at),
            sentence=_sentence(fact),
            cls=fact.reason.cls,
            permanence=fact.reason.permanence,
            rule=fact.reason.rule,
            evidence=fact.reason.evidence,
            proof=fact.proof,
            inbound_id=fact.inbound_id,
        )
        for fact in facts
    )


def remedy_after(facts: Sequence[LateFact]) -> str | None:
    """Return what would change the outcome that late facts brought, or None when they changed none."""
    for kind in (Taken.COMPLAINT, Taken.BOUNCE, Taken.CHALLENGE):
        for fact in facts:
            if fact.kind is kind and fact.proof.certain:
                return REMEDIES[fact.reason.cls]
    return None


def _sentence(fact: LateFact) -> str:
    parts = [f"On {to_rfc3339(fact.at)} {_WHAT[fact.kind]}"]
    if fact.kind in (Taken.BOUNCE, Taken.DELAY):
        parts.append(fact.reason.detail)
        evidence = fact.reason.evidence
        words = " ".join([str(evidence[name]) for name in ("code", "enhanced", "text") if evidence.get(name)])
        if words:
            parts.append(f"{evidence.get('mx') or 'The server'} said: “{words}”.")
    if not fact.proof.certain:
        parts.append(_WEAK)
    return " ".join(parts)
