"""The mailboxes of the reserved domain, each of which has an outcome of its own."""

import pytest

from leases import make_lease
from postroad.model.attempt import Phase, Trouble
from postroad.model.delivery import State
from postroad.model.reason import Class
from postroad.model.route import CaptureRoute, ReservedRoute
from postroad.model.stream import TRANSACTIONAL
from postroad.pipeline.deliver import reserved
from postroad.pipeline.outcomes.judge import Policy, judge

OUTCOMES = {
    "delivered": (State.DELIVERED, Class.ACCEPTED),
    "slow": (State.DELIVERED, Class.ACCEPTED),
    "complained": (State.DELIVERED, Class.ACCEPTED),
    "ooto": (State.DELIVERED, Class.ACCEPTED),
    "bouncedlater": (State.DELIVERED, Class.ACCEPTED),
    "suppressed": (State.SUPPRESSED, Class.SUPPRESSED),
    "bounced": (State.BOUNCED, Class.INVALID_RECIPIENT),
    "disabled": (State.BOUNCED, Class.INACTIVE_MAILBOX),
    "blocked": (State.BOUNCED, Class.REPUTATION_BLOCK),
    "spam": (State.BOUNCED, Class.CONTENT_REJECTED),
    "unauthenticated": (State.BOUNCED, Class.AUTH_FAILED),
    "toolarge": (State.BOUNCED, Class.MESSAGE_TOO_LARGE),
    "nodomain": (State.DEFERRED, Class.BAD_DOMAIN),
    "deferred": (State.DEFERRED, Class.UNREACHABLE),
    "mailboxfull": (State.DEFERRED, Class.MAILBOX_FULL),
    "throttled": (State.DEFERRED, Class.RATE_LIMITED),
    "greylisted": (State.DEFERRED, Class.GREYLISTED),
    "timeout": (State.DEFERRED, Class.UNREACHABLE),
    "indoubt": (State.DEFERRED, Class.IN_DOUBT),
}


@pytest.fixture
async def rehearse(make, message, monkeypatch):
    monkeypatch.setitem(reserved.MAILBOXES, "slow", reserved.Reserved(says="Slow.", wait_s=0.01))
    deliverer = make()

    async def run(name, failures=0, **options):
        composed = message(rcpt_to=f"{name}@simulator.test")
        return await deliverer.deliver(ReservedRoute(failures), composed, **options)

    return run


def verdict(attempt, name="ann", **changes):
    lease = make_lease(recipient=f"{name}@simulator.test", domain="simulator.test", **changes)
    return judge(attempt, lease, TRANSACTIONAL, now=lease.accepted_at, chance=0.5, policy=Policy())


def test_every_mailbox_is_tested_here():
    assert set(OUTCOMES) == set(reserved.MAILBOXES)


@pytest.mark.parametrize("name", OUTCOMES)
async def test_every_mailbox_has_the_outcome_of_its_name(rehearse, name):
    found = verdict(await rehearse(name), name)
    assert (found.state, found.reason.cls) == OUTCOMES[name]


async def test_a_label_is_no_part_of_the_name(rehearse):
    assert (await rehearse("bounced+abc")).reply.code == 550
    assert (await rehearse("Delivered+1+2")).delivered


async def test_a_name_that_is_not_reserved_bounces(rehearse):
    assert (await rehearse("nobody")).reply.enhanced == "5.1.1"


@pytest.mark.parametrize("name", ["bounced", "disabled"])
async def test_no_reserved_mailbox_gets_onto_the_suppression_list(rehearse, name):
    assert not verdict(await rehearse(name)).suppress


async def test_greylisting_lets_the_second_attempt_through(rehearse):
    assert (await rehearse("greylisted")).reply.code == 450
    assert (await rehearse("greylisted", failures=1)).delivered


async def test_what_is_always_deferred_is_deferred_again(rehearse):
    assert (await rehearse("deferred", failures=9)).reply.code == 451


async def test_the_conversation_shows_the_refusal_where_it_happened(rehearse):
    found = await rehearse("spam")
    assert found.phase is Phase.DOT
    assert "S: 554 5.7.1 Message rejected as spam by content filter" in [
        f"{line.side}: {line.text}" for line in found.conversation
    ]


async def test_what_ends_in_doubt_was_sent_and_not_acknowledged(rehearse):
    asked = []
    found = await rehearse("indoubt", before_dot=lambda: asked.append(1) or True)
    assert found.in_doubt
    assert found.trouble is Trouble.CLOSED
    assert asked == [1]
    assert not any(line.text.startswith("250 2.0.0") for line in found.conversation)


async def test_a_message_that_may_not_be_sent_any_more_is_handed_back(rehearse):
    found = await rehearse("indoubt", before_dot=lambda: False)
    assert (found.phase, found.trouble) == (Phase.BODY, Trouble.HANDED_BACK)


async def test_a_slow_mailbox_takes_its_time(rehearse):
    found = await rehearse("slow")
    assert found.conversation[-1].at_ms >= 10


@pytest.mark.parametrize(
    ("name", "later"),
    [
        ("complained", reserved.Later.COMPLAINT),
        ("bouncedlater", reserved.Later.BOUNCE),
        ("ooto", reserved.Later.AUTO_REPLY),
        ("delivered", None),
    ],
)
async def test_something_comes_back_for_some_mailboxes(make, message, name, later):
    told = []
    composed = message(rcpt_to=f"{name}@simulator.test")
    deliverer = make(comes_back=lambda kind, which: told.append((kind, which)))
    assert (await deliverer.deliver(ReservedRoute(), composed)).delivered
    assert told == ([] if later is None else [(later, composed)])


async def test_the_capture_route_takes_mail_for_the_same_names(make, message):
    assert (await make().deliver(CaptureRoute(), message(rcpt_to="bounced@simulator.test"))).delivered
