"""Composing in a thread or in processes: the same outcomes in order, and no job that takes others with it."""

import asyncio
import os
import signal
import socket
import threading

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from composers import composers
from leases import START, make_lease
from postroad.model.composition import Composed, ComposeFailed, ComposeJob, SigningKey
from postroad.model.errors import Unavailable
from postroad.model.message import Content, Party, encode_content
from postroad.pipeline.compose import KeyRing, compose
from postroad.pipeline.press import POISON, PressInside, PressOutside, frames
from postroad.pipeline.press.worker import main
from postroad.wire import dkim

ED = dkim.generate(dkim.Algorithm.ED25519_SHA256)
KEY = SigningKey("dkm_1", "a.test", "s1", "ed25519-sha256", dkim.private_der(ED))


def make_job(number=1, **changes):
    lease = make_lease(number)
    content = Content(sender=Party("shop@a.test"), to=(Party("ann@x.test"),), subject=f"No. {number}", text="Hi.\n")
    job = ComposeJob(
        message_id=lease.message_id,
        delivery_id=lease.delivery_id,
        recipient=lease.recipient,
        return_path="shop@a.test",
        header_id=lease.header_id,
        accepted_at=START,
        content=encode_content(content),
        signers=("dkm_1",),
    )
    return replace(job, **changes)


BAD = make_job(7, content=encode_content(Content(sender=Party("shop@a.test"), raw_sha256="00" * 32)))
BROKEN = make_job(8, content=b"\xc1 this is no MessagePack")
UNSIGNABLE = make_job(9, signers=("dkm_lost",))


def wanted(jobs):
    ring = KeyRing([KEY])
    return [compose(job, ring) for job in jobs]


@pytest.fixture(autouse=True)
def _own_log():
    yield
    structlog.reset_defaults()


@pytest.fixture(params=["inside", "outside"])
async def press(request):
    made = PressInside() if request.param == "inside" else PressOutside(2)
    yield made
    await made.close()


async def test_each_job_gets_its_own_outcome_in_order(press):
    jobs = [make_job(1), BAD, make_job(2), make_job(3)]
    outcomes = await press.compose(jobs, [KEY])
    assert outcomes == wanted(jobs)
    assert [type(one) for one in outcomes] == [Composed, ComposeFailed, Composed, Composed]
    assert outcomes[1].code == "blob_missing"


async def test_a_key_is_known_from_then_on(press):
    for n in range(4):
        assert isinstance((await press.compose([make_job(n)], [KEY]))[0], Composed)


async def test_many_plates_at_once_are_each_answered(press):
    plates = [[make_job(n * 10 + m) for m in range(3)] for n in range(12)]
    outcomes = await asyncio.gather(*[press.compose(plate, [KEY]) for plate in plates])
    assert outcomes == [wanted(plate) for plate in plates]


@pytest.mark.parametrize("poison", [BROKEN, UNSIGNABLE])
async def test_a_job_that_cannot_be_worked_on_is_put_aside_alone(press, poison):
    good, bad, other = await press.compose([make_job(1), poison, make_job(2)], [KEY])
    assert [good, other] == wanted([make_job(1), make_job(2)])
    assert (type(bad), bad.code) == (ComposeFailed, POISON)


async def test_a_key_that_is_none_spoils_only_what_it_would_have_signed(press):
    liar = replace(KEY, id="dkm_liar", algorithm="rsa-sha256")
    plain, signed = await press.compose([make_job(1), make_job(2, signers=("dkm_liar",))], [liar, KEY])
    assert [plain] == wanted([make_job(1)])
    assert signed.code == POISON


# --- processes -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def outside():
    made = PressOutside(1)
    yield made
    await made.close()


async def test_processes_start_when_they_are_first_needed_and_end_with_the_press():
    before, press = composers(), PressOutside(2)
    assert composers() == before
    await press.compose([make_job()], [KEY])
    assert len(composers() - before) == 1
    await press.close()
    assert composers() == before


async def test_a_process_that_was_killed_is_replaced_and_learns_the_keys_again(outside):
    before = composers()
    await outside.compose([make_job(1)], [KEY])
    (pid,) = composers() - before
    os.kill(pid, signal.SIGKILL)
    assert await outside.compose([make_job(2), make_job(3)], [KEY]) == wanted([make_job(2), make_job(3)])
    assert await outside.compose([make_job(4)], [KEY]) == wanted([make_job(4)])
    assert len(composers() - before) == 1


async def test_work_in_the_hands_of_a_dying_process_is_done_by_the_next(outside):
    before = composers()
    await outside.compose([make_job(1)], [KEY])
    (pid,) = composers() - before
    os.kill(pid, signal.SIGSTOP)
    working = asyncio.ensure_future(outside.compose([make_job(2), make_job(3)], [KEY]))
    alone = asyncio.ensure_future(outside.compose([make_job(4)], [KEY]))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.wait_for(working, 20) == wanted([make_job(2), make_job(3)])
    assert await asyncio.wait_for(alone, 20) == wanted([make_job(4)])


async def test_what_kills_every_process_that_takes_it_is_poison(outside):
    """Whoever works on the job is killed before it can answer."""
    before, stop = composers(), threading.Event()

    def kill():
        while not stop.wait(0.002):
            for pid in composers() - before:
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        (outcome,) = await asyncio.wait_for(outside.compose([make_job()], [KEY]), 20)
    finally:
        stop.set()
        killer.join()
    assert outcome.code == POISON
    assert await outside.compose([make_job()], [KEY]) == wanted([make_job()])


async def test_where_no_process_can_be_started_the_work_is_handed_back(outside, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(Unavailable):
        await outside.compose([make_job()], [KEY])
    monkeypatch.undo()
    assert await outside.compose([make_job()], [KEY]) == wanted([make_job()])


def test_a_composing_process_answers_each_frame_and_ends_with_its_socket():
    ours, theirs = socket.socketpair()
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    requests = [frames.encode_work([KEY], [make_job(1)]), frames.encode_work([], [make_job(2), BAD])]
    for number, request in enumerate(requests, 1):
        ours.sendall(frames.head(number, request) + request)
    ours.shutdown(socket.SHUT_WR)
    try:
        main(theirs.detach())
    finally:
        for number, handler in signals.items():
            signal.signal(number, handler)
    with ours:
        octets = b"".join(iter(lambda: ours.recv(65536), b""))
    found = {number: frames.decode_outcomes(answer) for number, answer in frames.Reader().feed(octets)}
    assert found == {1: wanted([make_job(1)]), 2: wanted([make_job(2), BAD])}


# --- frames ----------------------------------------------------------------------------------------------------------

FRAMES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=60)), max_size=6)


@settings(max_examples=100, deadline=None)
@given(FRAMES, st.data())
def test_frames_are_the_same_however_the_stream_is_cut(sent, data):
    stream = b"".join(frames.head(number, octets) + octets for number, octets in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader, found = frames.Reader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end])
    assert found == sent


def test_an_answer_with_nothing_in_it_is_a_failure():
    (outcome,) = frames.decode_outcomes(b"\x91\x92\xc0\xc0")
    assert (type(outcome), outcome.code) == (ComposeFailed, "internal")
