"""Whole lists as CSV (RFC 4180) and as JSON lines: what other services export can be read, what we write can be too.

The API and the command line read and write with this, so that a list that one gave out is taken in by the other.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from postroad.model.clock import Instant, from_datetime, to_rfc3339
from postroad.model.errors import Refused
from postroad.model.reason import Reason
from postroad.model.suppression import Cause, Suppression
from postroad.wire.address import AddressError, parse_mailbox

if TYPE_CHECKING:
    import _csv  # where the type of `csv.reader` is declared

MOST_LINES: Final = 100_000
NOTE_CHARACTERS: Final = 500

_ADDRESS_COLUMNS: Final = ("address", "email", "email address", "email_address", "recipient")
_SCOPE_COLUMNS: Final = ("scope", "stream")
_COLUMNS: Final = (
    "address", "scope", "cause", "note", "author", "created_at", "expires_at", "message_id", "evidence", "id",
    "site", "incident",
)  # fmt: skip

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""How a spreadsheet recognises a formula (OWASP, CSV injection), and what would be read back as a guarded one."""
_GUARDED: Final = re.compile(r"'(?='*[=+\-@\t\r\n＝＋－＠])")


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        """What the format is called on the wire."""
        return "text/csv" if self is Format.CSV else "application/x-ndjson"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a list that is read: valid, or with what is wrong with it."""

    number: int
    """Of the line in the file, from 1."""
    address: str
    scope: str | None = None
    cause: Cause | None = None
    note: str = ""
    expires_at: Instant | None = None
    problem: str = ""


class LineResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a line."""

    line: int
    address: str
    status: str
    """`added`, `changed`, `already_listed` or `refused`."""
    detail: str = ""


class _Fields(msgspec.Struct, frozen=True):
    """A line of JSON; what else stands in it is passed over, so that an export can be read back."""

    address: str
    scope: str | None = None
    stream: str | None = None
    cause: str | None = None
    reason: object = None
    note: str | None = None
    expires_at: str | None = None


_json_line = msgspec.json.Decoder(_Fields)


def form_of(octets: bytes) -> Format:
    """Tell how a list is written, from how it begins; nothing but blanks is a list of nothing."""
    begun = octets.removeprefix(b"\xef\xbb\xbf").lstrip()
    return Format.JSONL if begun.startswith(b"{") or not begun else Format.CSV


def read_list(octets: bytes, form: Format, *, most: int | None = MOST_LINES) -> list[Line]:
    """Read a whole list; each line is judged by itself.

    Args:
        octets: the whole of it.
        form: how it is written.
        most: how many lines are taken; None: whatever there are.

    Raises:
        Refused: it is not UTF-8, not CSV, has no column of addresses, or more lines than `most`.
    """
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        place = octets.count(b"\n", 0, problem.start) + 1
        raise Refused("invalid_request", f"Line {place} of the list is not UTF-8.") from problem
    lines: list[Line] = []
    for line in _read_csv(text) if form is Format.CSV else _read_json(text):
        if len(lines) == most:
            raise Refused("invalid_request", f"A list has at most {most:,} entries; cut it into parts.")
        lines.append(line)
    return lines


