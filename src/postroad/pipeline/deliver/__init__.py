"""Stage 3, SMTP communication: a route and a composed message become an attempt, which is facts without judgement.

The story: `Deliverer` takes a route. For `mx`, `mx.plan` asks `resolve` for the exchangers, `policy` says how
connections to them must be secured, and `guard` keeps us off addresses that strangers may not send us to; a relay is
asked of the system, and of several `failover` has the order; `capture` runs a whole conversation in memory. `pool`
grants a place in the destination's lane, with an idle `connection` that will do or leave to make one: `reach` tries
hosts and addresses in turn, from the `origin` that was chosen, and `dial` brings a connection through banner, EHLO,
TLS and AUTH. The connection carries the transaction, and `trip` makes the `Attempt` of all that was seen.

Nothing here raises for what a peer, the DNS or the network may do. Nothing here knows the store, decides about retries,
or reads a message's content.
"""

from postroad.pipeline.deliver.deliverer import Deliverer
from postroad.pipeline.deliver.failover import Relays
from postroad.pipeline.deliver.settings import BeforeDot, DeliverSettings, Turn
from postroad.pipeline.deliver.tls import TlsContexts

__all__ = ["BeforeDot", "DeliverSettings", "Deliverer", "Relays", "TlsContexts", "Turn"]
