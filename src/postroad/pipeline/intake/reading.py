"""From a draft to content that is valid by construction: every field is checked, and every flaw is named at once."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from postroad.model.clock import Instant, from_datetime, to_rfc3339
from postroad.model.errors import Flaw, Refused
from postroad.model.message import Party, Role
from postroad.pipeline.intake.draft import AddressInput, AttachmentInput, Draft
from postroad.wire import headers as wire_headers
from postroad.wire import mime
from postroad.wire.address import Address, AddressError, Mailbox, check_name, parse_address, parse_mailbox

_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?:@[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GENERATED = frozenset({"from", "to", "cc", "reply-to", "subject", "date", "message-id", "sender"})


class IntakeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that one message may ask for; the settings of `limits`."""

    message_octets: int = 40 * 1024 * 1024
    recipients: int = 1000
    headers: int = 1000
    header_octets: int = 256 * 1024
    subject_characters: int = 998
    attachments: int = 100
    tags: int = 10
    tag_characters: int = 128
    metadata_keys: int = 50
    metadata_key_characters: int = 64
    metadata_value_characters: int = 1024
    schedule_ahead: int = 30 * 86_400 * 1_000_000
    """Microseconds that `send_at` may lie ahead."""


@dataclass(frozen=True, slots=True)
class File:
    """An attachment whose octets are at hand, or lie in the blob store already."""

    given: AttachmentInput
    octets: bytes | None


