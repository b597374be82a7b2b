"""The door's keeper on a real store: what it takes is durable before it answers, and what it refuses leaves nothing."""

import asyncio
import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import obstore
import pytest
from msgspec.structs import replace

from postroad.model.clock import DAY, HOUR, Instant, to_datetime
from postroad.model.delivery import Hold
from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode, Party, decode_content
from postroad.model.project import ApiKey, Caller, KeyLimits, KeyScope
from postroad.model.stream import BUILT_IN
from postroad.pipeline.intake import AttachmentInput, Draft, Intake, IntakeLimits
from postroad.store import bulk, uploads
from postroad.store.blobs import Blobs
from postroad.store.messages import Idempotency
from postroad.store.wakeup import WakeUp
from postroad.wire.address import parse_mailbox
from stores import START, state_of

HOLD = Hold(node="n1", boot="b1", duration=HOUR)
RAW = b"From: Shop <shop@a.test>\r\nTo: ann@x.test\r\nSubject: Raw\r\n\r\nHi\r\n"


class Streams:
    """The built-in ones."""

    async def get(self, project, name):
        if name not in BUILT_IN:
            raise Refused.field("/stream", "There is no such stream.", code="unknown_stream")
        return BUILT_IN[name]


class Senders:
    """Lets everybody through but one domain."""

    async def check(self, caller, from_domain):
        if from_domain == "unverified.test":
            raise Refused("domain_not_verified", "The domain is not verified.")


@dataclass
class Hands:
    """Takes what is offered while it is willing, and notes what came of it."""

    willing: bool = True
    offers: list[tuple[int, set[str]]] = field(default_factory=list)
    came: list[tuple[int, list[str]]] = field(default_factory=list)
    foreseen: list[list[str]] = field(default_factory=list)

    def offer(self, count, new):
        self.offers.append((count, {delivery.domain for one in new for delivery in one.deliveries}))
        return HOLD if self.willing else None

    def foresee(self, new, at, hold):
        assert hold is HOLD
        self.foreseen.append([delivery.id for one in new for delivery in one.deliveries])

    def taken(self, count, leases, new=()):
        assert [delivery.id for one in new for delivery in one.deliveries] in self.foreseen
        self.came.append((count, [lease.recipient for lease in leases]))


@dataclass
class House:
    """An intake and what stands around it."""

    database: object
    blobs: Blobs
    caller: Caller
    hands: Hands
    intake: Intake
    due: WakeUp
    told: WakeUp
    error: Unavailable | None = None

    def gate(self):
        if self.error is not None:
            raise self.error

    def rows(self, statement, *values):
        return self.database.read_now(lambda connection: bulk.run(connection, statement, values))

    def count(self, table):
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]


def build(database, folder, clock, mints, project, *, hands=None, limits=None):
    key = ApiKey(
        id=KeyId("key_1"),
        project_id=project.id,
        name="k",
        mode=Mode.LIVE,
        scope=KeyScope.SEND,
        created_at=START,
    )
    due, told, blobs = WakeUp(), WakeUp(), Blobs((folder / "blobs").as_uri())
    house = House(database, blobs, Caller(project=project, key=key, ip="127.0.0.1"), hands, None, due, told)
    house.intake = Intake(
        database=database,
        blobs=blobs,
        clock=clock,
        mint=mints,
        streams=Streams(),
        senders=Senders(),
        limits=limits or IntakeLimits(),
        batch_limit=100,
        gate=house.gate,
        hands=hands,
        due=due,
        told=told,
    )
    return house


@pytest.fixture
def house(database, tmp_path, clock, mints, project):
    return build(database, tmp_path, clock, mints, project)


@pytest.fixture
def handed(database, tmp_path, clock, mints, project):
    """A house with a delivery role."""
    return build(database, tmp_path, clock, mints, project, hands=Hands())


def draft(**fields):
    return Draft(**{"sender": "Shop <shop@a.test>", "to": "ann@x.test", "subject": "Hello", "text": "Hi", **fields})


def limited(caller, **limits):
    return replace(caller, key=replace(caller.key, limits=KeyLimits(**limits)))


async def refused(awaitable):
    with pytest.raises(Refused) as raised:
        await awaitable
    return raised.value


