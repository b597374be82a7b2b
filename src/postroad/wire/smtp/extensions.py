"""What a server offers, from its answer to EHLO (RFC 5321 §4.1.1.1), and the same for ourselves as a server."""

from dataclasses import dataclass

from postroad.wire.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Extensions:
    """Service extensions. After HELO, and before any greeting, there are none.

    Attributes:
        size: Largest message taken, in octets (RFC 1870); None when no limit was told, as for `SIZE` and `SIZE 0`.
        auth: Names of the mechanisms, in capitals (RFC 4954).
        others: Keywords with no field here, in capitals; CHUNKING is among them, known and not used.
    """

    pipelining: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    starttls: bool = False
    enhanced_status_codes: bool = False
    dsn: bool = False
    size_offered: bool = False
    size: int | None = None
    auth: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


_FLAGS = {
    "PIPELINING": "pipelining",  # RFC 2920
    "8BITMIME": "eight_bit_mime",  # RFC 6152
    "SMTPUTF8": "smtputf8",  # RFC 6531
    "STARTTLS": "starttls",  # RFC 3207
    "ENHANCEDSTATUSCODES": "enhanced_status_codes",  # RFC 2034
    "DSN": "dsn",  # RFC 3461
}


def read_extensions(reply: Reply) -> Extensions:
    """Read the extensions from a positive answer to EHLO; its first line is the greeting. Nothing in it is an error."""
    flags: dict[str, bool] = {}
    size_offered, size = False, None
    auth: set[str] = set()
    others: set[str] = set()
    for line in reply.lines[1:]:
        # AUTH=LOGIN is how servers wrote it before RFC 4954, and some clients need it still
        words = line.upper().replace("AUTH=", "AUTH ", 1).split()
        match words:
            case []:
                continue
            case ["AUTH", *mechanisms]:
                auth.update(mechanisms)
            case ["SIZE", *limit]:
                size_offered = True
                size = _read_size(limit)
            case [keyword, *_] if keyword in _FLAGS:
                flags[_FLAGS[keyword]] = True
            case _:
                others.add(words[0])
    return Extensions(**flags, size_offered=size_offered, size=size, auth=frozenset(auth), others=frozenset(others))


def write_extensions(offered: Extensions) -> list[str]:
    """Return the lines that follow the greeting in an answer to EHLO."""
    lines = [keyword for keyword, field in _FLAGS.items() if getattr(offered, field)]
    if offered.size_offered:
        lines.append(f"SIZE {offered.size}" if offered.size is not None else "SIZE")
    if offered.auth:
        lines.append(f"AUTH {' '.join(sorted(offered.auth, reverse=True))}")
    return lines + sorted(offered.others)


def _read_size(words: list[str]) -> int | None:
    """Read the limit; zero means that there is none (RFC 1870 §4)."""
    if len(words) != 1 or not (words[0].isascii() and words[0].isdigit()) or len(words[0]) > 20:
        return None
    return int(words[0]) or None
