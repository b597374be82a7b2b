"""Sending domains: who a project may write as, the keys it signs with, and the DNS that proves both.

A domain is made with DKIM `pairs` sealed in the vault; `wanted` says which DNS records it should have, `lookup` asks
DNS, `inspection` compares the two record by record (DMARC by the tree walk of `policies`), `standing` decides what
follows: verified, failing, when to look again; and `telling` makes the events of it. `senders` is the service that ties
these together, rotates keys, and answers the pipeline's questions: may this be sent, signed with what, where do bounces
go (`speaking`). `naming` and `scripts` look at names, `shown` is how a domain is told, and `doctor` looks at the whole
installation.
"""

from postroad.features.senders.lookup import Found, Lookup
from postroad.features.senders.senders import DomainWithKeys, Senders
from postroad.features.senders.shown import DomainShown, shown

__all__ = ["DomainShown", "DomainWithKeys", "Found", "Lookup", "Senders", "shown"]
