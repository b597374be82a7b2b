"""Our own server as a process: settings by environment, the rest by the command line, killed at will."""

from __future__ import annotations

import base64
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from peers.dns import DnsServer, Record
from peers.process import LOOPBACK, Running, free_port, run, start, workplace

Document = dict[str, object]


@dataclass(slots=True)
class PostroadServer:
    """One node: `postroad serve` (or `dev`) on a port and a data directory that outlive its process."""

    directory: Path
    port: int
    environment: dict[str, str]
    command: tuple[str, ...] = ("serve",)
    module: str = "postroad"
    """What is started; the fault experiments start builds that are broken on purpose."""
    prefix: tuple[str, ...] = ()
    """What stands in front of the command and becomes it, such as `ip netns exec NAME`."""
    _running: Running | None = None

    @property
    def url(self) -> str:
        """The API's root, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the server's main process."""
        assert self._running is not None
        return self._running.pid

    def alive(self) -> bool:
        return self._running is not None and self._running.alive()

    def start(self, *, wait: bool = True, timeout_s: float = 240.0) -> None:
        """Start the process; with `wait`, return when it is ready to take requests."""
        self._running = start(
            "postroad",
            [*self.prefix, sys.executable, "-m", self.module, *self.command],
            log=self.directory / "server.log",
            environment=self.environment,
            own_group=True,
            cwd=self.directory,
        )
        if wait:
            self.await_ready(timeout_s=timeout_s)

    def await_ready(self, *, timeout_s: float = 240.0) -> None:
        """Wait until the server takes requests; raises `PeerFailed` with its log."""
        assert self._running is not None
        self._running.ready_when(self.ready, timeout_s=timeout_s)

    def ready(self) -> bool:
        """Whether the server says that it takes requests."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, *, timeout_s: float = 45.0) -> int:
        """SIGTERM, and wait for the drain; returns the exit status."""
        return self._running.stop(signal.SIGTERM, timeout_s=timeout_s) if self._running is not None else 0

    def kill(self) -> None:
        """SIGKILL the main process, at whatever it is doing; its workers have to notice by themselves."""
        if self._running is not None:
            self._running.stop(signal.SIGKILL)

    def orphans(self) -> list[int]:
        """Processes of this server's last start that outlive it."""
        if self._running is None or self._running.alive():
            return []
        return [pid for pid in _group(self._running.pid) if pid != self._running.pid]

    def log(self, octets: int = 4000) -> str:
        """The end of the server's log."""
        return self._running.tail(octets) if self._running is not None else ""

    def tell(self, *arguments: str) -> Document:
        """Run a command of the command line with `--json` and return its answer."""
        pairs = [f"{name}={value}" for name, value in self.environment.items()]
        text = run(["env", *pairs, sys.executable, "-m", "postroad", *arguments, "--json"], cwd=self.directory)
        return cast("Document", msgspec.json.decode(text))

    def key(self, name: str = "tests", *, mode: str = "live") -> str:
        """Create an API key of the default project."""
        return str(self.tell("key", "create", name, "--mode", mode)["secret"])

    def verified_domain(self, name: str, dns: DnsServer) -> Document:
        """Create a sending domain, put the records it wants into `dns`, and have it verified."""
        created = self.tell("domain", "create", name)
        dns.add(*records_wanted(created))
        return self.tell("domain", "check", name)


def records_wanted(domain: Document) -> list[Record]:
    """The DNS records that a domain's answer asks for."""
    return [found for record in cast("list[Document]", domain["records"]) for found in _records(record)]


def _records(record: Document) -> list[Record]:
    name, kind, wanted = str(record["name"]), str(record["type"]), record["wanted"]
    values = [str(value) for value in wanted] if isinstance(wanted, list) else [str(wanted)]
    return [Record(name, kind, value if kind.upper() == "TXT" else f"{value.rstrip('.')}.") for value in values]


def relaying(port: int, *, host: str = LOOPBACK) -> dict[str, str]:
    """Settings that hand all mail to a relay without TLS, as fast as it takes it."""
    return {
        "POSTROAD_DELIVERY_ROUTE": "relay",
        "POSTROAD_DELIVERY_RELAY_URL": f"smtp://{host}:{port}?security=smtp",
        "POSTROAD_DELIVERY_MESSAGES_PER_SECOND": "1000000",
        "POSTROAD_DELIVERY_MESSAGES_PER_CONNECTION": "100000",
        "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": "40",
    }


def settings(directory: Path, port: int, dns: DnsServer | None, more: Mapping[str, str]) -> dict[str, str]:
    """Settings under which `postroad serve` agrees to start; `more` goes over them."""
    resolvers = {"POSTROAD_DELIVERY_RESOLVERS": dns.address} if dns is not None else {}
    return {
        "POSTROAD_DATA_DIRECTORY": str(directory / "data"),
        "POSTROAD_HTTP_PORT": str(port),
        "POSTROAD_HTTP_PUBLIC_URL": "https://mail.bench.test",
        "POSTROAD_DELIVERY_HOSTNAME": "mail.bench.test",
        "POSTROAD_RETURN_PATH_DOMAIN": "bounces.bench.test",
        "POSTROAD_SECRETS_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
        "POSTROAD_RATES_REQUESTS_PER_SECOND": "1000000",
        "POSTROAD_RATES_BURST": "10000000",
        "POSTROAD_LIMITS_MIN_FREE_DISK_PERCENT": "0",
        "POSTROAD_LOG_LEVEL": "warning",
        "POSTROAD_LOG_FORMAT": "json",
        **resolvers,
        **more,
    }


@contextmanager
def postroad_server(
    *, dns: DnsServer | None = None, more: Mapping[str, str] | None = None, command: tuple[str, ...] = ("serve",)
) -> Iterator[PostroadServer]:
    """A node, not yet started; `more` are settings as environment variables."""
    with workplace("postroad") as place:
        (place / "data").mkdir(mode=0o750)
        (place / "postroad.toml").touch()  # else the settings of an installed Postroad would be read
        port = free_port()
        server = PostroadServer(place, port, settings(place, port, dns, more or {}), command)
        try:
            yield server
        finally:
            server.stop()


def _group(leader: int) -> list[int]:
    """Living processes of a process group."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[2]) == leader and stat[0] != "Z":
                members.append(int(entry.name))
    return members
