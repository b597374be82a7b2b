"""The notes of a node about its attempts in flight: a killed process knows afterwards which mail may have gone out.

Before the final dot of a delivery is written to the network its name is appended here, and the result when it comes.
There is no fsync: the notes survive the death of the process, which is what they are for. After a loss of power they
may be short, which shows by the machine's boot identifier in the first line; then every attempt that was open counts as
in doubt. What the notes say:

* no dot: certainly not delivered, due again at once;
* a dot and no result: in doubt (RFC 1047);
* a result: settled as if nothing had happened.

The file is mapped into memory: a note costs no call into the system, which would hand the interpreter lock to a busy
thread, and still outlives the process. Its place is reserved on disk beforehand, so that a full disk cannot stop it.
"""

import mmap
import os
from pathlib import Path

import msgspec

from postroad.model.attempt import Attempt
from postroad.model.composition import Recipe

_RESERVED_OCTETS = 16 * 1024 * 1024

_OPEN = msgspec.Raw(b"null")


class Note(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one attempt: its final dot was about to be written, and perhaps how it ended."""

    delivery_id: str
    attempt: int
    result: msgspec.Raw = _OPEN
    """The `Attempt`, as JSON; null while it is open."""
    digest: str | None = None
    """SHA-256 of the octets, in hexadecimal."""
    recipe: Recipe | None = None

    @property
    def digest_octets(self) -> bytes | None:
        """SHA-256 of the octets."""
        return None if self.digest is None else bytes.fromhex(self.digest)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Note)
_attempt = msgspec.json.Decoder(Attempt)


class Journal:
    """The notes of one node, in one file that grows until it is compacted."""

    def __init__(
        self, path: Path, boot_id: str, *, new_node: bool = True, reserved_octets: int = _RESERVED_OCTETS
    ) -> None:
        """Read what an earlier process left, and go on from there.

        Args:
            path: the file.
            boot_id: of the machine: tells a restart of the process from a restart of the machine.
            new_node: whether this node never ran before; else a missing file is a lost one, and nothing is certain.
            reserved_octets: what a file holds at least; when it is full, a new one is begun with the open notes alone.
        """
        self._path = path
        self._boot_id = boot_id
        self._reserved_octets = reserved_octets
        self._open, self.complete = _read(path, boot_id, new_node=new_node)
        self._at = 0
        self._begin()

    def noted(self, delivery_id: str, attempt: int) -> Note | None:
        """Return what is noted of an attempt that is not settled."""
        return self._open.get((delivery_id, attempt))

    def dot(self, delivery_id: str, attempt: int) -> None:
        """Note that the final dot of this attempt is about to be written."""
        self._append(Note(delivery_id, attempt))

    def result(self, note: Note) -> None:
        """Note how the attempt ended."""
        self._append(note)

    def settled(self, delivery_id: str, attempt: int) -> None:
        """Forget an attempt: the store knows its end."""
        self._open.pop((delivery_id, attempt), None)

    def recovered(self) -> None:
        """Forget everything: what earlier processes left is settled, and no note can be missing from now on."""
        self._open.clear()
        self.complete = True
        self._map.close()
        self._begin()

    def close(self) -> None:
        """Close the file; the notes stay."""
        self._map.close()

    def _append(self, note: Note) -> None:
        self._open[note.delivery_id, note.attempt] = note
        line = _encoder.encode(note) + b"\n"
        end = self._at + len(line)
        if end > len(self._map):
            self._map.close()
            self._begin()  # with all open notes, this one among them
            return
        self._map[self._at : end] = line
        self._at = end

    def _begin(self) -> None:
        """Put a file of the open notes alone in the old one's place, and map it."""
        lines = [_encoder.encode(_Head(self._boot_id, self.complete))]
        lines += [_encoder.encode(note) for note in self._open.values()]
        octets = b"\n".join(lines) + b"\n"
        partial = self._path.with_suffix(".new")
        with partial.open("w+b") as file:
            os.posix_fallocate(file.fileno(), 0, max(self._reserved_octets, 2 * len(octets)))
            self._map = mmap.mmap(file.fileno(), 0)
        self._map[: len(octets)] = octets
        self._at = len(octets)
        partial.rename(self._path)


def read_result(note: Note) -> Attempt | None:
    """Return how the noted attempt ended, if that is known."""
    return None if bytes(note.result) == b"null" else _attempt.decode(note.result)


class _Head(msgspec.Struct):
    boot: str
    complete: bool = True


def _read(path: Path, boot_id: str, *, new_node: bool) -> tuple[dict[tuple[str, int], Note], bool]:
    """Return the notes in a file, and whether none can be missing."""
    try:
        lines = path.read_bytes().rstrip(b"\0").split(b"\n")
    except FileNotFoundError:
        return {}, new_node
    try:
        head = msgspec.json.decode(lines[0], type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}, False
    notes: dict[tuple[str, int], Note] = {}
    complete = head.complete and head.boot == boot_id
    for place, line in enumerate(lines[1:], 2):
        note = _read_note(line)
        if note is not None:
            notes[note.delivery_id, note.attempt] = note
        elif place < len(lines):
            complete = False  # only the last line can be what a killed process did not finish, or the end of the file
    return notes, complete


def _read_note(line: bytes) -> Note | None:
    """Return the note in a line, or None when it is not whole: all that is asked of it later can be read."""
    try:
        note = _decoder.decode(line)
        read_result(note)
        note.digest_octets  # noqa: B018 - whether it can be read
    except ValueError:
        return None
    return note
