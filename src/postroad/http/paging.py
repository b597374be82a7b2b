"""Where a page begins: `after`, which is `next` of the page before, and nothing else."""

from postroad.model.errors import Refused
from postroad.model.ids import minted_at


def place(prefix: str, after: str) -> str:
    """Return `after` when a page can have ended there; empty, it is the beginning.

    A list is sorted by its identifiers, so that any other text would give an empty or a wrong page without a word.

    Raises:
        Refused: no identifier of this kind.
    """
    if not after:
        return ""
    try:
        minted_at(after)
    except ValueError:
        known = False
    else:
        known = after.startswith(f"{prefix}_")
    if not known:
        raise Refused.field(
            "#/query/after", f"This is not where a page ended; give `next` of the page before ({prefix}_…)."
        )
    return after
