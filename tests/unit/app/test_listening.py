"""Where a server cannot listen, it says what to do about that."""

import errno
import os
import socket

import pytest

from postroad.app.server import CannotStart, listen


def refusal(number: int, monkeypatch: pytest.MonkeyPatch) -> str:
    class Refusing(socket.socket):
        def bind(self, address: object, /) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(CannotStart) as raised:
        listen("127.0.0.1", 25, "POSTROAD_EXCHANGE")
    return raised.value.detail


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EADDRINUSE, "Address already in use. Stop what uses it, or choose"),
        (errno.EACCES, "Permission denied. Ports below 1024 need root's permission (CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, "Name an address of this machine with POSTROAD_EXCHANGE_HOST, or choose"),
    ],
)
def test_the_remedy_fits_what_the_system_says(number, remedy, monkeypatch):
    told = refusal(number, monkeypatch)
    assert remedy in told
    assert told.endswith("choose another port with POSTROAD_EXCHANGE_PORT.")
