"""Mail that came in: read once, believed as far as it can be, and never able to stop the rest."""

import asyncio
import contextlib

import pytest

from postroad.features.inbound import Unreadable
from postroad.model.attempt import SmtpReply
from postroad.model.clock import DAY
from postroad.model.delivery import State
from postroad.model.errors import Unavailable
from postroad.model.event import EventType
from postroad.model.late import Effect, MailState, Proof, Taken
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    Original,
    ReplyKind,
    Report,
    ReportAction,
    ReportedRecipient,
    Unrecognised,
)
from postroad.model.suppression import WHOLE_PROJECT, Cause
from postroad.store import inbound, late
from postroad.wire import verp
from unit.inbound.conftest import KEY, Yard

ANN = "ann@example.net"
BOUNCE = Report(
    recipients=(ReportedRecipient(address=ANN, status="5.1.1", diagnostic=SmtpReply(550, "No such user", "5.1.1")),),
    standard=True,
)


async def test_a_bounce_after_delivery_becomes_a_fact_an_event_and_a_suppression(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN)
    mail = await yard.come_back(delivery, BOUNCE)
    assert (mail.state, mail.taken_for, mail.effect, mail.proof) == (
        MailState.DONE,
        Taken.BOUNCE,
        Effect.TOLD,
        Proof.RETURN_PATH,
    )
    assert (mail.delivery_id, mail.project_id) == (delivery, yard.project.id)
    assert yard.state(delivery) is State.DELIVERED
    (event,) = yard.happened(EventType.BOUNCED_LATE)
    assert event.data["to"] == ANN
    assert event.data["reason"]["class"] == "invalid_recipient"
    assert event.data["inbound"] == {"id": mail.id, "proof": "return_path", "kind": "bounce"}
    (entry,) = yard.listed()
    assert (entry.address, entry.scope, entry.cause, entry.delivery_id) == (ANN, WHOLE_PROJECT, Cause.BOUNCE, delivery)
    facts = yard.database.read_now(lambda c: late.of_message(c, yard.project.id, yard.message_of(delivery)))
    assert [(fact.kind, fact.inbound_id) for fact in facts[delivery]] == [(Taken.BOUNCE, mail.id)]
    assert yard.told == ["events"]


async def test_the_same_report_twice_changes_nothing(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN)
    await yard.come_back(delivery, BOUNCE)
    before = len(yard.happened())
    mail = await yard.come_back(delivery, BOUNCE)
    assert (mail.state, mail.effect) == (MailState.DONE, Effect.REPEATED)
    assert len(yard.happened()) == before
    assert len(yard.listed()) == 1


async def test_a_bounce_settles_what_is_still_open(yard: Yard) -> None:
    leases = yard.leased(ANN)
    yard.deliver(leases, SmtpReply(450, "Later", "4.2.0"))
    delivery = leases[0].delivery_id
    assert yard.state(delivery) is State.DEFERRED
    mail = await yard.come_back(delivery, BOUNCE)
    assert mail.effect is Effect.SETTLED
    assert yard.state(delivery) is State.BOUNCED
    assert [event.type for event in yard.happened()][-1] == "message.bounced"


async def test_a_bounce_that_is_faster_than_the_settlement_waits_for_it(yard: Yard) -> None:
    leases = yard.leased(ANN)
    delivery = leases[0].delivery_id
    mail = await yard.come_back(delivery, BOUNCE)
    assert (mail.state, mail.tries) == (MailState.PENDING, 0)
    yard.deliver(leases)
    yard.pass_by(5)
    assert await yard.inbound.round()
    assert yard.mail(mail.id).effect is Effect.TOLD
    assert [event.type for event in yard.happened("message.delivered", "message.bounced_late")] == [
        "message.delivered",
        "message.bounced_late",
    ]


async def test_an_attempt_that_ends_after_the_bounce_settled_it_is_only_suspected(yard: Yard) -> None:
    leases = yard.leased(ANN)
    yard.deliver(leases, SmtpReply(450, "Later", "4.2.0"))
    await yard.come_back(leases[0].delivery_id, BOUNCE)
    yard.deliver(leases)
    assert yard.state(leases[0].delivery_id) is State.BOUNCED
    assert yard.happened(EventType.DUPLICATE_SUSPECTED)


async def test_a_complaint_ends_all_mail_unless_transactional_mail_is_spared(yard: Yard) -> None:
    first, second = yard.delivered(ANN, "bob@example.net", stream="broadcast")
    complaint = Complaint(feedback_type="abuse")
    mail = await yard.come_back(first, complaint, sender="fbl@provider.test")
    assert (mail.taken_for, mail.effect) == (Taken.COMPLAINT, Effect.TOLD)
    yard.inbound = yard.role(spare_transactional=True)
    await yard.come_back(second, complaint, sender="fbl@provider.test")
    assert [(entry.address, entry.scope, entry.cause, entry.author) for entry in yard.listed()] == [
        (ANN, WHOLE_PROJECT, Cause.COMPLAINT, "recipient"),
        ("bob@example.net", "broadcast", Cause.COMPLAINT, "recipient"),
    ]
    assert len(yard.happened(EventType.COMPLAINED)) == 2


