"""Octets of other people's mail made text: by the charset that they name, or by the one that it is.

Only codecs of charsets that are met in mail are used, by name: Python has others that are slow on hostile input or are
no charsets at all.
"""

import codecs
from typing import Final

_SINGLE: Final = frozenset(
    [f"iso8859-{number}" for number in range(1, 17) if number != 12]
    + [f"cp{number}" for number in (437, 850, 852, 855, 858, 862, 866, 874)]
    + [f"cp{number}" for number in range(1250, 1259)]
    + ["koi8-r", "koi8-u", "mac-roman", "tis-620"]
)
_MULTIPLE: Final = frozenset(
    (
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
        *(
            "shift_jis",
            "cp932",
            "euc_jp",
            "iso2022_jp",
            "iso2022_jp_1",
            "iso2022_jp_2",
            "iso2022_jp_3",
            "iso2022_jp_ext",
        ),
        *("gb18030", "gbk", "big5", "big5hkscs", "euc_kr", "cp949", "iso2022_jp_ext", "iso2022_kr", "hz"),
    )
)
_KNOWN: Final = _SINGLE | _MULTIPLE
_ALSO: Final = {
    "gb2312": "gb18030",  # what says GB 2312 often holds what only its successors have
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-1": "cp1252",  # as every mail client reads it
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
}


def decode(octets: bytes, charset: str) -> str:
    """Return the text, never failing: by its charset, else as UTF-8, else as Windows-1252."""
    if octets.isascii() and (b"\x1b" not in octets and b"~" not in octets and b"\0" not in octets):
        return octets.decode("ascii")
    codec = _codec(charset)
    for name in (codec, "utf-8"):
        try:
            return octets.decode(name)
        except UnicodeError:
            continue
    return octets.decode("cp1252" if codec == "utf-8" else codec, "replace")


def _codec(charset: str) -> str:
    name = charset.strip().strip("'\"").lower()[:40]
    name = _ALSO.get(name, name)
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):  # a name with NUL or beyond ASCII is a ValueError
        return "utf-8"
    return found if found in _KNOWN else "utf-8"
