"""The fault experiments: what happens to mail when things die, scored by ledgers that stand outside the system.

The injector writes down, synced, every message the API answered 202 for. The recording sink writes down, synced, every
message it accepts before it says so. When the dust has settled the checker compares both with what the server says of
itself. Nothing the system under test could lose takes part in the judgement.

* `injector`: sends messages and keeps at it, with the same Idempotency-Key, until each is answered.
* `observer`: reads what the server says at the end: deliveries and the event feed.
* `checker`: LOST, DUP, GHOST, STUCK and the rest, and the pass marks (pure).
* `kill`: the experiment `kill -9`.

`python -m faults kill --engine sqlite --messages 10000 --seed 7`
"""

import sys
from pathlib import Path

# The real servers are shared with the tests, where they live.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
