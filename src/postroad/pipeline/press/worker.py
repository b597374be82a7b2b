"""The composing process: reads frames of jobs from a socket, answers each, ends when the socket does."""

import signal
import socket
import sys

import structlog

from postroad.pipeline.press import frames

_READ_OCTETS = 1 << 18


def main(descriptor: int) -> None:
    """Serve until the other end closes. Signals to the terminal's process group are the server's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bench = frames.Bench()
    reader = frames.Reader()
    with socket.socket(fileno=descriptor) as link:
        while data := link.recv(_READ_OCTETS):
            for number, octets in reader.feed(data):
                answer = frames.carry_out(bench, octets)
                link.sendall(frames.head(number, answer) + answer)
