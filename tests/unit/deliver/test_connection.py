"""What a connection makes of a transport that fails under its hands."""

import asyncio

import pytest

from postroad.config.tree import Timeouts
from postroad.pipeline.deliver.connection import Connection
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.transaction import Ending


class Transport(asyncio.Transport):
    """Takes octets until it is `full` (and says so) or `broken` (and closes at the next write)."""

    def __init__(self):
        super().__init__()
        self.full = self.broken = self.closing = False
        self.protocol = None

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def write(self, data):
        self.closing = self.broken
        if self.full:
            self.protocol.pause_writing()

    def is_closing(self):
        return self.closing

    def abort(self):
        self.closing = True


@pytest.fixture
async def transport():
    return Transport()


async def at_content(transport, message):
    """Bring a connection to where content is written; returns it and the task that waits for the outcome."""
    connection = Connection(Timeouts(), host="mx.test", ip="127.0.0.1", port=25)
    transport.protocol = connection
    connection.connection_made(transport)
    connection.data_received(b"220 hello\r\n")
    await connection.wait([])
    hello = asyncio.create_task(connection.wait(connection.client.hello("us.test")))
    await asyncio.sleep(0)
    connection.data_received(b"250 hello\r\n")
    await hello
    task = asyncio.create_task(connection.transact(message(octets=(b"x" * 998 + b"\r\n") * 3_000)))
    await asyncio.sleep(0)
    for reply in (b"250 ok\r\n", b"250 ok\r\n"):
        connection.data_received(reply)
    return connection, task


async def test_content_that_cannot_be_written_any_more_leaves_nothing_in_doubt(transport, message):
    connection, task = await at_content(transport, message)
    transport.broken = True
    connection.data_received(b"354 go on\r\n")
    connection.connection_lost(ConnectionResetError())
    outcome = await task
    assert (outcome.phase, outcome.ending) == (Phase.BODY, Ending.LOST)


async def test_a_peer_that_says_no_more_in_the_middle_of_content_gets_none_of_the_rest(transport, message):
    connection, task = await at_content(transport, message)
    transport.full = True
    connection.data_received(b"354 go on\r\n")
    connection.eof_received()
    assert transport.closing
    connection.connection_lost(None)
    outcome = await task
    assert (outcome.phase, outcome.ending) == (Phase.BODY, Ending.LOST)


async def test_a_peer_that_says_no_more_after_all_of_it_leaves_the_message_in_doubt(transport, message):
    connection, task = await at_content(transport, message)
    connection.data_received(b"354 go on\r\n")
    connection.eof_received()
    connection.connection_lost(None)
    outcome = await task
    assert (outcome.phase, outcome.ending) == (Phase.DOT, Ending.IN_DOUBT)