def write_csv(entries: Iterable[Suppression], *, heading: bool, guard: bool) -> bytes:
    """Return entries as CSV.

    Args:
        entries: in order.
        heading: whether the names of the columns come first.
        guard: put `'` before what a spreadsheet would take for a formula; reading a list undoes it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    if heading:
        writer.writerow(_COLUMNS)
    for entry in entries:
        cells = [_cell(entry, name) for name in _COLUMNS]
        writer.writerow([_guarded(cell) for cell in cells] if guard else cells)
    return out.getvalue().encode()


def write_json(entries: Iterable[Suppression]) -> bytes:
    """Return entries as JSON lines, with their evidence."""
    return b"".join(
        msgspec.json.encode(
            {name: _cell(entry, name) or None for name in _COLUMNS}
            | {"delivery_id": entry.delivery_id, "evidence": entry.evidence}
        )
        + b"\n"
        for entry in entries
    )


def _cell(entry: Suppression, name: str) -> str:
    value = getattr(entry, name)
    if value is None:
        return ""
    if isinstance(value, Reason):
        return value.detail
    return to_rfc3339(value) if name.endswith("_at") else str(value)


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _read_csv(text: str) -> Iterator[Line]:
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        heading = next((row for row in reader if any(cell.strip() for cell in row)), [])
        columns = _columns(heading)
        if not columns:
            columns = {"address": 0}
            yield _line(reader.line_num, _cells(heading, columns))  # an address alone, on the first line too
    except csv.Error as problem:
        raise Refused("invalid_request", f"Line {reader.line_num} of the list is not CSV: {problem}.") from problem
    for row in _rows(reader):
        if isinstance(row, csv.Error):
            yield Line(number=reader.line_num, address="", problem=f"The line is not CSV: {row}.")
        elif any(cell.strip() for cell in row):
            yield _line(reader.line_num, _cells(row, columns))


def _rows(reader: "_csv.Reader") -> Iterator[list[str] | csv.Error]:
    """Yield each row, or what is wrong with it.

    Raises:
        Refused: a quote is never closed; it would swallow the rest of the list without a word.
    """
    while True:
        began = reader.line_num + 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            if "end of data" in str(problem):
                sentence = f"A quote that opens in line {began} of the list is never closed; nothing was taken in."
                raise Refused("invalid_request", sentence) from problem
            yield problem


def _columns(heading: Sequence[str]) -> dict[str, int]:
    """Return where which field stands, or nothing when the first line is an address already."""
    names = [cell.strip().lower() for cell in heading]
    places: dict[str, int] = {}
    for field, aliases in (
        ("address", _ADDRESS_COLUMNS), ("scope", _SCOPE_COLUMNS), ("cause", ("cause",)), ("note", ("note",)),
        ("expires_at", ("expires_at",)), ("reason", ("reason",)),
    ):  # fmt: skip
        found = [names.index(alias) for alias in aliases if alias in names]
        if found:
            places[field] = found[0]
    if "address" not in places:
        if len(heading) == 1 and "@" in heading[0]:
            return {}
        raise Refused("invalid_request", "The list has no column called address or email.")
    return places


def _cells(row: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    return {name: _GUARDED.sub("", row[place], count=1) for name, place in columns.items() if place < len(row)}


def _read_json(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = _json_line.decode(line)
        except msgspec.DecodeError:
            yield Line(number=number, address="", problem="The line is not a JSON object with an address.")
            continue
        given = {name: value for name, value in msgspec.structs.asdict(fields).items() if isinstance(value, str)}
        yield _line(number, {**given, "scope": fields.scope or fields.stream or ""})


def _line(number: int, fields: Mapping[str, str]) -> Line:
    """Judge the fields of one line."""
    given = fields.get("address", "").strip()
    cause, note = _cause_and_note(fields)
    try:
        address = parse_mailbox(given).address
        expires = fields.get("expires_at", "").strip()
        expires_at = from_datetime(dt.datetime.fromisoformat(expires)) if expires else None
    except AddressError as problem:
        return Line(number=number, address=given[:320], problem=str(problem))
    except (ValueError, OverflowError):
        return Line(number=number, address=given, problem="expires_at is not a time such as 2030-01-31T12:00:00Z.")
    if cause and cause not in Cause.__members__.values():
        return Line(number=number, address=address, problem=f"cause must be one of {', '.join(Cause)}.")
    if len(note) > NOTE_CHARACTERS or "\0" in note:
        return Line(number=number, address=address, problem=f"A note has at most {NOTE_CHARACTERS} characters.")
    scope = fields.get("scope", "").strip()
    return Line(
        number=number,
        address=address,
        scope=scope or None,
        cause=Cause(cause) if cause else None,
        note=note,
        expires_at=expires_at,
    )


def _cause_and_note(fields: Mapping[str, str]) -> tuple[str, str]:
    """Return both as the line says them; the reason that others give is a cause of ours, or else a note."""
    cause, note = fields.get("cause", "").strip().lower(), fields.get("note", "")
    reason = fields.get("reason", "")
    if not cause and reason.strip().lower() in Cause.__members__.values():
        return reason.strip().lower(), note
    return cause, note or reason[:NOTE_CHARACTERS]
