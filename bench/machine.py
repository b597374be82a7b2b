"""What the machine can do by itself, so that the tables of two machines can be compared.

An absolute figure says little without it, and even a ratio depends on it: an RSA signature is a quarter of what a
message costs on a processor with AVX-512 IFMA, and nearly half on one without.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable
from statistics import median

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from postroad.pipeline.press.arithmetic import WITHOUT_ADX, signing_s

_ROUNDS = 15


class Machine(msgspec.Struct, frozen=True):
    """Microseconds on one core, none of them spent in code of ours."""

    rsa_us: float
    """An RSA-2048 signature by OpenSSL, in the better of its ways that our composing processes choose from."""
    ed25519_us: float
    """An Ed25519 signature by OpenSSL."""
    context_us: float
    """`ssl.create_default_context()`: OpenSSL reads the authorities that the system trusts."""
    loop_us: float
    """A thousand turns of a loop that adds and multiplies, in this Python."""
    sync_us: float
    """4 KiB written and synced (`fdatasync`) in the folder for temporary files, where our databases lie too."""

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"This machine, µs on one core: RSA-2048 signature {self.rsa_us:.0f}, Ed25519 {self.ed25519_us:.0f}, "
            f"TLS context {self.context_us:.0f}, 1,000 turns of a Python loop {self.loop_us:.0f}, "
            f"4 KiB synced {self.sync_us:.0f}."
        )


def look() -> Machine:
    """Measure; takes about two seconds."""
    key = Ed25519PrivateKey.generate()
    return Machine(
        rsa_us=min(signing_s({}), signing_s(WITHOUT_ADX)) * 1e6,
        ed25519_us=_median_us(lambda: key.sign(b"x" * 300), 100),
        context_us=_median_us(ssl.create_default_context, 1),
        loop_us=_median_us(_turns, 1),
        sync_us=_sync_us(),
    )


def _median_us(work: Callable[[], object], times: int) -> float:
    taken: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        taken.append((time.perf_counter() - began) / times)
    return median(taken) * 1e6


def _turns() -> int:
    total = 0
    for number in range(1000):
        total += number * number % 7
    return total


def _sync_us() -> float:
    with tempfile.TemporaryFile() as file:

        def write() -> None:
            os.pwrite(file.fileno(), bytes(4096), 0)
            os.fdatasync(file.fileno())

        return _median_us(write, 10)
