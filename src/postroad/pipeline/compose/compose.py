"""One job in, one envelope and one message out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from postroad.model.composition import Composed, ComposeFailed, ComposeJob
from postroad.model.message import Attachment, Content, Party, decode_content
from postroad.model.returned import DELIVERY_HEADER
from postroad.pipeline.compose.keyring import KeyRing
from postroad.pipeline.compose.plaintext import plain_text
from postroad.wire import dkim, headers, mime, parse
from postroad.wire.address import Address, AddressError, parse_mailbox

SIGNATURE_LIFETIME_S: Final = 7 * 86_400
_MICROSECONDS: Final = 1_000_000
_MIME_VERSION: Final = b"MIME-Version: 1.0\r\n"


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message in two pieces, ready to be signed."""

    fields: tuple[bytes, ...]
    body: bytes
    tls_required: bool = False
    tls_optional: bool = False


class _Missing(Exception):  # noqa: N818 - an inner signal
    """Octets that the content names did not come with the job."""


def compose(job: ComposeJob, ring: KeyRing) -> Composed | ComposeFailed:
    """Return the envelope and the octets of one delivery, or why they cannot be made.

    The octets end in CRLF, hold no bare CR or LF, no line beyond 998 octets, no Bcc, and are not dot-stuffed.

    Raises:
        KeyError: A signer of the job is not on the ring.
    """
    try:
        content = decode_content(job.content)
        letter = _built(job, content) if content.raw_sha256 is None else _given(job, content)
    except AddressError as problem:
        return ComposeFailed("invalid_address", str(problem))
    except headers.HeaderError as problem:
        return ComposeFailed("invalid_header", str(problem))
    except mime.MimeError as problem:
        return ComposeFailed("invalid_content", str(problem))
    except parse.RawMailError as problem:
        return ComposeFailed("invalid_raw", str(problem))
    except _Missing:
        return ComposeFailed("blob_missing", "A file of the message is no longer stored.")
    return _signed(job, letter, ring)


def _built(job: ComposeJob, content: Content) -> _Letter:
    """Write a message from its fields."""
    text = content.text
    if text is None and content.html is not None:
        text = plain_text(content.html)
    parts = [_part(attachment, job.blobs) for attachment in content.attachments]
    entity = mime.build(text, content.html, parts, seed=job.message_id.encode())
    fields = [
        headers.date("Date", job.accepted_at // _MICROSECONDS),
        headers.mailboxes("From", (_address(content.sender),)),
    ]
    if content.to or not content.cc:
        fields.append(headers.mailboxes("To", map(_address, content.to)))
    if content.cc:
        fields.append(headers.mailboxes("Cc", map(_address, content.cc)))
    if content.reply_to:
        fields.append(headers.mailboxes("Reply-To", map(_address, content.reply_to)))
    fields.append(headers.unstructured("Subject", content.subject))
    fields.append(headers.message_ids("Message-ID", f"<{job.header_id}>"))
    if content.headers:
        fields.extend(_customs(content.headers))
    if job.extra_headers:
        fields.extend(_extras(job.extra_headers, {name.lower() for name, _ in content.headers}))
    optional = any(map(_waives_tls, content.headers)) if content.headers else False
    return _Letter((*fields, _MIME_VERSION, *entity.fields), entity.body, content.require_tls, optional)


def _given(job: ComposeJob, content: Content) -> _Letter:
    """Take a raw message as it was accepted, and add what is ours."""
    octets = job.blobs.get(content.raw_sha256 or "")
    if octets is None:
        raise _Missing
    parse.check_lines(octets)
    message = parse.parse(octets, octets_limit=len(octets))
    fields = [field.octets for field in message.fields]
    if job.extra_headers:
        fields.extend(_extras(job.extra_headers, {field.name.decode() for field in message.fields}))
    optional = any(_waives_tls((field.name.decode(), field.value)) for field in message.fields)
    return _Letter(tuple(fields), message.body, content.require_tls, optional)


def _waives_tls(field: tuple[str, str]) -> bool:
    """Tell whether a header says that the message may go without TLS (RFC 8689 §5)."""
    name, value = field
    return name.lower() == "tls-required" and value.strip().lower() == "no"


def _signed(job: ComposeJob, letter: _Letter, ring: KeyRing) -> Composed:
    """Sign a message and put it together; nothing but dot-stuffing may happen to the octets after this."""
    body = letter.body
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    at_s = job.accepted_at // _MICROSECONDS
    signatures = dkim.sign(
        letter.fields,
        body,
        [ring.find(signer) for signer in job.signers],
        at_s=at_s,
        expires_s=at_s + SIGNATURE_LIFETIME_S,
    )
    token = f"{DELIVERY_HEADER}: {job.delivery_token}\r\n".encode() if job.delivery_token else b""
    header = b"".join((signatures, *letter.fields, token, b"\r\n"))
    octets = header + body
    return Composed(
        mail_from=job.return_path,
        rcpt_to=job.recipient,
        octets=octets,
        smtputf8=not (header.isascii() and job.recipient.isascii() and job.return_path.isascii()),
        sha256=hashlib.sha256(octets).digest(),
        tls_required=letter.tls_required,
        tls_optional=letter.tls_optional,
    )


def _address(party: Party) -> Address:
    return Address(parse_mailbox(party.email), party.name)


def _part(attachment: Attachment, blobs: dict[str, bytes]) -> mime.Part:
    content = blobs.get(attachment.sha256)
    if content is None:
        raise _Missing
    return mime.Part(
        content,
        attachment.content_type,
        attachment.filename,
        attachment.content_id,
        inline=attachment.content_id is not None,
    )


def _customs(pairs: Iterable[tuple[str, str]]) -> list[bytes]:
    """Write the application's own headers; those that may stand once, once (RFC 5322 §3.6)."""
    seen: set[bytes] = set()
    fields: list[bytes] = []
    for name, value in pairs:
        lowered = name.lower().encode()
        if lowered in seen and lowered in parse.SINGLETONS:
            raise headers.HeaderError(f"The header {name} may stand only once.")
        seen.add(lowered)
        fields.append(headers.custom(name, value))
    return fields


def _extras(pairs: Iterable[tuple[str, str]], present: set[str]) -> list[bytes]:
    """Write our own headers, but none that the application wrote itself.

    List-Unsubscribe and List-Unsubscribe-Post belong together (RFC 8058 §3.1): either both are ours or none is.
    """
    if "list-unsubscribe" in present or "list-unsubscribe-post" in present:
        present = present | {"list-unsubscribe", "list-unsubscribe-post"}
    return [headers.custom(name, value) for name, value in pairs if name.lower() not in present]
