"""Big content: the same octets once, durable before the name is given, and gone only when nobody put it lately."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import ObjectStore
from structlog.testing import capture_logs

from peers.http import Answer, HttpReceiver, http_receiver
from postroad.model.errors import Refused, Unavailable
from postroad.store.blobs import BlobMissing, Blobs

NOBODY = "00" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "with space" / "blobs"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    return Blobs(folder.as_uri())


@pytest.fixture(params=["folder", "object storage"])
def either(request: pytest.FixtureRequest, blobs: Blobs) -> Blobs:
    """A store in a folder, and one behind the object store's own interface."""
    return blobs if request.param == "folder" else Blobs("memory:///")


def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused) as raised:
        Blobs((tmp_path / "file" / "blobs").as_uri())
    assert raised.value.detail == (
        f"The blob store cannot be used ({tmp_path}/file/blobs: Not a directory). Correct blobs.url."
    )


def test_an_object_storage_that_lacks_something_is_told_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(Refused, match=r"Account must be specified\)\. Correct blobs\.url"):
        Blobs("az://container")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=2000))
def test_octets_are_found_under_their_digest(either: Blobs, octets: bytes) -> None:
    async def go() -> None:
        name = await either.put(octets)
        assert name == hashlib.sha256(octets).hexdigest()
        assert await either.get(name) == octets
        assert await either.size(name) == len(octets)

    asyncio.run(go())


async def test_the_same_octets_are_kept_once_however_many_put_them(blobs: Blobs, folder: Path) -> None:
    names = await asyncio.gather(*[blobs.put(b"same") for _ in range(20)])
    assert len(set(names)) == 1
    assert len(files(folder)) == 1


async def test_a_blob_that_is_not_there_is_missing(either: Blobs) -> None:
    with pytest.raises(BlobMissing):
        await either.get(NOBODY)
    assert await either.size(NOBODY) is None
    assert await either.delete(NOBODY, unused_for_s=0)


async def test_a_young_blob_is_left_alone_and_an_old_one_goes(blobs: Blobs, folder: Path) -> None:
    name = await blobs.put(b"old")
    assert not await blobs.delete(name, unused_for_s=3600)
    (path,) = files(folder)
    os.utime(path, (0, 0))
    assert await blobs.delete(name, unused_for_s=3600)
    assert files(folder) == []


async def test_a_blob_that_is_put_again_is_young_again(blobs: Blobs, folder: Path) -> None:
    name = await blobs.put(b"again")
    os.utime(files(folder)[0], (0, 0))
    await blobs.put(b"again")
    assert not await blobs.delete(name, unused_for_s=3600)
    assert await blobs.get(name) == b"again"


async def test_a_half_written_file_of_a_dead_process_is_no_blob(blobs: Blobs, folder: Path) -> None:
    name = await blobs.put(b"whole")
    (path,) = files(folder)
    path.rename(path.with_name(f".{path.name}.1.aa"))
    with pytest.raises(BlobMissing):
        await blobs.get(name)
    await blobs.put(b"whole")
    assert await blobs.get(name) == b"whole"


async def test_the_folder_is_the_owners_alone(blobs: Blobs, folder: Path) -> None:
    await blobs.put(b"private")
    assert {path.stat().st_mode & 0o077 for path in (folder, files(folder)[0].parent)} == {0}


async def test_a_store_that_cannot_be_written_or_read_says_so(folder: Path, blobs: Blobs) -> None:
    name = hashlib.sha256(b"x").hexdigest()
    (folder / name[:2]).write_bytes(b"a file where a folder belongs")
    with pytest.raises(Unavailable, match="nothing was stored"):
        await blobs.put(b"x")
    other = await blobs.put(b"y")
    (path,) = [path for path in files(folder) if path.name == other]
    path.unlink()
    path.mkdir()
    (path / "x").write_bytes(b"")
    with pytest.raises((Unavailable, BlobMissing)):
        await blobs.get(other)


async def test_a_blob_that_is_claimed_is_young_again(either: Blobs, folder: Path) -> None:
    name = await either.put(b"old")
    for path in files(folder) if folder.exists() else ():
        os.utime(path, (0, 0))
    assert await either.claim(name) == 3
    assert not await either.delete(name, unused_for_s=3600)
    assert await either.claim("ab" * 32) is None


async def test_an_object_that_is_young_is_not_written_again_when_it_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Blobs("memory:///")
    name = await store.put(b"new")
    written: list[bytes] = []
    monkeypatch.setattr(store, "put", written.append)
    assert (await store.claim(name), written) == (3, [])


async def test_an_object_that_is_old_is_written_again_when_it_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Blobs("memory:///")
    name = await store.put(b"old")
    monkeypatch.setattr("postroad.store.blobs.YOUNG_S", -1.0)
    before = (await obstore.head_async(store._store, f"{name[:2]}/{name[2:4]}/{name}"))["last_modified"]
    assert await store.claim(name) == 3
    after = (await obstore.head_async(store._store, f"{name[:2]}/{name[2:4]}/{name}"))["last_modified"]
    assert after > before