def content_of(house):
    ((stored, sha256),) = house.rows("SELECT content, content_sha256 FROM messages")
    return decode_content(bytes(stored)) if stored is not None else sha256


# --- one message -----------------------------------------------------------------------------------------------------


async def test_a_message_is_stored_before_it_is_answered(house):
    answer = await house.intake.accept(house.caller, draft(to=["ann@x.test", "bob@y.test"], tags=["a", "a"]))
    body = msgspec.json.decode(answer.body)
    assert answer.status == 202
    assert [each["to"] for each in body["deliveries"]] == ["ann@x.test", "bob@y.test"]
    assert [state_of(house.database, each["id"]) for each in body["deliveries"]] == ["queued", "queued"]
    ((identifier, sender, header_id, expires, tags),) = house.rows(
        "SELECT id, sender, header_id, expires_at, tags FROM messages"
    )
    assert (identifier, sender) == (body["id"], "shop@a.test")
    assert header_id == f"{identifier[4:]}@a.test"
    assert expires == START + DAY
    assert tags == '["a"]'
    assert content_of(house).sender == Party("shop@a.test", "Shop")


async def test_who_waits_for_work_and_who_waits_for_events_is_woken(house):
    await house.intake.accept(house.caller, draft())
    assert (house.due.beat, house.told.beat) == (1, 1)


async def test_a_scheduled_message_expires_counted_from_its_time(house):
    await house.intake.accept(house.caller, draft(send_at=to_datetime(Instant(START + HOUR))))
    assert house.rows("SELECT state, next_at, expires_at FROM deliveries") == [
        ("scheduled", START + HOUR, START + HOUR + DAY)
    ]


async def test_an_expiry_that_was_given_holds(house):
    await house.intake.accept(house.caller, draft(expires_at=to_datetime(Instant(START + HOUR))))
    assert house.rows("SELECT expires_at FROM deliveries") == [(START + HOUR,)]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (draft(to=[]), "invalid_request"),
        (draft(sender="shop@unverified.test"), "domain_not_verified"),
        (draft(stream="nowhere"), "unknown_stream"),
        (
            draft(attachments=[AttachmentInput("a", content="aGk="), AttachmentInput("b", blob="ab" * 32)]),
            "invalid_request",
        ),
    ],
)
async def test_what_is_refused_leaves_no_row_and_wakes_nobody(house, bad, code):
    assert (await refused(house.intake.accept(house.caller, bad))).code == code
    assert house.count("messages") == house.count("deliveries") == house.count("events") == 0
    assert (house.due.beat, house.told.beat) == (0, 0)


async def test_while_there_is_no_room_nothing_is_taken(house):
    house.error = Unavailable("low_disk", "The disk is full.", retry_after_s=60)
    for attempt in (
        house.intake.accept(house.caller, draft()),
        house.intake.accept_batch(house.caller, [draft()]),
        house.intake.accept_mail(house.caller, RAW, [parse_mailbox("ann@x.test")]),
    ):
        with pytest.raises(Unavailable, match="full"):
            await attempt
    assert house.count("messages") == 0


async def test_a_store_that_is_away_is_said_and_not_hidden(house):
    house.database.close()
    with pytest.raises(Unavailable):
        await house.intake.accept(house.caller, draft())


# --- content ---------------------------------------------------------------------------------------------------------


async def upload(house, octets):
    """Upload octets as the API does, and return their name."""
    name = await house.blobs.put(octets)
    await house.database.write(lambda c: uploads.note(c, house.caller.project.id, [name], START))
    return name


async def test_files_of_a_batch_go_to_an_object_storage_side_by_side(house, monkeypatch):
    house.intake._blobs = Blobs("memory:///")
    put, under_way = obstore.put_async, []

    async def slow(*arguments):
        under_way.append(under_way[-1] + 1 if under_way else 1)
        await asyncio.sleep(0.01)
        under_way.append(under_way[-1] - 1)
        return await put(*arguments)

    monkeypatch.setattr("obstore.put_async", slow)
    items = [
        draft(subject=str(n), attachments=[AttachmentInput("a", content=base64.b64encode(b"%d" % n).decode())])
        for n in range(40)
    ]
    items[20] = draft(to="nobody")
    answer = await house.intake.accept_batch(house.caller, items)
    assert 1 < max(under_way) <= 16
    states = ["error" not in each for each in msgspec.json.decode(answer.body)["data"]]
    assert states == [n != 20 for n in range(40)]
    assert house.count("messages") == 39


