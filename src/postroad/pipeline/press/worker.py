"""The composing process: reads frames of jobs from a socket, answers each, ends when the socket does."""

import gc
import signal
import socket
import sys

import structlog

from postroad.pipeline.press import frames

_COLLECT_AFTER = 20_000
_READ_OCTETS = 1 << 18


def main(descriptor: int) -> None:
    """Serve until the other end closes. Signals to the terminal's process group are the server's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _log_plainly()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    bench = frames.Bench()
    reader = frames.Reader()
    with socket.socket(fileno=descriptor) as link:
        while data := link.recv(_READ_OCTETS):
            for number, octets in reader.feed(data):
                answer = frames.carry_out(bench, octets)
                link.sendall(frames.head(number, answer) + answer)


def _log_plainly() -> None:
    """Log lines of JSON to standard error, with tracebacks that show no values: there are keys and mail among them."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
