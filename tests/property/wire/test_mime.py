"""Any text and any files come back from a reader as they were put in, through lines that may travel."""

import re
from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.dkim.canonical import relaxed_body
from postroad.wire.mime import Part, build

TEXTS = st.lists(
    st.sampled_from(
        ["\r", "\n", "\r\n", "\r\n.\r\n", "\n.\n", "From ", "\0", " ", "\t", "=", "é", "日", "--=_", "x" * 300, "."]
    )
    | st.text(max_size=20).filter(lambda text: text.isprintable()),
    max_size=30,
).map("".join)
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")


def canonical(text: str) -> bytes:
    return re.sub(r"\r\n|\r|\n", "\r\n", text).encode()


@given(TEXTS, TEXTS, st.lists(st.binary(max_size=200), max_size=3))
def test_content_survives(text: str, html: str, files: list[bytes]) -> None:
    parts = [Part(content, "application/pdf", f"{n}.pdf") for n, content in enumerate(files)]
    entity = build(text, html, parts, seed=b"seed")
    octets = entity.octets
    assert BARE.search(octets) is None
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    leaves = [part for part in message_from_bytes(octets, policy=policy.compat32).walk() if not part.is_multipart()]
    assert [leaf.get_payload(decode=True) for leaf in leaves] == [canonical(text), canonical(html), *files]


@given(TEXTS)
def test_quoted_printable_and_base64_lines_are_at_most_76_octets(text: str) -> None:
    entity = build(text, None, seed=b"seed")
    if b"7bit" not in entity.fields[1]:
        assert max(map(len, entity.body.split(b"\r\n"))) <= 76


def by_the_letter(body: bytes) -> bytes:
    """RFC 6376 §3.4.4, slowly."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b" " * 30])).map(b"".join))
def test_a_body_is_reduced_to_the_letter_of_the_standard(body: bytes) -> None:
    assert relaxed_body(body) == by_the_letter(body)
