"""The administration socket: who may use it, what goes over it, and what happens when nobody answers."""

import asyncio
import fcntl
import os
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from houses import served
from postroad.app.administration import administer, answering
from postroad.app.administration.asking import administer as administer_patiently
from postroad.app.administration.asking import ask
from postroad.app.administration.lines import MOST_OCTETS, Failure, Reply, Request, failed, line, opened, reachable
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.store import projects

LIST = Request("project.list", {})


def exchange(path: Path, octets: bytes) -> dict[str, object]:
    """Send octets and return what comes back, as it comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(octets)
        with connection.makefile("rb") as reader:
            return msgspec.json.decode(reader.readline())


@pytest.fixture
def deaf(settings):
    """A process that has the directory and a socket, and answers nothing."""
    path = settings.administration_socket
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


# --- the socket ------------------------------------------------------------------------------------------------------


def test_only_the_owner_may_use_the_socket_and_it_goes_with_the_server(settings):
    path = settings.administration_socket
    before = os.umask(0)
    try:
        with served(settings):
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert not path.exists()


def test_nobody_can_connect_before_the_socket_is_private(settings, monkeypatch):
    path = settings.administration_socket
    path.parent.mkdir()
    seen = []
    chmod = Path.chmod

    def watched(self, mode, **options):
        with socket.socket(socket.AF_UNIX) as early:
            seen.append(early.connect_ex(str(path)))
        chmod(self, mode, **options)

    monkeypatch.setattr(Path, "chmod", watched)
    with answering._listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [os.strerror(number) for number in seen] == ["Connection refused"]


def test_a_socket_that_a_killed_server_left_is_no_server(settings):
    path = settings.administration_socket
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.exists()
    assert ask(path, LIST) is None
    assert administer(settings, "project.list", {}) == {"data": []}
    with served(settings):
        assert ask(path, LIST) == {"data": []}


def test_a_directory_of_any_length_can_be_used(settings, tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    settings = replace(settings, data=replace(settings.data, directory=deep))
    assert administer(settings, "project.list", {}) == {"data": []}
    with served(settings):
        assert ask(settings.administration_socket, LIST) == {"data": []}
    assert not settings.administration_socket.exists()


def test_a_short_name_is_used_as_it_is():
    with reachable(Path("/run/postroad/postroad.sock")) as name:
        assert name == "/run/postroad/postroad.sock"


# --- what goes over it -----------------------------------------------------------------------------------------------


def test_a_running_server_carries_out_the_operation(settings):
    with served(settings):
        made = administer(settings, "project.create", {"name": "shop"})
    assert administer(settings, "project.list", {}) == {"data": [made]}


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"what?\n", "malformed_json"),
        (b'{"operation": "project.list"}\n', "malformed_json"),
        (b'{"operation": "project.list", "arguments": {}, "more": 1}\n', "malformed_json"),
        (b'{"operation": "none", "arguments": {}}\n', "unknown_operation"),
    ],
)
def test_what_cannot_be_carried_out_is_told_with_its_code(settings, octets, code):
    with served(settings):
        reply = exchange(settings.administration_socket, octets)
        assert reply["error"]["code"] == code
        assert reply["error"]["detail"]
        assert administer(settings, "project.list", {}) == {"data": []}


def test_a_connection_that_says_nothing_harms_nobody(settings):
    with served(settings):
        for part in (b"", b'{"operation": '):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(settings.administration_socket))
                connection.sendall(part)
        assert administer(settings, "project.list", {}) == {"data": []}


def test_a_line_that_is_too_long_is_refused_on_both_sides(settings, monkeypatch):
    with pytest.raises(Refused) as raised:
        line(Request("message.send", {"message": "x" * MOST_OCTETS}))
    assert raised.value.code == "payload_too_large"
    monkeypatch.setattr(answering, "MOST_OCTETS", 1000)
    with served(settings):
        reply = exchange(settings.administration_socket, b"x" * 5000 + b"\n")
    assert reply["error"]["code"] == "payload_too_large"


def test_failures_come_back_as_they_were_raised():
    refusal = Refused("conflict", "No.", flaws=[Flaw("/name", "It is taken.", "taken")])
    with pytest.raises(Refused) as raised:
        opened(line(failed(refusal)))
    assert (raised.value.code, raised.value.detail, raised.value.flaws) == ("conflict", "No.", refusal.flaws)
    with pytest.raises(Unavailable) as late:
        opened(line(failed(Unavailable("overloaded", "Later.", retry_after_s=3))))
    assert (late.value.code, late.value.detail, late.value.retry_after_s) == ("overloaded", "Later.", 3)
    assert opened(line(Reply(answer={"n": 1}))) == {"n": 1}
    assert msgspec.json.decode(line(Reply(error=Failure("c", "d")))) == {"error": {"code": "c", "detail": "d"}}


def test_a_bug_in_an_operation_is_told_without_private_detail_and_ends_nothing(settings, monkeypatch):
    with served(settings):
        monkeypatch.setattr(projects, "listed", lambda connection, **_: 1 / 0)
        reply = exchange(settings.administration_socket, line(LIST))
        assert reply["error"]["code"] == "internal_error"
        assert "zero" not in reply["error"]["detail"]
        monkeypatch.undo()
        assert administer(settings, "project.list", {}) == {"data": []}


def test_an_operation_that_takes_too_long_is_given_up(settings, monkeypatch):
    monkeypatch.setattr(answering, "_OPERATION_S", 0.1)
    with served(settings):
        monkeypatch.setattr(projects, "listed", lambda connection, **_: time.sleep(0.5))
        with pytest.raises(Unavailable) as raised:
            administer(settings, "project.list", {})
    assert raised.value.code == "timeout"


def test_many_commands_at_once_are_all_answered(settings):
    names = [f"shop{n}" for n in range(40)]
    with served(settings), ThreadPoolExecutor(20) as threads:
        made = list(threads.map(lambda name: administer(settings, "project.create", {"name": name})["name"], names))
    assert made == names


# --- without a server ------------------------------------------------------------------------------------------------


def test_two_commands_at_once_wait_for_each_other(settings):
    administer(settings, "project.list", {})
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(lambda name: administer(settings, "project.create", {"name": name}), ["a", "b"]))
    assert administer(settings, "project.list", {})["data"] == sorted(made, key=lambda project: project["id"])


def test_a_command_waits_for_a_server_that_is_starting(settings):
    settings.data.directory.mkdir(mode=0o700)
    descriptor = os.open(settings.data.directory / "node.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    timer = threading.Timer(0.5, os.close, [descriptor])
    timer.start()
    began = time.monotonic()
    assert administer(settings, "project.list", {}) == {"data": []}
    timer.join()
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize("name", ["node.lock", "postroad.db.lock"])
def test_a_process_that_has_the_directory_and_does_not_listen_is_told(settings, name):
    settings.data.directory.mkdir(mode=0o700)
    descriptor = os.open(settings.data.directory / name, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Unavailable) as raised:
            administer_patiently(settings, "project.list", {}, patience_s=0.2)
    finally:
        os.close(descriptor)
    assert raised.value.code == "directory_taken"
    assert "no server listens" in raised.value.detail


# --- when nobody answers ---------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer_is_told(settings, deaf):
    with pytest.raises(Unavailable) as raised:
        ask(settings.administration_socket, LIST, timeout_s=0.2)
    assert (raised.value.code, "does not answer" in raised.value.detail) == ("no_answer", True)


def test_a_server_that_takes_no_more_connections_is_told(settings):
    path = settings.administration_socket
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        with pytest.raises(Unavailable) as raised:
            ask(path, LIST)
    assert raised.value.code == "no_answer"


@pytest.mark.parametrize("said", [b"", b'{"answer": '])
def test_a_server_that_dies_before_it_answers_is_told(settings, deaf, said):
    def die() -> None:
        connection, _ = deaf.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(said)

    with ThreadPoolExecutor(1) as threads:
        dying = threads.submit(die)
        with pytest.raises(Unavailable) as raised:
            ask(settings.administration_socket, LIST)
        dying.result()
    assert (raised.value.code, "not known whether" in raised.value.detail) == ("no_answer", True)


def test_an_answer_that_never_ends_is_refused(settings, deaf, monkeypatch):
    monkeypatch.setattr("postroad.app.administration.asking.MOST_OCTETS", 1000)

    def chatter() -> None:
        connection, _ = deaf.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"x" * 5000)
            connection.recv(1000)

    with ThreadPoolExecutor(1) as threads:
        chattering = threads.submit(chatter)
        with pytest.raises(Refused) as raised:
            ask(settings.administration_socket, LIST)
        chattering.result()
    assert raised.value.code == "payload_too_large"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_somebody_elses_socket_is_told(settings, deaf):
    settings.administration_socket.chmod(0o600)
    for above in (settings.data.directory, *settings.data.directory.parents[:3]):
        above.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(Refused) as raised:
            ask(settings.administration_socket, LIST)
    finally:
        os.seteuid(0)
    assert raised.value.code == "forbidden"


async def test_the_end_of_the_server_waits_for_what_was_begun(settings, monkeypatch):
    monkeypatch.setattr(answering, "_GRACE_S", 0.1)
    desk = answering._Desk(None)
    await desk.close()
    ended = []

    async def work(duration_s: float) -> None:
        try:
            await asyncio.sleep(duration_s)
            ended.append("finished")
        except asyncio.CancelledError:
            ended.append("canceled")

    desk._tasks = {asyncio.create_task(work(0.02)), asyncio.create_task(work(60))}
    await desk.close()
    assert ended == ["finished", "canceled"]
