"""A simulated internet on loopback: mail providers with personalities, and the DNS that leads to them.

Each personality is a domain such as `greylist.test` with an address of its own in 127.42.0.0/16; a name server answers
for all of them, and sends mail for any other name to one that takes everything. `postroad simulate` runs it, and so do
the tests: `with Simulator() as simulated: …`. The story of its modules: `personality` says what a provider may do, and
`providers` which there are; `session` holds one conversation, by our own server machine wherever the personality keeps
to the protocol; `names` is the DNS; `ledger` writes down what was taken, before it is acknowledged; `returning` makes
the bounces, complaints and replies that come back later; `simulator` starts and stops it all.

It binds to loopback only, and keeps no mail.
"""

from postroad.simulator.ledger import Taken
from postroad.simulator.personality import Move, Personality
from postroad.simulator.providers import PROVIDERS
from postroad.simulator.simulator import Simulator

__all__ = ["PROVIDERS", "Move", "Personality", "Simulator", "Taken"]
