"""Events: the feed of everything that happened in a project, to be read page by page or as it happens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from postroad.http.auth import READ, GivenCaller, GivenServices
from postroad.http.services import Services
from postroad.http.shapes import EventPage, show_event
from postroad.model.errors import Refused, Unavailable
from postroad.model.event import EventType
from postroad.model.ids import event_id, event_seq
from postroad.model.project import Caller
from postroad.store import events

HEARTBEAT_S = 15.0
"""How often a silent stream says that it is alive."""
LOOK_S = 1.0
"""How long a stream waits for a wake-up: other nodes' commits do not ring here."""
KEY_S = 3.0
"""How often it is asked whether the key of a stream is alive still: a revoked one is dead within five seconds."""
MOST_STREAMS = 256
"""Streams at the same time; each holds a connection."""
_PAGE = 500
_json = msgspec.json.Encoder()

Types = Annotated[str | None, QueryParameter(description="Types to give, separated by commas; none: all.")]


class EventsController(Controller):
    """The feed of events."""

    path = "/v1/events"
    tags = ("Events",)

    @get(opt=READ, summary="Read the feed of events")
    async def feed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str | None, QueryParameter(description="Identifier of the last event read.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at the most.")] = 100,
        types: Annotated[
            str | None, QueryParameter(description="Types to give, separated by commas; none: all.")
        ] = None,
    ) -> EventPage:
        """Return what happened after `after`, oldest first; the feed never skips an event."""
        seq, wanted = _place("#/query/after", after), _types(types)
        found = await services.database.read(
            lambda c: events.feed(c, caller.project.id, after=seq, limit=limit, types=wanted)
        )
        return EventPage([show_event(each) for each in found], found[-1].id if found else after)

    @get("/stream", opt=READ | {"endless": True}, summary="Follow the feed of events", media_type="text/event-stream")
    async def stream(
        self,
        services: GivenServices,
        caller: GivenCaller,
        last_event_id: Annotated[
            str | None, HeaderParameter(name="Last-Event-ID", description="Go on behind this event.")
        ] = None,
        after: Annotated[str | None, QueryParameter(description="The same as Last-Event-ID.")] = None,
        types: Annotated[
            str | None, QueryParameter(description="Types to give, separated by commas; none: all.")
        ] = None,
    ) -> Stream:
        """Send events as they happen, as server-sent events; without a place to go on from, those from now on."""
        wanted = _types(types)
        if last_event_id is not None:
            seq = _place("#/header/Last-Event-ID", last_event_id)
        elif after is not None:
            seq = _place("#/query/after", after)
        else:
            seq = await services.database.read(lambda c: events.last_seq(c, caller.project.id))
        state = services.readiness
        if state.streams >= max(1, min(MOST_STREAMS, services.settings.http.max_requests // 2)):
            raise Unavailable("overloaded", "Too many streams are open; read the feed instead.", retry_after_s=30)
        return Stream(
            _follow(services, caller, seq, wanted),
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},
        )


async def _follow(services: Services, caller: Caller, seq: int, types: list[str]) -> AsyncIterator[bytes]:
    """Yield events as they are committed, and a comment when nothing happens for long, while the key is alive."""
    signal, state, project = services.event_signal, services.readiness, caller.project.id
    loop = asyncio.get_running_loop()
    state.streams += 1
    try:
        yield b": here\nretry: 2000\n\n"
        spoken = asked = loop.time()
        while not state.stopping.is_set():
            if loop.time() - asked >= KEY_S:
                if not await services.keys.holds(caller.key):
                    return
                asked = loop.time()
            heard, place = signal.beat, seq
            found = await services.database.read(
                lambda c, place=place: events.feed(c, project, after=place, limit=_PAGE, types=types)  # type: ignore[misc]
            )
            if found:
                seq, spoken = found[-1].seq, loop.time()
                yield b"".join(
                    b"id: %s\nevent: %s\ndata: %s\n\n"
                    % (each.id.encode(), each.type.value.encode(), _json.encode(show_event(each)))
                    for each in found
                )
            elif loop.time() - spoken >= HEARTBEAT_S:
                spoken = loop.time()
                yield b": %s\n\n" % event_id(max(seq, 1)).encode()
            if len(found) < _PAGE:
                await signal.wait(heard, LOOK_S)
    finally:
        state.streams -= 1


def _place(pointer: str, identifier: str | None) -> int:
    if identifier is None:
        return 0
    seq = event_seq(identifier)
    if seq is None:
        raise Refused.field(pointer, "This is no identifier of an event.")
    return seq


def _types(text: str | None) -> list[str]:
    """Return the types asked for; `message.*` stands for all that begin so."""
    if not text:
        return []
    wanted: list[str] = []
    for name in text.split(","):
        name = name.strip()
        prefix = name.removesuffix("*")
        fitting = [
            each.value for each in EventType if each.value == name or (prefix != name and each.value.startswith(prefix))
        ]
        if not fitting:
            raise Refused.field("#/query/types", f"There is no event type {name[:80]}.")
        wanted += fitting
    return wanted
