"""Settings of how connections to mail servers are secured."""

from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.setting import Say


class Tls(msgspec.Struct, frozen=True):
    """How connections to other mail servers are secured."""

    mta_sts: Annotated[
        bool, Say("Whether the MTA-STS policies of recipients' domains are fetched, kept and obeyed (RFC 8461).")
    ] = True
    trust_ad: Annotated[
        bool | None,
        Say(
            "Whether the resolvers are trusted to validate DNSSEC, which DANE needs (RFC 7672); unset: when all are "
            "loopback addresses and stand in delivery.resolvers, or resolv.conf says options trust-ad."
        ),
    ] = None
    authorities: Annotated[
        Path | None,
        Say("File of certificate authorities (PEM) to trust instead of the system's; for closed networks."),
    ] = None
    mta_sts_port: Annotated[
        int, Say("Port at which MTA-STS policies are fetched; another than 443 for tests only.", 1, 65535)
    ] = 443
