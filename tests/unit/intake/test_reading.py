"""What a draft says, checked: every flaw is named at once, and what is let through is valid by construction."""

import base64
import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model.clock import DAY, HOUR, Instant, to_datetime
from postroad.model.errors import Refused
from postroad.model.message import Party, Role
from postroad.pipeline.intake import AddressInput, AttachmentInput, Draft, IntakeLimits
from postroad.pipeline.intake.reading import escape, read
from stores import START

LIMITS = IntakeLimits()
PLAIN = {"sender": "shop@a.test", "to": "ann@x.test", "text": ""}


def reading(limits=LIMITS, **fields):
    return read(Draft(**{**PLAIN, **fields}), limits, START)


def flaws(limits=LIMITS, **fields):
    with pytest.raises(Refused) as refused:
        reading(limits, **fields)
    assert refused.value.code == "invalid_request"
    assert all(flaw.detail.endswith(".") for flaw in refused.value.flaws)
    return [(flaw.pointer, flaw.code) for flaw in refused.value.flaws]


def pointers(draft):
    """Where a draft is wrong; nowhere when it can be read, and then it has a sender and an envelope."""
    try:
        found = read(draft, LIMITS, START)
    except Refused as refused:
        return {flaw.pointer for flaw in refused.flaws} or {"a refusal without a flaw"}
    return set() if found.sender and found.envelope else {"a reading without an envelope"}


def file(**changes):
    return AttachmentInput(**{"filename": "a.pdf", "content": "aGk=", **changes})


# --- people ----------------------------------------------------------------------------------------------------------


def test_an_address_is_text_with_or_without_a_name_or_an_object():
    found = reading(
        sender='"Shop, Ltd" <shop@A.test>',
        to=["ann@x.test", "Ann <ann.lee@x.test>", AddressInput("bob@x.test", "Bob"), AddressInput("eve@x.test", " ")],
    )
    assert found.sender == Party("shop@a.test", "Shop, Ltd")
    assert found.sender_domain == "a.test"
    assert found.to == (
        Party("ann@x.test"),
        Party("ann.lee@x.test", "Ann"),
        Party("bob@x.test", "Bob"),
        Party("eve@x.test"),
    )


def test_each_recipient_is_mailed_once_in_the_role_that_comes_first():
    found = reading(to=["ann@x.test"], cc=["ann@X.test", "bob@x.test"], bcc=["bob@x.test", "eve@x.test"])
    assert [(mailbox.address, role) for mailbox, role in found.envelope] == [
        ("ann@x.test", Role.TO),
        ("bob@x.test", Role.CC),
        ("eve@x.test", Role.BCC),
    ]
    assert [party.email for party in found.cc] == ["ann@x.test", "bob@x.test"], "the header is as it was asked for"


def test_bcc_alone_is_enough():
    found = reading(to=[], bcc="eve@x.test")
    assert [(mailbox.address, role) for mailbox, role in found.envelope] == [("eve@x.test", Role.BCC)]
    assert (found.to, found.cc) == ((), ())


def test_the_same_recipient_twice_is_one():
    assert len(reading(to=["ann@x.test", "ann@x.test"]).envelope) == 1


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
def test_a_bad_address_is_pointed_at_in_its_list(field):
    assert flaws(**{field: ["ann@x.test", "no address"]}) == [(f"/{field}/1", "invalid_address")]


@pytest.mark.parametrize("field", ["sender", "to", "cc", "bcc", "reply_to"])
def test_a_bad_address_alone_is_pointed_at_by_its_field(field):
    pointer = "/from" if field == "sender" else f"/{field}"
    assert flaws(**{field: "ann@x.test\r\nBcc: eve@x.test"}) == [(pointer, "invalid_address")]
    assert flaws(**{field: AddressInput("ann@x.test", "Ann\r\nBcc: eve@x.test")}) == [(pointer, "invalid_address")]


def test_a_message_needs_a_recipient():
    assert flaws(to=[]) == [("/to", "missing")]


def test_a_sender_is_no_address_literal():
    assert flaws(sender="shop@[192.0.2.1]") == [("/from", "invalid")]


