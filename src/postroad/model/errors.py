"""The two families of expected failure; everything else that is raised is a bug.

The sentences are public: they may be shown to whoever called, and so never carry private detail.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a request: where (a JSON Pointer, RFC 6901) and what to do about it."""

    pointer: str
    detail: str
    code: str = "invalid"


class Refused(Exception):  # noqa: N818 - named for what happened, as the house's vocabulary has it
    """A request that will not be carried out as it stands.

    `code` is stable and documented (`docs/reference/errors.md`); the HTTP layer alone knows its status.
    """

    def __init__(self, code: str, detail: str, *, flaws: Sequence[Flaw] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.flaws = tuple(flaws)

    @classmethod
    def field(cls, pointer: str, detail: str, *, code: str = "invalid_request") -> "Refused":
        """Return a refusal because of one field."""
        return cls(code, detail, flaws=(Flaw(pointer, detail, code),))


class Unavailable(Exception):  # noqa: N818 - see Refused
    """A request that may well succeed later: nothing was stored."""

    def __init__(self, code: str, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
