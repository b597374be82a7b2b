"""What comes back by mail, after the exchange has taken it.

Which addresses there are says `addresses`. `Arrivals` keeps a mail durably before anybody says 250. Reading it is a job
of its own (`Inbound`): octets from strangers are read in a process that may die of them (`Reader`), the delivery is
found (`matching`), the judge of `outcomes` decides, and the store applies it in one transaction. The exchange never
sends mail, so that no loop can begin here.
"""

from postroad.features.inbound.addresses import Addresses, Destination
from postroad.features.inbound.arrivals import Arrivals, Envelope
from postroad.features.inbound.processing import Inbound, InboundSettings
from postroad.features.inbound.reader import Reader, Unreadable

__all__ = [
    "Addresses",
    "Arrivals",
    "Destination",
    "Envelope",
    "Inbound",
    "InboundSettings",
    "Reader",
    "Unreadable",
]
