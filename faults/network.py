"""Places of their own on the network: a namespace with a link to the database, which can be cut, and one to us.

Everything is made for the purpose and gone afterwards. The addresses are those that RFC 2544 keeps for tests, and no
way leads from them to anywhere else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from faults.frame import Skipped


class Cut(StrEnum):
    """What a cut lets vanish."""

    ALL = "link down"
    REQUESTS = "requests lost"
    ANSWERS = "answers lost"


@dataclass(frozen=True, slots=True)
class Place:
    """A network namespace. `database` and `home` are its two links, each named by the number of its network."""

    name: str
    number: int

    @property
    def words(self) -> tuple[str, ...]:
        """What stands in front of a command that is to run there."""
        return _ip(), "netns", "exec", self.name

    @property
    def address(self) -> str:
        """Where those who live there are reached, whatever is cut."""
        return f"198.19.{self.number}.2"

    @property
    def home(self) -> str:
        """Where we are reached from there, whatever is cut."""
        return f"198.19.{self.number}.1"

    @property
    def database(self) -> str:
        """Where the database is reached from there, unless that is cut."""
        return f"198.18.{self.number}.1"

    @property
    def client(self) -> str:
        """From where the database is asked."""
        return f"198.18.{self.number}.2"

    def cut(self, what: Cut = Cut.ALL) -> None:
        """Let everything between there and the database vanish, or one direction of it."""
        match what:
            case Cut.ALL:
                _run("-n", self.name, "link", "set", "database", "down")
            case Cut.REQUESTS:
                _run("-n", self.name, "route", "add", "blackhole", f"{self.database}/32")
            case Cut.ANSWERS:
                _run("route", "add", "blackhole", f"{self.client}/32")

    def heal(self, what: Cut = Cut.ALL) -> None:
        """Undo a cut."""
        match what:
            case Cut.ALL:
                _run("-n", self.name, "link", "set", "database", "up")
            case Cut.REQUESTS:
                _run("-n", self.name, "route", "del", "blackhole", f"{self.database}/32")
            case Cut.ANSWERS:
                _run("route", "del", "blackhole", f"{self.client}/32")

    def make(self) -> None:
        """Make the namespace and its links."""
        _run("netns", "add", self.name)
        _run("-n", self.name, "link", "set", "lo", "up")
        for link, ours, theirs in (("database", self.database, self.client), ("home", self.home, self.address)):
            _run("link", "add", self._end(link), "type", "veth", "peer", "name", link, "netns", self.name)
            _run("address", "add", f"{ours}/30", "dev", self._end(link))
            _run("link", "set", self._end(link), "up")
            _run("-n", self.name, "address", "add", f"{theirs}/30", "dev", link)
            _run("-n", self.name, "link", "set", link, "up")

    def unmake(self) -> None:
        """Remove all of it, as far as it is there."""
        for words in (
            ("route", "del", "blackhole", f"{self.client}/32"),
            *(("link", "del", self._end(link)) for link in ("database", "home")),
            ("netns", "del", self.name),
        ):
            subprocess.run([_ip(), *words], check=False, capture_output=True)

    def _end(self, link: str) -> str:
        """Our end of a link; names of interfaces have at most 15 characters."""
        return f"fault{self.number}{link[:1]}"


@contextmanager
def places(count: int) -> Iterator[list[Place]]:
    """Make so many; raises `Skipped` where that cannot be done."""
    if os.geteuid() != 0 or shutil.which(_ip()) is None:
        raise Skipped("network namespaces need root and iproute2")
    first = os.getpid() % 60 * 4  # so that two runs at a time do not meet
    made = [Place(f"fault-{os.getpid()}-{n}", first + n) for n in range(count)]
    with ExitStack() as stack:
        for each in made:
            stack.callback(each.unmake)
            try:
                each.make()
            except subprocess.CalledProcessError as failure:
                raise Skipped(f"network namespaces do not work here: {failure.stderr.decode().strip()}") from failure
        yield made


def _ip() -> str:
    return shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "ip"


def _run(*words: str) -> None:
    subprocess.run([_ip(), *words], check=True, capture_output=True)
