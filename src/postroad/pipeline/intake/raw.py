"""Raw mail (RFC 5322) that a caller made: checked, and completed where that changes nothing of theirs."""

from postroad.model.clock import Instant
from postroad.model.errors import Refused
from postroad.pipeline.intake.reading import IntakeLimits, Reading
from postroad.wire import headers as wire_headers
from postroad.wire import parse as wire_parse


def read_raw(found: Reading, limits: IntakeLimits, now: Instant, header_id: str) -> tuple[str, str, bytes]:
    """Return subject, Message-ID and the octets to keep of a raw message.

    Raises:
        Refused: it cannot be sent as it is; it is never repaired.
    """
    prepared = prepare_raw(found.raw or b"", limits, now, header_id)
    if found.sender is not None and prepared.author.address != found.sender.email:
        raise Refused.field("/from", "This is not the From of the raw message.", code="invalid_raw")
    subject = next((field.value for field in prepared.fields if field.name == b"subject"), "")
    kept = b"".join([field.octets for field in prepared.fields]) + b"\r\n" + prepared.body
    return subject[: limits.subject_characters], prepared.message_id.strip("<>"), kept


def prepare_raw(octets: bytes, limits: IntakeLimits, now: Instant, header_id: str) -> wire_parse.Prepared:
    """Return a message as it will be sent, with the fields that it may lack: Date and Message-ID.

    Raises:
        Refused: it cannot be sent as it is.
    """
    try:
        wire_parse.check_lines(octets)
        message = wire_parse.parse(
            octets,
            header_count=limits.headers,
            header_octets=limits.header_octets,
            octets_limit=limits.message_octets,
        )
        return wire_parse.prepare(
            message, date=wire_headers.date("Date", now // 1_000_000), message_id=f"<{header_id}>"
        )
    except wire_parse.RawMailError as error:
        raise Refused.field("/raw", str(error), code="invalid_raw") from error
