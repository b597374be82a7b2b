"""The command's side: ask the server that runs on the data directory, or do it alone when none does."""

import socket
import time
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from postroad.app.administration.lines import MOST_OCTETS, Request, line, opened, reachable, too_large
from postroad.config import Settings
from postroad.model.errors import Refused, Unavailable

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 150.0
"""Longer than the server allows an operation, so that its own word comes first."""
_PATIENCE_S: Final = 15.0
"""How long to wait for a directory that another command has, or a server that is just starting or ending."""
_PAUSE_S: Final = 0.05


def administer(
    settings: Settings, operation: str, arguments: dict[str, object], *, patience_s: float = _PATIENCE_S
) -> dict[str, object]:
    """Carry out one operation of the command line and return its answer.

    Args:
        settings: those that the server has, too.
        operation: its name, such as `key.create`.
        arguments: by name.
        patience_s: how long to wait for a process that has the directory and does not listen.

    Raises:
        Refused: it cannot be carried out as it stands.
        Unavailable: it may be later.
    """
    path = settings.administration_socket
    deadline = time.monotonic() + patience_s
    while True:
        answer = ask(path, Request(operation, arguments))
        if answer is not None:
            return answer
        from postroad.app.administration import alone  # brings the whole house, which a client of a server spares

        try:
            return alone.carry_out(settings, operation, arguments)
        except alone.Taken as problem:
            if time.monotonic() >= deadline:
                raise Unavailable(
                    "directory_taken",
                    f"Another process has the data directory, but no server listens on {path}: {problem}.",
                    retry_after_s=5,
                ) from None
        time.sleep(_PAUSE_S)


def ask(path: Path, request: Request, *, timeout_s: float = _ANSWER_S) -> dict[str, object] | None:
    """Let the server behind a socket carry out an operation; return None when there is no server.

    Raises:
        Refused: the server refused it, or the socket belongs to somebody else.
        Unavailable: the server said so, or it did not answer.
    """
    octets = line(request)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_S)
        try:
            with reachable(path) as name:
                connection.connect(name)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return None  # a file that nobody listens on was left by a server that was killed
        except PermissionError:
            raise Refused(
                "forbidden", f"{path} belongs to another user. Run the command as the user who runs the server."
            ) from None
        except OSError:
            _silent(path)
        try:
            reply = _exchange(connection, octets, time.monotonic() + timeout_s)
        except TimeoutError:
            _silent(path)
        except OSError:
            reply = bytearray()
        return _read(path, reply)


def _exchange(connection: socket.socket, octets: bytes, deadline: float) -> bytearray:
    connection.settimeout(max(0.001, deadline - time.monotonic()))
    connection.sendall(octets)
    reply = bytearray()
    while not reply.endswith(b"\n"):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        piece = connection.recv(1 << 16)
        if not piece:
            break
        reply += piece
        if len(reply) > MOST_OCTETS:
            raise too_large()
    return reply


def _read(path: Path, reply: bytearray) -> dict[str, object]:
    try:
        return opened(reply)
    except msgspec.DecodeError:
        raise Unavailable(
            "no_answer",
            f"The server behind {path} went away without an answer, so that it is not known whether this was done. "
            "Look before you try again.",
            retry_after_s=1,
        ) from None


def _silent(path: Path) -> NoReturn:
    raise Unavailable(
        "no_answer",
        f"The server behind {path} does not answer. See whether it still runs, and what it logged.",
        retry_after_s=5,
    ) from None
