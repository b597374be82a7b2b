"""What a client is waiting for. Whoever owns the clock looks up how long to wait (RFC 5321 §4.5.3.2)."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a conversation stands; with pipelined commands, the first that has no reply yet."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    """The reply to STARTTLS, and then the handshake, until `tls_started`."""
    AUTH = "auth"
    IDLE = "idle"
    """Nothing is outstanding: our turn."""
    RESET = "reset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    """Content is being sent; the final dot has not left the machine."""
    DOT = "dot"
    """The final dot has been handed out: without a reply the outcome is in doubt."""
    QUIT = "quit"
    CLOSED = "closed"
    """The connection is of no more use."""
