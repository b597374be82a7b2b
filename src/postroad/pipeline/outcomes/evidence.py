"""What a reason keeps of an attempt, and what the next judgement reads from it again.

Between attempts the judge remembers two things: the class of the last failure that counted, and, where it matters,
since when failures have been of that class. Both travel in the evidence of the reason that the store keeps anyway.
"""

from postroad.model.attempt import Attempt
from postroad.model.clock import Instant
from postroad.model.reason import Class, Reason
from postroad.pipeline.outcomes.phrases import MAX_TEXT

Evidence = dict[str, str | int | None]


def run(reason: Reason) -> tuple[str | None, int | None]:
    """Return the class of the last failure that counted, and since when failures have been of it.

    An interruption of our own breaks no run: its reason carries the run of the one before it.
    """
    began = reason.evidence.get("since")
    if reason.cls is Class.LOCAL:
        carried = reason.evidence.get("last_class")
        return carried if isinstance(carried, str) else None, began if isinstance(began, int) else None
    return reason.cls.value, began if isinstance(began, int) else None


def since(previous: Reason | None, cls: Class, now: Instant) -> Instant:
    """Return since when the failures that `previous` ended have been of `cls`: `now` when this one is the first."""
    if previous is None:
        return now
    last, began = run(previous)
    return Instant(began) if last == cls and began is not None else now


def gather(attempt: Attempt) -> Evidence:
    """Return what the attempt brought back: the reply as it was said, cut, or the trouble, and where."""
    evidence: Evidence = {"phase": attempt.phase.value}
    if attempt.mx is not None:
        evidence["mx"] = attempt.mx
    if attempt.trouble is not None:
        evidence["trouble"] = attempt.trouble.value
    if attempt.reply is not None:
        evidence["code"] = attempt.reply.code
        evidence["enhanced"] = attempt.reply.enhanced
        evidence["text"] = attempt.reply.text[:MAX_TEXT]
    return evidence
