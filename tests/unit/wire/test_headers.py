"""Header fields: exactly the field that was meant, in lines that may travel."""

import pytest

from postroad.wire.address import Address, Mailbox, parse_address
from postroad.wire.headers import (
    HeaderError,
    check_custom_name,
    check_value,
    custom,
    date,
    denial,
    mailboxes,
    message_ids,
    parameterised,
    structured,
    unstructured,
)


@pytest.mark.parametrize("name", ["X-Thing", "List-Id", "In-Reply-To", "!", "a" * 76])
def test_an_application_may_bring_its_own_headers(name: str) -> None:
    check_custom_name(name)


@pytest.mark.parametrize("name", ["", "a" * 77, "X Thing", "X:", "X-Thing\n", "X\r\nBcc", "X-Ä", "X\0", "X\x7f"])
def test_what_is_no_field_name_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        check_custom_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Bcc",
        "bcc",
        "Received",
        "Return-Path",
        "DKIM-Signature",
        "Resent-To",
        "Resent-Bcc",
        "Content-Type",
        "content-anything",
        "MIME-Version",
        "X-Postroad-Id",
        "ARC-Seal",
        "Authentication-Results",
        "From",
        "Sender",
        "To",
        "Cc",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
    ],
)
def test_headers_that_are_ours_to_write_are_refused_with_a_reason(name: str) -> None:
    reason = denial(name)
    assert reason is not None
    with pytest.raises(HeaderError, match=r"\.$"):
        check_custom_name(name)


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\n b", "\0", "\x0b", "\x1b", "\x7f", "\ud800", "a\udfff"])
@pytest.mark.parametrize("write", [unstructured, structured, message_ids])
def test_no_control_and_no_surrogate_gets_into_a_field(write: object, value: str) -> None:
    with pytest.raises(HeaderError):
        write("X-Thing", value)  # type: ignore[operator]
    with pytest.raises(HeaderError):
        check_value(value)


def test_a_tab_and_any_visible_text_may_stand_in_a_value() -> None:
    check_value("a\tb ü \u2028")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Hello", b"Subject: Hello\r\n"),
        ("", b"Subject: \r\n"),
        ("  a \t", b"Subject: a\r\n"),
        ("a\tb", b"Subject: a\tb\r\n"),
        ("Grüße", b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"),
        ("Grüße aus der grossen Stadt", b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_der_grossen_Stadt?=\r\n"),
        ("=?utf-8?q?=0D=0ABcc:?=", b"Subject: =?utf-8?b?PT91dGYtOD9xPz0wRD0wQUJjYzo/PQ==?=\r\n"),
        ("a\u2028b", b"Subject: =?utf-8?b?YeKAqGI=?=\r\n"),
        ("日本", b"Subject: =?utf-8?b?5pel5pys?=\r\n"),
    ],
)
def test_text_is_written_plainly_or_as_encoded_words(value: str, written: bytes) -> None:
    assert unstructured("Subject", value) == written


def test_long_text_is_folded_at_its_own_spaces() -> None:
    field = unstructured("Subject", "word " * 40)
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert field.replace(b"\r\n", b"") == b"Subject: " + (b"word " * 40).strip()


def test_a_fold_never_leaves_a_line_of_spaces_only() -> None:
    field = unstructured("X-Thing", "a" + " " * 200 + "b" + "\t" * 90 + "c" * 80 + " d")
    lines = field.removesuffix(b"\r\n").split(b"\r\n")
    assert all(line.strip() for line in lines)
    assert b"".join(lines) == b"X-Thing: a" + b" " * 200 + b"b" + b"\t" * 90 + b"c" * 80 + b" d"


def test_a_word_longer_than_a_line_stays_whole_while_a_line_can_hold_it() -> None:
    assert unstructured("X-Thing", "a" * 900) == b"X-Thing: " + b"a" * 900 + b"\r\n"


def test_a_word_that_no_line_can_hold_becomes_encoded_words() -> None:
    field = unstructured("X-Thing", "a" * 2000)
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert field.count(b"=?utf-8?q?") > 20


def test_a_long_name_leaves_the_first_line_to_itself() -> None:
    field = unstructured("X-" + "a" * 74, "grüße")
    assert field == b"X-" + b"a" * 74 + b":\r\n =?utf-8?b?Z3LDvMOfZQ==?=\r\n"


