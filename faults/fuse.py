"""A file system that loses what was not synced, as a program: `python -m faults.fuse BACKING MOUNTPOINT SOCKET`.

It passes everything through to BACKING and remembers, for each file, what its unsynced writes have overwritten. A sync
forgets that; a *cut* puts it back, in the whole or in a random part of each file's blocks, as a disk may that was
writing when the power went, and answers everything with EIO from then on. Names (creating, renaming, removing) are
durable at once, as on a journalling file system.

Syncs and writes can be made to fail. What a failed sync was to make durable is lost at the next cut, even when a later
sync succeeds: that is what Linux does, and why a failed sync must not be tried again.

Orders come over SOCKET, one line each, and are answered by a line of JSON.
"""

# A file system speaks the language of the system calls:
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH115, PTH116, PTH118, PTH208, PTH211
from __future__ import annotations

import errno
import json
import os
import random
import stat
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import pyfuse3
import trio

_BLOCK = 4096
_LONG_S = 300.0
_CLEAR = stat.S_ISUID | stat.S_ISGID
T = TypeVar("T")


@dataclass(slots=True)
class Undo:
    """What the unsynced writes of a file have overwritten: its size when synced, and old blocks by number."""

    size: int
    blocks: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Failing:
    """What fails now, and when it first did."""

    sync: int = 0
    write: int = 0
    short: bool = False
    only: str = ""
    """Part of the names of the files that it holds for."""
    first_at_ns: int = 0
    times: int = 0


