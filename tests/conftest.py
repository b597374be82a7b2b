"""Fixtures every test may ask for; nothing is started before a test asks."""

import os
from pathlib import Path

from peers.fixtures import dns, exchange, postgres, postgres_url, receiver, shared_dns, sink

__all__ = ["dns", "exchange", "postgres", "postgres_url", "receiver", "shared_dns", "sink"]


def pytest_terminal_summary(terminalreporter):
    """Write down which tests failed, for `tools/again.py`, when a file is named for it."""
    if list_of_failed := os.environ.get("FAILED_TESTS_FILE"):
        reports = [*terminalreporter.stats.get("failed", ()), *terminalreporter.stats.get("error", ())]
        Path(list_of_failed).write_text("".join(f"{name}\n" for name in dict.fromkeys(r.nodeid for r in reports)))
