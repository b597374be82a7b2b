"""How the server is: alive, ready, and in numbers."""

import msgspec
from litestar import Controller, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.http.auth import LOCAL, PUBLIC, GivenServices
from postroad.model.clock import SECOND
from postroad.model.errors import Unavailable
from postroad.store import facts


class Health(msgspec.Struct, frozen=True):
    """How the server is."""

    status: str
    reasons: list[str] = []
    clock_ahead_s: float | msgspec.UnsetType = msgspec.UNSET
    """How far the clock was moved ahead; only where it was."""


class MetaController(Controller):
    """Health and metrics."""

    tags = ("Server",)

    @get("/healthz", opt=PUBLIC, summary="Tell whether the process is alive", sync_to_thread=False)
    def health(self, services: GivenServices) -> Health:
        """Answer as long as the event loop turns."""
        ahead = services.time.ahead
        return Health("ok", clock_ahead_s=round(ahead / SECOND, 3) if ahead else msgspec.UNSET)

    @get("/readyz", opt=PUBLIC, summary="Tell whether the server takes work")
    async def readiness(self, services: GivenServices) -> Response[Health]:
        """Answer 200 when mail is taken, and 503 with the reasons when not."""
        state = services.readiness
        wrong = []
        if state.draining:
            wrong.append("The server is stopping.")
        if not state.ready:
            wrong.append("The server is starting.")
        try:
            await services.database.read(facts.answers)
            services.gate()
        except Unavailable as refusal:
            wrong.append(refusal.detail)
        return Response(Health("unready" if wrong else "ok", wrong), status_code=503 if wrong else 200)

    @get("/metrics", opt=LOCAL, summary="Show metrics for Prometheus", media_type=CONTENT_TYPE_LATEST)
    async def metrics(self, services: GivenServices) -> Response[bytes]:
        """Return all metrics; from other addresses than this machine's own an API key is needed."""
        # Litestar would add a second charset to a media type that it takes for a text
        return Response(generate_latest(services.metrics), headers={"content-type": CONTENT_TYPE_LATEST})
