"""The reference of the API: `/openapi.json`, and `/docs` for reading and trying it, without any other server's help.

The page is Swagger UI from the installed package. Its release reads OpenAPI 3.0 only, so it is given a translation of
the 3.1 document.
"""

import asyncio
import mimetypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import swagger_ui_bundle  # type: ignore[import-untyped]  # it has no types
from litestar.types import HTTPScope, Receive, Send

from postroad.http.door import FastRoute
from postroad.http.exchange import Exchange
from postroad.http.openapi import Json, encode
from postroad.model.errors import Refused

DOCUMENT = "/openapi.json"
PAGE = "/docs"
_ASSETS = "/docs/"
_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HTML = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Postroad API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START = b"""SwaggerUIBundle({
  url: "/docs/openapi-3.0.json", dom_id: "#reference", deepLinking: true, docExpansion: "list",
  validatorUrl: null, persistAuthorization: false, tryItOutEnabled: true
});
"""


class Reference:
    """Answers with the document and the page; what is made is made once, when it is first asked for."""

    def __init__(self, document: Callable[[], Json]) -> None:
        self._document = cache(document)
        self._made: dict[str, tuple[bytes, bytes]] = {}

    def exact(self) -> dict[tuple[str, str], FastRoute]:
        """Return the handlers by method and path."""
        return {("GET", DOCUMENT): self, ("GET", PAGE): self}

    def below(self) -> dict[str, FastRoute]:
        """Return the handlers of everything below a path."""
        return {_ASSETS: self}

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer one request."""
        if scope["method"] != "GET":
            raise Refused("method_not_allowed", "The reference is only read.")
        path = scope["path"]
        found = self._made.get(path)
        if found is None:
            found = self._made[path] = await asyncio.to_thread(self._make, path)
        media, octets = found
        headers = [
            (b"content-type", media),
            (b"content-length", b"%d" % len(octets)),
            (b"content-security-policy", _POLICY),
            (b"cache-control", b"no-cache" if path in (DOCUMENT, PAGE) else b"public, max-age=86400"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": octets, "more_body": False})

    def _make(self, path: str) -> tuple[bytes, bytes]:
        name = path.removeprefix(_ASSETS)
        if path == DOCUMENT:
            return b"application/json", encode(self._document())
        if path == PAGE:
            return b"text/html; charset=utf-8", _HTML
        if name == "openapi-3.0.json":
            return b"application/json", encode(older(self._document()))
        if name == "start.js":
            return b"text/javascript; charset=utf-8", _START
        if name not in _FILES:
            raise Refused("not_found", "There is nothing at this path.")
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return media.encode(), (Path(swagger_ui_bundle.swagger_ui_path) / name).read_bytes()


def older(document: Json) -> Json:
    """Return an OpenAPI 3.1 document in the words of 3.0.3, as far as ours go."""
    translated = _older(document)
    assert isinstance(translated, dict)
    return {**translated, "openapi": "3.0.3"}


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: _older(value) for name, value in node.items() if name not in ("const", "examples")}
    if "const" in node:
        made["enum"] = [node["const"]]
    if isinstance(node.get("examples"), list) and node["examples"]:
        made["example"] = node["examples"][0]
    for word in ("anyOf", "oneOf"):
        choices = made.get(word)
        if isinstance(choices, list) and {"type": "null"} in choices:
            made[word] = [choice for choice in choices if choice != {"type": "null"}]
            made["nullable"] = True
    if isinstance(made.get("type"), list):
        kinds = [kind for kind in made["type"] if kind != "null"]
        made["nullable"] = len(kinds) < len(made["type"])
        made["type"] = kinds[0] if kinds else "string"
    return made
