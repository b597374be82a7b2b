"""Big content outside the rows: attachments and raw mail under their SHA-256.

A blob is durable before `put` returns, so that a row which names one can rely on it. The same octets are stored once.
A store that does not answer in time is away: whoever asked is told so, and the log says once why.
"""

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from postroad.model.errors import Refused, Unavailable

_log = structlog.get_logger("postroad.store")

PATIENCE_S = 30.0
"""How long the store may take for one blob, all its tries included, before it counts as away."""
_TRIES = 4
_TRYING_S = 10
"""A request to an object storage that failed is made again for so long at the most. The library's own patience is ten
times and three minutes, for which a client would wait, and mail under its lease."""
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
        self._away = False
        try:
            if url.startswith("file:"):
                self._folder = Path(unquote(urlsplit(url).path))
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._store = LocalStore(self._folder)
            else:
                self._store = from_url(
                    url, retry_config={"max_retries": _TRIES - 1, "retry_timeout": timedelta(seconds=_TRYING_S)}
                )
        except (BaseError, OSError) as error:
            said = f"{self._folder}: {error.strerror}" if isinstance(error, OSError) else str(error).partition("\n")[0]
            raise Refused("cannot_open", f"The blob store cannot be used ({said}). Correct blobs.url.") from error

    @property
    def near(self) -> bool:
        """Whether blobs are in a folder, and had as fast as a file is read."""
        return self._folder is not None

    async def put(self, octets: bytes) -> str:
        """Store `octets` durably and return their SHA-256 in hexadecimal.

        Raises:
            Unavailable: the store cannot be written now.
        """
        name = hashlib.sha256(octets).hexdigest()
        async with self._asking("Attachments cannot be stored now; nothing was stored."):
            await self._write(_path(name), octets)
        return name

    async def _write(self, path: str, octets: bytes) -> None:
        if self._folder is not None:
            await asyncio.to_thread(_write_file, self._folder / path, octets)
        else:
            await obstore.put_async(self._store, path, octets)

    async def get(self, sha256: str) -> bytes:
        """Return the octets of a blob.

        Raises:
            BlobMissing: there is none.
            Unavailable: the store cannot be read now.
        """
        async with self._asking("Attachments cannot be read now."):
            try:
                return await self._read(_path(sha256))
            except (NotFoundError, FileNotFoundError) as error:
                if _is_bucket_missing(error):
                    raise
                raise BlobMissing(sha256) from error

    async def _read(self, path: str) -> bytes:
        result = await obstore.get_async(self._store, path)
        return bytes(await result.bytes_async())

    async def size(self, sha256: str) -> int | None:
        """Return a blob's octets, or None when there is none.

        Raises:
            Unavailable: the store cannot be asked now.
        """
        async with self._asking("Attachments cannot be read now."):
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
        async with self._asking("Attachments cannot be read now."):
            try:
                found = await obstore.head_async(self._store, _path(sha256))
                if (datetime.now(UTC) - found["last_modified"]).total_seconds() > YOUNG_S / 4:
                    await self._renew(sha256)
            except (NotFoundError, FileNotFoundError, BlobMissing):
                return None
            return int(found["size"])

    async def _renew(self, sha256: str) -> None:
        if self._folder is not None:
            await asyncio.to_thread(os.utime, self._folder / _path(sha256))
        else:
            await self.put(await self.get(sha256))  # an object's age cannot be changed otherwise

    async def delete(self, sha256: str, *, unused_for_s: float) -> bool:
        """Remove a blob that nobody has put for so long, and tell whether it is gone now.

        A blob that was put a moment ago may belong to a message that is just being accepted.

        Raises:
            Unavailable: the store cannot be asked now.
        """
        async with self._asking("Attachments cannot be removed now."):
            try:
                found = await obstore.head_async(self._store, _path(sha256))
                if (datetime.now(UTC) - found["last_modified"]).total_seconds() < unused_for_s:
                    return False
                await obstore.delete_async(self._store, _path(sha256))
            except (NotFoundError, FileNotFoundError):
                pass
            return True

    async def examine(self) -> str | None:
        """Write, read and remove a small object; return what is wrong and what to do about it, or None."""
        path = f"probe/{os.urandom(16).hex()}"
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                await self._write(path, b"postroad")
                await self._read(path)
                await obstore.delete_async(self._store, path)
        except (BaseError, OSError) as error:
            return f"Attachments cannot be stored ({reason(error)}). {_remedy(error)}"
        return None

    async def examine_until_good(self, pause_s: float = 60.0) -> None:
        """Log what is wrong with the store as the server starts, and when that is over."""
        troubled = False
        while (trouble := await self.examine()) is not None:
            if not troubled:
                _log.error("blob_store_unusable", detail=trouble)
            troubled = True
            await asyncio.sleep(pause_s)
        if troubled:
            _log.info("blob_store_usable")

    @contextlib.asynccontextmanager
    async def _asking(self, sentence: str) -> AsyncIterator[None]:
        """Give the store its time, and tell with `sentence` when it is away."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield
        except (BaseError, OSError) as error:
            if not self._away:
                _log.error("blob_store_away", reason=reason(error), remedy=_remedy(error))
            self._away = True
            raise Unavailable("store_unavailable", sentence, retry_after_s=5) from error
        if self._away:
            self._away = False
            _log.info("blob_store_back")


def reason(error: Exception) -> str:
    """Return in one line why the store failed, with the code that it gave, and nothing of the query of an address."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    line = re.sub(r"\?\S+", "", text.partition("\n")[0].partition("<?xml")[0].partition("<Error>")[0]).strip(" :")
    code = _CODE.search(text)
    return f"{line}: {code[1]}" if code else line


def _remedy(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        return "Let the server's user write to the folder of blobs.url, and see that its disk has room."
    if _is_bucket_missing(error):
        return "Make the bucket, or correct blobs.url."
    if re.search(r"\b40[13] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|169\.254\.169\.254", text):
        return "Give the server credentials that may read, write and remove there, such as AWS_ACCESS_KEY_ID."
    return (
        "See that it can be reached; for another S3 than Amazon's, set AWS_ENDPOINT (and AWS_ALLOW_HTTP=true when that "
        "is plain http)."
    )


def _is_bucket_missing(error: Exception) -> bool:
    return any(code in str(error) for code in ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not"))


_CODE = re.compile(r"<Code>(\w+)</Code>")


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
