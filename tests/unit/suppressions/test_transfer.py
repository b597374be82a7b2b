"""Whole lists: what is read, what is refused, and that a spreadsheet runs nothing of what is written."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.features.suppressions.transfer import Format, Line, form_of, read_list, write_csv, write_json
from postroad.model.clock import Instant
from postroad.model.errors import Refused
from postroad.model.ids import ProjectId, SuppressionId
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression

NOW = Instant(1_795_000_000_000_000)
ENTRY = Suppression(
    id=SuppressionId("sup_1"),
    project_id=ProjectId("prj_1"),
    scope=WHOLE_PROJECT,
    address="ann@example.com",
    cause=Cause.BOUNCE,
    author="system",
    created_at=NOW,
)


def read(text: str, form: Format = Format.CSV) -> list[Line]:
    return read_list(text.encode(), form)


def addresses(lines: list[Line]) -> list[str]:
    return [line.address for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "address\nann@example.com\nbob@example.com\n",
        "\ufeffEmail,Created\r\nann@example.com,1443651125\r\nbob@example.com,1443651125",
        'reason,"Email Address"\n550,ann@example.com\n550,"bob@example.com"\n',
        "recipient;note\nann@example.com;x\n\nbob@example.com;y\n",
        "ann@example.com\nbob@example.com",
        "\r\n \nannexe;email\n1;ann@example.com\n2;bob@example.com\n",
        "\nann@example.com\nbob@example.com",
        "email\tcause\nann@example.com\tbounce\n bob@EXAMPLE.com \tbounce\n",
    ],
)
def test_the_lists_of_other_services_are_read(text: str) -> None:
    lines = read(text)
    assert addresses(lines) == ["ann@example.com", "bob@example.com"]
    assert not any(line.problem for line in lines)


def test_every_field_is_read() -> None:
    text = 'address,scope,cause,note,expires_at\nann@example.com,broadcast,Complaint,"a, b",2030-01-31T12:00:00Z\n'
    assert read(text) == [
        Line(
            number=2, address="ann@example.com", scope="broadcast", cause=Cause.COMPLAINT, note="a, b",
            expires_at=Instant(1_896_091_200_000_000),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ("nobody,,,", "@"),
        ("a b@example.com,,,", ""),
        ("ann@example.com\u202e,,,", ""),
        ("ann@example.com,boredom,,", "cause"),
        (f"ann@example.com,,{'x' * 501},", "note"),
        ("ann@example.com,,a\0b,", "note"),
        ("ann@example.com,,,tomorrow", "time"),
        ("ann@example.com,,,2030-01-31T12:00:00", "time"),
        (",,,", ""),
    ],
)
def test_a_line_is_refused_by_itself(fields: str, word: str) -> None:
    lines = read(f"address,cause,note,expires_at\n{fields},x\nbob@example.com,,,\n")
    assert [bool(line.problem) for line in lines] == [True, False]
    assert word.lower() in lines[0].problem.lower()


@pytest.mark.parametrize(
    "octets",
    [b"", b"name,phone\nx,y\n", b"\xff\xfe", b'address\n"ann@example.com', b'"address"x\nann@example.com\n'],
)
def test_what_is_no_list_of_addresses_is_refused_as_a_whole(octets: bytes) -> None:
    with pytest.raises(Refused):
        read_list(octets, Format.CSV)


@pytest.mark.parametrize("broken", ['"bob"x@example.com,', f"bob@example.com,{'x' * 200_000}"])
def test_a_line_that_is_not_csv_is_refused_by_itself(broken: str) -> None:
    lines = read(f"address,note\nann@example.com,\n{broken}\ncarol@example.com,\n")
    assert [(line.number, line.address) for line in lines] == [
        (2, "ann@example.com"),
        (3, ""),
        (4, "carol@example.com"),
    ]
    assert "not CSV" in lines[1].problem


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b'address,note\nann@example.com,a\nbob@example.com,"b\ncarol@example.com,c\n', "line 3"),
        (b"address,note\nann@example.com,a\nbob@example.com,\xe9\ncarol@example.com,c\n", "Line 3"),
    ],
)
def test_what_would_swallow_other_lines_is_refused_with_its_place(octets: bytes, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read_list(octets, Format.CSV)
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("email,reason\nann@example.com,{0}\n", Format.CSV),
        ('{{"address":"ann@example.com","stream":"broadcast","reason":"{0}"}}\n', Format.JSONL),
    ],
)
@pytest.mark.parametrize(
    ("reason", "cause", "note"),
    [("Bounce", Cause.BOUNCE, ""), ("550 no such user", None, "550 no such user"), ("x" * 600, None, "x" * 500)],
)
def test_the_reason_that_others_give_is_a_cause_or_a_note(
    text: str, form: Format, reason: str, cause: Cause | None, note: str
) -> None:
    (line,) = read(text.format(reason), form)
    assert (line.cause, line.note, line.problem) == (cause, note, "")


def test_a_reason_gives_way_to_cause_and_note() -> None:
    (line,) = read("address,cause,reason,note\nann@example.com,manual,bounce,asked\n")
    assert (line.cause, line.note) == (Cause.MANUAL, "asked")
    (line,) = read('{"address":"ann@example.com","stream":"broadcast","reason":{"code":550}}', Format.JSONL)
    assert (line.scope, line.cause, line.note, line.problem) == ("broadcast", None, "", "")


@pytest.mark.parametrize(
    ("octets", "form"),
    [
        (b'\xef\xbb\xbf \n{"address": "ann@example.com"}', Format.JSONL),
        (b"address\nann@example.com", Format.CSV),
        (b"\xff{", Format.CSV),
        (b" \n", Format.JSONL),
    ],
)
def test_how_a_list_is_written_shows_at_its_beginning(octets: bytes, form: Format) -> None:
    assert form_of(octets) is form


def test_json_lines_are_read_and_refused_one_by_one() -> None:
    text = '{"address":"ann@example.com","cause":"bounce","more":1}\r\n\n{"address":\nnull\n{"email":"x"}\n[]\n'
    lines = read(text, Format.JSONL)
    assert [(line.number, bool(line.problem)) for line in lines] == [
        (1, False),
        (3, True),
        (4, True),
        (5, True),
        (6, True),
    ]
    assert lines[0].cause is Cause.BOUNCE


def test_a_list_is_bounded() -> None:
    assert len(read_list(b"a@example.com\nb@example.com\n", Format.CSV, most=2)) == 2
    with pytest.raises(Refused, match="at most 2"):
        read_list(b"a@example.com\nb@example.com\nc@example.com\n", Format.CSV, most=2)
    assert len(read_list(b"a@example.com\nb@example.com\nc@example.com\n", Format.CSV, most=None)) == 3


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_formula_opens_inert_and_is_read_back_as_it_was(start: str) -> None:
    dangerous = replace(ENTRY, note=f'{start}HYPERLINK("https://evil.example","x")', address="+ann@example.com")
    octets = write_csv([dangerous], heading=True, guard=True)
    (row,) = csv.DictReader(io.StringIO(octets.decode(), newline=""))
    assert row["note"].startswith(f"'{start}")
    assert row["address"] == "'+ann@example.com"
    (line,) = read_list(octets, Format.CSV)
    assert (line.address, line.note) == (dangerous.address, dangerous.note)
    bare = write_csv([dangerous], heading=False, guard=False)
    assert bare.startswith(b"+ann@example.com,")


def test_evidence_is_written() -> None:
    reason = Reason(
        cls=Class.INVALID_RECIPIENT, permanence=Permanence.PERMANENT, scope=Scope.RECIPIENT, action=Action.SUPPRESS,
        rule="smtp.rcpt.5xx", detail="No such mailbox.", evidence={"code": 550},
    )  # fmt: skip
    entry = replace(ENTRY, evidence=reason, message_id="msg_1", delivery_id="dlv_1", expires_at=NOW)
    (row,) = csv.DictReader(io.StringIO(write_csv([entry], heading=True, guard=True).decode()))
    assert (row["evidence"], row["message_id"]) == ("No such mailbox.", "msg_1")
    shown = json.loads(write_json([entry]))
    assert shown["evidence"]["evidence"] == {"code": 550}
    assert (shown["delivery_id"], shown["expires_at"]) == ("dlv_1", "2026-11-18T11:06:40.000000Z")


@given(
    note=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=100),
    cause=st.sampled_from(list(Cause)),
    form=st.sampled_from(list(Format)),
)
def test_what_is_written_is_read_back(note: str, cause: Cause, form: Format) -> None:
    entry = replace(ENTRY, note=note, cause=cause, scope="broadcast", expires_at=NOW)
    octets = write_csv([entry], heading=True, guard=True) if form is Format.CSV else write_json([entry])
    (line,) = read_list(octets, form)
    assert (line.address, line.scope, line.cause, line.expires_at) == (entry.address, "broadcast", cause, NOW)
    assert line.note == note
