"""The shape of a request to send, exactly as the API takes it; the reference of the API is generated from this."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta


class AddressInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address with a name to show."""

    email: Annotated[str, Meta(description="The address itself.", examples=["ann@example.org"])]
    name: Annotated[str | None, Meta(description="The name shown with it.", examples=["Ann Lee"])] = None


class AttachmentInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file: its octets in base64, or the identifier of an uploaded blob."""

    filename: Annotated[str, Meta(min_length=1, max_length=255, examples=["invoice.pdf"])]
    content: Annotated[str | None, Meta(description="The octets in base64 (RFC 4648 §4).")] = None
    blob: Annotated[str | None, Meta(description="SHA-256 of an uploaded blob, instead of `content`.")] = None
    content_type: Annotated[
        str, Meta(description="Media type (RFC 2045 §5).", max_length=255, examples=["application/pdf"])
    ] = "application/octet-stream"
    content_id: (
        Annotated[str, Meta(description="Makes it inline: the HTML names it as `cid:…`.", max_length=128)] | None
    ) = None


Recipient = Annotated[
    str | AddressInput,
    Meta(description="`ann@example.org`, `Ann Lee <ann@example.org>`, or an object.", examples=["ann@example.org"]),
]
Recipients = Annotated[
    str | AddressInput | list[str | AddressInput],
    Meta(description="One address or a list.", examples=["ann@example.org"]),
]


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to send."""

    sender: Recipient = msgspec.field(name="from")
    to: Recipients = []
    cc: Recipients = []
    bcc: Recipients = []
    reply_to: Recipients = []
    subject: Annotated[str, Meta(description="The subject.", examples=["Welcome"])] = ""
    html: Annotated[str | None, Meta(description="The HTML part.")] = None
    text: Annotated[str | None, Meta(description="The text part; made from the HTML when it is not given.")] = None
    headers: Annotated[dict[str, str], Meta(description="Further header fields.", examples=[{"X-Order": "42"}])] = {}
    attachments: list[AttachmentInput] = []
    tags: Annotated[list[str], Meta(description="Labels to find the message by.", examples=[["welcome"]])] = []
    metadata: Annotated[
        dict[str, str], Meta(description="Your own facts, repeated in every event.", examples=[{"user": "42"}])
    ] = {}
    stream: Annotated[str, Meta(description="`transactional`, `broadcast` or a stream of your own.")] = "transactional"
    send_at: Annotated[dt.datetime | None, Meta(description="When to send; at once when not given.")] = None
    expires_at: Annotated[
        dt.datetime | None, Meta(description="When to give up; by the stream's rule when not given.")
    ] = None
    require_tls: Annotated[
        bool,
        Meta(description="Hand it over under TLS with a certificate that holds, or not at all: else it is deferred."),
    ] = False
    raw: Annotated[
        str | None,
        Meta(
            description="A complete RFC 5322 message in base64, instead of subject, html, text, headers and "
            "attachments. `from` must be its From; `to`, `cc` and `bcc` are the envelope."
        ),
    ] = None
