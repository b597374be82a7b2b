"""What the judge goes by: its numbers, and the rules about single providers."""

from dataclasses import dataclass, field

from postroad.model.clock import DAY, HOUR, MINUTE
from postroad.pipeline.outcomes.rules import Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The judge's own numbers, all spans in microseconds, and the book of rules that it looks into."""

    confirm_domain_after: int = 15 * MINUTE
    """A domain that does not exist is looked up again after this before its mail bounces."""
    refused_session_for: int = DAY
    """How long a server may refuse us with 5xx before anything was said, until mail for it bounces."""
    in_doubt_wait: int = 15 * MINUTE
    """The least time between an attempt in doubt and the next."""
    in_doubt_most: int = 3
    """With this many attempts in doubt a delivery is given up."""
    greylist_wait: int = 5 * MINUTE
    """The time before the second attempt at a server that greylists."""
    hint_least: int = MINUTE
    hint_most: int = 4 * HOUR
    """Bounds of the wait that a server asks for."""
    interruptions_at_once: int = 3
    """So many of our own interruptions go back into the queue at once; more must be more than chance, and wait."""
    interruption_wait_most: int = 5 * MINUTE
    """The most that one waits for them: a second after the next, and twice as long after each further one."""
    deferral_event_every: int = 4 * HOUR
    """After the first, `message.deferred` is written at most this often for one delivery."""
    rulebook: Rulebook = field(default_factory=Rulebook)
    """The rules in force; a reload changes them under a policy that stays the same."""