async def test_a_reserved_mailbox_is_told_of_and_never_gets_onto_the_list(yard: Yard) -> None:
    yard.inbound = yard.role(reserved_domain="simulator.test")
    first, second = yard.delivered("complained+1@simulator.test", "bouncedlater@simulator.test")
    assert (await yard.come_back(first, Complaint(feedback_type="abuse"))).effect is Effect.TOLD
    assert (await yard.come_back(second, BOUNCE)).effect is Effect.TOLD
    assert yard.listed() == []


async def test_a_complaint_finds_its_delivery_by_what_only_we_can_have_written(yard: Yard) -> None:
    by_header, by_path, by_mail_from = yard.delivered(ANN, "bob@example.net", "cleo@example.net")
    for delivery, complaint, proof in (
        (by_header, Complaint(feedback_type="abuse", original=_original(by_header)), Proof.HEADER),
        (
            by_path,
            Complaint(
                feedback_type="abuse", original=Original(return_path=f"<{verp.make(by_path, KEY)}@bounces.test>")
            ),
            Proof.RETURN_PATH,
        ),
        (
            by_mail_from,
            Complaint(feedback_type="abuse", mail_from=f"{verp.make(by_mail_from, KEY)}@bounces.test"),
            Proof.RETURN_PATH,
        ),
    ):
        mail = await yard.come_back("fbl", complaint, sender="fbl@provider.test")
        assert (mail.delivery_id, mail.proof, mail.effect) == (delivery, proof, Effect.TOLD)
    assert len(yard.listed()) == 3


async def test_a_report_within_a_mail_is_about_what_it_proves_itself_and_else_about_whom_it_names(yard: Yard) -> None:
    ann, bob = yard.delivered(ANN, "bob@example.net")
    on_bob = (ReportedRecipient(address="bob@example.net", status="5.1.1"),)
    unproven = Report(recipients=on_bob, standard=True, enclosed=True)
    mail = await yard.come_back(ann, unproven)
    assert (mail.delivery_id, mail.effect) == (ann, Effect.TOLD)
    assert yard.listed() == []
    proving = Report(recipients=on_bob, standard=True, enclosed=True, original=_original(bob))
    mail = await yard.come_back(ann, proving)
    assert (mail.delivery_id, mail.proof, mail.effect) == (bob, Proof.HEADER, Effect.TOLD)
    assert [entry.address for entry in yard.listed()] == ["bob@example.net"]


async def test_reports_on_other_messages_within_a_mail_end_their_own_deliveries_by_their_own_proof(yard: Yard) -> None:
    ann, bob, _ = yard.delivered(ANN, "bob@example.net", "cat@example.net")
    on_bob = (ReportedRecipient(address="bob@example.net", status="5.1.1"),)
    on_cat = (ReportedRecipient(address="cat@example.net", status="5.1.1"),)
    others = (
        Report(recipients=on_bob, standard=True, enclosed=True, original=_original(bob)),
        Report(recipients=on_cat, standard=True, enclosed=True),
        Report(recipients=on_cat, standard=True, enclosed=True, original=_original("dlv_" + 26 * "0")),
    )
    first = Report(recipients=BOUNCE.recipients, standard=True, enclosed=True, original=_original(ann), others=others)
    for _ in range(2):  # the second time it changes nothing
        mail = await yard.come_back("fbl", first)
        assert (mail.delivery_id, mail.proof) == (ann, Proof.HEADER)
        assert {entry.address for entry in yard.listed()} == {ANN, "bob@example.net"}
    told = [event.data["to"] for event in yard.happened(EventType.BOUNCED_LATE)]
    assert sorted(told) == [ANN, "bob@example.net"]


async def test_a_mail_waits_while_a_delivery_that_it_reports_on_besides_is_being_sent(yard: Yard) -> None:
    (ann,) = yard.delivered(ANN)
    (lease,) = yard.leased("bob@example.net")
    on_bob = (ReportedRecipient(address="bob@example.net", status="5.1.1"),)
    other = Report(recipients=on_bob, standard=True, enclosed=True, original=_original(lease.delivery_id))
    mail = await yard.come_back(ann, Report(recipients=BOUNCE.recipients, standard=True, others=(other,)))
    assert mail.state is MailState.PENDING
    yard.deliver([lease])
    yard.pass_by(5)
    await yard.inbound.round()
    assert yard.mail(mail.id).state is MailState.DONE
    assert {entry.address for entry in yard.listed()} == {ANN, "bob@example.net"}


