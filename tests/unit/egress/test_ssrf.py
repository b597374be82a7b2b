"""Server-side request forgery: no URL of the table makes one connection to where it must not go (threat T7)."""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpcore
import pytest
from httpcore import AsyncMockBackend

import postroad
from postroad.features.egress import Answer, Egress, Failure, Policy, Trouble
from postroad.features.egress.network import ResolveError

OK = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]


class Canary(httpcore.AsyncNetworkBackend):
    """Records who is connected to; whoever it is answers 200."""

    def __init__(self, *, dead: Iterable[str] = ()) -> None:
        self.dialed: list[tuple[str, int]] = []
        self._dead = set(dead)

    async def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.dialed.append((host, port))
        if host in self._dead:
            raise httpcore.ConnectError("refused")
        return await AsyncMockBackend(list(OK)).connect_tcp(host, port)


def names(table: dict[str, Sequence[str]]):
    """A resolver that knows `table`; a name that is asked for again gets the next answer of a list of lists."""

    async def resolve(host: str) -> Sequence[str]:
        if host not in table:
            raise ResolveError("NXDOMAIN")
        return table[host]

    return resolve


DRESSED_UP = [
    # spellings of IPv4 that inet_aton understands
    "https://127.1/", "https://127.0.1/", "https://0x7f.1/", "https://0x7f000001/", "https://2130706433/",
    "https://017700000001/", "https://0177.0.0.1/", "https://127.0.0.01/", "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.0x1/", "https://0/", "https://0.0/", "https://169.254.43518/", "https://2852039166/",
    "https://127.0.0.1./", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://①②⑦.0.0.1/",
    # IPv4 itself
    "https://127.0.0.1/", "https://127.127.127.127/", "https://0.0.0.0/", "https://10.0.0.1/", "https://172.16.0.1/",
    "https://192.168.1.1/", "https://100.64.0.1/", "https://100.100.100.200/", "https://169.254.169.254/",
    "https://169.254.170.2/", "https://192.0.0.192/", "https://198.18.0.1/", "https://192.88.99.1/",
    "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://192.0.2.1/",
    # IPv6, and IPv4 inside it
    "https://[::]/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::ffff:169.254.169.254]/", "https://[::ffff:0:127.0.0.1]/",
    "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::]/",
    "https://[2001:0:7f00:1::]/", "https://[2001:db8::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/",
    "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[100::1]/",
    # ways to be read as another host, scheme or port
    "https://public.example@127.0.0.1/", "https://127.0.0.1@public.example/", "https://user:pass@public.example/",
    "https://public.example\\@127.0.0.1/", "https://127.0.0.1\\.public.example/", "https://public.example#@127.0.0.1/",
    "https:// 127.0.0.1/", "https://public.example\t/", "https://public.example/\r\nHost: internal",
    "https://public.example/\u2028", "https://public.example:22/", "https://public.example:6379/",
    "https://public.example:0/", "https://public.example:65536/", "https://public.example:٤٤٣/",
    "http://public.example/", "ftp://public.example/", "file:///etc/passwd", "gopher://public.example:443/",
    "//public.example/", "https:public.example", "https:///path", "https://", "https://[::1", "https://[v1.x]/",
    "https://pub lic.example/", "https://-.example/", "https://public..example/", "https://%31%32%37.0.0.1/",
    "https://public.example/#", "https://public.example/\u00e9", "https://" + "a" * 2100 + ".example/", "",
]  # fmt: skip


@pytest.mark.parametrize("url", DRESSED_UP)
async def test_no_spelling_of_a_url_leads_inside(url: str) -> None:
    canary = Canary()
    everywhere = names({host: ["93.184.215.14"] for host in ("public.example", "127.0.0.1", "127.1")})
    egress = Egress(Policy(), resolve=everywhere, dial=canary)
    outcome = await egress.post(url, headers={}, body=b"{}")
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.FORBIDDEN
    assert canary.dialed == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.1.2.3"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["2606:4700::1111", "fe80::1"],
    ],
)
async def test_a_name_with_one_forbidden_address_is_not_connected_to_at_all(addresses: list[str]) -> None:
    canary = Canary()
    egress = Egress(Policy(), resolve=names({"rebind.example": addresses}), dial=canary)
    outcome = await egress.post("https://rebind.example/", headers={}, body=b"")
    assert outcome == Failure(Trouble.FORBIDDEN, "The host has an address that requests may not be sent to.")
    assert canary.dialed == []


