"""Any accepted address is one address: it writes back to itself and never leaves its line."""

import contextlib
import re

from hypothesis import example, given
from hypothesis import strategies as st

from postroad.wire.address import Address, AddressError, parse_address, parse_mailbox
from postroad.wire.headers import mailboxes
from postroad.wire.parse import parse

HOSTILE = st.sampled_from(
    [
        "\r",
        "\n",
        "\0",
        "\u2028",
        "\ud800",
        " ",
        '"',
        "\\",
        "@",
        "<",
        ">",
        ",",
        ";",
        ":",
        "(",
        ")",
        "[",
        "]",
        ".",
        "=?",
        "?=",
        "ü",
        "RCPT TO:",
    ]
)
ODD = st.lists(HOSTILE | st.characters() | st.sampled_from("ab1-"), max_size=12).map("".join)


def odd_addresses() -> st.SearchStrategy[str]:
    return st.builds("{}@{}".format, ODD, ODD | st.just("x.example") | st.just("[192.0.2.1]")) | st.builds(
        '"{}"@x.example'.format, ODD
    )


@given(odd_addresses())
@example('"a\r\nRCPT TO:<eve@z.example>"@x.example')
@example('"a\\\r"@x.example')
def test_an_accepted_mailbox_is_one_line_and_reads_back_the_same(text: str) -> None:
    with contextlib.suppress(AddressError):
        mailbox = parse_mailbox(text)
        written = mailbox.address
        assert parse_mailbox(written) == mailbox
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", written)
        assert len(written.encode()) <= 254
        assert mailbox.domain.isascii()
        assert mailbox.domain == mailbox.domain.lower() or mailbox.literal
        octets = mailboxes("To", [Address(mailbox)])
        assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r")
        assert len(parse(octets).fields) == 1


@given(st.builds("{} <{}>".format, ODD, odd_addresses()) | ODD)
def test_whatever_is_given_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(AddressError):
        address = parse_address(text)
        assert parse_mailbox(address.mailbox.address) == address.mailbox
