"""Which of OpenSSL's ways to multiply signs faster on this machine.

An RSA signature is most of what a message costs. OpenSSL has code for several generations of processors and takes the
newest that the processor can run; on some of those that have ADX but no AVX-512 IFMA, the older way over AVX2 takes a
seventh less time. Both are constant in time, and which is faster differs from one make to the next, so both are tried
once, in processes of their own. OpenSSL is told by `OPENSSL_ia32cap`, the variable it has for that; what an operator
has put into it stands.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

VARIABLE: Final = "OPENSSL_ia32cap"
WITHOUT_ADX: Final = {VARIABLE: ":~0x80000"}
"""Bit 19 of the second word is ADX (OPENSSL_ia32cap(3))."""

_log = structlog.get_logger("postroad.press")
_ENTRY = "from postroad.pipeline.press.arithmetic import main; main()"
_LIMIT_S = 3.0
"""Mail waits for this at the start: what takes longer is given up, and OpenSSL decides."""
_GAIN = 0.95
"""What the other way may cost at the most, of what OpenSSL's choice costs, to be taken."""
_ROUNDS = 8
_SIGNATURES = 5

Environment = Mapping[str, str]


async def faster_environment() -> Environment:
    """Return what to add to the environment of processes that sign, perhaps nothing; takes about a second."""
    return await asyncio.to_thread(choose, processor_flags(), os.environ, signing_s)


def choose(flags: frozenset[str], environment: Environment, measure: Callable[[Environment], float]) -> Environment:
    """Return what to add to `environment` on a processor with `flags`, by what `measure` tells of a signature."""
    doubtful = {"adx", "bmi2", "avx2"} <= flags and "avx512ifma" not in flags
    if not doubtful or VARIABLE in environment:
        return {}
    try:
        usual_s, other_s = measure({}), measure(WITHOUT_ADX)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _log.warning("arithmetic_not_measured", error=type(error).__name__)
        return {}
    taken = WITHOUT_ADX if other_s < usual_s * _GAIN else {}
    _log.info("arithmetic_measured", usual_us=round(usual_s * 1e6), avx2_us=round(other_s * 1e6), avx2=bool(taken))
    return taken


def processor_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Return what Linux says that the processor can do; nothing elsewhere."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def signing_s(environment: Environment) -> float:
    """Return the CPU time of one RSA-2048 signature in a process with this environment, in seconds.

    Raises:
        OSError: no process can be started now.
        ValueError, subprocess.SubprocessError: it did not tell.
    """
    done = subprocess.run(
        [sys.executable, "-c", _ENTRY],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT_S,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Print the CPU time of a signature: the least over some rounds, for what disturbs can only add to it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sys.stdout.write(f"{min(_round(key) for _ in range(_ROUNDS))}\n")


def _round(key: rsa.RSAPrivateKey) -> float:
    began = time.thread_time()
    for _ in range(_SIGNATURES):
        key.sign(b"postroad", padding.PKCS1v15(), hashes.SHA256())
    return (time.thread_time() - began) / _SIGNATURES
