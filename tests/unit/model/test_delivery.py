"""States of deliveries, and what a message's state is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import Instant
from postroad.model.delivery import DUE, TERMINAL, State, message_state

START = Instant(1_795_000_000_000_000)
STATES = st.frozensets(st.sampled_from(State), min_size=1)


def attempt(phase, reply=None, trouble=None):
    return Attempt(phase=phase, reply=reply, trouble=trouble, started_at=START, finished_at=START)


def test_a_state_is_due_or_held_or_in_hand_or_terminal():
    assert not DUE & TERMINAL
    assert DUE | TERMINAL | {State.SENDING, State.HELD} == set(State)


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ({State.QUEUED}, "queued"),
        ({State.HELD}, "held"),
        ({State.DELIVERED}, "delivered"),
        ({State.DELIVERED, State.BOUNCED}, "completed"),
        ({State.BOUNCED, State.SUPPRESSED}, "completed"),
        ({State.DELIVERED, State.DEFERRED}, "partially_delivered"),
        ({State.BOUNCED, State.DEFERRED}, "queued"),
        ({State.SCHEDULED, State.SENDING}, "queued"),
    ],
)
def test_the_state_of_a_message_follows_from_its_deliveries(states, found):
    assert message_state(frozenset(states)) == found


@given(STATES)
def test_a_message_is_over_when_all_its_deliveries_are(states):
    over = {"completed"} | {state.value for state in TERMINAL}
    assert (message_state(states) in over) == (states <= TERMINAL)


# --- attempts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "delivered", "in_doubt"),
    [
        (attempt(Phase.DOT, SmtpReply(250, "ok")), True, False),
        (attempt(Phase.DOT, SmtpReply(299, "fine")), True, False),
        (attempt(Phase.DOT, SmtpReply(451, "later")), False, False),
        (attempt(Phase.DOT, SmtpReply(554, "no")), False, False),
        (attempt(Phase.RCPT, SmtpReply(250, "ok")), False, False),
        (attempt(Phase.DOT, trouble=Trouble.TIMEOUT), False, True),
        (attempt(Phase.BODY, trouble=Trouble.CLOSED), False, False),
        (attempt(Phase.COMPOSE, trouble=Trouble.LOST), False, True),
        (attempt(Phase.COMPOSE, trouble=Trouble.CRASHED), False, False),
    ],
)
def test_only_a_2xx_to_the_final_dot_delivers_and_only_silence_after_it_is_doubt(tried, delivered, in_doubt):
    assert (tried.delivered, tried.in_doubt) == (delivered, in_doubt)


@given(st.sampled_from(Phase), st.none() | st.integers(200, 599), st.none() | st.sampled_from(Trouble))
def test_no_attempt_is_both_delivered_and_in_doubt(phase, code, trouble):
    tried = attempt(phase, None if code is None else SmtpReply(code, ""), trouble)
    assert not (tried.delivered and tried.in_doubt and trouble is not Trouble.LOST)