def test_structured_values_are_folded_and_never_encoded() -> None:
    value = ", ".join(f"<https://example.org/{n:030d}>" for n in range(4))
    field = structured("List-Unsubscribe", value)
    assert field.replace(b"\r\n", b"") == f"List-Unsubscribe: {value}".encode()
    assert max(map(len, field.split(b"\r\n"))) <= 78
    with pytest.raises(HeaderError, match="ASCII"):
        structured("List-Id", "ü")
    with pytest.raises(HeaderError, match="998"):
        structured("List-Id", "a" * 1000)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a@x.example", b"a@x.example"),
        ("Ann Bee <a@x.example>", b"Ann Bee <a@x.example>"),
        ('"Ann, B" <a@x.example>', b'"Ann, B" <a@x.example>'),
        ('"Ann \\"B\\"" <a@x.example>', b'"Ann \\"B\\"" <a@x.example>'),
        ("Ann B. <a@x.example>", b'"Ann B." <a@x.example>'),
        ("Bühler <a@x.example>", b"=?utf-8?q?B=C3=BChler?= <a@x.example>"),
        ("=?utf-8?q?=0D=0A?= <a@x.example>", b"=?utf-8?b?PT91dGYtOD9xPz0wRD0wQT89?= <a@x.example>"),
        ('"a b"@x.example', b'"a b"@x.example'),
        ("пётр@x.example", "пётр@x.example".encode()),
    ],
)
def test_an_address_is_written_with_its_name_in_the_form_it_needs(text: str, written: bytes) -> None:
    if text.startswith("=?"):
        address = Address(Mailbox("a", "x.example"), text.partition(" <")[0])
    else:
        address = parse_address(text.replace("Ann B.", '"Ann B."'))
    assert mailboxes("To", [address]) == b"To: " + written + b"\r\n"


def test_address_lists_fold_between_words_and_say_when_they_are_empty() -> None:
    field = mailboxes("To", [parse_address(f"Ann Number{n} <ann{n}@x.example>") for n in range(9)])
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert field.count(b",") == 8
    assert mailboxes("To", []) == b"To: undisclosed-recipients:;\r\n"


def test_a_name_with_a_control_is_refused_even_when_the_address_was_made_by_hand() -> None:
    for name in ("a\r\nBcc: b@x.example", "a\0", "\ud800", "a" * 80 + "\n"):
        with pytest.raises(HeaderError):
            mailboxes("To", [Address(Mailbox("a", "x.example"), name)])


def test_a_mailbox_made_by_hand_cannot_break_out_of_its_field() -> None:
    with pytest.raises(HeaderError):
        mailboxes("To", [Address(Mailbox("a", "x.example>\r\nBcc: b@x.example"))])


def test_message_ids_are_ids_in_angle_brackets() -> None:
    assert message_ids("Message-ID", "<a.b@x.example>") == b"Message-ID: <a.b@x.example>\r\n"
    field = message_ids("References", " ".join(f"<{n:020d}@x.example>" for n in range(6)))
    assert max(map(len, field.split(b"\r\n"))) <= 78
    for value in ("", "a@x.example", "<a>", "<a@b> c", "<a b@c>", "<a@b@c>", "<ü@b>"):
        with pytest.raises(HeaderError):
            message_ids("References", value)


def test_an_instant_is_written_as_a_date_in_utc() -> None:
    assert date("Date", 1_700_000_000) == b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    assert date("Date", 0) == b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("report.pdf", b"filename=report.pdf"),
        ("my report.pdf", b'filename="my report.pdf"'),
        ('a"b\\.pdf', b'filename="a\\"b\\\\.pdf"'),
        ("ü.pdf", b"filename*=utf-8''%C3%BC.pdf"),
        ("a\tb", b"filename*=utf-8''a%09b"),
    ],
)
def test_parameters_are_tokens_strings_or_extended(value: str, written: bytes) -> None:
    assert parameterised("Content-Disposition", "attachment", [("filename", value)]) == (
        b"Content-Disposition: attachment; " + written + b"\r\n"
    )


@pytest.mark.parametrize("value", ["ü" * 60 + ".pdf", "a b" * 60, '"' * 80, "日本語" * 30])
def test_long_parameters_continue_over_lines(value: str) -> None:
    field = parameterised("Content-Disposition", "attachment", [("filename", value), ("size", "5")])
    assert b"filename*0" in field
    assert b"filename*1" in field
    assert field.endswith(b"; size=5\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 78


def test_parameters_without_any_and_with_controls() -> None:
    assert parameterised("Content-Disposition", "inline", []) == b"Content-Disposition: inline\r\n"
    with pytest.raises(HeaderError):
        parameterised("Content-Disposition", "attachment", [("filename", "a\r\nBcc: x")])


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("X-Thing", "ü", b"X-Thing: =?utf-8?b?w7w=?=\r\n"),
        ("References", "<a@b>  <c@d>", b"References: <a@b> <c@d>\r\n"),
        ("LIST-ID", "News <a.b>", b"LIST-ID: News <a.b>\r\n"),
    ],
)
def test_a_header_of_an_application_is_written_by_its_own_grammar(name: str, value: str, written: bytes) -> None:
    assert custom(name, value) == written


@pytest.mark.parametrize(("name", "value"), [("Bcc", "a@b"), ("References", "a"), ("List-Id", "ü"), ("X-Thing", "\n")])
def test_a_header_of_an_application_is_refused_when_it_does_not_fit(name: str, value: str) -> None:
    with pytest.raises(HeaderError):
        custom(name, value)
