"""Two words that stand near each other: what is left to go by where nobody has met the phrase before.

People build the same sentence in a thousand ways (`mailbox not found`, `the user you wrote to is unknown here`,
`casella inesistente`). All of them name a thing and say what is the matter with it, a few words away. So each word of a
reply is marked for what it names, in one pass and whatever the language, and a class is spoken for by two marks that
are close.

A pass looks every word up by itself and by its beginnings, in dictionaries: it takes time linear to the text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

Marks = dict[str, list[int]]
"""Where the words of each mark stand, counted in words; a sentence's end counts for many."""

_SENTENCE: Final = 50
_ENDS: Final = frozenset(".;!?")
_TOKEN: Final = re.compile(r"(?<![\w.-])[\w-]++(?>(?:\.[\w-]++){2,})|[^\W_]+|[.;!?](?=\s|$)")
"""A name of three labels or more, such as a server's, is one word, since its labels say nothing; a sentence's end."""
_HOST: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
HOST: Final = "address"
"""What an IPv4 address is marked as."""
_SHORTEST: Final = 3
"""Letters of the shortest beginning of a word that a vocabulary may have."""


class Near(NamedTuple):
    """Marks of which one of each side has to stand within some words of the other; without others, one is enough.

    `but` names what must not be found beside it, since it says more.
    """

    things: tuple[str, ...]
    others: tuple[str, ...] = ()
    within: int = 5
    but: "Near | None" = None

    def found(self, marks: Marks) -> bool:
        """Tell whether two such words are close."""
        if self.but is not None and self.but.found(marks):
            return False
        first = _places(self.things, marks)
        if not (first and self.others):
            return bool(first)
        second = _places(self.others, marks)
        return any(abs(one - other) <= self.within for one, other in _neighbours(first, second))


def _places(names: Iterable[str], marks: Marks) -> list[int]:
    return sorted(place for name in names for place in marks.get(name, ()))


def _neighbours(first: list[int], second: list[int]) -> Iterable[tuple[int, int]]:
    """Yield each place of one list with those of the other that are next to it, in one walk over both."""
    at = 0
    for place in first:
        while at < len(second) and second[at] < place:
            at += 1
        if at:
            yield place, second[at - 1]
        if at < len(second):
            yield place, second[at]


class _Entry(NamedTuple):
    """What follows the first word of an entry, whether the last word is a beginning only, and what it names."""

    rest: tuple[str, ...]
    opened: bool
    names: tuple[str, ...]


class Vocabulary:
    """Words and what they name.

    An entry is a word or several; `-` at its end makes it the beginning of a word. What is written without spaces (the
    scripts of East Asia) is looked for anywhere. Where entries overlap, the longest one counts, and a whole word names
    what its beginning names, too.
    """

    __slots__ = ("_anywhere", "_beginnings", "_longest", "_words")

    def __init__(self, words: Mapping[str, str]) -> None:
        """Take the words of each mark, `|` between them; a word may stand under several."""
        named: dict[str, tuple[str, ...]] = {}
        for mark, listed in words.items():
            for entry in {" ".join(each.split()) for each in listed.split("|")}:
                named[entry] = (*named.get(entry, ()), mark)
        self._words: dict[str, list[_Entry]] = {}
        self._beginnings: dict[str, tuple[str, ...]] = {}
        self._anywhere: list[tuple[str, tuple[str, ...]]] = []
        for entry, names in named.items():
            self._add(entry, names)
        for entries in self._words.values():
            entries.sort(key=lambda entry: -len(entry.rest))
        self._longest = max(map(len, self._beginnings), default=0)
        for word, entries in self._words.items():
            begun = self._begun(word)
            self._words[word] = [
                entry if entry.rest else entry._replace(names=tuple(dict.fromkeys((*entry.names, *begun))))
                for entry in entries
            ]

    def _add(self, entry: str, names: tuple[str, ...]) -> None:
        if _unspaced(entry):
            self._anywhere.append((entry, names))
            return
        opened = entry.endswith("-")
        first, *rest = entry.removesuffix("-").split(" ")
        if opened and not rest:
            self._beginnings[first] = names
        else:
            self._words.setdefault(first, []).append(_Entry(tuple(rest), opened, names))

    def marks(self, text: str) -> Marks:
        """Return what the words of a folded text name, and where."""
        tokens = _TOKEN.findall(text)
        marks: Marks = {}
        index = place = 0
        while index < len(tokens):
            taken = 1
            if tokens[index] in _ENDS:
                place += _SENTENCE
            elif tokens[index][-1].isdigit() and _HOST.fullmatch(tokens[index]):
                marks.setdefault(HOST, []).append(place)
            else:
                names, taken = self._named(tokens, index)
                for name in names:
                    marks.setdefault(name, []).append(place)
            index += taken
            place += taken
        if not text.isascii():
            for part, names in self._anywhere:
                for name in names if part in text else ():
                    marks.setdefault(name, []).append(0)
        return marks

    def _named(self, tokens: list[str], index: int) -> tuple[tuple[str, ...], int]:
        """Return what the word at `index` names, and how many words that takes."""
        token = tokens[index]
        for entry in self._words.get(token, ()):
            if _follows(tokens, index + 1, entry):
                return entry.names, 1 + len(entry.rest)
        return self._begun(token), 1

    def _begun(self, token: str) -> tuple[str, ...]:
        """Return what the longest entry names that is a beginning of a word."""
        for length in range(min(self._longest, len(token)), _SHORTEST - 1, -1):
            names = self._beginnings.get(token[:length])
            if names is not None:
                return names
        return ()


def _follows(tokens: list[str], index: int, entry: _Entry) -> bool:
    rest = entry.rest
    if not rest:
        return True
    following = tokens[index : index + len(rest)]
    if not entry.opened:
        return tuple(following) == rest
    return len(following) == len(rest) and tuple(following[:-1]) == rest[:-1] and following[-1].startswith(rest[-1])


def _unspaced(entry: str) -> bool:
    """Tell whether an entry is of a script that puts no spaces between words."""
    return any("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in entry)
