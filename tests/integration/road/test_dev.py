"""`postroad dev` as a newcomer meets it: start it, paste what it prints, read what became of the message."""

from __future__ import annotations

import re
import smtplib
import subprocess
import time
from collections.abc import Iterator

import msgspec
import pytest

from integration.road.living import Api, Document, api_of
from peers.postroad import PostroadServer, postroad_server
from peers.process import wait_until


@pytest.fixture(scope="module")
def node() -> Iterator[PostroadServer]:
    """`postroad dev` with nothing set but where it listens and keeps its files."""
    with postroad_server(command=("dev",)) as server:
        kept = {"POSTROAD_DATA_DIRECTORY", "POSTROAD_HTTP_PORT"}
        server.environment = {name: value for name, value in server.environment.items() if name in kept}
        server.environment["POSTROAD_SMTP_PORT"] = "0"
        server.start()
        yield server


@pytest.fixture(scope="module")
def printed(node: PostroadServer) -> str:
    wait_until(lambda: "Stop with Ctrl-C." in node.log(), timeout_s=10, what="the greeting")
    return node.log()


@pytest.fixture(scope="module")
def key(printed: str) -> str:
    found = re.search(r"API key +(\S+)", printed)
    assert found is not None, printed
    return found[1]


@pytest.fixture
def api(node: PostroadServer, key: str) -> Iterator[Api]:
    with api_of(node, key) as client:
        yield client


@pytest.fixture(scope="module")
def pasted(printed: str) -> Document:
    """What the printed command answers when it is pasted into a shell."""
    command = printed.partition("Send the first message:")[2].partition("Then read")[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    return msgspec.json.decode(done.stdout)


def test_the_printed_command_ends_within_a_second_in_a_message_that_can_be_read(api: Api, pasted: Document) -> None:
    message = api.ended(pasted, "delivered", timeout_s=1.0)
    assert (message["subject"], message["from"]) == ("It works", "hello@example.com")
    assert message["deliveries"][0]["to"] == "you@example.org"
    assert [event["type"] for event in message["events"]] == ["message.accepted", "message.delivered"]
    attempt = message["latest_attempt"]
    assert (attempt["route"], attempt["outcome"], attempt["reply"]["code"]) == ("capture", "delivered", 250)
    said = [line["text"] for line in attempt["conversation"]]
    assert "RCPT TO:<you@example.org>" in said
    raw = api.raw(message)
    assert b"\r\nSubject: It works\r\n" in raw
    assert raw.endswith(b"\r\n\r\nThe first message.\r\n")


def test_the_second_printed_command_reads_the_message(printed: str, pasted: Document) -> None:
    command = (
        printed.partition("with the id from the answer:")[2].partition("Stop")[0].replace("/ID ", f"/{pasted['id']} ")
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    assert msgspec.json.decode(done.stdout)["id"] == pasted["id"]


@pytest.mark.parametrize("login", [None, ("anybody", "anything")])
def test_mail_handed_over_by_smtp_is_captured(printed: str, api: Api, key: str, login: tuple[str, str] | None) -> None:
    found = re.search(r"SMTP +127\.0\.0\.1:(\d+)", printed)
    assert found is not None
    name = "named" if login else "bare"
    octets = f"From: app@example.com\r\nTo: ann@example.org\r\nSubject: SMTP {name}\r\n\r\n.dot\r\n".encode()
    with smtplib.SMTP("127.0.0.1", int(found[1])) as client:
        if login:
            client.login(*login)
        client.sendmail("bounces@example.com", ["ann@example.org", "bob@example.org"], octets)
    (listed,) = api.get(f"/v1/messages?subject=SMTP {name}")["data"]
    message = api.ended(listed, "delivered")
    assert {each["to"] for each in message["deliveries"]} == {"ann@example.org", "bob@example.org"}
    assert api.raw(message).endswith(b"\r\n\r\n.dot\r\n")


def test_nothing_is_lost_over_a_restart_and_the_key_stays(
    node: PostroadServer, api: Api, key: str, pasted: Document
) -> None:
    before = api.get(f"/v1/messages/{pasted['id']}")
    octets = api.raw(before)
    feed = api.get("/v1/events?limit=100")["data"]
    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 5
    node.start()
    with api_of(node, key) as again:
        assert again.get(f"/v1/messages/{pasted['id']}") == before
        assert again.raw(before) == octets
        assert again.get("/v1/events?limit=100")["data"] == feed
        sent = again.send(sender="hello@example.com", to="you@example.org", subject="After", text="x")
        assert again.ended(sent, "delivered")["state"] == "delivered"
    wait_until(lambda: node.log().count("Stop with Ctrl-C.") == 2, timeout_s=10, what="the second greeting")
    assert set(re.findall(r"API key +(\S+)", node.log(20_000))) == {key}