def _original(delivery: str) -> Original:
    return Original(delivery_token=verp.make(delivery, KEY))


async def test_forged_proofs_prove_nothing(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN)
    token = verp.make(delivery, b"other" * 8)
    for forged in (
        Complaint(feedback_type="abuse", original=Original(delivery_token=token)),
        Complaint(feedback_type="abuse", mail_from=f"{token}@bounces.test"),
        Complaint(feedback_type="abuse", original=Original(message_id="<somebody@else.test>")),
    ):
        mail = await yard.come_back("abuse", forged, sender="mallory@example.org")
        assert (mail.effect, mail.delivery_id) == (Effect.UNMATCHED, None)
    assert yard.listed() == []


async def test_a_message_id_alone_suppresses_nobody(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN)
    message = yard.message_of(delivery)
    header_id = f"{message[4:]}@shop.test"
    yard.database.write_now(
        lambda c: c.exec_driver_sql(f"UPDATE messages SET header_id = '{header_id}' WHERE id = '{message}'")
    )
    quoting = Report(recipients=BOUNCE.recipients, original=Original(message_id=f"<{header_id}>"), standard=True)
    mail = await yard.come_back("abuse", quoting)
    assert (mail.delivery_id, mail.proof, mail.effect) == (delivery, Proof.MESSAGE_ID, Effect.TOLD)
    assert yard.listed() == []
    proven = await yard.come_back(delivery, BOUNCE)
    assert proven.effect is Effect.TOLD
    assert len(yard.listed()) == 1


async def test_a_message_id_of_several_recipients_needs_one_that_is_named(yard: Yard) -> None:
    first, _ = yard.delivered(ANN, "bob@example.net")
    message = yard.message_of(first)
    header_id = f"{message[4:]}@shop.test"
    yard.database.write_now(
        lambda c: c.exec_driver_sql(f"UPDATE messages SET header_id = '{header_id}' WHERE id = '{message}'")
    )
    original = Original(message_id=f"<{header_id}>")
    nameless = Report(recipients=(ReportedRecipient(status="5.1.1"),), original=original)
    assert (await yard.come_back("abuse", nameless)).effect is Effect.UNMATCHED
    named = await yard.come_back(
        "abuse", AutoReply(kind=ReplyKind.VACATION, sender="BOB@example.net", original=original)
    )
    assert (named.delivery_id != first, named.effect) == (True, Effect.TOLD)
    complaint = Complaint(feedback_type="abuse", recipients=(ANN,), original=original)
    assert (await yard.come_back("abuse", complaint)).delivery_id == first


async def test_a_delivery_that_goes_while_a_mail_is_judged_is_unmatched(yard: Yard) -> None:
    gone = late.Late(
        mail=yard.mint("inb"),
        delivery_id=yard.mint("dlv"),
        proof=Proof.HEADER,
        at=yard.clock.now(),
        judge=lambda _: pytest.fail("there is nothing to judge"),
        suppressions=lambda _, __: [],
    )
    assert yard.database.write_now(lambda c: late.apply_beside(c, gone)) is Effect.UNMATCHED


async def test_mail_about_a_delivery_that_is_no_longer_kept_is_unmatched(yard: Yard) -> None:
    mail = await yard.come_back(yard.mint("dlv"), BOUNCE)
    assert (mail.state, mail.effect, mail.taken_for) == (MailState.DONE, Effect.UNMATCHED, Taken.BOUNCE)


@pytest.mark.parametrize(
    ("says", "taken"),
    [
        (Report(recipients=(ReportedRecipient(action=ReportAction.DELAYED),)), Taken.DELAY),
        (Report(recipients=(ReportedRecipient(action=ReportAction.RELAYED),)), Taken.RECEIPT),
        (Complaint(feedback_type="abuse"), Taken.COMPLAINT),
        (AutoReply(kind=ReplyKind.VACATION), Taken.AUTO_REPLY),
        (Challenge(), Taken.CHALLENGE),
        (Unrecognised(), Taken.OTHER),
    ],
)
async def test_what_is_about_nothing_of_ours_is_named_all_the_same(yard: Yard, says, taken) -> None:
    mail = await yard.come_back("postmaster", says)
    assert (mail.taken_for, mail.effect) == (taken, Effect.UNMATCHED)
    assert yard.inbound.counted[taken, Effect.UNMATCHED] == 1


async def test_a_delay_is_noted_and_an_unknown_mail_leaves_no_fact(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN)
    delay = Report(recipients=(ReportedRecipient(action=ReportAction.DELAYED, status="4.4.1"),))
    assert (await yard.come_back(delivery, delay)).effect is Effect.NOTED
    assert (await yard.come_back(delivery, Unrecognised())).effect is Effect.NOTED
    facts = yard.database.read_now(lambda c: late.of_message(c, yard.project.id, yard.message_of(delivery)))
    assert [fact.kind for fact in facts[delivery]] == [Taken.DELAY]


