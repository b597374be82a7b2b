"""The command line as a process of its own: beside a running server, after it, before it, and after its death."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest

from peers.postroad import Document, PostroadServer, postroad_server
from peers.process import wait_until

MAIL = ("send", "--from", "ann@a.example", "--to", "bob@b.example", "--subject", "Hi", "--text", "Hello")


@pytest.fixture
def node() -> Iterator[PostroadServer]:
    """`postroad dev` on a fresh directory, not started; its master key is its own."""
    with postroad_server(command=("dev",), more={"POSTROAD_SMTP_PORT": "0"}) as server:
        del server.environment["POSTROAD_SECRETS_MASTER_KEY"]
        yield server


def ended(server: PostroadServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail."""
    pairs = [f"{name}={value}" for name, value in server.environment.items()]
    command = ["env", *pairs, sys.executable, "-m", "postroad", *arguments]
    return subprocess.run(command, cwd=server.directory, capture_output=True, text=True, timeout=60, check=False)


def message(server: PostroadServer, key: str, identifier: object) -> Document:
    request = urllib.request.Request(
        f"{server.url}/v1/messages/{identifier}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return cast("Document", msgspec.json.decode(answer.read()))


def test_every_command_works_beside_a_server_and_after_it(node: PostroadServer) -> None:
    node.start()
    node.tell("domain", "create", "a.example")
    key = node.key()
    sent = node.tell(*MAIL)
    assert "note" not in sent
    wait_until(lambda: message(node, key, sent["id"])["state"] == "delivered", timeout_s=20, what="the capture")
    webhook = node.tell("webhook", "create", "http://127.0.0.1:443/in")
    listings = (("project", "list"), ("webhook", "list"), ("domain", "list"))
    beside = [node.tell(*command) for command in listings]
    assert node.stop() == 0
    assert not (node.directory / "data" / "postroad.sock").exists()
    assert [node.tell(*command) for command in listings] == beside
    assert str(node.tell("webhook", "rotate", str(webhook["id"]))["secret"]).startswith("whsec_")


def test_a_message_that_was_stored_without_a_server_is_sent_by_the_next_one(node: PostroadServer) -> None:
    node.environment["POSTROAD_DOMAINS_REQUIRE_VERIFIED"] = "false"
    sent = node.tell(*MAIL)
    assert "next one that starts" in str(sent["note"])
    key = node.key()
    node.start()
    wait_until(lambda: message(node, key, sent["id"])["state"] == "delivered", timeout_s=20, what="the capture")


def test_a_command_works_after_the_server_was_killed(node: PostroadServer) -> None:
    node.start()
    node.kill()
    assert (node.directory / "data" / "postroad.sock").is_socket()
    assert node.tell("project", "create", "shop")["name"] == "shop"
    node.start()
    assert "shop" in {row["name"] for row in cast("list[Document]", node.tell("project", "list")["data"])}


def test_a_failure_in_the_server_is_told_as_one_at_home(node: PostroadServer) -> None:
    commands = [
        ("key", "revoke", "key_none"),
        ("key", "list", "--project", "none"),
        ("key", "create", "--network", "x"),
    ]
    at_home = [ended(node, *command, "--json") for command in commands]
    node.start()
    beside = [ended(node, *command, "--json") for command in commands]
    for one, other in zip(at_home, beside, strict=True):
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
        assert one.returncode == 1
        assert msgspec.json.decode(one.stderr)["code"] in {"not_found", "invalid_request"}


def test_commands_that_run_at_once_without_a_server_wait_for_each_other(node: PostroadServer) -> None:
    pairs = [f"{name}={value}" for name, value in node.environment.items()]
    command = ["env", *pairs, sys.executable, "-m", "postroad", "project", "create"]
    running = [subprocess.Popen([*command, name], cwd=node.directory, stdout=subprocess.DEVNULL) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert {row["name"] for row in cast("list[Document]", node.tell("project", "list")["data"])} == {"a", "b"}


def test_beside_a_server_a_command_does_without_the_house(node: PostroadServer) -> None:
    node.start()
    program = (
        "import sys; from postroad.app import administer; from postroad.config import load; "
        "print(administer(load(None), 'project.list', {})); "
        "print('sqlalchemy' in sys.modules, 'litestar' in sys.modules)"
    )
    pairs = [f"{name}={value}" for name, value in node.environment.items()]
    told = subprocess.run(
        ["env", *pairs, sys.executable, "-c", program], cwd=node.directory, capture_output=True, text=True, check=True
    )
    assert "'default'" in told.stdout
    assert told.stdout.splitlines()[-1] == "False False"
