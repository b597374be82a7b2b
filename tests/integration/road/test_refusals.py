"""What a server refuses to start on, in sentences that say what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from integration.road.living import QUICK, serving
from peers.postroad import PostroadServer, postroad_server
from peers.process import LOOPBACK, free_port


@pytest.fixture(scope="module")
def node() -> Iterator[PostroadServer]:
    with serving() as running:
        yield running


def refusal(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command that must end at once with exit code 1, without a traceback and without being called a bug."""
    command = [sys.executable, "-m", "postroad", *(arguments or ("serve",))]
    done = subprocess.run(
        command,
        env={**os.environ, "POSTROAD_CONFIG": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert "report what it prints" not in said
    return " ".join(said.split())


def beside(node: PostroadServer, **more: str) -> dict[str, str]:
    """Settings of a second server that would run beside a first."""
    settings = {**node.environment, "POSTROAD_HTTP_PORT": str(free_port())}
    return {**settings, **{f"POSTROAD_{name.upper()}": value for name, value in more.items()}}


def test_an_unsafe_serve_names_every_reason_at_once(node: PostroadServer) -> None:
    environment = beside(node, http_public_url="http://mail.bench.test", domains_require_verified="false")
    del environment["POSTROAD_SECRETS_MASTER_KEY"], environment["POSTROAD_RETURN_PATH_DOMAIN"]
    said = refusal(environment)
    for sentence in (
        "http.public_url is not https",
        "Make one with `openssl rand -base64 32`",
        "return_path.domain is not a full domain",
        "domains.require_verified is off",
    ):
        assert sentence in said


def test_a_serve_without_any_settings_is_refused(tmp_path: Path) -> None:
    said = refusal({"POSTROAD_DATA_DIRECTORY": f"{tmp_path}/data"})
    assert "delivery.hostname must be this server's full public name" in said


def test_private_addresses_of_exchangers_are_refused_where_the_port_is_that_of_the_internet(
    node: PostroadServer,
) -> None:
    said = refusal(beside(node, delivery_allow_private_addresses="true"))
    assert "delivery.allow_private_addresses lets anybody's MX record point into your network" in said


def test_a_second_process_on_the_data_directory_is_refused(node: PostroadServer) -> None:
    said = refusal(beside(node))
    waits, refused = said.index("waiting_for_data_directory"), said.index("another Postroad process (pid ")
    assert waits < refused
    assert "runs on the data directory" in said
    assert "POSTROAD_DATA_DIRECTORY" in said
    assert node.ready()


def test_a_second_process_on_the_database_file_is_refused(node: PostroadServer, tmp_path: Path) -> None:
    database = f"sqlite:///{node.directory}/data/postroad.db"
    said = refusal(beside(node, data_directory=f"{tmp_path}/data", database_url=database))
    assert "already open" in said
    assert node.ready()


def test_a_port_in_use_is_refused(node: PostroadServer, tmp_path: Path) -> None:
    said = refusal(beside(node, data_directory=f"{tmp_path}/data", http_port=str(node.port)))
    assert f"cannot listen on 127.0.0.1 port {node.port}: Address already in use" in said
    assert "POSTROAD_HTTP_PORT" in said


def test_an_smtp_port_in_use_is_refused_by_dev(tmp_path: Path) -> None:
    with closing(socket.create_server((LOOPBACK, 0))) as taken:
        environment = {
            **QUICK,
            "POSTROAD_DATA_DIRECTORY": f"{tmp_path}/data",
            "POSTROAD_HTTP_PORT": "0",
            "POSTROAD_SMTP_PORT": str(taken.getsockname()[1]),
        }
        said = refusal(environment, "dev")
    assert "POSTROAD_SMTP_PORT" in said


def test_dev_on_a_database_that_serve_has_used_is_refused() -> None:
    with postroad_server(more={**QUICK, "POSTROAD_SMTP_PORT": "0"}) as server:
        server.start()
        server.stop()
        said = refusal(server.environment, "dev")
        assert "`postroad serve` has used this database since 20" in said
        assert "POSTROAD_DATABASE_URL" in said
        server.start()  # it is served as before


def test_a_route_of_a_project_that_there_is_not_is_refused(node: PostroadServer, tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('[[delivery.routes]]\nproject = "nobodys"\nroute = "mx"\n')
    said = refusal(beside(node, data_directory=f"{tmp_path}/data"), "serve", "--config", str(file))
    assert "postroad project create nobodys" in said


def test_a_database_that_does_not_answer_is_named(node: PostroadServer, tmp_path: Path) -> None:
    url = f"postgresql://postroad:hidden@127.0.0.1:{free_port()}/postroad"
    said = refusal(beside(node, data_directory=f"{tmp_path}/data", database_url=url))
    assert "database" in said.lower()
    assert "hidden" not in said