def test_recipients_are_counted_over_all_fields():
    limits = IntakeLimits(recipients=2)
    people = [f"p{n}@x.test" for n in range(3)]
    assert reading(limits, to=people[0], cc=people[1]).envelope
    assert flaws(limits, to=people[0], cc=people[1], bcc=people[2]) == [("/to", "too_many")]


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["a\r\nBcc: eve@x.test", "a\nb", "a\rb", "a\0b", "a\ud800b"])
def test_no_header_field_takes_a_line_end_or_a_control(bad):
    assert [pointer for pointer, _ in flaws(subject=bad)] == ["/subject"]
    assert flaws(headers={"X-Note": bad}) == [("/headers/X-Note", "invalid_header")]
    assert [pointer for pointer, _ in flaws(attachments=[file(filename=bad)])] == ["/attachments/0/filename"]


@pytest.mark.parametrize("name", ["", "X Note", "X:", "X\r\nBcc", "Bcc", "Received", "DKIM-Signature", "Return-Path"])
def test_a_header_that_is_no_name_or_not_for_senders_is_refused(name):
    assert flaws(headers={name: "x"}) == [(f"/headers/{name}", "invalid_header")]


@pytest.mark.parametrize("name", ["From", "TO", "cc", "Reply-To", "Subject", "Date", "Message-ID", "Sender"])
def test_a_header_that_a_field_makes_is_not_given_as_header(name):
    ((pointer, code),) = flaws(headers={name: "ann@x.test"})
    assert pointer == f"/headers/{name}"
    assert code in {"reserved", "invalid_header"}


def test_a_header_is_given_once_in_whatever_case():
    assert flaws(headers={"X-Note": "1", "x-note": "2"}) == [("/headers/x-note", "duplicate")]


def test_headers_are_counted_and_weighed():
    two = {"X-A": "1", "X-B": "2"}
    assert flaws(IntakeLimits(headers=1), headers=two) == [("/headers", "too_many")]
    assert reading(IntakeLimits(header_octets=16), headers=two).size == 16
    assert flaws(IntakeLimits(header_octets=15), headers=two) == [("/headers", "too_large")]


def test_the_name_of_a_field_is_escaped_in_a_pointer():
    assert flaws(metadata={"a/b~c=": "x"}) == [("/metadata/a~1b~0c=", "invalid")]
    assert escape("~1/") == "~01~1"


@pytest.mark.parametrize("field", ["html", "text"])
def test_a_text_holds_no_nul(field):
    assert [pointer for pointer, _ in flaws(**{field: "a\0b"})] == [f"/{field}"]


def test_a_message_has_content():
    assert flaws(text=None) == [("/text", "missing")]
    assert reading(text=None, html="<p>Hi</p>")
    assert reading(text=None, attachments=[file()])


def test_a_subject_has_its_length():
    assert reading(IntakeLimits(subject_characters=3), subject="abc")
    assert [pointer for pointer, _ in flaws(IntakeLimits(subject_characters=3), subject="abcd")] == ["/subject"]


def test_all_text_counts_towards_the_size():
    limits = IntakeLimits(message_octets=10)
    assert reading(limits, text="12345", html="12345").size == 10
    assert flaws(limits, text="12345", html="123456") == [("", "message_too_large")]


@pytest.mark.parametrize(("text", "wire"), [("a\n" * 3, 9), ("字" * 19, 78), ("é", 6)])
def test_a_text_weighs_what_it_weighs_on_the_wire(text, wire):
    assert reading(IntakeLimits(message_octets=wire), text=text).size == wire
    assert flaws(IntakeLimits(message_octets=wire - 1), text=text) == [("", "message_too_large")]


