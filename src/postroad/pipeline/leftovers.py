"""What became of an attempt that a dead process left open, as far as the node's journal can tell."""

from postroad.model.attempt import Attempt, Phase, Trouble
from postroad.model.clock import Instant
from postroad.model.delivery import Lease
from postroad.pipeline.journal import Journal, Note, read_result


def leftover(journal: Journal, lease: Lease, *, ours: bool, now: Instant) -> tuple[Attempt, Note | None]:
    """Return the attempt behind a lease that was taken over, with the note of its result where there is one.

    Args:
        journal: of this node.
        lease: as it was taken over; its attempt is still the open one.
        ours: whether this node held it before; of another's attempts nothing is known.
        now: when it was taken over.
    """
    note = journal.noted(lease.delivery_id, lease.attempt) if ours else None
    result = None if note is None else read_result(note)
    if result is not None:
        return result, note
    if ours and note is None and journal.complete:
        phase, trouble, detail = Phase.COMPOSE, Trouble.CRASHED, "The server stopped before the message was sent."
    else:
        phase, trouble = Phase.DOT, Trouble.LOST
        detail = "The server stopped while the message was being sent; it may have arrived."
    return Attempt(phase=phase, trouble=trouble, detail=detail, started_at=now, finished_at=now), None
