"""Reading in a process of its own: it may die or hang, and only the mail that did it is the worse for it."""

import asyncio
import io

import msgspec
import pytest

from postroad.features.inbound import Reader, Unreadable, reading
from postroad.model.returned import Report, ReportedRecipient, Returned, Unrecognised

_ENTRY = """
import os, sys, time
from postroad.features.inbound.reading import main
from postroad.model.returned import Unrecognised

def read(octets):
    if octets == b"die":
        os._exit(1)
    if octets == b"hang":
        while True:
            time.sleep(1)
    if octets == b"lie":
        sys.stdout.buffer.write(b"\\0\\0\\0\\2xx")
        sys.stdout.buffer.flush()
    return Unrecognised(subject=octets.decode())

main({limit_s}, read)
"""


async def test_a_mail_that_kills_or_holds_its_reader_is_unreadable_and_the_next_is_not() -> None:
    reader = Reader(5, entry=_ENTRY)
    try:
        for poison in (b"die", b"lie"):
            assert await reader.read(b"good") == Unrecognised(subject="good")
            with pytest.raises(Unreadable):
                await reader.read(poison)
        assert await reader.read(b"good") == Unrecognised(subject="good")
        reader._timeout_s = 0.2
        with pytest.raises(Unreadable, match="TimeoutError"):
            await reader.read(b"hang")
    finally:
        await reader.close()


async def test_one_reader_serves_many_and_none_gets_the_answer_of_another() -> None:
    reader = Reader(20, entry=_ENTRY)
    try:
        found = await asyncio.gather(*[reader.read(b"%d" % number) for number in range(30)])
        assert [one.subject for one in found if isinstance(one, Unrecognised)] == [str(number) for number in range(30)]
        waiting = asyncio.create_task(reader.read(b"hang"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await reader.read(b"next") == Unrecognised(subject="next")
    finally:
        await reader.close()
        await reader.close()


async def test_our_own_reader_reads_a_bounce() -> None:
    reader = Reader(20)
    try:
        found = await reader.read(
            b"From: MAILER-DAEMON@mx.test\r\n"
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"
            b"MIME-Version: 1.0\r\n\r\n--b\r\n\r\nSorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            b"Reporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: rfc822; ann@example.net\r\nAction: failed\r\n"
            b"Status: 5.1.1\r\n\r\n--b--\r\n"
        )
        assert isinstance(found, Report)
        assert (found.recipients[0].address, found.recipients[0].status) == ("ann@example.net", "5.1.1")
    finally:
        await reader.close()


def test_the_process_answers_frame_by_frame_until_its_input_ends() -> None:
    def frame(octets: bytes) -> bytes:
        return reading.LENGTH.pack(len(octets)) + octets

    def read(octets: bytes) -> Returned:
        return Report(recipients=(ReportedRecipient(address=octets.decode()),))

    sink = io.BytesIO()
    reading.serve(io.BytesIO(frame(b"a@b.test") + frame(b"c@d.test") + b"\0\0"), sink, read, 60)
    answers = io.BytesIO(sink.getvalue())
    for address in ("a@b.test", "c@d.test"):
        octets = answers.read(reading.LENGTH.unpack(answers.read(reading.LENGTH.size))[0])
        found = reading.decode(octets)
        assert isinstance(found, Report)
        assert found.recipients[0].address == address
    assert answers.read() == b""


@pytest.mark.parametrize("octets", [b"", b"xx", msgspec.msgpack.encode(("Anything", {})), msgspec.msgpack.encode(1)])
def test_what_is_no_answer_is_not_taken_for_one(octets: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        reading.decode(octets)
