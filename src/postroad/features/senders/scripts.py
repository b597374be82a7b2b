"""Domain names that are made to look like others (UTS 39). Pure.

Two things are warned of, label by label: letters of scripts that are not written together (UTS 39 §5.2, highly
restrictive), and a whole label in another script of which every letter looks like a Latin one (UTS 39 §4.2). A warning
is no refusal, because there are honest names of both kinds.
"""

import unicodedata
from typing import Final

import idna

_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
_SAME: Final = {"IDEOGRAPHIC": "CJK", "KATAKANA-HIRAGANA": "KATAKANA", "HALFWIDTH": "KATAKANA", "FULLWIDTH": "LATIN"}
_LOOK_LATIN: Final = frozenset(
    "\u0430\u0441\u0501\u0435\u04bb\u0456\u0457\u0458\u04cf\u043e\u0440\u051b\u0455\u051d\u0445\u0443\u04af"  # Cyrillic
    "\u03b1\u03b3\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f2\u03f3"  # Greek
    "\u0570\u0578\u057d\u0585\u0581\u0575"  # Armenian
)
"""Letters of other scripts that look like one of a to z."""


def to_unicode(name: str) -> str:
    """Return a name of A-labels as people read it; labels that are not valid stay as they are."""
    return ".".join([_label_to_unicode(label) for label in name.split(".")])


def warnings(name: str) -> tuple[str, ...]:
    """Return what is suspicious about a name given in A-labels, as public sentences."""
    found: list[str] = []
    for label in to_unicode(name).split("."):
        if label.isascii():
            continue
        scripts = {script for char in label if (script := _script(char)) is not None}
        if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
            kinds = " and ".join(sorted(script.capitalize() for script in scripts))
            found.append(f"The label {label} mixes letters of {kinds}; such names are used to imitate others.")
        elif scripts and "LATIN" not in scripts and _all_look_latin(label):
            found.append(f"The label {label} looks like one in Latin letters but is not; it may imitate another name.")
    return tuple(found)


def _label_to_unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label


def _script(char: str) -> str | None:
    """Return the script of a letter, by the first word of its name; None for what belongs to every script."""
    if unicodedata.category(char)[0] != "L":
        return None
    word = unicodedata.name(char, "UNNAMED").split(" ")[0]
    return _SAME.get(word, word)


def _all_look_latin(label: str) -> bool:
    return all(char in _LOOK_LATIN for char in label if not char.isascii())
