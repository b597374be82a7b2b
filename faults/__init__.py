"""The fault experiments: what happens to mail when things die, scored by ledgers that stand outside the system.

The injector writes down, synced, every message the API answered 202 for. The recording sink writes down, synced, every
message it accepts before it says so. When the dust has settled the checker compares both with what the server says of
itself. Nothing the system under test could lose takes part in the judgement.

* `frame`: what an experiment is, its marks, its record; `catalogue` lists them; `table` writes them into the docs.
* `stage`: nodes, DNS and somebody who asks; `injector`, `observer` and `checker`: the method of the ledgers.
* `receiver`: mail servers that follow a script; `sabotage`: builds that are broken on purpose, for negative controls.
* `experiments`: one module each.

`python -m faults` runs all, `python -m faults F13 --small` one, `python -m faults list` names them.
"""

import sys
from pathlib import Path

# The real servers are shared with the tests, where they live.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