async def test_a_blob_of_another_project_is_as_good_as_none(house):
    name = await house.blobs.put(b"theirs")
    await house.database.write(lambda c: uploads.note(c, ProjectId("prj_theirs"), [name], START))
    named = draft(attachments=[AttachmentInput("a", blob=name)])
    unknown = draft(attachments=[AttachmentInput("a", blob="ab" * 32)])
    errors = [await refused(house.intake.accept(house.caller, each)) for each in (named, unknown)]
    assert errors[0].flaws == errors[1].flaws
    assert errors[0].flaws[0].pointer == "/attachments/0/blob"


async def test_a_file_that_a_message_has_may_be_named_in_another(house):
    given = AttachmentInput("a.txt", content=base64.b64encode(b"given").decode())
    await house.intake.accept(house.caller, draft(attachments=[given]))
    (first,) = content_of(house).attachments
    named = AttachmentInput("b.txt", blob=first.sha256)
    await house.intake.accept(house.caller, draft(attachments=[named]))
    assert house.count("messages") == 2


async def test_an_upload_that_is_named_is_young_again(house):
    name = await upload(house, b"uploaded")
    (path,) = list(Path(house.blobs._folder).rglob(name))
    os.utime(path, (0, 0))
    await house.intake.accept(house.caller, draft(attachments=[AttachmentInput("a", blob=name)]))
    assert not await house.blobs.delete(name, unused_for_s=3600)


async def test_files_lie_in_the_blob_store_and_the_message_names_them(house):
    uploaded = await upload(house, b"uploaded")
    files = [
        AttachmentInput("a.txt", content=base64.b64encode(b"given").decode(), content_type="text/plain"),
        AttachmentInput("b.png", blob=uploaded, content_id="logo"),
    ]
    await house.intake.accept(house.caller, draft(attachments=files))
    first, second = content_of(house).attachments
    assert (first.filename, first.content_type, first.size, first.content_id) == ("a.txt", "text/plain", 5, None)
    assert (second.sha256, second.size, second.content_id) == (uploaded, 8, "logo")
    assert await house.blobs.get(first.sha256) == b"given"
    assert {row[0] for row in house.rows("SELECT sha256 FROM blob_uses")} == {first.sha256, uploaded}


async def test_a_blob_that_was_uploaded_counts_towards_the_size(database, tmp_path, clock, mints, project):
    house = build(database, tmp_path, clock, mints, project, limits=IntakeLimits(message_octets=1000))
    blob = await upload(house, bytes(800))
    error = await refused(house.intake.accept(house.caller, draft(attachments=[AttachmentInput("a", blob=blob)])))
    assert "1000 octets" in error.detail
    assert [flaw.code for flaw in error.flaws] == ["message_too_large"]
    assert house.count("messages") == 0


async def test_a_refused_message_leaves_no_file_of_its_own(house):
    files = [AttachmentInput("a", content="aGk="), AttachmentInput("b", blob="ab" * 32)]
    await refused(house.intake.accept(house.caller, draft(attachments=files)))
    assert await house.blobs.size(hashlib.sha256(b"hi").hexdigest()) is None


async def test_files_of_a_batch_that_is_refused_whole_go_as_uploads_do(house):
    items = [draft(attachments=[AttachmentInput("a", content="aGk=")]), draft(to=[])]
    await refused(house.intake.accept_batch(house.caller, items, all_or_nothing=True))
    assert house.rows("SELECT sha256, at FROM uploads") == [(hashlib.sha256(b"hi").hexdigest(), START)]


async def test_large_content_lies_in_the_blob_store(house):
    text = "x" * 200_000
    await house.intake.accept(house.caller, draft(text=text))
    sha256 = content_of(house)
    assert decode_content(await house.blobs.get(sha256)).text == text
    assert house.rows("SELECT sha256 FROM blob_uses") == [(sha256,)]


# --- raw -------------------------------------------------------------------------------------------------------------


