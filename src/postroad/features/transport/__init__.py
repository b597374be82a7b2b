"""Transport security: what recipients' domains have said of it, and how it went.

`StsKeeper` fetches and keeps MTA-STS policies, `BrokenKeeper` remembers addresses where TLS does not work, and
`TlsReports` counts sessions and makes the reports of RFC 8460 of them; `ReportMailer` sends these. `Transport` is the
role that writes down what they gather and fetches policies again before they expire.

A policy that was once fetched holds until it expires, whatever an attacker does to DNS or to the web server meanwhile.
"""

from postroad.features.transport.broken import BrokenKeeper
from postroad.features.transport.mailing import ReportMailer
from postroad.features.transport.policies import StsKeeper
from postroad.features.transport.reports import TlsReports
from postroad.features.transport.transport import Transport

__all__ = ["BrokenKeeper", "ReportMailer", "StsKeeper", "TlsReports", "Transport"]
