"""The measured promises: throughput, latency and memory, beside peers in the same run.

`python -m bench` prints the table of targets with a measured column. A claim is a ratio against a peer measured in the
same run, in interleaved rounds, by the median: machines are shared and noisy, ratios are less so.

* `rows`: the table: what is promised, and how it is printed and stored.
* `sink`, `load`, `cost`: the receiver, the load, and what a process cost; the same for everyone who is measured.
* `rivals`: Postfix with OpenDKIM, Postfix's intake, a naive Python sender.
* `ours`: our server under the same load.
* `workloads`: one function per row.
"""

import sys
from pathlib import Path

# The real servers are shared with the tests, where they live.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
