"""Addresses: what is taken, what is refused, and how both look on the wire."""

import pytest

from postroad.wire.address import (
    Address,
    AddressError,
    Mailbox,
    check_name,
    parse_address,
    parse_domain,
    parse_mailbox,
)

TAKEN = [
    ("ann@example.org", "ann", "example.org"),
    ("Ann.B+tag@EXAMPLE.Org", "Ann.B+tag", "example.org"),
    ("!#$%&'*+-/=?^_`{|}~@x.example", "!#$%&'*+-/=?^_`{|}~", "x.example"),
    ("a%b.example@x.example", "a%b.example", "x.example"),
    ("root@localhost", "root", "localhost"),
    ("a@b.c1", "a", "b.c1"),
    ("a@r3---sn.example", "a", "r3---sn.example"),
    ("a@bücher.example", "a", "xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a", "xn--bcher-kva.example"),
    ("a@faß.de", "a", "xn--fa-hia.de"),
    ("a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"),
    ("a@例え。テスト", "a", "xn--r8jz45g.xn--zckzah"),
    ("пётр@почта.рф", "пётр", "xn--80a1acny.xn--p1ai"),
    ("cafe\u0301@example.org", "café", "example.org"),
    ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[ipv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]"),
]


@pytest.mark.parametrize(("text", "local", "domain"), TAKEN)
def test_a_mailbox_is_read_into_its_local_part_and_a_label(text: str, local: str, domain: str) -> None:
    mailbox = parse_mailbox(text)
    assert mailbox == Mailbox(local, domain)
    assert mailbox.address == str(mailbox) == f"{local}@{domain}"
    assert mailbox.literal is domain.startswith("[")
    assert mailbox.smtputf8 is not local.isascii()


@pytest.mark.parametrize(
    ("text", "local", "written"),
    [
        ('"ann"@x.example', "ann", "ann@x.example"),
        ('"a b"@x.example', "a b", '"a b"@x.example'),
        ('"a@b"@x.example', "a@b", '"a@b"@x.example'),
        ('"a\\"b\\\\c"@x.example', 'a"b\\c', '"a\\"b\\\\c"@x.example'),
        ('"a\\b"@x.example', "ab", "ab@x.example"),
        ('"ä ö"@x.example', "ä ö", '"ä ö"@x.example'),
        ('".a"@x.example', ".a", '".a"@x.example'),
    ],
)
def test_a_quoted_local_part_is_kept_as_meant_and_quoted_only_where_it_must_be(
    text: str, local: str, written: str
) -> None:
    mailbox = parse_mailbox(text)
    assert (mailbox.local, mailbox.address) == (local, written)
    assert parse_mailbox(written) == mailbox


