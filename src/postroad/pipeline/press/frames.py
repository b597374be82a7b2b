"""What server and composing processes say to each other, numbered frames of MessagePack, and the bench they work at."""

import struct
from collections.abc import Iterator, Sequence

import msgspec
import structlog

from postroad.model.composition import Composed, ComposeFailed, ComposeJob, SigningKey
from postroad.pipeline.compose import KeyRing, compose

POISON = "poison"
"""Code of a job that cannot be worked on, for no reason that anybody foresaw: it is put aside, never thrown away."""

_log = structlog.get_logger("postroad.press")
_HEAD = struct.Struct("!IQ")
_encoder = msgspec.msgpack.Encoder()


class _Work(msgspec.Struct, array_like=True):
    keys: list[SigningKey]
    jobs: list[ComposeJob]


_Answer = tuple[Composed | None, ComposeFailed | None]
_work = msgspec.msgpack.Decoder(_Work)
_answers = msgspec.msgpack.Decoder(list[_Answer])


class Bench:
    """Keys at hand, and the work done with them."""

    def __init__(self) -> None:
        self._ring = KeyRing()

    def learn(self, keys: Sequence[SigningKey]) -> None:
        """Put keys on the ring; a key that is there already stays, and one that is none is left out."""
        for key in keys:
            try:
                self._ring.add(key)
            except ValueError:
                _log.exception("signing_key_unusable", key=key.id)

    def compose(self, job: ComposeJob) -> Composed | ComposeFailed:
        """Return what `compose` makes of a job, which concerns no other job even where it fails by a bug."""
        try:
            return compose(job, self._ring)
        except Exception:  # noqa: BLE001 - the process goes on with the other jobs
            _log.exception("compose_failed", delivery=job.delivery_id)
            return ComposeFailed(POISON, "Composing this message failed for a reason that nobody foresaw.")


def encode_work(keys: Sequence[SigningKey], jobs: Sequence[ComposeJob]) -> bytes:
    """Return the octets of a request."""
    return _encoder.encode(_Work(list(keys), list(jobs)))


def decode_outcomes(octets: bytes) -> list[Composed | ComposeFailed]:
    """Return the outcomes in an answer."""
    return [done if done is not None else _failed(failed) for done, failed in _answers.decode(octets)]


def _failed(failed: ComposeFailed | None) -> ComposeFailed:
    return failed if failed is not None else ComposeFailed("internal", "The composing process answered with nothing.")


def carry_out(bench: Bench, octets: bytes) -> bytes:
    """Do the work of a request and return the octets of its answer."""
    work = _work.decode(octets)
    bench.learn(work.keys)
    answers: list[_Answer] = []
    for job in work.jobs:
        outcome = bench.compose(job)
        answers.append((outcome, None) if isinstance(outcome, Composed) else (None, outcome))
    return _encoder.encode(answers)


def head(number: int, octets: bytes) -> bytes:
    """Return what stands in front of a frame: its number and its length."""
    return _HEAD.pack(number, len(octets))


class Reader:
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the octets of each frame that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            number, length = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            octets = bytes(memoryview(self._buffer)[_HEAD.size : end])
            del self._buffer[:end]
            yield number, octets
