"""A mail server that refuses by name: what a local part begins with decides the reply to RCPT."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from peers.process import LOOPBACK


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 inner.test ESMTP")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                self._say(self._reply(line.decode().partition("<")[2]))
            elif verb == b"DATA":
                self._say("354 Go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self._say("250 2.0.0 Taken")
            elif verb == b"QUIT":
                self._say("221 2.0.0 Bye")
                return
            else:
                self._say("250 2.0.0 Fine")

    def _reply(self, recipient: str) -> str:
        assert isinstance(self.server, _Server)
        fitting = (reply for start, reply in self.server.replies.items() if recipient.startswith(start))
        return next(fitting, "250 2.1.5 Fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, replies: Mapping[str, str]) -> None:
        super().__init__((LOOPBACK, 0), _Conversation)
        self.replies = replies


@contextmanager
def refuser(replies: Mapping[str, str]) -> Iterator[int]:
    """Run a server that answers `RCPT` for local parts beginning so with these replies; gives its port."""
    with _Server(replies) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
