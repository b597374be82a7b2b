"""The settings themselves: one frozen tree, each field with its unit in its name and a sentence that says what it does.

The sentence, the bounds and the default stand here and nowhere else; `docs/reference/settings.md` is generated from
them, and `postroad config show` prints them.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from postroad.config.exchange import Exchange
from postroad.config.guard import Guard
from postroad.config.paths import NamedRelay, Pool, RouteKind, RouteRule, Source
from postroad.config.relay import check_relay_url
from postroad.config.setting import (
    Say,
    Secret,
    check_address,
    check_admin_key,
    check_blobs_url,
    check_database_url,
    check_endpoint,
    check_host_name,
    check_master_key,
    check_network,
    check_web_url,
)
from postroad.config.shaping import Shaping
from postroad.config.suppressions import Suppressions
from postroad.config.testing import Testing
from postroad.config.tls import Tls

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_PORT = 65535


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Data(msgspec.Struct, frozen=True):
    """Where files are kept."""

    directory: Annotated[Path, Say("Directory of the database, blobs, keys and the administration socket.")] = Path(
        "data"
    )


class Database(msgspec.Struct, frozen=True):
    """Where messages, deliveries and events are kept."""

    url: Annotated[
        Secret | None,
        Say(
            "Database as sqlite:////path/from/the/root.db or postgresql://user:password@host/name; "
            "unset, the SQLite file postroad.db in the data directory.",
            check=check_database_url,
        ),
    ] = None
    pool: Annotated[int, Say("Connections kept open to the database, besides the one that writes.", 1, 200)] = 8
    connect_timeout_s: Annotated[float, Say("Time allowed for connecting to PostgreSQL.", 1, 300)] = 10


class Blobs(msgspec.Struct, frozen=True):
    """Where attachments and raw mail are kept."""

    url: Annotated[
        Secret | None,
        Say(
            "Blob store as file:///path, s3://bucket/prefix, gs://bucket or az://container; "
            "unset, the folder blobs in the data directory.",
            check=check_blobs_url,
        ),
    ] = None


class Http(msgspec.Struct, frozen=True):
    """The HTTP listener."""

    host: Annotated[str, Say("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Say("Port to listen on; 0 takes any free one.", 0, _PORT)] = 8025
    public_url: Annotated[
        str | None, Say("URL at which others reach this server, used in links that are sent out.", check=check_web_url)
    ] = None
    max_body_octets: Annotated[int, Say("Largest request body.", KIB, GIB)] = 64 * MIB
    max_requests: Annotated[
        int, Say("Requests served at the same time; further ones are answered 503.", 1, 100_000)
    ] = 1024
    head_octets: Annotated[
        int,
        Say(
            "Octets of a request's head, or of what follows the chunks of its body, that may come before its end.",
            KIB,
            16 * MIB,
        ),
    ] = 64 * KIB
    head_s: Annotated[
        float,
        Say("Time in which the head of a request must arrive, and a new connection's first one begin.", 0.01, HOUR),
    ] = 30
    trusted_proxies: Annotated[
        tuple[str, ...],
        Say(
            "Addresses and ranges of reverse proxies whose X-Forwarded-For and -Proto are believed.",
            check=check_network,
        ),
    ] = ()
    admin_key: Annotated[
        Secret | None,
        Say(
            "Key of at least 32 characters that manages projects and their API keys over the API, and opens nothing "
            "else; unset, only the command line does.",
            check=check_admin_key,
        ),
    ] = None


class Smtp(msgspec.Struct, frozen=True):
    """The SMTP listener of `postroad dev`."""

    host: Annotated[str, Say("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Say("Port to listen on; 0 takes any free one.", 0, _PORT)] = 1025


class Limits(msgspec.Struct, frozen=True):
    """The most that one request may ask for, and when the door closes."""

    message_octets: Annotated[int, Say("Largest message, as it goes over the wire.", KIB, GIB)] = 40 * MIB
    recipients: Annotated[int, Say("Recipients of one message over to, cc and bcc.", 1, 10_000)] = 1000
    headers: Annotated[int, Say("Headers of one message.", 1, 10_000)] = 1000
    header_octets: Annotated[int, Say("Size of all headers of one message together.", KIB, 4 * MIB)] = 256 * KIB
    subject_characters: Annotated[int, Say("Length of a subject.", 1, 10_000)] = 998
    attachments: Annotated[int, Say("Attachments of one message.", 0, 1000)] = 100
    tags: Annotated[int, Say("Tags of one message.", 0, 100)] = 10
    tag_characters: Annotated[int, Say("Length of a tag.", 1, 1000)] = 128
    metadata_keys: Annotated[int, Say("Metadata keys of one message.", 0, 1000)] = 50
    metadata_key_characters: Annotated[int, Say("Length of a metadata key.", 1, 1000)] = 64
    metadata_value_characters: Annotated[int, Say("Length of a metadata value.", 1, 100_000)] = 1024
    batch_messages: Annotated[int, Say("Messages of one batch request.", 1, 10_000)] = 1000
    schedule_ahead_s: Annotated[int, Say("How far ahead send_at may lie.", 0, 366 * DAY)] = 30 * DAY
    backlog_deliveries: Annotated[
        int, Say("Deliveries that may wait before new messages are refused with 503.", 1, 1_000_000_000)
    ] = 10_000_000
    min_free_disk_octets: Annotated[
        int, Say("New messages are refused with 503 when the data directory has less room than this.", 0, 1 << 40)
    ] = GIB
    min_free_disk_percent: Annotated[
        float, Say("New messages are refused with 503 when less of the disk than this is free.", 0, 90)
    ] = 10


class Rates(msgspec.Struct, frozen=True):
    """How fast one API key may ask; a guard against runaway loops rather than a meter."""

    requests_per_second: Annotated[float, Say("Requests a second that one API key may make.", 0.01, 1_000_000)] = 10_000
    burst: Annotated[int, Say("Requests that one API key may make at once after a pause.", 1, 10_000_000)] = 20_000


class Timeouts(msgspec.Struct, frozen=True):
    """How long to wait for a peer in each phase (RFC 5321 §4.5.3.2)."""

    connect_s: Annotated[float, Say("For a connection to be made.", 0.1, 600)] = 30
    banner_s: Annotated[float, Say("For the greeting.", 0.1, 3600)] = 300
    ehlo_s: Annotated[float, Say("For the reply to EHLO or HELO.", 0.1, 3600)] = 300
    tls_s: Annotated[float, Say("For the reply to STARTTLS and the handshake.", 0.1, 3600)] = 120
    auth_s: Annotated[float, Say("For each reply to AUTH.", 0.1, 3600)] = 120
    mail_s: Annotated[float, Say("For the reply to MAIL FROM.", 0.1, 3600)] = 300
    rcpt_s: Annotated[float, Say("For the reply to each RCPT TO.", 0.1, 3600)] = 300
    data_s: Annotated[float, Say("For the reply to DATA.", 0.1, 3600)] = 120
    block_s: Annotated[float, Say("For the peer to take the next piece of the message.", 0.1, 3600)] = 180
    dot_s: Annotated[float, Say("For the reply to the final dot; too short a time makes duplicates.", 0.1, 3600)] = 600
    quit_s: Annotated[float, Say("For the reply to QUIT, which changes nothing.", 0.1, 60)] = 2


class Delivery(msgspec.Struct, frozen=True):
    """Stage 3: how mail leaves."""

    route: Annotated[RouteKind, Say("Where mail goes when no rule of delivery.routes fits: mx, relay or capture.")] = (
        RouteKind.MX
    )
    relay_url: Annotated[
        Secret | None,
        Say(
            "The relay, when route is relay, such as smtp://user:password@host:587?security=starttls.",
            check=check_relay_url,
        ),
    ] = None
    routes: Annotated[tuple[RouteRule, ...], Say("Exceptions to the route, by project and recipient domain.")] = ()
    pool: Annotated[
        str | None, Say("Pool or source that mail goes out from; unset: the system chooses the address.")
    ] = None
    own_addresses: Annotated[
        tuple[str, ...],
        Say(
            "Public addresses of this server besides those of the sources: mail exchangers that have one are itself, "
            "and mail would loop.",
            check=check_address,
        ),
    ] = ()
    hostname: Annotated[
        str | None, Say("This server's public name, for EHLO, Message-ID and Received.", check=check_host_name)
    ] = None
    mx_port: Annotated[int, Say("Port on which mail exchangers are spoken to.", 1, _PORT)] = 25
    resolvers: Annotated[
        tuple[str, ...],
        Say("DNS resolvers as address or address:port; none: those of the system.", check=check_endpoint),
    ] = ()
    dns_timeout_s: Annotated[float, Say("Time allowed for one DNS question with its retries.", 0.1, 60)] = 10
    allow_private_addresses: Annotated[
        bool,
        Say(
            "Whether mail exchangers may have loopback and private addresses; for tests and closed networks, and with "
            "another mx_port than 25 only."
        ),
    ] = False
    concurrency: Annotated[int, Say("Deliveries in flight in this process.", 1, 100_000)] = 1000
    connections_per_destination: Annotated[int, Say("Connections to one destination at a time.", 1, 1000)] = 10
    messages_per_connection: Annotated[int, Say("Messages over one connection before it is closed.", 1, 100_000)] = 100
    messages_per_second: Annotated[float, Say("Messages a second to one destination.", 0.001, 1_000_000)] = 100
    idle_s: Annotated[float, Say("How long an unused connection is kept for the next message.", 0, 600)] = 60
    lease_s: Annotated[
        float,
        Say("How long a process owns a delivery it took; it gives back what it cannot finish in time.", 1, 2 * HOUR),
    ] = 900
    compose_workers: Annotated[
        int | None, Say("Processes that compose and sign; unset: one a core, 0: within the server's process.", 0, 256)
    ] = None
    drain_s: Annotated[float, Say("Time for transactions in flight to finish after SIGTERM.", 0, 3600)] = 30
    rules: Annotated[
        tuple[str, ...],
        Say(
            "Files of rules about what providers mean by their replies, the most important first; they are asked "
            "before the rules that come with Postroad, and read again when they change."
        ),
    ] = ()
    timeouts: Timeouts = Timeouts()


class Streams(msgspec.Struct, frozen=True):
    """When a failed attempt is made again, and when we give up."""

    transactional_expire_s: Annotated[int, Say("How long transactional mail is tried.", 1, 30 * DAY)] = 24 * HOUR
    broadcast_expire_s: Annotated[int, Say("How long broadcast mail is tried.", 1, 30 * DAY)] = 72 * HOUR
    retry_delays_s: Annotated[
        tuple[float, ...], Say("Wait after each failed attempt; the last one repeats until expiry.", 0.01, 7 * DAY)
    ] = (300, 600, 1200, 2400, 4800, 9600, 4 * HOUR)
    retry_jitter: Annotated[float, Say("Share by which each wait varies at random.", 0, 0.9)] = 0.2
    in_doubt_delay_s: Annotated[
        float, Say("Least wait after a connection was lost behind the final dot.", 0.01, DAY)
    ] = 900
    in_doubt_attempts: Annotated[
        int, Say("Attempts with an unknown end after which a delivery is given up, as it may have arrived.", 1, 100)
    ] = 3


class ReturnPath(msgspec.Struct, frozen=True):
    """Where bounces come back to."""

    domain: Annotated[
        str | None,
        Say("Domain of the envelope sender for domains without a return path of their own.", check=check_host_name),
    ] = None


class Retention(msgspec.Struct, frozen=True):
    """How long things are kept."""

    messages_days: Annotated[float, Say("Messages with their deliveries and attempts, once ended.", 0.01, 3650)] = 30
    events_days: Annotated[float, Say("Events of the feed.", 1, 3650)] = 30
    tls_reports_days: Annotated[float, Say("Counts of TLS sessions, for TLS reports.", 1, 3650)] = 30
    webhook_attempts_days: Annotated[float, Say("Attempts to deliver webhooks.", 1, 3650)] = 14
    inbound_days: Annotated[float, Say("Mail that came to the exchange.", 0.01, 3650)] = 30
    uploads_hours: Annotated[float, Say("Uploaded attachments that no message names.", 1, 24 * 365)] = 24
    idempotency_hours: Annotated[float, Say("Answers to requests that carried an Idempotency-Key.", 1, 24 * 30)] = 72


class Webhooks(msgspec.Struct, frozen=True):
    """How events are pushed to URLs."""

    timeout_s: Annotated[float, Say("Time allowed for one request.", 0.1, 60)] = 20
    concurrency: Annotated[int, Say("Requests in flight in this process.", 1, 10_000)] = 64
    response_octets: Annotated[int, Say("How much of an answer is read.", 0, MIB)] = 64 * KIB
    allow_private_addresses: Annotated[
        bool, Say("Whether endpoints may have loopback and private addresses, over http too.")
    ] = False
    allowed_ports: Annotated[tuple[int, ...], Say("Ports that endpoints may have.", 1, _PORT)] = (443, 80, 8443)
    proxy: Annotated[
        Secret | None, Say("Forward proxy for all webhooks, such as http://proxy.internal:4750.", check=check_web_url)
    ] = None
    disable_after_days: Annotated[
        float, Say("An endpoint that has only failed for this long is switched off.", 0.01, 365)
    ] = 5


class Secrets(msgspec.Struct, frozen=True):
    """What guards the rest."""

    master_key: Annotated[
        Secret | None,
        Say(
            "Base64 of 32 octets that encrypts DKIM keys and webhook secrets and signs return paths; "
            "keep a copy, without it they are lost.",
            check=check_master_key,
        ),
    ] = None


class Domains(msgspec.Struct, frozen=True):
    """How sending domains are set up and checked."""

    require_verified: Annotated[bool, Say("Whether only domains whose DNS records were found may send.")] = True
    recheck_s: Annotated[int, Say("How often the records of a verified domain are looked up.", 1, 30 * DAY)] = 6 * HOUR
    pending_recheck_s: Annotated[int, Say("How often those of an unverified domain are.", 1, DAY)] = 5 * MINUTE
    selector_prefix: Annotated[str, Say("How the selectors of new DKIM keys begin.", check=check_host_name)] = "pr"
    spf_include: Annotated[
        str | None, Say("Host to name in wanted SPF records; unset: the return path's domain.", check=check_host_name)
    ] = None
    tracking_host: Annotated[
        str | None,
        Say("Host that tracking CNAMEs are to point at; unset: that of http.public_url.", check=check_host_name),
    ] = None


class Log(msgspec.Struct, frozen=True):
    """What is logged to standard error."""

    level: Annotated[LogLevel, Say("Least severity that is logged: debug, info, warning or error.")] = LogLevel.INFO
    format: Annotated[LogFormat, Say("Shape of a line: json, text for people, or auto (text on a terminal).")] = (
        LogFormat.AUTO
    )


class Settings(msgspec.Struct, frozen=True):
    """Everything that can be set."""

    data: Data = Data()
    database: Database = Database()
    blobs: Blobs = Blobs()
    http: Http = Http()
    smtp: Smtp = Smtp()
    limits: Limits = Limits()
    rates: Rates = Rates()
    delivery: Delivery = Delivery()
    streams: Streams = Streams()
    return_path: ReturnPath = ReturnPath()
    exchange: Exchange = Exchange()
    guard: Guard = Guard()
    suppressions: Suppressions = Suppressions()
    shaping: Shaping = Shaping()
    retention: Retention = Retention()
    webhooks: Webhooks = Webhooks()
    secrets: Secrets = Secrets()
    domains: Domains = Domains()
    log: Log = Log()
    testing: Testing = Testing()
    tls: Tls = Tls()
    sources: Annotated[tuple[Source, ...], Say("Our own addresses to send from, each with its EHLO name.")] = ()
    pools: Annotated[tuple[Pool, ...], Say("Sources among which mail is divided.")] = ()
    relays: Annotated[tuple[NamedRelay, ...], Say("Relays that rules may name, with their order.")] = ()

    @property
    def database_url(self) -> str:
        """The database to open, with its password."""
        if self.database.url is not None:
            return self.database.url.reveal()
        return f"sqlite:///{self.data.directory / 'postroad.db'}"

    @property
    def blobs_url(self) -> str:
        """The blob store to open, with its credentials."""
        if self.blobs.url is not None:
            return self.blobs.url.reveal()
        return (self.data.directory.absolute() / "blobs").as_uri()

    @property
    def administration_socket(self) -> Path:
        """The Unix socket on which a running server answers the command line."""
        return self.data.directory / "postroad.sock"