def raw(octets=RAW, **fields):
    return draft(subject="", text=None, raw=base64.b64encode(octets).decode(), sender="shop@a.test", **fields)


async def test_a_raw_message_is_kept_whole_with_what_it_lacked(house):
    await house.intake.accept(house.caller, raw(to="bob@y.test"))
    content = content_of(house)
    kept = await house.blobs.get(content.raw_sha256)
    assert hashlib.sha256(kept).hexdigest() == content.raw_sha256
    assert kept.endswith(b"\r\n\r\nHi\r\n")
    ((subject, header_id),) = house.rows("SELECT subject, header_id FROM messages")
    assert subject == "Raw"
    assert f"Message-ID: <{header_id}>\r\n".encode() in kept
    assert kept.count(b"\r\nDate: ") + kept.startswith(b"Date: ") == 1
    assert house.rows("SELECT recipient FROM deliveries") == [("bob@y.test",)]


async def test_a_raw_message_keeps_its_own_message_id(house):
    await house.intake.accept(house.caller, raw(b"Message-ID: <own@a.test>\r\n" + RAW))
    assert house.rows("SELECT header_id FROM messages") == [("own@a.test",)]


@pytest.mark.parametrize(
    "octets",
    [
        RAW.replace(b"shop@", b"other@"),
        RAW.replace(b"\r\n", b"\n"),
        RAW + b"bare\rCR\r\n",
        b"From: shop@a.test\r\n" + RAW,
        b"Subject: no author\r\n\r\nHi\r\n",
        b"",
    ],
)
async def test_a_raw_message_that_cannot_be_sent_as_it_is_is_never_repaired(house, octets):
    error = await refused(house.intake.accept(house.caller, raw(octets)))
    assert error.code == "invalid_raw"
    assert error.flaws[0].pointer in {"/raw", "/from"}
    assert house.count("messages") == 0


# --- mail by SMTP ----------------------------------------------------------------------------------------------------


async def test_mail_goes_to_its_envelope_once_each_whatever_its_header_says(house):
    people = [parse_mailbox(text) for text in ("bob@y.test", "eve@z.test", "bob@y.test")]
    answer = await house.intake.accept_mail(house.caller, RAW, people)
    assert [each["to"] for each in msgspec.json.decode(answer.body)["deliveries"]] == ["bob@y.test", "eve@z.test"]
    assert house.rows("SELECT sender, subject, stream FROM messages") == [("shop@a.test", "Raw", "transactional")]


async def test_mail_is_sent_on_the_stream_that_is_asked_for(house):
    await house.intake.accept_mail(house.caller, RAW, [parse_mailbox("ann@x.test")], stream="broadcast")
    assert house.rows("SELECT stream FROM messages") == [("broadcast",)]


async def test_mail_is_held_to_the_same_rules_as_a_request(house):
    people = [parse_mailbox("ann@x.test")]
    mail = house.intake.accept_mail
    assert (await refused(mail(house.caller, RAW.replace(b"\r\n", b"\n"), people))).code == "invalid_raw"
    unverified = RAW.replace(b"a.test", b"unverified.test")
    assert (await refused(mail(house.caller, unverified, people))).code == "domain_not_verified"
    confined = limited(house.caller, recipients=("*@y.test",))
    assert (await refused(mail(confined, RAW, people))).code == "key_not_allowed"
    assert house.count("messages") == 0


# --- what a key is confined to ---------------------------------------------------------------------------------------


async def test_a_key_sends_from_its_domains_only(house):
    caller = limited(house.caller, from_domains=("a.test", "b.test"))
    assert (await house.intake.accept(caller, draft())).status == 202
    for domain in ("c.test", "sub.a.test", "xa.test"):
        error = await refused(house.intake.accept(caller, draft(sender=f"shop@{domain}")))
        assert (error.code, error.flaws[0].pointer) == ("key_not_allowed", "/from")


