"""What the benchmark tells of the machine."""

from __future__ import annotations

import msgspec
from bench.machine import Machine, look


def test_every_figure_is_one() -> None:
    figures = msgspec.structs.asdict(look())
    assert len(figures) == 5
    assert all(0 < figure < 10_000_000 for figure in figures.values())


def test_the_sentence_has_them_all() -> None:
    told = Machine(rsa_us=226.6, ed25519_us=22.1, context_us=18_500.0, loop_us=55.5, sync_us=150.0).sentence()
    assert told == (
        "This machine, µs on one core: RSA-2048 signature 227, Ed25519 22, TLS context 18500, "
        "1,000 turns of a Python loop 56, 4 KiB synced 150."
    )
