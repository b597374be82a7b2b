"""Seeds changed at random: the fuzzer of those who have no other.

It knows nothing of which code ran, so it finds less than one that is led by coverage; but it needs nothing installed
and, begun with the same number, makes the same inputs again.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

LONGEST: Final = 64 * 1024
_MARKS: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b"--", b": ", b";", b'"', b"<", b">", b"@", b"=?", b"?=", b"=", b"\t", b"\xff"),
    *(b"550 5.1.1 ", b"421-", b"450 4.2.0", b"\r\n\r\n", b"--fuzz", b"Content-Type: ", b"boundary=", b"(", b"\\"),
    *(
        b"Action: ",
        b"Feedback-Type: ",
        b"Final-Recipient: ",
        b"+2B",
        b"\\x{41}",
        b"\x1b$B",
        b"base64",
        b"message/rfc822",
    ),
)


def mutations(seeds: Sequence[bytes], start: int) -> Iterator[bytes]:
    """Yield changed seeds without end, the same ones for the same `start`."""
    chance = Random(start)
    while True:
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            _change(octets, seeds, chance)
        yield bytes(octets[:LONGEST])


def _change(octets: bytearray, seeds: Sequence[bytes], chance: Random) -> None:
    at = chance.randint(0, len(octets))
    end = min(len(octets), at + chance.choice((1, 1, 4, 16, 64, 400)))
    match chance.randrange(7):
        case 0:
            del octets[at:end]
        case 1:
            octets[at:at] = chance.choice(_MARKS)
        case 2:
            octets[at:at] = octets[at:end] * chance.choice((1, 2, 30))
        case 3 if at < len(octets):
            octets[at] = chance.randrange(256)
        case 4:
            other = chance.choice(seeds)
            cut = chance.randint(0, len(other))
            octets[at:end] = other[cut : cut + chance.choice((8, 80, 800))]
        case 5:
            octets[at:end] = chance.choice(_MARKS) * chance.choice((1, 3, 500))
        case _:
            octets[at:end] = octets[at:end].swapcase()