REFUSED = [
    "",
    "@",
    "a",
    "a@",
    "@x.example",
    "a@@x.example",
    "a@b@x.example",
    ".a@x.example",
    "a.@x.example",
    "a..b@x.example",
    "a b@x.example",
    " a@x.example",
    "a@x.example ",
    "a@ x.example",
    "a(comment)@x.example",
    "a@(comment)x.example",
    "<a@x.example>",
    "=?utf-8?q?a=40b?=@x.example",
    '"=?x?="@x.example',
    "@relay.example:a@x.example",
    "@one.example,@two.example:a@x.example",
    "a@x_y.example",
    "a@-x.example",
    "a@x-.example",
    "a@x..example",
    "a@.example",
    "a@x.example.",
    "a@192.0.2.1",
    "a@x.123",
    "a@xn--a.example",
    "a@xn--.example",
    "a@x\u2044y.example",
    "a@x\u00ady.example",
    "a@\u202eexample.org",
    "a@[192.0.2.256]",
    "a@[192.0.2.1",
    "a@[IPv6:fe80::1%eth0]",
    "a@[IPv6:zz]",
    "a@[tag:whatever]",
    "a@[]",
    '""@x.example',
    '"a@x.example',
    '"a"b@x.example',
    '"a\\"@x.example',
    '"a"b"@x.example',
    '"ä\\ö"@x.example',
    "a\u00a0b@x.example",
    "a\u200bb@x.example",
    "a\ufeff@x.example",
    "a\ue000@x.example",
    "a" * 65 + "@x.example",
    "é" * 33 + "@x.example",
    "a@" + "b" * 64 + ".example",
    "a@" + ".".join(["b" * 60] * 5),
    "a" * 60 + "@" + ".".join(["b" * 62] * 4),
    "ä" * 30 + "@" + ".".join(["b" * 60] * 4),
    "a@" + "b" * 2000,
    "a@" + "ü" * 500 + ".example",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_exactly_one_mailbox_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(AddressError) as refusal:
        parse_mailbox(text)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("char", ["\r", "\n", "\r\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
@pytest.mark.parametrize(
    "shape",
    ["a{}b@x.example", '"a{}b"@x.example', '"a\\{}b"@x.example', "a@x{}y.example", "a@x.example{}", "{}a@x.example"],
)
def test_controls_line_separators_and_surrogates_are_refused_everywhere(shape: str, char: str) -> None:
    with pytest.raises(AddressError):
        parse_mailbox(shape.format(char))


def test_a_character_that_normalises_into_a_special_one_is_judged_after_normalisation() -> None:
    assert parse_mailbox("\u212a@x.example").local == "K"  # KELVIN SIGN
    with pytest.raises(AddressError):
        parse_mailbox("a\u037eb@x.example")  # GREEK QUESTION MARK becomes a semicolon


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a@x.example", None),
        (" a@x.example ", None),
        ("<a@x.example>", None),
        ('"" <a@x.example>', None),
        ("Ann <a@x.example>", "Ann"),
        ("Ann O'Neil<a@x.example>", "Ann O'Neil"),
        ("Jürgen <a@x.example>", "Jürgen"),
        ('"Ann, Sales" <a@x.example>', "Ann, Sales"),
        ('"Ann \\"A\\" <b>" <a@x.example>', 'Ann "A" <b>'),
        ('"Ann"<a@x.example>', "Ann"),
    ],
)
def test_an_address_may_carry_a_name(text: str, name: str | None) -> None:
    assert parse_address(text) == Address(Mailbox("a", "x.example"), name)


@pytest.mark.parametrize(
    "text",
    [
        "a@x.example>",
        "Ann, Sales <a@x.example>",
        "Ann (Sales) <a@x.example>",
        "Ann <b@x.example> <a@x.example>",
        "b@x.example, a@x.example",
        "b@x.example <a@x.example>",
        '"Ann <a@x.example>',
        '"Ann" Bee <a@x.example>',
        '"Ann" <',
        "Ann <>",
        "Ann <a@x.example",
        "Ann\r\nBcc: b@x.example <a@x.example>",
        '"Ann\\\n" <a@x.example>',
        "Ann\ud800 <a@x.example>",
    ],
)
def test_an_address_with_two_readings_or_none_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


def test_a_name_keeps_what_is_only_unusual() -> None:
    assert check_name(" a\u2028b\u200d ") == "a\u2028b\u200d"


@pytest.mark.parametrize(
    ("text", "domain"), [("EXAMPLE.org", "example.org"), ("Bücher.example", "xn--bcher-kva.example")]
)
def test_a_domain_becomes_lower_case_a_labels(text: str, domain: str) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    "text", ["", "[192.0.2.1]", "x.", "a b", "1.2.3.4", "x\n", ".".join(["a" * 60] * 5), "ü" * 2000]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_domain(text)


def test_several_addresses_in_one_text_are_said_to_be_a_list():
    for text in ("ann@x.example, bob@x.example", "ann@x.example;bob@x.example", "Ann <a@x.example>, <b@x.example>"):
        with pytest.raises(AddressError, match="as a list"):
            parse_address(text)
