"""The process that reads mail: octets of strangers come in through a pipe, what they say goes back, nothing else.

It has little memory to use and no secrets to lose. A mail that makes it die, or hang until it is ended, takes nothing
with it. Frames are a length of four octets and then as many.
"""

import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

from postroad.model.returned import AutoReply, Challenge, Complaint, Report, Returned, Unrecognised
from postroad.pipeline.outcomes.returned.reading import read_returned

LENGTH: Final = struct.Struct("!I")
_MEMORY_OCTETS: Final = 1 << 30
_KINDS: Final[dict[str, type[Returned]]] = {
    kind.__name__: kind for kind in (AutoReply, Challenge, Complaint, Report, Unrecognised)
}
_encoder = msgspec.msgpack.Encoder()
_answer = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])

Read = Callable[[bytes], Returned]


def main(limit_s: int, read: Read = read_returned) -> None:
    """Serve until the other end closes; a mail that takes longer than the limit ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_OCTETS, _MEMORY_OCTETS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer, read, limit_s)


def serve(source: BinaryIO, sink: BinaryIO, read: Read, limit_s: int) -> None:
    """Answer each mail with what is read out of it."""
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        octets = source.read(LENGTH.unpack(head)[0])
        signal.alarm(limit_s)  # should the server be gone that would end us
        answer = encode(read(octets))
        signal.alarm(0)
        sink.write(LENGTH.pack(len(answer)) + answer)
        sink.flush()


def encode(returned: Returned) -> bytes:
    """Return the octets of an answer: the name of its kind, and its fields."""
    return _encoder.encode((type(returned).__name__, returned))


def decode(octets: bytes) -> Returned:
    """Return the answer in these octets.

    Raises:
        msgspec.DecodeError: They are none.
    """
    name, fields = _answer.decode(octets)
    if name not in _KINDS:
        raise msgspec.ValidationError(f"no kind of mail is called {name!r}")
    return msgspec.msgpack.decode(fields, type=_KINDS[name])
