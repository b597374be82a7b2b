"""What is said of a recipient's side in words that no list of sentences foresaw: a thing, and near it its state.

"Das Postfach des Empfängers ist derzeit voll" and "la casella di Anna risulta piena" are one thought. So each class has
the words for things (a mailbox, an address, a message) and the words for states (full, unknown, too large) in the
languages that mail systems speak; a thing and a state of one class within a few words of each other speak for it.
"""

import re
from itertools import pairwise
from typing import Final, NamedTuple

from postroad.model.reason import Class
from postroad.pipeline.outcomes.returned import states, things

APART: Final = 60
"""Characters that may stand between a thing and its state."""
APART_BACKWARDS: Final = 30
"""The same where the state is said first: "no such mailbox"."""

_THING, _STATE, _OTHER = range(3)


class Thought(NamedTuple):
    """What is spoken of, and how it has to be with it.

    Attributes:
        things: What is spoken of.
        states: How it is with it.
        others: Things of other classes of which the same is said; one that stands nearer takes the state for itself.
    """

    things: re.Pattern[str]
    states: re.Pattern[str]
    others: re.Pattern[str] | None = None


def _thought(things: str, states: str, others: str | None = None) -> Thought:
    return Thought(re.compile(things), re.compile(states), re.compile(others) if others else None)


_RECIPIENT: Final = f"{things.MAILBOX}|{things.PERSON}|{things.ADDRESS}"

NO_DOMAIN: Final = _thought(things.DOMAIN, states.ABSENT, _RECIPIENT)
"""A domain that there is none of, and nothing of a recipient in it."""
DISTRUSTED: Final = _thought(things.SENDER, states.DISTRUSTED)
"""A host that sent the message, and is not wanted."""
LASTED: Final = _thought(things.LONG, states.LASTED)
"""How long something has gone on."""
_TRIED: Final = re.compile(
    r"\btr(?:y|ied|ies|ying)\b|attempt|versuch|essay|tentati|intent|tentou|tentamos|provat|geprobeerd|poging|prób|"
    r"pokus|próbál|încerc|\bdene|попыт|пыта|спроб|försök|forsøg|forsøk|yrit|試み|試行|再送|尝试|嘗試|시도"
)

_UNREACHED: Final = _thought(things.SERVER, states.SILENT)

FULL: Final = _thought(
    things.MAILBOX,
    states.FULL,
    r"message|nachricht|mensaje|messaggio|mensagem|bericht|wiadomoś|zpráv|üzenet|сообщени|письм|attachment|anhang|メッセージ|添付|邮件|郵件|메시지",
)
"""A mailbox that is full, and nothing of a message that is too large for it."""

GONE: Final = (
    _thought(_RECIPIENT, states.CLOSED),
    _thought(_RECIPIENT, states.REMOVED, f"{things.MESSAGE}|{things.ATTACHED}"),
)
"""A mailbox that was there and is no more."""

CAUSES: Final[tuple[tuple[Class, tuple[Thought, ...]], ...]] = (
    (Class.MAILBOX_FULL, (FULL,)),
    (Class.MESSAGE_TOO_LARGE, (_thought(things.MESSAGE, states.LARGE), _thought(things.SIZE, states.EXCEEDED))),
    (Class.MAILBOX_FULL, (_thought(f"{things.MAILBOX}|{things.PERSON}", states.FULL),)),
    (Class.INACTIVE_MAILBOX, GONE),
    (Class.BAD_DOMAIN, (NO_DOMAIN,)),
    (
        Class.INVALID_RECIPIENT,
        (_thought(f"{_RECIPIENT}|{things.NAME}", states.ABSENT),),
    ),
    (
        Class.CONTENT_REJECTED,
        (_thought(things.UNWANTED, states.SUSPECTED), _thought(things.ATTACHED, states.FORBIDDEN)),
    ),
    (Class.AUTH_FAILED, (_thought(things.PROOF, states.UNPROVEN),)),
    (Class.POLICY, (_thought(things.ONLY, states.INSIDERS),)),
    (Class.RATE_LIMITED, (_thought(things.MUCH, states.TOO_MUCH),)),
)
"""What may be said beside a refusal that says nothing itself, in the order in which it is believed."""

THOUGHTS: Final[tuple[tuple[Class, tuple[Thought, ...]], ...]] = (
    *CAUSES,
    (Class.REPUTATION_BLOCK, (DISTRUSTED,)),
    (Class.TLS_REQUIRED_FAILED, (_thought(things.PROTECTION, states.UNPROTECTED),)),
    (Class.DNS_FAILURE, (_thought(things.NAMES, states.NOT_NOW),)),
    (Class.UNREACHABLE, (_UNREACHED,)),
    (Class.EXPIRED, (LASTED,)),
)
"""In the order in which they are believed, after all sentences."""


def spoken(folded: str) -> Class | None:
    """Return the class of which a folded text has a thing and a state near each other."""
    return _first(THOUGHTS, folded)


def cause(folded: str) -> Class | None:
    """Return what a folded text minds in the message, its sender or its recipient."""
    return _first(CAUSES, folded)


def gave_up(folded: str) -> bool:
    """Tell whether a folded text says for how long somebody tried."""
    return near(LASTED, folded) and (_TRIED.search(folded) is not None or near(_UNREACHED, folded))


def _first(among: tuple[tuple[Class, tuple[Thought, ...]], ...], folded: str) -> Class | None:
    return next((cls for cls, thoughts in among if any(near(thought, folded) for thought in thoughts)), None)


def near(thought: Thought, folded: str) -> bool:
    """Tell whether a thing and its state stand near each other, in time linear to the text.

    Where others claim the state as well, only a thing before it counts: `unknown user in this domain`.
    """
    marks = [(*found.span(), _STATE) for found in thought.states.finditer(folded)]
    if not marks:
        return False
    marks += [(*found.span(), _THING) for found in thought.things.finditer(folded)]
    if thought.others is not None:
        marks += [(*found.span(), _OTHER) for found in thought.others.finditer(folded)]
    marks.sort()
    backwards = APART_BACKWARDS if thought.others is None else -1
    for (_, end, first), (start, _, second) in pairwise(marks):
        if (first, second) == (_THING, _STATE) and start - end <= APART:
            return True
        if (first, second) == (_STATE, _THING) and start - end <= backwards:
            return True
    return False