@pytest.mark.parametrize(
    ("field", "address", "allowed"),
    [
        ("to", "ann@x.test", True),
        ("to", "ANN@X.test", True),
        ("to", "ann@sub.x.test", False),
        ("to", "ann@x.test.evil.test", False),
        ("cc", "bob@y.test", True),
        ("cc", "eve@y.test", False),
        ("bcc", "ann@z.test", False),
    ],
)
async def test_a_key_sends_to_its_recipients_only(house, field, address, allowed):
    caller = limited(house.caller, recipients=("*@X.test", "bob@y.test"))
    asked = draft(**{"to": [], field: address})
    if allowed:
        assert (await house.intake.accept(caller, asked)).status == 202
    else:
        error = await refused(house.intake.accept(caller, asked))
        assert (error.code, error.flaws[0].pointer) == ("key_not_allowed", f"/{field}")
        assert house.count("messages") == 0


async def test_mail_of_a_test_key_is_test_mail(house):
    caller = replace(house.caller, key=replace(house.caller.key, mode=Mode.TEST))
    await house.intake.accept(caller, draft())
    assert house.rows("SELECT mode FROM deliveries") == [("test",)]


# --- batches ---------------------------------------------------------------------------------------------------------


async def test_a_bad_item_of_a_batch_fails_alone_and_in_its_place(house):
    undecodable = Refused.field("/to", "Expected text.", code="invalid_json")
    items = [draft(), draft(to="nobody"), undecodable, draft(to="bob@y.test")]
    answer = await house.intake.accept_batch(house.caller, items)
    body = msgspec.json.decode(answer.body)
    assert (answer.status, body["accepted"], body["refused"]) == (202, 2, 2)
    assert [each.get("error", {}).get("code") for each in body["data"]] == [
        None,
        "invalid_request",
        "invalid_json",
        None,
    ]
    assert body["data"][1]["error"]["errors"][0]["pointer"] == "/to"
    assert [each["deliveries"][0]["to"] for each in (body["data"][0], body["data"][3])] == ["ann@x.test", "bob@y.test"]
    assert house.count("messages") == 2


async def test_a_batch_with_nothing_good_is_answered_422_with_each_error(house):
    answer = await house.intake.accept_batch(house.caller, [draft(to="nobody")])
    assert (answer.status, house.count("messages")) == (422, 0)
    assert msgspec.json.decode(answer.body)["accepted"] == 0


async def test_all_or_nothing_takes_nothing_when_one_is_bad_and_points_into_the_batch(house):
    unverified = draft(sender="a@unverified.test")
    items = [draft(), draft(to="nobody", tags=[""]), unverified]
    error = await refused(house.intake.accept_batch(house.caller, items, all_or_nothing=True))
    assert error.code == "batch_refused"
    assert [(flaw.pointer, flaw.code) for flaw in error.flaws] == [
        ("/messages/1/to", "invalid_address"),
        ("/messages/1/tags/0", "invalid"),
        ("/messages/2", "domain_not_verified"),
    ]
    assert house.count("messages") == 0
    good = await house.intake.accept_batch(house.caller, [draft(), draft()], all_or_nothing=True)
    assert (good.status, house.count("messages")) == (202, 2)


@pytest.mark.parametrize("count", [0, 101])
async def test_a_batch_has_its_length(house, count):
    error = await refused(house.intake.accept_batch(house.caller, [draft()] * count))
    assert error.flaws[0].pointer == "/messages"


async def test_a_whole_batch_is_one_transaction(house):
    before = house.database.counters.transactions
    answer = await house.intake.accept_batch(house.caller, [draft(to=f"p{n}@x.test") for n in range(100)])
    assert msgspec.json.decode(answer.body)["accepted"] == 100
    assert house.database.counters.transactions == before + 1


# --- idempotency -----------------------------------------------------------------------------------------------------

KEY = Idempotency("POST /v1/messages", "k", b"digest")


async def test_a_replay_answers_alike_and_wakes_no_reader_of_events(handed):
    first = await handed.intake.accept(handed.caller, draft(), KEY)
    beats = handed.told.beat
    again = await handed.intake.accept(handed.caller, draft(), KEY)
    assert (again.body, again.replayed, again.leases) == (first.body, True, ())
    assert handed.count("messages") == 1
    assert handed.told.beat == beats
    assert handed.hands.came == [(1, ["ann@x.test"]), (1, [])]


