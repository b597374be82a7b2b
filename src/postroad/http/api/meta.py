"""How the server is: alive, ready, and in numbers."""

from litestar import Controller, Response, get

from postroad.http.auth import PUBLIC, GivenServices


class MetaController(Controller):
    """Health and metrics; no key is needed."""

    tags = ("Server",)

    @get("/healthz", opt=PUBLIC, summary="Tell whether the process is alive", sync_to_thread=False)
    def health(self) -> dict[str, str]:
        """Answer as long as the event loop turns."""
        return {"status": "ok"}

    @get("/readyz", opt=PUBLIC, summary="Tell whether the server takes work")
    async def readiness(self, services: GivenServices) -> Response[dict[str, object]]:
        """Answer 200 when requests are taken, and 503 with the reasons when not."""
        state = services.readiness
        wrong = [found for check in services.checks if (found := await check()) is not None]
        if state.draining:
            wrong.append("draining")
        if state.low_disk:
            wrong.append("low disk space")
        if not state.ready:
            wrong.append("starting")
        ready = not wrong
        return Response({"status": "ok" if ready else "unready", "reasons": wrong}, status_code=200 if ready else 503)
