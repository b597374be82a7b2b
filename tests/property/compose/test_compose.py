"""Whatever an application sends, the octets are one message, and it is the one that was meant."""

import re
from collections import Counter
from email import message_from_bytes, policy

from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model.clock import Instant
from postroad.model.composition import Composed, ComposeFailed, ComposeJob, SigningKey
from postroad.model.message import Attachment, Content, Party, encode_content
from postroad.pipeline.compose import KeyRing, compose
from postroad.wire import dkim
from postroad.wire.headers import denial
from postroad.wire.parse import SINGLETONS, check_lines, parse, prepare

ED = dkim.generate(dkim.Algorithm.ED25519_SHA256)
RING = KeyRing([SigningKey("dkm", "x.example", "s", "ed25519-sha256", dkim.private_der(ED))])
RECORD = dkim.public_record(ED).encode()

HOSTILE = st.sampled_from(
    [
        "\r\nBcc: eve@z.example\r\n",
        "=?utf-8?q?=0D=0ABcc:?=",
        "\u2028",
        "\0",
        "\r",
        "\n",
        "\n.\n",
        "\r\n.\r\n",
        "\t",
        "ü",
        "日本",
        "From ",
        "=",
        " ",
        "a" * 90,
        "<",
        ">",
        '"',
        "\\",
        ";",
    ]
)
TEXTS = st.lists(HOSTILE | st.text(max_size=20), max_size=8).map("".join)
EMAILS = st.sampled_from(["ann@example.org", '"a b"@x.example', "пётр@x.example", "a@[192.0.2.1]"])
PARTIES = st.builds(Party, EMAILS, st.none() | TEXTS)
NAMES = st.sampled_from(["X-One", "x-one", "X-Two", "References", "List-Id", "Bcc", "X-\r\nBcc", "Subject"]) | st.text(
    max_size=10
)
ATTACHMENTS = st.builds(
    Attachment,
    TEXTS,
    st.sampled_from(["text/csv", "message/rfc822", "x/y; z=1"]),
    st.sampled_from(["aa", "bb"]),
    st.just(1),
    st.none() | st.just("logo") | TEXTS,
)
CONTENTS = st.builds(
    Content,
    sender=PARTIES,
    to=st.lists(PARTIES, max_size=3).map(tuple),
    cc=st.lists(PARTIES, max_size=2).map(tuple),
    reply_to=st.lists(PARTIES, max_size=2).map(tuple),
    subject=TEXTS,
    html=st.none() | TEXTS,
    text=st.none() | TEXTS,
    headers=st.lists(st.tuples(NAMES, TEXTS), max_size=3).map(tuple),
    attachments=st.lists(ATTACHMENTS, max_size=2).map(tuple),
)


def attempt(content: Content, blobs: dict[str, bytes]) -> Composed | ComposeFailed:
    job = ComposeJob(
        message_id="msg_1",
        delivery_id="dlv_1",
        recipient="hidden@example.net",
        return_path="b@x.example",
        header_id="1@x.example",
        accepted_at=Instant(1_700_000_000_000_000),
        content=encode_content(content),
        signers=("dkm",),
        blobs=blobs,
    )
    return compose(job, RING)


def check(result: Composed) -> None:
    """The octets may travel unchanged and their signature holds."""
    octets = result.octets
    check_lines(octets)
    assert octets.endswith(b"\r\n")
    stuffed = octets.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    assert [found.end() for found in re.finditer(rb"\r\n\.\r\n", stuffed)] == [len(stuffed)]
    assert not re.search(rb"(?<!\r)\n\.|\r\.|\n\.\r(?!\n)|\n\.\n", stuffed[:-5])
    assert [one.verdict for one in dkim.verify(parse(octets), lambda name: RECORD, now_s=1_700_000_000)][:1] == ["pass"]


@settings(max_examples=300)
@given(CONTENTS, st.binary(max_size=50), st.binary(max_size=50))
def test_a_composed_message_has_the_fields_that_were_meant_and_no_others(
    content: Content, first: bytes, second: bytes
) -> None:
    result = attempt(content, {"aa": first, "bb": second})
    if isinstance(result, ComposeFailed):
        assert result.code in {"invalid_header", "invalid_content"}
        return
    check(result)
    assert b"hidden" not in result.octets
    intended = Counter(
        ["dkim-signature", "date", "from", "subject", "message-id", "mime-version", "content-type"]
        + ["to"] * (bool(content.to) or not content.cc)
        + ["cc"] * bool(content.cc)
        + ["reply-to"] * bool(content.reply_to)
        + [name.lower() for name, _ in content.headers]
    )
    assert not any(denial(name) for name, _ in content.headers)
    found = Counter(field.name.decode() for field in parse(result.octets).fields)
    found.pop("content-transfer-encoding", None)
    assert found == intended
    assert all(count == 1 for name, count in found.items() if name.encode() in SINGLETONS)
    seen = message_from_bytes(result.octets, policy=policy.compat32)
    names = Counter(name.lower() for name in seen.keys())  # noqa: SIM118 - names repeat
    names.pop("content-transfer-encoding", None)
    assert names == intended


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\0", b"a", b"\xff", b"From: a@x.example\r\n", b"x" * 999])
    ).map(b"".join)
)
def test_raw_octets_travel_unchanged_or_not_at_all(octets: bytes) -> None:
    given_octets = b"From: a@x.example\r\n" + octets
    result = attempt_raw(given_octets)
    if isinstance(result, Composed):
        check(result)
        kept = result.octets[result.octets.index(b"\r\nFrom: a@x") + 2 :]
        assert kept.startswith(given_octets)
        assert kept.removeprefix(given_octets) in (b"", b"\r\n")


def attempt_raw(octets: bytes) -> Composed | ComposeFailed:
    return attempt(Content(sender=Party("a@x.example"), raw_sha256="raw"), {"raw": octets})


def test_what_intake_prepares_is_what_compose_takes() -> None:
    octets = b"From: a@x.example\r\nBcc: eve@z.example\r\n\r\nbody"
    prepared = prepare(parse(octets), date=b"Date: x\r\n", message_id="<1@x.example>")
    kept = b"".join(field.octets for field in prepared.fields) + b"\r\n" + prepared.body
    result = attempt_raw(kept)
    assert isinstance(result, Composed)
    assert b"Bcc" not in result.octets
    check(result)