async def test_the_same_batch_twice_at_once_is_taken_once(house):
    key = Idempotency("POST /v1/messages/batch", "k", b"digest")
    answers = await asyncio.gather(
        *[house.intake.accept_batch(house.caller, [draft(), draft(to="nobody")], idempotency=key) for _ in range(5)]
    )
    assert len({answer.body for answer in answers}) == 1
    assert house.count("messages") == 1


# --- taken in hand ---------------------------------------------------------------------------------------------------


async def test_what_is_due_is_leased_by_the_transaction_that_accepts_it(handed):
    answer = await handed.intake.accept(handed.caller, draft(to=["ann@x.test", "bob@y.test"]))
    assert handed.hands.offers == [(2, {"x.test", "y.test"})]
    assert handed.hands.came == [(2, ["ann@x.test", "bob@y.test"])]
    assert [(lease.token, lease.attempt, lease.until) for lease in answer.leases] == [
        (1, 1, answer.leases[0].until)
    ] * 2
    assert handed.rows("SELECT DISTINCT state, lease_node, lease_boot, attempts FROM deliveries") == [
        ("sending", "n1", "b1", 1)
    ]
    assert handed.rows("SELECT number, node FROM attempts") == [(1, "n1")] * 2
    assert handed.due.beat == 0, "nothing was left in the queue"
    assert [each["state"] for each in msgspec.json.decode(answer.body)["deliveries"]] == ["queued", "queued"]


async def test_without_room_in_hand_the_mail_waits_in_the_queue(handed):
    handed.hands.willing = False
    await handed.intake.accept(handed.caller, draft())
    assert handed.hands.came == []
    assert handed.rows("SELECT state FROM deliveries") == [("queued",)]
    assert handed.due.beat == 1


async def test_what_is_left_in_the_queue_is_told_to_other_nodes_too(handed):
    heard = []
    handed.due.also(lambda: heard.append(handed.due.beat))
    await handed.intake.accept(handed.caller, draft())
    assert heard == []
    handed.hands.willing = False
    await handed.intake.accept(handed.caller, draft())
    assert heard == [1]


async def test_a_batch_of_which_nothing_is_good_is_offered_to_nobody(handed):
    answer = await handed.intake.accept_batch(handed.caller, [draft(to="nobody")], idempotency=KEY)
    again = await handed.intake.accept_batch(handed.caller, [draft(to="nobody")], idempotency=KEY)
    assert (answer.status, again.status, again.replayed) == (422, 422, True)
    assert (handed.hands.offers, handed.hands.came) == ([], [])


async def test_mail_for_later_is_not_taken_in_hand(handed):
    await handed.intake.accept(handed.caller, draft(send_at=to_datetime(Instant(START + HOUR))))
    assert handed.hands.came == [(1, [])]
    assert handed.rows("SELECT state FROM deliveries") == [("scheduled",)]
    assert handed.due.beat == 1


async def test_mail_of_a_paused_project_is_accepted_and_stays(handed):
    paused = replace(handed.caller, project=replace(handed.caller.project, paused_at=START))
    await handed.intake.accept(paused, draft())
    assert handed.hands.offers == []
    assert handed.rows("SELECT state FROM deliveries") == [("queued",)]


async def test_an_offer_ends_when_the_store_fails(handed):
    handed.database.close()
    with pytest.raises(Unavailable):
        await handed.intake.accept(handed.caller, draft())
    assert handed.hands.offers == [(1, {"x.test"})]
    assert handed.hands.came == [(1, [])]


async def test_an_offer_ends_when_the_key_belongs_to_another_request(handed):
    await handed.intake.accept(handed.caller, draft(), KEY)
    other = Idempotency(KEY.route, KEY.key, b"other")
    assert (await refused(handed.intake.accept(handed.caller, draft(), other))).code == "idempotency_key_reused"
    assert handed.hands.came[1:] == [(1, [])]


async def test_mail_of_a_caller_who_goes_away_is_taken_in_hand_all_the_same(handed):
    working = asyncio.ensure_future(handed.intake.accept(handed.caller, draft()))
    while not handed.hands.offers:
        await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    async with asyncio.timeout(10):
        while not handed.hands.came:
            await asyncio.sleep(0.001)
    assert handed.hands.came == [(1, ["ann@x.test"])]
    assert handed.rows("SELECT state FROM deliveries") == [("sending",)]
