"""Streams of the caller's project."""

from typing import Annotated

import msgspec
from litestar import Controller, get, patch, post
from litestar.params import FromPath, JSONBody

from postroad.features.accounts import StreamChange
from postroad.http.auth import FULL, READ, GivenCaller, GivenServices
from postroad.model.clock import DAY, SECOND
from postroad.model.errors import Refused
from postroad.model.stream import Stream, StreamKind

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=30 * DAY / SECOND)]
_Expiry = Annotated[int | None, msgspec.Meta(description="Seconds from when a message is due until it is given up.")]
_Delays = Annotated[
    list[_Seconds] | None,
    msgspec.Meta(description="Seconds to wait after each failed attempt; the last one repeats until expiry."),
]
_Jitter = Annotated[float | None, msgspec.Meta(description="Share, 0 to 0.9, by which each wait varies at random.")]
_Unsubscribe = Annotated[
    bool | None, msgspec.Meta(description="Whether messages carry List-Unsubscribe with one click (RFC 8058).")
]

_RequireTls = Annotated[
    bool | None,
    msgspec.Meta(
        description="Whether messages are handed over under TLS with a certificate that holds, or not at all."
    ),
]


class StreamInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream to make; what is not given is as in the built-in stream of its kind."""

    name: str
    kind: StreamKind = StreamKind.TRANSACTIONAL
    expire_after_s: _Expiry = None
    retry_delays_s: _Delays = None
    retry_jitter: _Jitter = None
    unsubscribe: _Unsubscribe = None
    require_tls: _RequireTls = None


class StreamPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a stream; what is not given stays."""

    expire_after_s: _Expiry = None
    retry_delays_s: _Delays = None
    retry_jitter: _Jitter = None
    unsubscribe: _Unsubscribe = None
    require_tls: _RequireTls = None


class StreamShown(msgspec.Struct, frozen=True, kw_only=True):
    """A stream."""

    name: str
    kind: StreamKind
    expire_after_s: float
    retry_delays_s: list[float]
    retry_jitter: float
    unsubscribe: bool
    require_tls: bool


class StreamList(msgspec.Struct, frozen=True):
    """All streams of a project."""

    data: list[StreamShown]
    next: str | None = None
    """Always null: there are few."""


class StreamsController(Controller):
    """Streams: kinds of mail with their own schedule, expiry and unsubscribe rules."""

    path = "/v1/streams"
    tags = ("Streams",)

    @get(opt=READ, summary="List streams")
    async def listed(self, services: GivenServices, caller: GivenCaller) -> StreamList:
        """Return the project's streams, the two built-in ones first."""
        return StreamList([shown(stream) for stream in await services.streams.listed(caller.project.id)])

    @post(opt=FULL, status_code=201, summary="Make a stream")
    async def create(self, data: JSONBody[StreamInput], services: GivenServices, caller: GivenCaller) -> StreamShown:
        """Make a stream of a kind, for messages to name."""
        return shown(
            await services.streams.create(caller.project.id, data.name, data.kind, _change(data), actor=caller.key.id)
        )

    @get("/{name:str}", opt=READ, summary="Show a stream")
    async def show(self, name: FromPath[str], services: GivenServices, caller: GivenCaller) -> StreamShown:
        """Return one stream."""
        for stream in await services.streams.listed(caller.project.id):
            if stream.name == name:
                return shown(stream)
        raise Refused("not_found", "There is no such stream.")

    @patch("/{name:str}", opt=FULL, summary="Change a stream")
    async def update(
        self, name: FromPath[str], data: JSONBody[StreamPatch], services: GivenServices, caller: GivenCaller
    ) -> StreamShown:
        """Change a stream, a built-in one too; mail accepted before keeps the expiry it was given."""
        return shown(await services.streams.update(caller.project.id, name, _change(data), actor=caller.key.id))


def shown(stream: Stream) -> StreamShown:
    """Return a stream as it is shown."""
    return StreamShown(
        name=stream.name,
        kind=stream.kind,
        expire_after_s=stream.expire_after / SECOND,
        retry_delays_s=[delay / SECOND for delay in stream.retry.delays],
        retry_jitter=stream.retry.jitter,
        unsubscribe=stream.unsubscribe,
        require_tls=stream.require_tls,
    )


def _change(data: StreamInput | StreamPatch) -> StreamChange:
    delays = data.retry_delays_s
    return StreamChange(
        expire_after=None if data.expire_after_s is None else data.expire_after_s * SECOND,
        retry_delays=None if delays is None else tuple([round(delay * SECOND) for delay in delays]),
        retry_jitter=data.retry_jitter,
        unsubscribe=data.unsubscribe,
        require_tls=data.require_tls,
    )
