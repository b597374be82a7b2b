"""The site for nginx that the documentation shows, before a server that trusts it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from doors import House, open_house
from peers.fixtures import present
from peers.nginx import NAME, Nginx, nginx
from peers.process import LOOPBACK
from postroad.config import Secret, Settings
from postroad.config.tree import Http
from postroad.http.protocol import server_of
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.store import audit, projects
from postroad.store.database import Database
from stores import START, CountingMint, StillClock

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "proxy.md"
ADMIN_KEY = "0123456789abcdef0123456789abcdef"
CLIENT = "127.0.0.2"
"""Where the tests ask from, which is not where the proxy is."""


@pytest.fixture
def project() -> Project:
    return Project(id=ProjectId("prj_00000000000000000000000001"), name="default", created_at=START)


@pytest.fixture
def house(project: Project, sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    """A door that believes the proxy."""
    (tmp_path / "store.db").write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    clock = StillClock()
    entry = audit.Entry(project_id=project.id, at=START, actor="test", action="made", subject=project.id)
    database.write_now(lambda connection: projects.insert(connection, project, entry))
    settings = Settings(http=Http(admin_key=Secret(ADMIN_KEY), trusted_proxies=(LOOPBACK,)))
    yield asyncio.run(open_house(database, clock, CountingMint(clock), project, tmp_path, settings))
    database.close()


@pytest.fixture
def proxy(house: House) -> Iterator[Nginx]:
    """nginx with the documented site."""
    server = server_of(house.app, house.services.settings.http)
    server.config.port = 0
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    behind = server.servers[0].sockets[0].getsockname()[1]
    site = HOW_TO.read_text().partition("```nginx\n")[2].partition("```")[0]
    try:
        with present(nginx(site.replace("127.0.0.1:8025", f"127.0.0.1:{behind}"))) as running:
            yield running
    finally:
        server.should_exit = True
        thread.join(10)


def tls(proxy: Nginx) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(proxy.certificate))


@pytest.fixture
def client(proxy: Nginx) -> Iterator[httpx.Client]:
    """A client of the proxy at another address."""
    transport = httpx.HTTPTransport(verify=tls(proxy), local_address=CLIENT)
    with httpx.Client(transport=transport, base_url=f"https://{LOOPBACK}:{proxy.port}", timeout=30) as asking:
        asking.headers["host"] = NAME
        yield asking


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def ask(
    client: httpx.Client,
    method: str,
    path: str,
    secret: str,
    *,
    content: bytes | None = None,
    json: object = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Ask, under the name that the proxy's certificate has."""
    headers = {**bearer(secret), **(headers or {})}
    named = {"sni_hostname": NAME}
    return client.request(method, path, content=content, json=json, headers=headers, extensions=named)


def key_for(client: httpx.Client, project: Project, network: str) -> str:
    asked = {"name": network, "mode": "live", "scope": "full", "limits": {"networks": [network]}}
    made = ask(client, "POST", f"/v1/projects/{project.id}/keys", ADMIN_KEY, json=asked)
    return str(made.json()["secret"])


def test_the_proxy_is_believed_about_who_asks_and_the_client_is_not(client: httpx.Client, project: Project) -> None:
    near, far = key_for(client, project, f"{CLIENT}/32"), key_for(client, project, "192.0.2.0/24")
    assert ask(client, "GET", "/v1/messages", near).status_code == 200
    assert ask(client, "GET", "/v1/messages", far).status_code == 403
    forged = {"x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1", "x-real-ip": "192.0.2.1"}
    assert ask(client, "GET", "/v1/messages", far, headers=forged).status_code == 403


def test_metrics_are_closed_and_readiness_is_open(client: httpx.Client, house: House) -> None:
    assert ask(client, "GET", "/metrics", house.secret).status_code == 404
    assert ask(client, "GET", "/readyz", house.secret).status_code == 200


def test_the_largest_file_passes_and_a_body_that_is_too_large_is_told_why(client: httpx.Client, house: House) -> None:
    settings = house.services.settings
    largest, too_large = b"x" * settings.limits.message_octets, b"x" * (settings.http.max_body_octets + 1)
    assert ask(client, "POST", "/v1/blobs", house.secret, content=largest).status_code == 201
    refused = ask(client, "POST", "/v1/blobs", house.secret, content=too_large)
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")


def test_events_come_through_as_they_happen(client: httpx.Client, house: House) -> None:
    headers = bearer(house.secret)
    with client.stream("GET", "/v1/events/stream", headers=headers, extensions={"sni_hostname": NAME}) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": here"
        message = {"from": "a@shop.test", "to": "b@x.test", "subject": "s", "text": "t"}
        assert ask(client, "POST", "/v1/messages", house.secret, json=message).status_code == 202
        assert next(line for line in lines if line.startswith("event:")) == "event: message.accepted"


def test_a_request_that_is_cut_off_is_not_accepted_and_one_whose_answer_is_lost_once(
    proxy: Nginx, client: httpx.Client, house: House
) -> None:
    body = json.dumps({"from": "a@shop.test", "to": "b@x.test", "subject": "s", "text": "t" * 5000}).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {house.secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: k\r\n\r\n"
    ).encode()

    def send(octets: bytes) -> bytes:
        plain = socket.create_connection((LOOPBACK, proxy.port), 10)
        with tls(proxy).wrap_socket(plain, server_hostname=NAME) as connection:
            connection.sendall(octets)
            return connection.recv(12) if octets.endswith(body) else b""

    def accepted() -> int:
        return len(ask(client, "GET", "/v1/messages", house.secret).json()["data"])

    send(head + body[:-100])
    assert send(head + body) == b"HTTP/1.1 202"
    assert send(head + body) == b"HTTP/1.1 202"
    assert accepted() == 1