async def test_mail_to_an_unsubscribe_address_unsubscribes_whatever_it_says(yard: Yard) -> None:
    (delivery,) = yard.delivered(ANN, stream="broadcast")
    address = verp.make(delivery, KEY, verp.Purpose.UNSUBSCRIBE)
    mail = await yard.arrive(address, None, sender=ANN)
    await yard.inbound.round()
    assert (yard.mail(mail.id).taken_for, yard.mail(mail.id).effect) == (Taken.UNSUBSCRIBE, Effect.TOLD)
    (entry,) = yard.listed()
    assert (entry.address, entry.scope, entry.cause) == (ANN, "broadcast", Cause.UNSUBSCRIBE)
    gone = await yard.arrive(verp.make(yard.mint("dlv"), KEY, verp.Purpose.UNSUBSCRIBE), None, raw=b"again")
    await yard.inbound.round()
    assert yard.mail(gone.id).effect is Effect.UNMATCHED


# --- poison, crashes, other nodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Unreadable("TimeoutError"), LookupError("a bug")])
async def test_a_mail_that_fails_three_times_is_put_aside_and_the_rest_goes_on(yard: Yard, trouble: Exception) -> None:
    (delivery,) = yard.delivered(ANN)
    poison = await yard.arrive("abuse", trouble)
    for tries in (1, 2):
        await yard.inbound.round()
        assert (yard.mail(poison.id).state, yard.mail(poison.id).tries) == (MailState.PENDING, tries)
        yard.pass_by(5)
    await yard.inbound.round()
    assert yard.mail(poison.id).state is MailState.QUARANTINED
    assert yard.inbound.quarantined == 1
    assert (await yard.come_back(delivery, BOUNCE)).effect is Effect.TOLD
    now = yard.clock.now()
    assert yard.database.write_now(lambda c: inbound.release(c, poison.id, now))
    assert not yard.database.write_now(lambda c: inbound.release(c, poison.id, now))
    assert (yard.mail(poison.id).state, yard.mail(poison.id).tries) == (MailState.PENDING, 0)


async def test_a_mail_that_took_the_server_down_three_times_is_put_aside(yard: Yard) -> None:
    poison = await yard.arrive("abuse", Unrecognised())
    for _ in range(3):
        now = yard.clock.now()
        (taken,) = yard.database.write_now(
            lambda c, now=now: inbound.take(c, now=now, until=now + 60, node="node_1", limit=9)
        )
        yard.database.write_now(lambda c, taken=taken: inbound.begin(c, taken.id))
        assert yard.database.write_now(lambda c, now=now: inbound.recover(c, now=now, node="node_1")) == 1
    await yard.inbound.round()
    assert yard.mail(poison.id).state is MailState.QUARANTINED


async def test_what_cannot_be_read_just_now_counts_no_try(yard: Yard) -> None:
    mail = await yard.arrive("abuse", Unavailable("busy", "No process.", retry_after_s=5))
    for _ in range(5):
        await yard.inbound.round()
        yard.pass_by(5)
    assert (yard.mail(mail.id).state, yard.mail(mail.id).tries) == (MailState.PENDING, 0)


async def test_mail_in_the_hands_of_a_node_that_died_comes_back(yard: Yard) -> None:
    mail = await yard.arrive("abuse", Unrecognised())
    now = yard.clock.now()
    take = {"now": now, "until": now + 600_000_000, "limit": 9}
    assert yard.database.write_now(lambda c: inbound.take(c, node="node_2", **take))
    assert not await yard.inbound.round()
    yard.pass_by(600)
    assert await yard.inbound.round()
    assert yard.mail(mail.id).state is MailState.DONE


async def test_the_role_reads_what_comes_in_until_it_is_canceled(yard: Yard) -> None:
    role = asyncio.create_task(yard.inbound.run())
    try:
        first = await yard.arrive("abuse", Unrecognised())
        async with asyncio.timeout(20):
            while yard.mail(first.id).state is not MailState.DONE:
                await asyncio.sleep(0.01)
    finally:
        role.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await role
    assert yard.teller.closed


async def test_mail_is_kept_for_as_long_as_it_is_wanted(yard: Yard) -> None:
    await yard.come_back("abuse", Unrecognised())
    waiting = await yard.arrive("abuse", Unrecognised())
    before = yard.clock.now() + DAY
    assert yard.database.write_now(lambda c: inbound.remove(c, before, 10)) == 1
    assert [mail.id for mail in yard.database.read_now(inbound.listed)] == [waiting.id]
