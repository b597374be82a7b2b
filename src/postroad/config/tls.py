"""Settings of how connections to mail servers are secured."""

from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.setting import Say, check_mailbox


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
    report_from: Annotated[
        str | None,
        Say(
            "Address from which TLS reports go by mail each night to the domains that ask for them (RFC 8460); its "
            "domain has to be a verified sending domain of tls.report_project. Unset: none are sent.",
            check=check_mailbox,
        ),
    ] = None
    report_project: Annotated[str, Say("Name of the project that sends TLS reports.")] = "default"
    mta_sts_port: Annotated[
        int, Say("Port at which MTA-STS policies are fetched; another than 443 for tests only.", 1, 65535)
    ] = 443
