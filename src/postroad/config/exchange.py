"""The settings of the exchange, to which bounces and complaints come back by mail."""

from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.setting import Say, check_host_name

_KIB = 1024
_MIB = 1024 * _KIB


class Exchange(msgspec.Struct, frozen=True):
    """The SMTP listener for mail to return paths: bounces, complaints, automatic answers."""

    enabled: Annotated[
        bool, Say("Whether this server takes that mail; the MX record of return_path.domain has to lead to it then.")
    ] = False
    host: Annotated[str, Say("Address to listen on; :: for IPv6 and IPv4 alike.")] = "0.0.0.0"  # noqa: S104 - the Internet is to reach it
    port: Annotated[
        int, Say("Port to listen on; senders know 25 only, so another one needs a redirection; 0: any.", 0, 65535)
    ] = 25
    hostname: Annotated[
        str | None, Say("Name in the greeting and of the MX record; unset: delivery.hostname.", check=check_host_name)
    ] = None
    tls_certificate: Annotated[
        Path | None, Say("File of the certificate chain (PEM); with it, and its key, STARTTLS is offered.")
    ] = None
    tls_key: Annotated[Path | None, Say("File of the certificate's private key (PEM).")] = None
    complaint_mailboxes: Annotated[
        tuple[str, ...],
        Say("Local parts at return_path.domain that take complaints: sign these addresses up for feedback loops."),
    ] = ("abuse", "fbl")
    message_octets: Annotated[int, Say("Largest mail that is taken.", _KIB, 1024 * _MIB)] = 45 * _MIB
    kept_octets: Annotated[
        int,
        Say("How much of a mail is kept and read; of a larger one, the beginning of each part.", 64 * _KIB, 16 * _MIB),
    ] = _MIB
    connections: Annotated[int, Say("Connections at a time.", 1, 100_000)] = 200
    connections_per_client: Annotated[
        int, Say("Connections at a time from one IPv4 address or one IPv6 /64.", 1, 100_000)
    ] = 20
    connections_per_minute: Annotated[
        int, Say("New connections a minute from one IPv4 address or one IPv6 /64.", 1, 1_000_000)
    ] = 300
    greeting_delay_s: Annotated[
        float, Say("Wait before the greeting; who speaks before it is turned away (spammers do). 0: no wait.", 0, 60)
    ] = 0
    idle_s: Annotated[float, Say("How long a client may be silent.", 1, 3600)] = 300
    conversation_s: Annotated[float, Say("How long one connection may last.", 1, 24 * 3600)] = 1800
    window_days: Annotated[
        float, Say("How long after a delivery ended a report about it changes anything.", 0.01, 3650)
    ] = 14
    read_timeout_s: Annotated[
        float, Say("Time to read one mail; one that takes longer three times is put aside.", 0.1, 600)
    ] = 10
    spare_transactional: Annotated[
        bool,
        Say("Whether a complaint leaves transactional mail alone and ends only the other streams that there are then."),
    ] = False
