"""Blobs: attachments uploaded once and named in many messages."""

import msgspec
from litestar import Controller, post
from litestar.params import RawBody

from postroad.http.auth import SEND, GivenServices
from postroad.http.documented import documented
from postroad.model.errors import Refused


class BlobShown(msgspec.Struct, frozen=True):
    """An uploaded blob; `blob` is what an attachment names it by."""

    blob: str
    size: int


class BlobsController(Controller):
    """Uploads."""

    path = "/v1/blobs"
    tags = ("Messages",)

    @post(opt=SEND | documented(body=bytes), status_code=201, summary="Upload an attachment")
    async def upload(self, body: RawBody, services: GivenServices) -> BlobShown:
        """Keep the octets of the body under their SHA-256; the same octets are kept once."""
        services.gate()
        if not body:
            raise Refused.field("", "The body is what is uploaded, and it is empty.")
        most = services.settings.limits.message_octets
        if len(body) > most:
            raise Refused("payload_too_large", f"A blob has {most} octets at the most, as it must fit a message.")
        return BlobShown(await services.blobs.put(body), len(body))
