"""A receiver of webhooks on loopback: it records requests and answers as scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from peers.process import LOOPBACK, wait_until


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer one request; `hang_up` closes the connection without a word."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    latency_s: float = 0.0
    hang_up: bool = False


Script = Callable[[Request], Answer]


class HttpReceiver:
    """Records every request; answers from the queue of scripted answers, then by `answer_by`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._scripted: list[Answer] = []
        self._otherwise: Script = lambda _: Answer()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                receiver._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any  # noqa: N815 - http.server looks for these names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Stay silent."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The receiver's root, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """What arrived so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def then(self, *answers: Answer) -> None:
        """Answer the next requests so, one after the other."""
        with self._lock:
            self._scripted.extend(answers)

    def answer_by(self, script: Script) -> None:
        """Answer what no scripted answer is left for by calling `script`."""
        with self._lock:
            self._otherwise = script

    def await_requests(self, count: int, *, timeout_s: float = 10.0) -> list[Request]:
        """Wait until at least `count` requests arrived; raises `TimeoutError`."""
        wait_until(lambda: len(self.requests) >= count, timeout_s=timeout_s, what=f"{count} requests")
        return self.requests

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(time.time(), handler.command, handler.path, headers, body)
        with self._lock:
            self._requests.append(request)
            answer = self._scripted.pop(0) if self._scripted else None
            script = self._otherwise
        answer = answer or script(request)
        time.sleep(answer.latency_s)
        if answer.hang_up:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.status != 204:
            handler.send_header("content-length", str(len(answer.body)))
        handler.end_headers()
        if answer.status != 204 and handler.command != "HEAD":
            handler.wfile.write(answer.body)

    def __enter__(self) -> HttpReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Run a receiver in a thread of this process."""
    with HttpReceiver() as receiver:
        yield receiver