@dataclass(slots=True)
class Reading:
    """What a draft says, checked; `flaws` is empty or the draft is refused."""

    sender: Party | None = None
    sender_domain: str = ""
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    envelope: list[tuple[Mailbox, Role]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    raw: bytes | None = None
    send_at: Instant | None = None
    expires_at: Instant | None = None
    size: int = 0
    flaws: list[Flaw] = field(default_factory=list)

    def flaw(self, pointer: str, detail: str, code: str = "invalid") -> None:
        """Note what is wrong with the field at `pointer`."""
        self.flaws.append(Flaw(pointer, detail, code))


def read(draft: Draft, limits: IntakeLimits, now: Instant) -> Reading:
    """Check a draft whole.

    Raises:
        Refused: `invalid_request`, with every flaw.
    """
    found = Reading()
    _read_people(draft, limits, found)
    _read_words(draft, limits, found)
    if draft.headers:
        _read_headers(draft.headers, limits, found)
    if draft.attachments:
        _read_attachments(draft.attachments, limits, found)
    if draft.raw is not None:
        _read_raw(draft, found)
    if draft.tags or draft.metadata:
        _read_labels(draft, limits, found)
    if draft.send_at is not None or draft.expires_at is not None:
        _read_times(draft, limits, now, found)
    if found.size > limits.message_octets:
        found.flaw("", f"The message is larger than {limits.message_octets} octets.", "message_too_large")
    if found.flaws:
        raise Refused("invalid_request", _summary(found.flaws), flaws=found.flaws)
    return found


def _summary(flaws: Sequence[Flaw]) -> str:
    first = f"{flaws[0].pointer or 'The message'}: {flaws[0].detail}"
    return first if len(flaws) == 1 else f"{first} ({len(flaws) - 1} more)"


def _read_people(draft: Draft, limits: IntakeLimits, found: Reading) -> None:
    sender = _address(draft.sender, "/from", found)
    if sender is not None:
        if sender.mailbox.literal:
            found.flaw("/from", "The sender needs a domain name, not an address literal.")
        found.sender = _party(sender)
        found.sender_domain = sender.mailbox.domain
    to = _addresses(draft.to, "/to", found)
    cc = _addresses(draft.cc, "/cc", found)
    bcc = _addresses(draft.bcc, "/bcc", found)
    found.to = tuple([_party(address) for address in to])
    found.cc = tuple([_party(address) for address in cc])
    found.reply_to = tuple([_party(address) for address in _addresses(draft.reply_to, "/reply_to", found)])
    _weigh_people(limits, found)
    if len(to) == 1 and not cc and not bcc:
        found.envelope = [(to[0].mailbox, Role.TO)]
        return
    seen: set[Mailbox] = set()
    for addresses, role in ((to, Role.TO), (cc, Role.CC), (bcc, Role.BCC)):
        for address in addresses:
            if address.mailbox not in seen:
                seen.add(address.mailbox)
                found.envelope.append((address.mailbox, role))
    if not found.envelope and not found.flaws:
        found.flaw("/to", "The message needs at least one recipient in to, cc or bcc.", "missing")
    if len(found.envelope) > limits.recipients:
        found.flaw("/to", f"The message has more than {limits.recipients} recipients.", "too_many")


def _address(given: str | AddressInput, pointer: str, found: Reading) -> Address | None:
    try:
        if isinstance(given, str):
            return parse_address(given)
        return Address(parse_mailbox(given.email), check_name(given.name) or None if given.name else None)
    except AddressError as error:
        found.flaw(pointer, str(error), "invalid_address")
        return None


def _addresses(given: str | AddressInput | list[str | AddressInput], pointer: str, found: Reading) -> list[Address]:
    if given == []:
        return []  # most fields of most messages
    if not isinstance(given, list):
        address = _address(given, pointer, found)
        return [] if address is None else [address]
    read = [_address(one, f"{pointer}/{n}", found) for n, one in enumerate(given)]
    return [address for address in read if address is not None]


def _weigh_people(limits: IntakeLimits, found: Reading) -> None:
    """Hold each field of addresses to the size that all headers of a request's own may have."""
    for pointer, parties in (
        ("/from", (found.sender,)),
        ("/to", found.to),
        ("/cc", found.cc),
        ("/reply_to", found.reply_to),
    ):
        if not parties:
            continue
        octets = 0
        for party in parties:
            if party is not None:
                octets += len(party.email.encode()) + (0 if party.name is None else len(party.name.encode()))
        if octets > limits.header_octets:
            found.flaw(pointer, f"These names and addresses take more than {limits.header_octets} octets.", "too_large")


def _party(address: Address) -> Party:
    return Party(address.mailbox.address, address.name)


def _read_words(draft: Draft, limits: IntakeLimits, found: Reading) -> None:
    if draft.subject:
        if len(draft.subject) > limits.subject_characters:
            found.flaw("/subject", f"The subject is longer than {limits.subject_characters} characters.", "too_long")
        _value(draft.subject, "/subject", found)
    if draft.raw is None and draft.html is None and draft.text is None and not draft.attachments:
        found.flaw("/text", "The message needs text, html, an attachment or raw.", "missing")
    for pointer, body in (("/html", draft.html), ("/text", draft.text)):
        if body is None:
            continue
        if "\0" in body:
            found.flaw(pointer, "The text contains NUL.")
        found.size += _text_octets(body)


def _text_octets(text: str) -> int:
    """Return what a text comes to on the wire, where a line ends in two octets and what is not ASCII goes as base64."""
    if text.isascii():
        return len(text) + text.count("\n")
    return encoded_octets(len(text.encode("utf-8", "replace")))


def encoded_octets(octets: int) -> int:
    """Return what so many octets come to as base64 in lines of 76 characters (RFC 2045 §6.8)."""
    return -(-octets // 3) * 4 + -(-octets // 57) * 2


def _value(value: str, pointer: str, found: Reading) -> None:
    try:
        wire_headers.check_value(value)
    except wire_headers.HeaderError as error:
        found.flaw(pointer, str(error), "invalid_header")


def _read_headers(given: dict[str, str], limits: IntakeLimits, found: Reading) -> None:
    if len(given) > limits.headers:
        found.flaw("/headers", f"The message has more than {limits.headers} headers.", "too_many")
        return
    seen: set[str] = set()
    octets = 0
    for name, value in given.items():
        pointer = f"/headers/{escape(name)}"
        octets += len(name) + len(value.encode("utf-8", "replace")) + 4
        lower = name.lower()
        try:
            wire_headers.custom(name, value)
            if lower in _GENERATED:
                found.flaw(pointer, "This header is made from a field of the request; use that field.", "reserved")
            elif lower in seen:
                found.flaw(pointer, "This header is given twice.", "duplicate")
        except wire_headers.HeaderError as error:
            found.flaw(pointer, str(error), "invalid_header")
        seen.add(lower)
    if octets > limits.header_octets:
        found.flaw("/headers", f"The headers are larger than {limits.header_octets} octets.", "too_large")
    found.size += octets


def _read_attachments(given: Iterable[AttachmentInput], limits: IntakeLimits, found: Reading) -> None:
    ids: set[str] = set()
    for n, one in enumerate(given):
        pointer = f"/attachments/{n}"
        if n >= limits.attachments:
            found.flaw("/attachments", f"The message has more than {limits.attachments} attachments.", "too_many")
            return
        _value(one.filename, f"{pointer}/filename", found)
        try:
            mime.check_content_type(one.content_type)
        except mime.MimeError as error:
            found.flaw(f"{pointer}/content_type", str(error))
        if one.content_id is not None:
            if _CONTENT_ID.fullmatch(one.content_id) is None:
                found.flaw(
                    f"{pointer}/content_id",
                    "The content_id may hold letters, digits, !#$%&'*+/=?^_`{|}~.- and one @ only.",
                )
            elif one.content_id in ids:
                found.flaw(f"{pointer}/content_id", "Two attachments have this content_id.", "duplicate")
            ids.add(one.content_id)
        found.files.append(File(one, _octets(one, pointer, found)))


def _octets(one: AttachmentInput, pointer: str, found: Reading) -> bytes | None:
    if (one.content is None) == (one.blob is None):
        found.flaw(pointer, "An attachment has either content or blob.", "missing")
        return None
    if one.content is None:
        if _SHA256.fullmatch(one.blob or "") is None:
            found.flaw(f"{pointer}/blob", "A blob is named by its SHA-256 in lower-case hexadecimal.")
        return None
    octets = _base64(one.content, f"{pointer}/content", found)
    found.size += 0 if octets is None else encoded_octets(len(octets))
    return octets


def _base64(given: str, pointer: str, found: Reading) -> bytes | None:
    try:
        return base64.b64decode(given.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        found.flaw(pointer, "This is not base64 (RFC 4648 §4, standard alphabet, with padding).", "invalid_base64")
        return None


def _read_raw(draft: Draft, found: Reading) -> None:
    for name, value in (
        ("subject", draft.subject),
        ("html", draft.html),
        ("text", draft.text),
        ("headers", draft.headers),
        ("attachments", draft.attachments),
        ("reply_to", draft.reply_to),
    ):
        if value:
            found.flaw(f"/{name}", "With raw, this stands in the raw message itself.", "conflict")
    found.raw = _base64(draft.raw or "", "/raw", found)
    found.size += len(found.raw or b"")


def _read_labels(draft: Draft, limits: IntakeLimits, found: Reading) -> None:
    if len(draft.tags) > limits.tags:
        found.flaw("/tags", f"The message has more than {limits.tags} tags.", "too_many")
    for n, tag in enumerate(draft.tags):
        if not tag or len(tag) > limits.tag_characters or not tag.isprintable():
            found.flaw(f"/tags/{n}", f"A tag has 1 to {limits.tag_characters} printable characters.")
    if len(draft.metadata) > limits.metadata_keys:
        found.flaw("/metadata", f"The message has more than {limits.metadata_keys} metadata keys.", "too_many")
    for key, value in draft.metadata.items():
        pointer = f"/metadata/{escape(key)}"
        if not key or len(key) > limits.metadata_key_characters or not key.isprintable() or "=" in key:
            found.flaw(
                pointer, f"A metadata key has 1 to {limits.metadata_key_characters} printable characters other than =."
            )
        if len(value) > limits.metadata_value_characters or "\0" in value or not _is_unicode(value):
            found.flaw(
                pointer,
                f"A metadata value has at most {limits.metadata_value_characters} characters, none of them NUL.",
            )


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _read_times(draft: Draft, limits: IntakeLimits, now: Instant, found: Reading) -> None:
    try:
        found.send_at = None if draft.send_at is None else from_datetime(draft.send_at)
    except (ValueError, OverflowError) as error:
        found.flaw("/send_at", str(error))
    try:
        found.expires_at = None if draft.expires_at is None else from_datetime(draft.expires_at)
    except (ValueError, OverflowError) as error:
        found.flaw("/expires_at", str(error))
    if found.send_at is not None and found.send_at > now + limits.schedule_ahead:
        latest = to_rfc3339(Instant(now + limits.schedule_ahead))
        found.flaw("/send_at", f"A message can be scheduled until {latest}.", "too_late")
    if found.expires_at is not None and found.expires_at <= max(now, found.send_at or now):
        found.flaw("/expires_at", "The message would expire before it is sent.", "too_early")


def escape(name: str) -> str:
    """Return a name as it stands in a JSON Pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")