@pytest.mark.parametrize(
    ("field", "pointer"), [("sender", "/from"), ("to", "/to"), ("cc", "/cc"), ("reply_to", "/reply_to")]
)
def test_names_and_addresses_have_the_size_of_headers(field, pointer):
    limits = IntakeLimits(header_octets=64)
    assert reading(limits, **{field: AddressInput("ann@x.test", "é" * 27)})
    assert flaws(limits, **{field: AddressInput("ann@x.test", "é" * 28)}) == [(pointer, "too_large")]
    assert flaws(IntakeLimits(header_octets=64), **{field: f"{'é' * 29}@x.test"}) == [(pointer, "too_large")]


@pytest.mark.parametrize("field", ["to", "reply_to"])
def test_the_same_address_again_and_again_weighs_too(field):
    assert flaws(**{field: ["ann@x.test"] * 30_000}) == [(f"/{field}", "too_large")]


# --- attachments -----------------------------------------------------------------------------------------------------


def test_a_file_is_its_octets_or_a_blob():
    found = reading(attachments=[file(), file(content=None, blob="ab" * 32)])
    assert [one.octets for one in found.files] == [b"hi", None]
    assert flaws(attachments=[file(blob="ab" * 32), file(content=None)]) == [
        ("/attachments/0", "missing"),
        ("/attachments/1", "missing"),
    ]


@pytest.mark.parametrize("blob", ["", "ab", "AB" * 32, "../" * 21 + "x", "ab" * 32 + "\n"])
def test_a_blob_has_a_name_and_no_path(blob):
    assert flaws(attachments=[file(content=None, blob=blob)]) == [("/attachments/0/blob", "invalid")]


@pytest.mark.parametrize("content", ["aGk", "aG k=", "a-_=", "aGk=\n", "é", "aGk=="])
def test_content_is_base64_to_the_letter(content):
    assert flaws(attachments=[file(content=content)]) == [("/attachments/0/content", "invalid_base64")]


def test_a_content_type_is_one():
    assert [p for p, _ in flaws(attachments=[file(content_type="pdf")])] == ["/attachments/0/content_type"]
    assert [p for p, _ in flaws(attachments=[file(content_type="a/b\r\nX: y")])] == ["/attachments/0/content_type"]


@pytest.mark.parametrize("identifier", ["", "a b", "<a>", "a@b@c", "a\r\n", "ä"])
def test_a_content_id_is_safe_in_html_and_header(identifier):
    assert flaws(attachments=[file(content_id=identifier)]) == [("/attachments/0/content_id", "invalid")]


def test_a_content_id_names_one_file():
    assert reading(attachments=[file(content_id="logo@a"), file(content_id="logo@b"), file(), file()])
    assert flaws(attachments=[file(content_id="logo"), file(content_id="logo")]) == [
        ("/attachments/1/content_id", "duplicate")
    ]


def test_files_are_counted_and_weigh_what_they_weigh_on_the_wire():
    assert flaws(IntakeLimits(attachments=1), attachments=[file()] * 3) == [("/attachments", "too_many")]
    big = file(content=base64.b64encode(bytes(3000)).decode())
    wire = 4000 + 2 * 53  # base64, in lines of 76 characters
    assert reading(IntakeLimits(message_octets=wire), attachments=[big]).size == wire
    assert flaws(IntakeLimits(message_octets=wire - 1), attachments=[big]) == [("", "message_too_large")]


# --- raw -------------------------------------------------------------------------------------------------------------


def test_a_raw_message_stands_alone():
    raw = base64.b64encode(b"From: shop@a.test\r\n\r\nHi\r\n").decode()
    assert reading(raw=raw).raw == b"From: shop@a.test\r\n\r\nHi\r\n"
    others = {
        "subject": "x",
        "html": "x",
        "text": "x",
        "headers": {"X-A": "b"},
        "attachments": [file()],
        "reply_to": "bob@x.test",
    }
    assert sorted(flaws(raw=raw, **others)) == sorted((f"/{name}", "conflict") for name in others)
    assert flaws(raw="!") == [("/raw", "invalid_base64")]
    assert flaws(IntakeLimits(message_octets=10), raw=raw) == [("", "message_too_large")]


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["", "x" * 129, "a\nb", "a\0b", "\u202e"])
def test_a_tag_is_short_and_printable(tag):
    assert flaws(tags=["fine", tag]) == [("/tags/1", "invalid")]


