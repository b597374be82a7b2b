"""The client: one request, one bounded answer, and every failure as a value."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpcore

from postroad import __version__
from postroad.features.egress.network import CheckedNetwork, ForbiddenAddress, Resolve, ResolveError, dns_resolver
from postroad.features.egress.target import BadUrl, Policy, Target, parse_target

_KEEP_S: Final = 30.0
_USER_AGENT: Final = f"Postroad/{__version__}"


class Trouble(StrEnum):
    """Why there is no answer."""

    FORBIDDEN = "forbidden"
    """The URL, or an address that its name has, is not one that requests may be sent to."""
    DNS = "dns"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    PROTOCOL = "protocol"
    SECRET = "secret"  # noqa: S105 - the name of a trouble
    """Nothing was sent, because the request could not be signed."""


_SENTENCES: Final = {
    Trouble.FORBIDDEN: "The host has an address that requests may not be sent to.",
    Trouble.DNS: "The host's name could not be resolved.",
    Trouble.UNREACHABLE: "No connection could be made.",
    Trouble.TLS: "The TLS handshake failed, or the certificate does not hold for this host.",
    Trouble.TIMEOUT: "The request took longer than is allowed.",
    Trouble.CLOSED: "The connection was closed before the answer was complete.",
    Trouble.PROTOCOL: "The answer is not HTTP.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; header names in lower case, the body cut at the policy's size."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Nothing usable was answered; `detail` is a public sentence that tells nothing of our network."""

    trouble: Trouble
    detail: str


class Egress:
    """Sends requests under a policy, and keeps connections for reuse."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolve: Resolve | None = None,
        dial: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set up the client; nothing is connected to yet.

        Args:
            policy: what is allowed.
            resolve: from names to addresses; by default the system's name servers are asked.
            dial: what makes connections to addresses that were checked.
            tls: context of connections; by default the system's certificate authorities are trusted.
        """
        self.policy = policy
        dial = dial or httpcore.AnyIOBackend()
        checked = CheckedNetwork(resolve or dns_resolver(), allow_private=policy.allow_private, dial=dial)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            # A proxy is the operator's choice and stands where the operator put it; what it may reach is its own rule.
            proxy=None if policy.proxy is None else _proxy(policy.proxy),
            network_backend=checked if policy.proxy is None else dial,
            max_connections=policy.connections,
            max_keepalive_connections=policy.connections,
            keepalive_expiry=_KEEP_S,
            http2=False,
        )

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer | Failure:
        """Send one POST and return what came of it. Redirects are answers like any other."""
        return await self._ask("POST", url, {"content-length": str(len(body)), **headers}, body)

    async def get(self, url: str) -> Answer | Failure:
        """Send one GET and return what came of it. Redirects are answers like any other."""
        return await self._ask("GET", url, {}, b"")

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Failure:
        try:
            target = parse_target(url, self.policy)
        except BadUrl as problem:
            return Failure(Trouble.FORBIDDEN, str(problem))
        try:
            async with asyncio.timeout(self.policy.timeout_s):
                return await self._exchange(method, target, headers, body)
        except (
            TimeoutError, ForbiddenAddress, ResolveError, httpcore.TimeoutException, httpcore.NetworkError,
            httpcore.ProtocolError, httpcore.ProxyError, ssl.SSLError,
        ) as problem:  # fmt: skip
            trouble = _trouble(problem)
            return Failure(trouble, _SENTENCES[trouble])

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._pool.aclose()

    async def _exchange(self, method: str, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        fields = {
            "host": target.authority,
            "user-agent": _USER_AGENT,
            "accept-encoding": "identity",
            **headers,
        }
        async with self._pool.stream(method, url, headers=list(fields.items()), content=body) as response:
            octets, cut = await _read(response, self.policy.response_octets)
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, found, octets, cut)


async def _read(response: httpcore.Response, most: int) -> tuple[bytes, bool]:
    """Read up to `most` octets; leaving the stream early closes the connection."""
    octets = bytearray()
    async for chunk in response.aiter_stream():
        octets += chunk
        if len(octets) > most:
            return bytes(octets[:most]), True
    return bytes(octets), False


def _trouble(problem: BaseException) -> Trouble:
    match problem:
        case ForbiddenAddress():
            return Trouble.FORBIDDEN
        case ResolveError():
            return Trouble.DNS
        case TimeoutError() | httpcore.TimeoutException():
            return Trouble.TIMEOUT
        case ssl.SSLError():
            return Trouble.TLS
        case httpcore.ConnectError() | httpcore.ProxyError():
            return Trouble.TLS if _has_tls_cause(problem) else Trouble.UNREACHABLE
        case httpcore.NetworkError():
            return Trouble.CLOSED
    # httpcore tells an answer that ends too early by the same class as one that is not HTTP.
    return Trouble.CLOSED if "disconnected" in str(problem) or "closed" in str(problem) else Trouble.PROTOCOL


def _has_tls_cause(problem: BaseException) -> bool:
    """Whether it was TLS: the backend wraps the error once more when the handshake breaks off."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _proxy(url: str) -> httpcore.Proxy:
    parsed = httpcore.URL(url)
    authority = url.split("://", 1)[-1].split("/", 1)[0]
    user, at, _ = authority.rpartition("@")
    if not at:
        return httpcore.Proxy(parsed)
    name, _, password = user.partition(":")
    return httpcore.Proxy(parsed, auth=(name, password))
