"""A server's administration on a data directory, within the tests' own process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from postroad.app.administration import serve_administration
from postroad.app.building import open_house
from postroad.config import Settings


@contextmanager
def served(settings: Settings, *, dev: bool = False) -> Iterator[None]:
    """Answer the command line on a data directory, on a loop and a thread of its own, while the body runs."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        house = await open_house(settings, dev=dev)
        try:
            async with serve_administration(house):
                started.set_result((asyncio.get_running_loop(), stop))
                await stop.wait()
        finally:
            await house.close()

    with ThreadPoolExecutor(1) as threads:
        living = threads.submit(lambda: asyncio.run(live()))
        wait((started, living), timeout=30, return_when=FIRST_COMPLETED)
        if living.done():
            living.result()
        loop, stop = started.result(0)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            living.result(30)
