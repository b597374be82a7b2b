"""The seeds: the golden corpora of replies and of returned mail, and what is under `seeds/`."""

import json
from collections.abc import Iterator
from pathlib import Path

from postroad.wire import lenient

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "tests" / "golden"


def seeds(target: str) -> list[bytes]:
    """Return the seeds of a target, always in the same order."""
    own = [path.read_bytes() for path in sorted((HERE / "seeds" / target).iterdir())]
    return own + list(_golden(target))


def _golden(target: str) -> Iterator[bytes]:
    if target == "replies":
        for path in sorted((GOLDEN / "replies" / "corpus").glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                wire = json.loads(line).get("wire")
                if wire is not None:
                    yield wire.encode()
        return
    part = "message/delivery-status" if target == "dsn" else "message/feedback-report"
    for path in sorted((GOLDEN / "bounces").glob("*.eml")):
        octets = path.read_bytes()
        if target == "dsn":
            yield octets
        for entity in lenient.read(octets).walk():
            if entity.media_type == part:
                yield entity.body
                if target == "arf":
                    yield octets