async def test_a_blob_that_cannot_be_asked_for_is_not_called_missing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await blobs.put(b"here")

    async def away(*_: object) -> None:
        raise OSError("the disk is away")

    monkeypatch.setattr("obstore.head_async", away)
    with pytest.raises(Unavailable):
        await blobs.claim(name)


# --- an object storage that is away, or that says no ------------------------------------------------------------------


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReceiver]:
    """What calls itself an S3, at which `s3://bucket/mail` points."""
    with http_receiver() as receiver:
        for name, value in (
            ("AWS_ENDPOINT", receiver.url),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "ours"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ):
            monkeypatch.setenv(name, value)
        yield receiver


def refusing(status: int, code: str) -> Answer:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>No.</Message></Error>'
    return Answer(status, b"" if status == 204 else body.encode())


async def test_a_bucket_that_is_not_there_does_not_make_blobs_missing(storage: HttpReceiver) -> None:
    storage.answer_by(lambda _: refusing(404, "NoSuchBucket"))
    store = Blobs("s3://bucket/mail")
    with pytest.raises(Unavailable):
        await store.get(NOBODY)
    storage.answer_by(lambda _: refusing(404, "NoSuchKey"))
    with pytest.raises(BlobMissing):
        await store.get(NOBODY)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (404, "NoSuchBucket", "Make the bucket, or correct blobs.url."),
        (403, "SignatureDoesNotMatch", "Give the server credentials"),
        (403, "AccessDenied", "Give the server credentials"),
        (301, "PermanentRedirect", "AWS_ENDPOINT"),
    ],
)
async def test_a_storage_that_refuses_is_told_with_the_remedy(
    storage: HttpReceiver, status: int, code: str, remedy: str
) -> None:
    storage.answer_by(lambda _: refusing(status, code))
    told = await Blobs("s3://bucket/mail").examine()
    assert told is not None
    assert told.startswith("Attachments cannot be stored (")
    assert f": {code})" in told or status == 301
    assert remedy in told
    assert "\n" not in told
    assert "<" not in told


async def test_a_storage_without_a_server_is_told_with_the_remedy(
    storage: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    told = await Blobs("s3://bucket/mail").examine()
    assert told is not None
    assert "set AWS_ENDPOINT" in told


async def test_a_store_that_works_has_nothing_to_tell_and_keeps_nothing_of_it(either: Blobs, folder: Path) -> None:
    assert await either.examine() is None
    assert not folder.exists() or files(folder) == []


async def test_a_folder_that_cannot_be_written_is_told_with_the_remedy(blobs: Blobs, folder: Path) -> None:
    (folder / "probe").write_bytes(b"a file where a folder belongs")
    told = await blobs.examine()
    assert told is not None
    assert "Let the server's user write to the folder of blobs.url" in told


async def test_a_storage_that_never_answers_is_away_when_its_time_is_out(
    storage: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroad.store.blobs.PATIENCE_S", 0.1)
    storage.answer_by(lambda _: Answer(latency_s=0.5, hang_up=True))
    store = Blobs("s3://bucket/mail")
    for asked in (store.put(b"x"), store.get(NOBODY), store.claim(NOBODY), store.size(NOBODY)):
        with pytest.raises(Unavailable):
            await asked
    with pytest.raises(Unavailable):
        await store.delete(NOBODY, unused_for_s=0)
    assert "(it does not answer)" in str(await store.examine())


async def test_the_log_tells_once_that_the_store_is_away_and_once_that_it_is_back(storage: HttpReceiver) -> None:
    store = Blobs("s3://bucket/mail")
    storage.answer_by(lambda _: refusing(403, "InvalidAccessKeyId"))
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await store.put(b"x")
        storage.answer_by(lambda _: Answer(200, headers={"etag": '"1"'}))
        await store.put(b"x")
        await store.put(b"x")
    assert [each["event"] for each in logs] == ["blob_store_away", "blob_store_back"]
    assert "InvalidAccessKeyId" in logs[0]["reason"]
    assert "secret" not in str(logs)


async def test_the_start_tells_of_a_store_that_cannot_be_used_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    put, failures = obstore.put_async, [OSError(30, "Read-only"), OSError(30, "Read-only")]

    async def fails_at_first(store: ObjectStore, path: str, octets: bytes) -> object:
        if failures:
            raise failures.pop()
        return await put(store, path, octets)

    monkeypatch.setattr("obstore.put_async", fails_at_first)
    with capture_logs() as logs:
        await Blobs("memory:///").examine_until_good(0)
    assert [each["event"] for each in logs] == ["blob_store_unusable", "blob_store_usable"]
    assert "Read-only" in logs[0]["detail"]
