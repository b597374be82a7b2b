"""Answers that are made while they are sent."""

from collections.abc import AsyncIterator


async def begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the same pieces once the first is there, so that what is refused by then is refused with a status."""
    first = await anext(pieces, b"")

    async def go_on() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return go_on()