def _told(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Turn errors of the system into answers, and answer EIO once the power is gone."""

    @wraps(function)
    async def answering(self: Lossy, *arguments: Any, **named: Any) -> T:
        if self.dead:
            raise pyfuse3.FUSEError(errno.EIO)
        try:
            return await function(self, *arguments, **named)
        except OSError as error:
            raise pyfuse3.FUSEError(error.errno or errno.EIO) from None

    return answering


class Lossy(pyfuse3.Operations):
    """The file system; inodes are those of BACKING, which is one file system."""

    enable_writeback_cache = False

    def __init__(self, backing: str) -> None:
        super().__init__()
        self._paths: dict[int, str] = {pyfuse3.ROOT_INODE: backing}
        self._open: dict[int, int] = {}
        """Inode by descriptor."""
        self._undo: dict[int, Undo] = {}
        self._doomed: dict[int, Undo] = {}
        self.failing = Failing()
        self.dead = False
        self.syncs = 0

    # --- power and failures ------------------------------------------------------------------------------------------

    def cut(self, seed: int) -> dict[str, int]:
        """Lose what is not synced; returns how much there was."""
        self.dead = True
        chance = random.Random(seed)
        lost = 0
        for undoes in (self._undo, self._doomed):
            for inode, undo in undoes.items():
                if path := self._paths.get(inode):
                    lost += _put_back(path, undo, chance, all_of_it=undoes is self._doomed)
        return {"files": len(self._undo) + len(self._doomed), "blocks": lost, "syncs": self.syncs}

    def _remember(self, inode: int, descriptor: int, start: int, end: int) -> None:
        """Keep what the octets from `start` to `end` are about to overwrite."""
        undo = self._undo.get(inode)
        if undo is None:
            undo = self._undo[inode] = Undo(os.fstat(descriptor).st_size)
        for block in range(start // _BLOCK, (end + _BLOCK - 1) // _BLOCK):
            if block not in undo.blocks:
                undo.blocks[block] = os.pread(descriptor, _BLOCK, block * _BLOCK)

    def _sync(self, inode: int) -> None:
        self.syncs += 1
        if self.failing.sync and self._concerns(inode):
            self._failed()
            if inode in self._undo:
                _merge(self._doomed, inode, self._undo.pop(inode))
            raise pyfuse3.FUSEError(self.failing.sync)
        self._undo.pop(inode, None)

    def _concerns(self, inode: int) -> bool:
        return self.failing.only in self._paths.get(inode, "")

    def _failed(self) -> None:
        self.failing.times += 1
        self.failing.first_at_ns = self.failing.first_at_ns or time.time_ns()

    # --- files -------------------------------------------------------------------------------------------------------

    @_told
    async def open(self, inode: int, flags: int, ctx: Any) -> Any:
        descriptor = os.open(self._paths[inode], (flags & ~os.O_APPEND & ~os.O_ACCMODE) | os.O_RDWR)
        if flags & os.O_TRUNC:
            self._remember(inode, descriptor, 0, os.fstat(descriptor).st_size)
        self._open[descriptor] = inode
        return pyfuse3.FileInfo(fh=descriptor)

    @_told
    async def create(self, parent: int, name: bytes, mode: int, flags: int, ctx: Any) -> Any:
        path = self._child(parent, name)
        descriptor = os.open(path, (flags & ~os.O_APPEND & ~os.O_ACCMODE) | os.O_CREAT | os.O_RDWR, mode & ~ctx.umask)
        os.fchown(descriptor, ctx.uid, ctx.gid)
        attributes = self._known(path)
        self._open[descriptor] = attributes.st_ino
        return pyfuse3.FileInfo(fh=descriptor), attributes

    @_told
    async def read(self, fh: int, offset: int, size: int) -> bytes:
        return os.pread(fh, size, offset)

    @_told
    async def write(self, fh: int, offset: int, data: bytes) -> int:
        inode = self._open[fh]
        if (self.failing.write or self.failing.short) and self._concerns(inode):
            self._failed()
            if self.failing.write:
                raise pyfuse3.FUSEError(self.failing.write)
            data = data[: len(data) // 2]
        self._remember(inode, fh, offset, offset + len(data))
        return os.pwrite(fh, data, offset)

    @_told
    async def fsync(self, fh: int, datasync: bool) -> None:
        self._sync(self._open[fh])

    @_told
    async def flush(self, fh: int) -> None:
        """Closing is no sync."""

    async def release(self, fh: int) -> None:
        self._open.pop(fh, None)
        os.close(fh)

    # --- names -------------------------------------------------------------------------------------------------------

    @_told
    async def lookup(self, parent: int, name: bytes, ctx: Any = None) -> Any:
        return self._known(self._child(parent, name))

    @_told
    async def getattr(self, inode: int, ctx: Any = None) -> Any:
        return self._attributes(self._paths[inode])

    @_told
    async def setattr(self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: Any) -> Any:
        path = self._paths[inode]
        if fields.update_size:
            descriptor = os.open(path, os.O_RDWR)
            try:
                self._remember(inode, descriptor, min(attr.st_size, os.fstat(descriptor).st_size), attr.st_size)
                self._remember(inode, descriptor, attr.st_size, os.fstat(descriptor).st_size)
                os.ftruncate(descriptor, attr.st_size)
            finally:
                os.close(descriptor)
        if fields.update_mode:
            os.chmod(path, stat.S_IMODE(attr.st_mode))
        if fields.update_uid or fields.update_gid:
            uid, gid = (attr.st_uid if fields.update_uid else -1), (attr.st_gid if fields.update_gid else -1)
            os.chown(path, uid, gid, follow_symlinks=False)
        if fields.update_atime or fields.update_mtime:
            now = os.stat(path, follow_symlinks=False)
            times = (
                attr.st_atime_ns if fields.update_atime else now.st_atime_ns,
                attr.st_mtime_ns if fields.update_mtime else now.st_mtime_ns,
            )
            os.utime(path, ns=times, follow_symlinks=False)
        return self._attributes(path)

    @_told
    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: Any) -> Any:
        path = self._child(parent, name)
        os.mkdir(path, mode & ~ctx.umask)
        os.chown(path, ctx.uid, ctx.gid)
        return self._known(path)

    @_told
    async def mknod(self, parent: int, name: bytes, mode: int, rdev: int, ctx: Any) -> Any:
        path = self._child(parent, name)
        os.mknod(path, mode & ~ctx.umask, rdev)
        os.chown(path, ctx.uid, ctx.gid)
        return self._known(path)

    @_told
    async def symlink(self, parent: int, name: bytes, target: bytes, ctx: Any) -> Any:
        path = self._child(parent, name)
        os.symlink(os.fsdecode(target), path)
        return self._known(path)

    @_told
    async def readlink(self, inode: int, ctx: Any) -> bytes:
        return os.fsencode(os.readlink(self._paths[inode]))

    @_told
    async def link(self, inode: int, parent: int, name: bytes, ctx: Any) -> Any:
        path = self._child(parent, name)
        os.link(self._paths[inode], path)
        return self._known(path)

    @_told
    async def unlink(self, parent: int, name: bytes, ctx: Any) -> None:
        path = self._child(parent, name)
        inode = os.lstat(path).st_ino
        os.unlink(path)
        self._gone(inode, path)

    @_told
    async def rmdir(self, parent: int, name: bytes, ctx: Any) -> None:
        path = self._child(parent, name)
        inode = os.lstat(path).st_ino
        os.rmdir(path)
        self._gone(inode, path)

    @_told
    async def rename(self, parent: int, name: bytes, to: int, new: bytes, flags: int, ctx: Any) -> None:
        if flags:
            raise pyfuse3.FUSEError(errno.EINVAL)
        before, after = self._child(parent, name), self._child(to, new)
        if os.path.lexists(after):
            self._gone(os.lstat(after).st_ino, after)
        os.rename(before, after)
        for inode, path in list(self._paths.items()):
            if path == before or path.startswith(before + "/"):
                self._paths[inode] = after + path[len(before) :]

    @_told
    async def opendir(self, inode: int, ctx: Any) -> int:
        return inode

    @_told
    async def readdir(self, fh: int, start: int, token: Any) -> None:
        path = self._paths[fh]
        for number, name in enumerate(sorted(os.listdir(path)), 1):
            if number > start:
                attributes = self._known(os.path.join(path, name))
                if not pyfuse3.readdir_reply(token, os.fsencode(name), attributes, number):
                    return

    async def releasedir(self, fh: int) -> None:
        """Nothing is held for a directory."""

    @_told
    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        """Names are durable already."""

    @_told
    async def statfs(self, ctx: Any) -> Any:
        found = os.statvfs(self._paths[pyfuse3.ROOT_INODE])
        answer = pyfuse3.StatvfsData()
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail")
        for name in names:
            setattr(answer, name, getattr(found, name))
        return answer

    async def forget(self, inode_list: Any) -> None:
        """Paths are kept: there are few."""

    # --- inside ------------------------------------------------------------------------------------------------------

    def _child(self, parent: int, name: bytes) -> str:
        return os.path.join(self._paths[parent], os.fsdecode(name))

    def _known(self, path: str) -> Any:
        attributes = self._attributes(path)
        self._paths.setdefault(attributes.st_ino, path)
        return attributes

    def _gone(self, inode: int, path: str) -> None:
        if self._paths.get(inode) == path:
            self._paths.pop(inode)
            self._undo.pop(inode, None)
            self._doomed.pop(inode, None)

    def _attributes(self, path: str) -> Any:
        found = os.lstat(path)
        entry = pyfuse3.EntryAttributes()
        names = (
            "st_mode st_nlink st_uid st_gid st_rdev st_size st_blksize st_blocks st_atime_ns st_mtime_ns st_ctime_ns"
        )
        for name in names.split():
            setattr(entry, name, getattr(found, name))
        entry.st_ino = pyfuse3.ROOT_INODE if path == self._paths[pyfuse3.ROOT_INODE] else found.st_ino
        entry.generation = 0
        entry.entry_timeout = entry.attr_timeout = _LONG_S
        return entry


def _put_back(path: str, undo: Undo, chance: random.Random, *, all_of_it: bool) -> int:
    """Undo writes: all of them, or with even chances a random part of the blocks. Returns how many blocks were lost."""
    part = 1.0 if all_of_it or chance.random() < 0.5 else chance.random()
    lost = [block for block in undo.blocks if part >= 1 or chance.random() < part]
    kept = [block for block in undo.blocks if block not in set(lost)]
    descriptor = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(descriptor).st_size
        for block in lost:
            os.pwrite(descriptor, undo.blocks[block].ljust(_BLOCK, b"\0"), block * _BLOCK)
        end = max([undo.size, *(min((block + 1) * _BLOCK, size) for block in kept)])
        os.ftruncate(descriptor, end if part < 1 else undo.size)
    finally:
        os.close(descriptor)
    return len(lost)


def _merge(doomed: dict[int, Undo], inode: int, undo: Undo) -> None:
    """Add an undo to what is lost already; the older octets are those that are durable."""
    earlier = doomed.setdefault(inode, undo)
    for block, octets in undo.blocks.items():
        earlier.blocks.setdefault(block, octets)


async def _take_orders(system: Lossy, stream: trio.SocketStream) -> None:
    async with stream:
        async for piece in stream:
            order = json.loads(piece)
            if order["order"] == "cut":
                answer: dict[str, Any] = system.cut(order["seed"])
            else:
                if order["order"] == "fail":
                    system.failing = Failing(
                        order.get("sync", 0), order.get("write", 0), order.get("short", False), order.get("only", "")
                    )
                answer = {"first_at_ns": system.failing.first_at_ns, "times": system.failing.times}
                if order["order"] == "heal":
                    system.failing = Failing()
            await stream.send_all(json.dumps(answer).encode() + b"\n")


async def _serve(system: Lossy, socket_path: str) -> None:
    listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await listener.bind(socket_path)
    listener.listen()

    async def accept() -> None:
        while True:
            connection, _ = await listener.accept()
            nursery.start_soon(_take_orders, system, trio.SocketStream(connection))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await pyfuse3.main(min_tasks=1, max_tasks=4)
        nursery.cancel_scope.cancel()


def main(backing: str, mountpoint: str, socket_path: str) -> None:
    """Mount, serve until unmounted."""
    os.umask(0)
    options = {*pyfuse3.default_options, "fsname=faults", "allow_other"}
    system = Lossy(os.path.realpath(backing))
    pyfuse3.init(system, mountpoint, options)
    try:
        trio.run(_serve, system, socket_path)
    finally:
        pyfuse3.close(unmount=False)


if __name__ == "__main__":
    main(*sys.argv[1:4])
