"""Reserved recipient addresses: for each outcome a mailbox, so that integrations are tested without set-up.

`bounced@simulator.test` bounces, `deferred@simulator.test` is deferred, and so on, in test mode and in `postroad dev`.
A label behind `+` is kept, so that tests can tell their messages apart. Each mailbox answers in the phase and with the
words of a real server, and the answer goes the way of any other: the same judge, the same events, the same webhooks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from postroad.model.attempt import Phase, Trouble
from postroad.wire.smtp.replies import Reply

SLOW_S: Final = 10.0
"""How long the slow mailbox takes."""


class Later(StrEnum):
    """What comes back some time after a message was taken."""

    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    AUTO_REPLY = "auto_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """One mailbox; `says` is what the documentation tells of it.

    It answers in `phase` with `reply`, or meets `trouble` there, or, with neither, takes the message.
    """

    says: str
    phase: Phase = Phase.DOT
    reply: Reply | None = None
    trouble: Trouble | None = None
    detail: str = ""
    once: bool = False
    """Whether only the first attempt fares so; the next one succeeds."""
    wait_s: float = 0
    later: Later | None = None


def _refuses(says: str, phase: Phase, code: int, text: str, *, once: bool = False) -> Reserved:
    return Reserved(says=says, phase=phase, reply=Reply(code, (text,)), once=once)


MAILBOXES: Final[Mapping[str, Reserved]] = {
    "delivered": Reserved(says="Is delivered."),
    "slow": Reserved(says=f"Is delivered by a server that takes {SLOW_S:.0f} seconds to answer.", wait_s=SLOW_S),
    "complained": Reserved(says="Is delivered; then a complaint about it comes in.", later=Later.COMPLAINT),
    "ooto": Reserved(says="Is delivered; then an out-of-office reply comes in.", later=Later.AUTO_REPLY),
    "bouncedlater": Reserved(
        says="Is delivered; then a bounce (DSN) comes in, which leaves the state and is told as a late bounce.",
        later=Later.BOUNCE,
    ),
    "suppressed": Reserved(
        says="Ends as suppressed, as if it stood on the suppression list.",
        phase=Phase.COMPOSE,
        trouble=Trouble.SUPPRESSED,
        detail="The address stands for one on the suppression list.",
    ),
    "bounced": _refuses(
        "Bounces: there is no such mailbox.",
        Phase.RCPT,
        550,
        "5.1.1 The email account that you tried to reach does "
        "not exist. Please check the recipient's email address for typos",
    ),
    "disabled": _refuses(
        "Bounces: the mailbox is switched off.",
        Phase.RCPT,
        550,
        "5.2.1 The email account that you tried to reach is disabled",
    ),
    "blocked": _refuses(
        "Bounces: the sending address is on a block list.",
        Phase.RCPT,
        554,
        "5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.dnsbl.test",
    ),
    "spam": _refuses(
        "Bounces: the content is taken for spam.", Phase.DOT, 554, "5.7.1 Message rejected as spam by content filter"
    ),
    "unauthenticated": _refuses(
        "Bounces: the message fails the receiver's authentication checks.",
        Phase.DOT,
        550,
        "5.7.26 Unauthenticated email from this domain is not accepted due to its DMARC policy",
    ),
    "toolarge": _refuses(
        "Bounces: the message is too large for the receiver.",
        Phase.MAIL,
        552,
        "5.3.4 Message size exceeds fixed maximum message size",
    ),
    "nodomain": Reserved(
        says="Is deferred once and then bounces: the domain does not exist, which is confirmed 15 minutes later.",
        phase=Phase.RESOLVE,
        trouble=Trouble.NO_SUCH_DOMAIN,
        detail="The name does not exist (NXDOMAIN).",
    ),
    "deferred": _refuses(
        "Is deferred at every attempt, until it expires.",
        Phase.RCPT,
        451,
        "4.3.0 Temporary server error. Please try again later",
    ),
    "mailboxfull": _refuses(
        "Is deferred at every attempt: the mailbox is full.",
        Phase.RCPT,
        452,
        "4.2.2 The email account that you tried to reach is over quota",
    ),
    "throttled": _refuses(
        "Is deferred at every attempt: the receiver wants less mail from us.",
        Phase.MAIL,
        421,
        "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP address. To "
        "protect our users from spam, mail sent from your IP address has been temporarily rate limited",
    ),
    "greylisted": _refuses(
        "Is deferred by greylisting, and delivered at the second attempt.",
        Phase.RCPT,
        450,
        "4.2.0 Greylisted, please try again later",
        once=True,
    ),
    "timeout": Reserved(
        says="Is deferred at every attempt: nobody answers.",
        phase=Phase.CONNECT,
        trouble=Trouble.TIMEOUT,
        detail="192.0.2.25 did not answer in time.",
    ),
    "indoubt": Reserved(
        says="Ends in doubt at every attempt: the connection is lost between the message and its acknowledgement.",
        phase=Phase.DOT,
        trouble=Trouble.CLOSED,
        detail="The connection was closed by the peer.",
    ),
}
"""The mailboxes by their names."""

_UNKNOWN: Final = _refuses(
    "Bounces: no other mailbox has a name of this domain.",
    Phase.RCPT,
    550,
    "5.1.1 No such mailbox; the reserved ones are in the documentation",
)


def mailbox(address: str) -> Reserved:
    """Return the mailbox of an address of the reserved domain, its label disregarded; any other name bounces."""
    name = address.rpartition("@")[0].partition("+")[0].lower()
    return MAILBOXES.get(name, _UNKNOWN)
