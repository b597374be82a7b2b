"""Blobs: attachments uploaded once and named in many messages."""

import asyncio
import hashlib

import msgspec
from litestar import Controller, post
from litestar.params import RawBody

from postroad.http.auth import SEND, GivenCaller, GivenServices
from postroad.http.documented import documented
from postroad.model.errors import Refused
from postroad.store import uploads


class BlobShown(msgspec.Struct, frozen=True):
    """An uploaded blob; `blob` is what an attachment names it by."""

    blob: str
    size: int


class BlobsController(Controller):
    """Uploads."""

    path = "/v1/blobs"
    tags = ("Messages",)

    @post(opt=SEND | documented(body=bytes), status_code=201, summary="Upload an attachment")
    async def upload(self, body: RawBody, services: GivenServices, caller: GivenCaller) -> BlobShown:
        """Keep the octets of the body under their SHA-256, for messages of this project to name.

        The same octets are kept once. What no message names goes after `retention.uploads_hours`.
        """
        services.gate()
        if not body:
            raise Refused.field("", "The body is what is uploaded, and it is empty.")
        most = services.settings.limits.message_octets
        if len(body) > most:
            raise Refused("payload_too_large", f"A blob has {most} octets at the most, as it must fit a message.")
        project, sha256, now = caller.project.id, await asyncio.to_thread(_digest, body), services.clock.now()
        await services.database.write(lambda connection: uploads.note(connection, project, [sha256], now))
        return BlobShown(await services.blobs.put(body), len(body))


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
