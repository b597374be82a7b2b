"""Administration: how a command of the command line reaches the data, whether a server runs or not.

`asking` is the command's side. It sends the operation to the server that runs on the data directory, through a Unix
socket that only the directory's owner can open; when there is no server, it opens the house itself (`alone`).
`answering` is the server's side of that socket, and `lines` is what goes over it: one JSON object each way. What the
operations are stands in `operations`, one module a subject: `accounts`, `sending_domains`, `mail`, `suppressing`,
`hooks` and `installation`. They are thin: each reads its arguments, asks a feature, and shows what it answered.
Nothing here knows SQL or prints.
"""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from postroad.config import Settings

if TYPE_CHECKING:
    from postroad.app.house import House


def administer(settings: Settings, operation: str, arguments: dict[str, object]) -> dict[str, object]:
    """Carry out one operation of the command line and return its answer; see `asking.administer`."""
    from postroad.app.administration import asking

    return asking.administer(settings, operation, arguments)


def serve_administration(house: "House") -> AbstractAsyncContextManager[None]:
    """Answer the command line while the body runs; see `answering.serve`."""
    from postroad.app.administration import answering

    return answering.serve(house)
