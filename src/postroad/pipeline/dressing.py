"""What a delivery needs to be composed: its content and blobs, its keys, its return path, the headers we add."""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from postroad.model.composition import ComposeJob, Recipe, SigningKey
from postroad.model.delivery import Lease
from postroad.model.ids import ProjectId
from postroad.model.message import Content, Mode, decode_content
from postroad.model.stream import Stream
from postroad.store.blobs import Blobs
from postroad.wire import verp


@dataclass(frozen=True, slots=True)
class Outfit:
    """How the mail of one sending domain goes out."""

    keys: tuple[SigningKey, ...]
    return_path_domain: str | None
    """Domain of the envelope sender; None: bounces go to the sender's own address."""
    require_tls: bool = False
    """Whether its mail may only be handed over under verified TLS."""
    speaks: bool = True
    """Whether the project may send from it at all; its mail of tests never leaves, and may."""


class Outfitter(Protocol):
    """Knows the sending domains."""

    async def outfit(self, project_id: ProjectId, domain: str) -> Outfit:
        """Return what mail from this domain is signed with and where its bounces go."""
        ...


class StreamSource(Protocol):
    """Knows the streams of a project."""

    async def get(self, project_id: ProjectId, name: str) -> Stream:
        """Return the stream."""
        ...


class ListHeaders(Protocol):
    """Makes the headers by which recipients leave a stream."""

    def __call__(self, lease: Lease, stream: Stream) -> tuple[tuple[str, str], ...]:
        """Return the headers of one delivery."""
        ...


class Dressed(msgspec.Struct, frozen=True):
    """A delivery ready to be composed and, afterwards, judged."""

    lease: Lease
    stream: Stream
    job: ComposeJob
    keys: tuple[SigningKey, ...]
    recipe: Recipe
    require_tls: bool
    """Whether the sending domain or the stream asks for verified TLS; the message may ask for it too."""
    speaks: bool = True
    """Whether it may be sent; else its domain was taken away since it was accepted."""


class Dresser:
    """Dresses deliveries."""

    def __init__(
        self,
        *,
        blobs: Blobs,
        senders: Outfitter,
        streams: StreamSource,
        list_headers: ListHeaders,
        verp_key: bytes,
    ) -> None:
        """Take where each thing is known."""
        self._blobs = blobs
        self._senders = senders
        self._streams = streams
        self._list_headers = list_headers
        self._verp_key = verp_key

    def has_at_hand(self, lease: Lease) -> bool:
        """Tell whether a delivery can be dressed without waiting for an object storage."""
        if self._blobs.near:
            return True
        if lease.content is None:
            return False
        try:
            return not _blobs_of(decode_content(lease.content))
        except msgspec.MsgspecError:
            return True  # nothing is to be had; dressing it says so

    async def dress(self, lease: Lease) -> Dressed:
        """Return what the composition of a delivery needs now.

        Raises:
            BlobMissing: a row names a blob that is gone.
            Unavailable: the store cannot be read now.
        """
        outfit = await self._senders.outfit(lease.project_id, lease.sender.rpartition("@")[2])
        stream = await self._streams.get(lease.project_id, lease.stream)
        headers = self._list_headers(lease, stream) if stream.unsubscribe else ()
        recipe = Recipe(tuple([key.id for key in outfit.keys]), headers)
        job = await self.job(lease, recipe, outfit.return_path_domain)
        speaks = outfit.speaks or lease.mode is Mode.TEST
        return Dressed(lease, stream, job, outfit.keys, recipe, stream.require_tls or outfit.require_tls, speaks)

    async def stream(self, lease: Lease) -> Stream:
        """Return the stream of a delivery."""
        return await self._streams.get(lease.project_id, lease.stream)

    async def job(self, lease: Lease, recipe: Recipe, return_path_domain: str | None) -> ComposeJob:
        """Return the job that makes a delivery's octets by a given recipe; the domain decides the envelope only."""
        token = verp.make(lease.delivery_id, self._verp_key)
        stored = lease.content
        if stored is None:
            stored = await self._blobs.get(lease.content_sha256 or "")
        return ComposeJob(
            message_id=lease.message_id,
            delivery_id=lease.delivery_id,
            recipient=lease.recipient,
            return_path=lease.sender if return_path_domain is None else f"{token}@{return_path_domain}",
            header_id=lease.header_id,
            # Scheduled mail is dated when it is due: signatures made as of its acceptance could have expired by then.
            accepted_at=max(lease.accepted_at, lease.first_due_at),
            content=stored,
            extra_headers=recipe.extra_headers,
            signers=recipe.signers,
            blobs={sha256: await self._blobs.get(sha256) for sha256 in _blobs_of(decode_content(stored))},
            delivery_token=token,
        )


def _blobs_of(content: Content) -> set[str]:
    wanted = {attachment.sha256 for attachment in content.attachments}
    if content.raw_sha256 is not None:
        wanted.add(content.raw_sha256)
    return wanted
