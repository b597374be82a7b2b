"""The loops of the roles go on whatever happens to them."""

import structlog

from postroad.app import server
from postroad.model.errors import Unavailable


async def test_a_role_whose_store_is_away_waits_and_one_that_fails_is_told_with_its_error(monkeypatch):
    monkeypatch.setattr(server, "_RESTART_S", 0)
    ends = [Unavailable("store_unavailable", "The store is away.", retry_after_s=1), RuntimeError("broken"), None]

    async def loop() -> None:
        if (end := ends.pop(0)) is not None:
            raise end

    with structlog.testing.capture_logs() as told:
        await server._keep_running("inbound", loop)
    assert [(each["event"], each["log_level"], "exc_info" in each) for each in told] == [
        ("role_waits", "warning", False),
        ("role_failed", "error", True),
    ]
    assert ends == []
