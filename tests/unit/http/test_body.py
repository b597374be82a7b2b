"""Reading bodies: counted, timed, unpacked."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from postroad.http import body as reading
from postroad.http.body import read_body
from postroad.model.errors import Refused, Unavailable


def arriving(pieces: Sequence[bytes], *, lost: bool = False) -> Callable[[], Any]:
    """Return an ASGI receive that gives the pieces, and at the end loses the connection when asked."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if not left:
            return {"type": "http.disconnect"}
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left) or lost}

    return receive


async def read(
    pieces: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]] = (), limit: int = 100, **how: bool
) -> bytes:
    scope: Any = {"type": "http", "headers": list(headers)}
    return await read_body(scope, arriving(pieces, **how), limit)


GZIP = (b"content-encoding", b"gzip")


@pytest.mark.parametrize("pieces", [[b"abc"], [b"a", b"b", b"c"], [b"", b"abc", b""]])
async def test_a_body_is_whole_however_it_is_cut(pieces: list[bytes]) -> None:
    assert await read(pieces) == b"abc"


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 60, b"x" * 60], [b"x"] * 101])
async def test_a_body_over_the_limit_is_refused_while_it_is_counted(pieces: list[bytes]) -> None:
    with pytest.raises(Refused) as refused:
        await read(pieces)
    assert refused.value.code == "payload_too_large"


async def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Refused) as refused:
        await read([], [(b"content-length", b"101")])
    assert refused.value.code == "payload_too_large"


async def test_a_gzip_body_is_unpacked() -> None:
    assert await read([gzip.compress(b"hello")], [GZIP]) == b"hello"


async def test_a_gzip_bomb_is_refused_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(Refused) as refused:
        await read([bomb], [GZIP], limit=1_000_000)
    assert refused.value.code == "payload_too_large"


async def test_a_gzip_body_that_grows_beyond_any_ratio_of_text_is_refused_below_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(Refused) as refused:
        await read([bomb], [GZIP], limit=100_000_000)
    assert refused.value.code == "payload_too_large"
    assert "100 times its size" in refused.value.detail  # no limit is named that is none


@pytest.mark.parametrize(
    "octets", [b"not gzip", gzip.compress(b"hello")[:-4], gzip.compress(b"hello") + b"more", gzip.compress(b"a") * 2]
)
async def test_what_is_not_one_whole_gzip_member_is_refused(octets: bytes) -> None:
    with pytest.raises(Refused) as refused:
        await read([octets], [GZIP])
    assert refused.value.code == "bad_request"


async def test_other_encodings_are_refused_clearly() -> None:
    with pytest.raises(Refused) as refused:
        await read([b"x"], [(b"content-encoding", b"br")])
    assert refused.value.code == "unsupported_media_type"


async def test_a_client_that_goes_away_has_sent_no_body() -> None:
    with pytest.raises(Refused) as refused:
        await read([b"half"], lost=True)
    assert refused.value.code == "bad_request"


async def test_a_body_that_does_not_arrive_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "READ_TIMEOUT_S", 0.01)
    scope: Any = {"type": "http", "headers": []}
    with pytest.raises(Unavailable) as refused:
        await read_body(scope, asyncio.Event().wait, 10)  # type: ignore[arg-type]  # it never comes back
    assert refused.value.code == "timeout"
