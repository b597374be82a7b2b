"""Links that can be cut: a proxy on loopback, and a namespace where there is root for it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from faults.frame import Skipped
from faults.network import Cut, places
from faults.proxy import Cable, cable

from peers.process import LOOPBACK

_WAIT_S = 10.0
_NOTHING_S = 0.2


@pytest.fixture
def line() -> Iterator[tuple[Cable, socket.socket, socket.socket]]:
    """A cable, the socket at its near end and the one at its far end."""
    with socket.create_server((LOOPBACK, 0)) as server, cable(server.getsockname()[1]) as made:
        near = socket.create_connection((LOOPBACK, made.port), timeout=_WAIT_S)
        far, _ = server.accept()
        far.settimeout(_WAIT_S)
        with closing(near), closing(far):
            yield made, near, far


def _hears_nothing(end: socket.socket) -> bool:
    end.settimeout(_NOTHING_S)
    try:
        end.recv(10)
    except TimeoutError:
        return True
    finally:
        end.settimeout(_WAIT_S)
    return False


@pytest.mark.parametrize(("what", "there", "back"), [(Cut.ALL, 0, 0), (Cut.REQUESTS, 0, 1), (Cut.ANSWERS, 1, 0)])
def test_a_cut_holds_back_what_it_says_until_it_is_healed(
    what: Cut, there: int, back: int, line: tuple[Cable, socket.socket, socket.socket]
) -> None:
    made, near, far = line
    near.sendall(b"1")
    assert far.recv(10) == b"1"
    made.cut(what)
    near.sendall(b"2")
    far.sendall(b"3")
    if there:
        assert far.recv(10) == b"2"
    else:
        assert _hears_nothing(far)
    if back:
        assert near.recv(10) == b"3"
    else:
        assert _hears_nothing(near)
    made.heal(what)
    if not there:
        assert far.recv(10) == b"2"
    if not back:
        assert near.recv(10) == b"3"


def test_a_place_reaches_the_database_unless_it_is_cut_off_and_is_gone_afterwards() -> None:
    try:
        with places(1) as (place,):
            with socket.create_server((place.database, 0)) as server:
                port = server.getsockname()[1]
                program = f"import socket; socket.create_connection({(place.database, port)!r}, 1)"
                dial = [*place.words, sys.executable, "-c", program]
                for what in Cut:
                    assert subprocess.run(dial, check=False, capture_output=True).returncode == 0
                    place.cut(what)
                    assert subprocess.run(dial, check=False, capture_output=True).returncode != 0
                    place.heal(what)
            name = place.name
    except Skipped as missing:
        pytest.skip(str(missing))
    listed = subprocess.run(["ip", "netns"], check=True, capture_output=True, text=True).stdout
    assert name not in listed
