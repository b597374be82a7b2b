"""What people wrote into their servers' replies: the evidence where the codes leave it open.

Phrases are looked for as plain substrings of a text that was cut, lowered and freed of addresses before (an echoed
`<spam@example.com>` says nothing about the message), so a hostile peer can neither stall nor steer the search. Groups
stand in the order in which they are believed: first what only one cause would say, last the words that anybody uses.
"""

import re
import unicodedata
from typing import Final

from postroad.pipeline.outcomes import vocabulary
from postroad.pipeline.outcomes.clear_words import CLEAR
from postroad.pipeline.outcomes.common_words import COMMON
from postroad.pipeline.outcomes.group import Group
from postroad.pipeline.outcomes.nearness import Marks

MAX_TEXT: Final = 1024
"""Characters of a reply that are read; the rest has never held the cause."""

TOO_MANY_RECIPIENTS: Final = (
    "too many recipient",
    "too many rcpt",
    "recipient limit exceeded",
    "recipients per message",
    "max recipients",
)

GROUPS: Final = (*CLEAR, *COMMON)
"""In the order in which they are believed."""

_UNKNOWN: Final = next(group.phrases for group in GROUPS if group.name == "recipient")
_MINDED: Final = tuple(
    phrase for group in GROUPS if group.name in {"policy", "refused", "blocked", "spam"} for phrase in group.phrases
)
_HOST: Final = re.compile(r"\baddress[ :=]{0,3}[\[(]?[0-9]{1,3}\.[0-9]{1,3}\.")
"""An address of a host, not of a mailbox."""
_QUERY: Final = re.compile(r"\?[^\s?=]*+=\S*+")
"""What a link asks its page: of words there, nobody knows what they stand for."""
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"']*+")
_OWN_NAME: Final = re.compile(r"(?>(?:[\w-]++\.){2,})[a-z][\w-]*+:? ")
"""The name of the server, with which many a reply begins, and which may be `spam-filter` for all that it says."""
_ACCENTED: Final = re.compile("[\u00df-\u024f]")
_LETTERS: Final = {
    "\u00df": "ss",
    "\u00e6": "ae",
    "\u00f8": "o",
    "\u0111": "d",
    "\u0131": "i",
    "\u0142": "l",
    "\u0153": "oe",
}
"""Latin letters that no decomposition leads back to a plain one."""
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"'=@]{0,64}+@[\w-]*+(?>(?:\.[\w-]++)*)")
"""An address within a word. It gives nothing back, so that it takes time linear to the text."""


def fold(text: str) -> str:
    """Return the part of a reply's text that is read: cut, in lower case, single spaces, without addresses."""
    words = text[:MAX_TEXT].lower().split()
    if "@" not in text:
        return " ".join(words)
    kept = [_ADDRESS.sub("", word) if "@" in word else word for word in words]
    return " ".join([word for word in kept if any(map(str.isalnum, word))])


def plain(text: str) -> str:
    """Return a folded text with the accents taken off its Latin letters, since servers write them or not."""
    return text if text.isascii() else _ACCENTED.sub(_bare, text)


def _bare(letter: re.Match[str]) -> str:
    return _LETTERS.get(letter[0]) or unicodedata.normalize("NFD", letter[0])[0]


def spoken(text: str, digit: int) -> Group | None:
    """Return the first group that a folded text speaks for, of a reply whose code begins with `digit`."""
    if not text:
        return None
    text = plain(_OWN_NAME.sub("", text, count=1) if _OWN_NAME.match(text) else text)
    marks: Marks | None = None
    for group in GROUPS:
        if group.digit is not None and group.digit != digit:
            continue
        for phrase in group.phrases:
            if phrase in text:
                return group
        if group.near is not None:
            if marks is None:
                marks = vocabulary.WORDS.marks(text)
            if group.near.found(marks):
                return group
    return None


def names_recipient(text: str) -> bool:
    """Tell whether a folded text speaks of a user, a mailbox or an address at all."""
    return vocabulary.NAMED.found(vocabulary.WORDS.marks(plain(text)))


def says_gone(text: str) -> bool:
    """Tell whether a folded text says of anything at all that it is unknown: of an address that it echoes, say."""
    return vocabulary.ABSENT.found(vocabulary.WORDS.marks(plain(text)))


def names_sender(text: str) -> bool:
    """Tell whether a folded text speaks of the sender's side: its accounts, its hosts, its names, its habits."""
    text = _QUERY.sub("", text) if "?" in text else text
    return vocabulary.OURS.found(vocabulary.WORDS.marks(plain(text))) or _HOST.search(text) is not None


def says_sender(text: str) -> bool:
    """Tell whether a folded text names the sender, and not only what senders and recipients both have."""
    return vocabulary.SENDER.found(vocabulary.WORDS.marks(plain(text)))


def minds_something(text: str) -> bool:
    """Tell whether a folded text speaks of a policy, a block or spam, whatever else it says."""
    return any(phrase in text for phrase in _MINDED)


def without_links(text: str) -> str:
    """Return a folded text without the web addresses in it: a page's name is no statement about the mail."""
    return " ".join(_LINK.sub("", text).split()) if "://" in text or "www." in text else text


def says_unknown(text: str) -> bool:
    """Tell whether a folded text says, among other things, that there is no such recipient."""
    return any(phrase in text for phrase in _UNKNOWN)
