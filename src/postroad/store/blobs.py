"""Big content outside the rows: attachments and raw mail under their SHA-256.

A blob is durable before `put` returns, so that a row which names one can rely on it. The same octets are stored once.
"""

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from postroad.model.errors import Refused, Unavailable

YOUNG_S = 3600.0
"""A blob that was put or claimed within this time is not removed: a row that names it may not be committed yet."""


class BlobMissing(Exception):  # noqa: N818 - named for what it is
    """A row names a blob that the store does not have."""


class Blobs:
    """A content-addressed store over a folder or an object storage."""

    def __init__(self, url: str) -> None:
        """Open the store at `file:///folder`, `s3://bucket/prefix`, `gs://…` or `az://…`.

        Raises:
            Refused: it cannot be opened as it is described.
        """
        self._folder: Path | None = None
        self._store: ObjectStore
        try:
            if url.startswith("file:"):
                self._folder = Path(unquote(urlsplit(url).path))
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._store = LocalStore(self._folder)
            else:
                self._store = from_url(url)
        except (BaseError, OSError) as error:
            said = f"{self._folder}: {error.strerror}" if isinstance(error, OSError) else str(error).partition("\n")[0]
            raise Refused("cannot_open", f"The blob store cannot be used ({said}). Correct blobs.url.") from error

    async def put(self, octets: bytes) -> str:
        """Store `octets` durably and return their SHA-256 in hexadecimal.

        Raises:
            Unavailable: the store cannot be written now.
        """
        name = hashlib.sha256(octets).hexdigest()
        try:
            if self._folder is not None:
                await asyncio.to_thread(_write_file, self._folder / _path(name), octets)
            else:
                await obstore.put_async(self._store, _path(name), octets)
        except (BaseError, OSError) as error:
            raise Unavailable(
                "store_unavailable", "Attachments cannot be stored now; nothing was stored.", retry_after_s=5
            ) from error
        return name

    async def get(self, sha256: str) -> bytes:
        """Return the octets of a blob.

        Raises:
            BlobMissing: there is none.
            Unavailable: the store cannot be read now.
        """
        try:
            result = await obstore.get_async(self._store, _path(sha256))
            return bytes(await result.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing(sha256) from error
        except (BaseError, OSError) as error:
            raise Unavailable("store_unavailable", "Attachments cannot be read now.", retry_after_s=5) from error

    async def size(self, sha256: str) -> int | None:
        """Return a blob's octets, or None when there is none."""
        try:
            return int((await obstore.head_async(self._store, _path(sha256)))["size"])
        except (NotFoundError, FileNotFoundError):
            return None

    async def claim(self, sha256: str) -> int | None:
        """Return a blob's octets, or None when there is none; one that is there is young afterwards.

        Whoever is about to name it in a row does this first, so that it is not removed meanwhile. One that stays young
        for long enough is left as it is.

        Raises:
            Unavailable: the store cannot be asked now.
        """
        try:
            found = await obstore.head_async(self._store, _path(sha256))
            if (datetime.now(UTC) - found["last_modified"]).total_seconds() > YOUNG_S / 4:
                await self._renew(sha256)
        except (NotFoundError, FileNotFoundError, BlobMissing):
            return None
        except (BaseError, OSError) as error:
            raise Unavailable("store_unavailable", "Attachments cannot be read now.", retry_after_s=5) from error
        return int(found["size"])

    async def _renew(self, sha256: str) -> None:
        if self._folder is not None:
            await asyncio.to_thread(os.utime, self._folder / _path(sha256))
        else:
            await self.put(await self.get(sha256))  # an object's age cannot be changed otherwise

    async def delete(self, sha256: str, *, unused_for_s: float) -> bool:
        """Remove a blob that nobody has put for so long, and tell whether it is gone now.

        A blob that was put a moment ago may belong to a message that is just being accepted.
        """
        try:
            found = await obstore.head_async(self._store, _path(sha256))
            if (datetime.now(UTC) - found["last_modified"]).total_seconds() < unused_for_s:
                return False
            await obstore.delete_async(self._store, _path(sha256))
        except (NotFoundError, FileNotFoundError):
            pass
        return True


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _write_file(path: Path, octets: bytes) -> None:
    """Write a file so that it survives a loss of power: contents first, then its name, then the folders' entries.

    The object store's own file back end renames without fsync, hence this.
    """
    try:
        os.utime(path)  # put again: young again, so that retention leaves it alone
    except FileNotFoundError:
        pass
    else:
        return
    made = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with partial.open("xb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    for folder in (path.parent, *(new.parent for new in made)):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