async def test_a_name_that_changes_to_loopback_after_the_check_is_still_connected_to_where_it_was_checked() -> None:
    answers = [["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    canary = Canary()
    egress = Egress(Policy(), resolve=rebinding, dial=canary)
    assert isinstance(await egress.post("https://rebind.example/", headers={}, body=b""), Answer)
    await egress.aclose()
    assert canary.dialed == [("93.184.215.14", 443)]
    assert asked == ["rebind.example"]
    second = await Egress(Policy(), resolve=rebinding, dial=canary).post(
        "https://rebind.example/", headers={}, body=b""
    )
    assert isinstance(second, Failure)
    assert canary.dialed == [("93.184.215.14", 443)]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    canary = Canary(dead=["2606:4700::1111"])
    egress = Egress(Policy(), resolve=names({"two.example": ["2606:4700::1111", "1.1.1.1"]}), dial=canary)
    assert isinstance(await egress.post("https://two.example/", headers={}, body=b""), Answer)
    assert canary.dialed == [("2606:4700::1111", 443), ("1.1.1.1", 443)]
    await egress.aclose()


async def test_no_more_than_four_addresses_are_tried() -> None:
    addresses = [f"1.1.1.{n}" for n in range(1, 9)]
    canary = Canary(dead=addresses)
    egress = Egress(Policy(), resolve=names({"dead.example": addresses}), dial=canary)
    outcome = await egress.post("https://dead.example/", headers={}, body=b"")
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.UNREACHABLE
    assert len(canary.dialed) == 4


@pytest.mark.parametrize("table", [{}, {"gone.example": []}])
async def test_a_name_without_addresses_is_a_dns_failure(table: dict[str, Sequence[str]]) -> None:
    outcome = await Egress(Policy(), resolve=names(table), dial=Canary()).post(
        "https://gone.example/", headers={}, body=b""
    )
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.DNS


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "https://0.0.0.0/", "https://[fe80::1]/", "https://[::ffff:10.0.0.1]/"]
)
async def test_leave_for_private_addresses_is_none_for_metadata(url: str) -> None:
    canary = Canary()
    outcome = await Egress(Policy(allow_private=True), dial=canary).post(url, headers={}, body=b"")
    assert isinstance(outcome, Failure)
    assert canary.dialed == []


async def test_with_leave_localhost_is_reached_on_any_port_without_asking_dns() -> None:
    canary = Canary()
    egress = Egress(Policy(allow_private=True), dial=canary)
    assert isinstance(await egress.post("http://localhost:3000/hook?a=b", headers={}, body=b""), Answer)
    assert canary.dialed == [("127.0.0.1", 3000)]
    await egress.aclose()


async def test_with_a_proxy_only_the_proxy_is_connected_to() -> None:
    canary = Canary()
    egress = Egress(Policy(allow_private=True, proxy="http://user:word@10.0.0.9:4750"), dial=canary)
    assert isinstance(await egress.post("http://public.example/", headers={}, body=b""), Answer)
    assert canary.dialed == [("10.0.0.9", 4750)]
    plain = Egress(Policy(proxy="http://10.0.0.9:4750"), dial=canary)
    assert isinstance(await plain.post("https://127.0.0.1/", headers={}, body=b""), Failure)
    assert canary.dialed == [("10.0.0.9", 4750)]
    await egress.aclose()


async def test_the_environment_does_not_choose_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    canary = Canary()
    egress = Egress(Policy(), resolve=names({"public.example": ["1.1.1.1"]}), dial=canary)
    await egress.post("https://public.example/", headers={}, body=b"")
    await egress.aclose()
    assert canary.dialed == [("1.1.1.1", 443)]


def test_no_other_module_of_the_house_imports_an_http_client() -> None:
    clients = ("httpcore", "httpx", "aiohttp", "requests", "urllib.request", "urllib3", "http.client", "niquests")
    root = Path(postroad.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "features" / "egress"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += [(path, name) for name in imported if name in clients or name.startswith(("httpx.", "httpcore."))]
    assert found == []
