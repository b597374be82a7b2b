"""Admission: before a handler runs, who calls is known and may do it."""

from litestar.types import ASGIApp, Receive, Scope, Send

from postroad.http.auth import bearer, check_scope
from postroad.http.exchange import exchange_of
from postroad.http.services import Services


class Admission:
    """Middleware that lets a request through to its handler, or raises what is wrong with it."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit one request."""
        needed = str(scope["route_handler"].opt.get("scope", "full"))
        if needed != "public":
            headers = dict(scope["headers"])
            peer = scope.get("client")
            secret = bearer(headers.get(b"authorization", b"").decode("latin-1"))
            caller = await self._services.keys.authenticate(secret, peer[0] if peer else "")
            check_scope(caller, needed)
            exchange_of(scope).caller = caller
        await self._app(scope, receive, send)