def test_labels_are_counted():
    assert flaws(tags=[str(n) for n in range(11)]) == [("/tags", "too_many")]
    assert flaws(metadata={str(n): "" for n in range(51)}) == [("/metadata", "too_many")]


@pytest.mark.parametrize("key", ["", "k" * 65, "a=b", "a\nb"])
def test_a_metadata_key_is_short_printable_and_without_equals(key):
    assert flaws(metadata={key: "x"}) == [(f"/metadata/{key}", "invalid")]


@pytest.mark.parametrize("value", ["v" * 1025, "a\0b", "a\ud800b"])
def test_a_metadata_value_is_text_that_can_be_stored(value):
    assert flaws(metadata={"k": value}) == [("/metadata/k", "invalid")]
    assert reading(metadata={"k": "v" * 1024, "é": "ü\n"})


# --- times -----------------------------------------------------------------------------------------------------------


def at(microseconds):
    return to_datetime(Instant(START + microseconds))


def test_times_are_instants():
    found = reading(send_at=at(HOUR), expires_at=at(2 * HOUR).astimezone(dt.timezone(dt.timedelta(hours=9))))
    assert (found.send_at, found.expires_at) == (START + HOUR, START + 2 * HOUR)


@pytest.mark.parametrize("field", ["send_at", "expires_at"])
def test_a_time_without_a_zone_is_refused(field):
    assert flaws(**{field: dt.datetime(2026, 12, 1)}) == [(f"/{field}", "invalid")]  # noqa: DTZ001 - what is tested


@pytest.mark.parametrize("field", ["send_at", "expires_at"])
@pytest.mark.parametrize(
    "moment",
    [
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=14))),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-14))),
    ],
)
def test_the_ends_of_time_are_answered(field, moment):
    assert pointers(Draft(**{**PLAIN, field: moment})) <= {f"/{field}"}


def test_mail_is_scheduled_thirty_days_ahead_at_the_most():
    assert reading(send_at=at(30 * DAY)).send_at == START + 30 * DAY
    assert flaws(send_at=at(30 * DAY + 1)) == [("/send_at", "too_late")]


def test_mail_does_not_expire_before_it_is_sent():
    assert flaws(expires_at=at(0)) == [("/expires_at", "too_early")]
    assert flaws(send_at=at(HOUR), expires_at=at(HOUR)) == [("/expires_at", "too_early")]
    assert reading(send_at=at(-HOUR), expires_at=at(1)).expires_at == START + 1


# --- all together ----------------------------------------------------------------------------------------------------


def test_all_flaws_are_told_at_once_and_the_first_in_the_sentence():
    with pytest.raises(Refused) as refused:
        reading(to="nobody", subject="a\nb", tags=[""])
    assert [flaw.pointer for flaw in refused.value.flaws] == ["/to", "/subject", "/tags/0"]
    assert refused.value.detail.startswith("/to: ")
    assert refused.value.detail.endswith("(2 more)")


ANY = st.text(max_size=30)
DRAFTS = st.builds(
    Draft,
    sender=ANY | st.just("shop@a.test"),
    to=st.lists(ANY | st.just("ann@x.test"), max_size=3),
    subject=ANY,
    html=st.none() | ANY,
    text=st.none() | ANY,
    headers=st.dictionaries(ANY, ANY, max_size=3),
    attachments=st.lists(st.builds(AttachmentInput, ANY, st.none() | ANY, st.none() | ANY, ANY, st.none() | ANY)),
    tags=st.lists(ANY, max_size=3),
    metadata=st.dictionaries(ANY, ANY, max_size=3),
    send_at=st.none() | st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    expires_at=st.none() | st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    raw=st.none() | ANY,
)


@settings(max_examples=150, deadline=None)
@given(DRAFTS)
def test_any_draft_is_read_or_refused_with_pointers_into_it(draft):
    names = {field.encode_name for field in msgspec.structs.fields(Draft)}
    assert {pointer.split("/")[1] for pointer in pointers(draft) if pointer} <= names
