"""The smaller nouns: refusals, DNS records, content, suppressions, webhooks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.domain import DnsRecord, Purpose
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.model.message import Attachment, Content, Party, decode_content, encode_content
from postroad.model.stream import BUILT_IN
from postroad.model.suppression import fold
from postroad.model.webhook import wants


def test_a_refusal_says_what_is_wrong_and_where():
    refused = Refused.field("/to", "The message needs a recipient.", code="missing")
    assert (refused.code, refused.detail, str(refused)) == ("missing", refused.detail, "The message needs a recipient.")
    assert refused.flaws == (Flaw("/to", "The message needs a recipient.", "missing"),)
    assert Refused("gone", "It is gone.").flaws == ()
    assert Refused.field("", "No.").code == "invalid_request"


def test_what_is_unavailable_says_when_to_come_back():
    error = Unavailable("low_disk", "The server is short of disk.", retry_after_s=60)
    assert (error.code, error.detail, error.retry_after_s) == ("low_disk", str(error), 60)


@given(st.text(alphabet="abc;=", max_size=800))
def test_a_long_text_record_is_cut_into_strings_of_at_most_255_octets(value):
    record = DnsRecord(purpose=Purpose.DKIM, type="TXT", name="k._domainkey.a.test", value=value)
    assert "".join(record.strings) == value
    assert all(0 < len(piece) <= 255 for piece in record.strings)


def test_a_record_is_written_as_a_line_of_a_zone_file():
    text = DnsRecord(purpose=Purpose.SPF, type="TXT", name="a.test", value="v=spf1 " + "a" * 255)
    assert text.zone_line == f'a.test. IN TXT "v=spf1 {"a" * 248}" "{"a" * 7}"'
    alias = DnsRecord(purpose=Purpose.RETURN_PATH, type="CNAME", name="bounce.a.test", value="mx.b.test")
    assert alias.strings == ("mx.b.test",)
    assert alias.zone_line == "bounce.a.test. IN CNAME mx.b.test."


TEXT = st.text(max_size=20)
PARTIES = st.builds(Party, TEXT, st.none() | TEXT)
CONTENTS = st.builds(
    Content,
    sender=PARTIES,
    to=st.lists(PARTIES, max_size=3).map(tuple),
    subject=TEXT,
    html=st.none() | TEXT,
    headers=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    attachments=st.lists(
        st.builds(Attachment, TEXT, TEXT, TEXT, st.integers(0, 2**32), st.none() | TEXT), max_size=2
    ).map(tuple),
    raw_sha256=st.none() | TEXT,
)


@given(CONTENTS)
def test_content_is_read_back_as_it_was_stored(content):
    assert decode_content(encode_content(content)) == content


def test_addresses_compare_without_case():
    assert fold("Ann.Lee@Example.ORG") == fold("ann.lee@example.org") == "ann.lee@example.org"


@pytest.mark.parametrize(
    ("types", "kind", "wanted"),
    [
        ((), "message.bounced", True),
        (("message.bounced",), "message.bounced", True),
        (("message.*",), "message.bounced", True),
        (("message.bounced",), "message.delivered", False),
        (("domain.*",), "message.delivered", False),
    ],
)
def test_an_endpoint_gets_the_events_it_asked_for(types, kind, wanted):
    assert wants(types, kind) is wanted


def test_the_built_in_streams_are_found_by_name():
    assert {name: (stream.name, stream.unsubscribe) for name, stream in BUILT_IN.items()} == {
        "transactional": ("transactional", False),
        "broadcast": ("broadcast", True),
    }
