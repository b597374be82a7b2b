"""Hits: links in mail. They need no key and no cookie, and only a POST ever changes anything.

`/u/{token}` unsubscribes. Mail programs POST to it (RFC 8058 §3.2), people see a page with one button. Scanners that
follow every link with GET, HEAD or OPTIONS change nothing (threat T24). A token that is not ours gets the same answer,
whatever is wrong with it.
"""

import base64
import hashlib
import re
from urllib.parse import parse_qs

from litestar.types import HTTPScope, Receive, Send

from postroad.http.body import read_body
from postroad.http.exchange import Exchange
from postroad.http.services import Services
from postroad.model.errors import Refused
from postroad.model.token import unseal

PREFIX = "/u/"
_BODY_OCTETS = 4096
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS, POST")
_PART = re.compile(rb'name="?List-Unsubscribe"?[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\nOne-Click\r?\n', re.IGNORECASE)

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#1a1a1a;"
    "color:#fff;cursor:pointer}@media(prefers-color-scheme:dark){body{color:#eee;background:#111}"
    "button{background:#eee;color:#111}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'".encode()


def _page(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1>{body}</html>"
    ).encode()


_ASK = _page(
    "Unsubscribe",
    "<p>Stop getting these emails?</p>"
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">Unsubscribe</button></form>',
)
_DONE = _page("You are unsubscribed", "<p>You will get no more of these emails.</p>")
_UNKNOWN = _page("This link is not valid", "<p>Use the link in the email once more, or ask the sender.</p>")
_UNCLEAR = _page("Nothing was changed", "<p>The request did not ask to unsubscribe.</p>")


class Unsubscribe:
    """Answers `/u/{token}`."""

    def __init__(self, services: Services) -> None:
        self._suppressions = services.suppressions
        self._key = services.token_key

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer one hit."""
        method = scope["method"]
        if method == "OPTIONS":
            await _answer(send, 204, b"", (_ALLOW,))
            return
        if method not in ("GET", "HEAD", "POST"):
            raise Refused("method_not_allowed", "This link takes GET and POST.")
        right = unseal(scope["path"][len(PREFIX) :], self._key)
        if right is None:
            await _answer(send, 404, _UNKNOWN)
        elif method != "POST":
            await _answer(send, 200, b"" if method == "HEAD" else _ASK)
        elif _asks(await read_body(scope, receive, _BODY_OCTETS)):
            await self._suppressions.unsubscribe(right)
            await _answer(send, 200, _DONE)
        else:
            await _answer(send, 400, _UNCLEAR)


def _asks(body: bytes) -> bool:
    """Tell whether a form says `List-Unsubscribe=One-Click`, in either encoding that RFC 8058 §3.2 allows."""
    if _PART.search(body):
        return True
    found = parse_qs(body.decode("latin-1"), max_num_fields=20) if body.count(b"&") < 20 else {}
    return found.get("List-Unsubscribe") == ["One-Click"]


async def _answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    all_headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"content-security-policy", _POLICY),
        (b"x-robots-tag", b"noindex"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
