"""Connections are reused, limited, and given up in good order."""

import asyncio
import time

import pytest

from postroad.model.attempt import Phase, Trouble
from postroad.model.route import MxRoute

ROUTE = MxRoute("d.test")


async def eventually(condition):
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


async def test_a_connection_is_reused_and_says_so(make, server, message):
    deliverer = make()
    first = await deliverer.deliver(ROUTE, message())
    second = await deliverer.deliver(ROUTE, message("c@d.test"))
    assert first.delivered
    assert second.delivered
    assert server.connections == 1
    assert second.conversation[0].text == "<message 2 over a connection to mx.test>"
    assert "RSET" not in server.commands
    assert not any("b@d.test" in line.text for line in second.conversation)


async def test_a_connection_is_reused_after_a_refusal(make, server, message):
    deliverer = make()
    server.script["RCPT"] = ["550 5.1.1 no", "250 ok"]
    assert not (await deliverer.deliver(ROUTE, message())).delivered
    assert (await deliverer.deliver(ROUTE, message())).delivered
    assert server.connections == 1
    assert server.commands.count("RSET") == 1


async def test_a_connection_is_left_after_so_many_messages(make, server, message):
    deliverer = make(messages_per_connection=2)
    for _ in range(3):
        assert (await deliverer.deliver(ROUTE, message())).delivered
    assert server.connections == 2
    await eventually(lambda: server.commands.count("QUIT") == 1)


@pytest.mark.parametrize("how", ["close", "rst", "DROP:421 4.3.2 idle too long", "421 4.3.2 idle too long"])
async def test_a_connection_that_died_while_idle_costs_nothing(make, server, message, how):
    deliverer = make()
    assert (await deliverer.deliver(ROUTE, message())).delivered
    server.script["MAIL"] = [how, "250 ok"]
    found = await deliverer.deliver(ROUTE, message())
    assert found.delivered
    assert server.connections == 2


async def test_a_peer_that_closes_an_idle_connection_is_noticed(make, server, message):
    deliverer = make()
    server.script["DOT"] = ["DROP:250 ok", "250 ok"]
    assert (await deliverer.deliver(ROUTE, message())).delivered
    await eventually(lambda: server.open == 0)
    await asyncio.sleep(0.01)
    found = await deliverer.deliver(ROUTE, message())
    assert found.delivered
    assert found.conversation[0].text == "220 fake"


async def test_an_idle_connection_is_left_after_a_while(make, server, message):
    deliverer = make(idle_s=0.05)
    assert (await deliverer.deliver(ROUTE, message())).delivered
    await eventually(lambda: "QUIT" in server.commands)
    await eventually(lambda: server.open == 0)
    deliverer = make(idle_s=0)
    assert (await deliverer.deliver(ROUTE, message())).delivered
    await eventually(lambda: server.commands.count("QUIT") == 2)


async def test_connections_to_a_destination_are_limited(make, server, message):
    server.delay_s = 0.01
    deliverer = make(connections_per_destination=3)
    assert deliverer.capacity("d.test") == 3
    sending = [asyncio.create_task(deliverer.deliver(ROUTE, message())) for _ in range(12)]
    await eventually(lambda: server.open)
    assert deliverer.capacity("d.test") == 0
    assert all(found.delivered for found in await asyncio.gather(*sending))
    assert server.most_open == 3
    assert deliverer.capacity("d.test") == 3


async def test_too_many_who_wait_are_handed_back(make, server, message):
    server.delay_s = 0.05
    deliverer = make(connections_per_destination=1, waiting_per_destination=1, waiting_s=5)
    found = await asyncio.gather(*(deliverer.deliver(ROUTE, message()) for _ in range(3)))
    assert [attempt.trouble for attempt in found] == [None, None, Trouble.HANDED_BACK]


async def test_who_waits_too_long_is_handed_back(make, server, message):
    server.delay_s = 0.2
    deliverer = make(connections_per_destination=1, waiting_s=0.05)
    first, second = await asyncio.gather(*(deliverer.deliver(ROUTE, message()) for _ in range(2)))
    assert first.delivered
    assert (second.phase, second.trouble) == (Phase.CONNECT, Trouble.HANDED_BACK)


async def test_the_rate_to_a_destination_is_limited(make, server, message):
    deliverer = make(messages_per_second=20, connections_per_destination=2)
    began = time.monotonic()
    found = await asyncio.gather(*(deliverer.deliver(ROUTE, message()) for _ in range(24)))
    assert all(attempt.delivered for attempt in found)
    assert time.monotonic() - began > 0.15


async def test_a_slow_destination_holds_up_nobody_else(make, names, server, start_server, message):
    slow = await start_server(host="127.0.0.3", port=server.port)
    slow.script["MAIL"] = "stall"
    names.records["slow.test", "MX"] = ["10 slowmx.test."]
    names.records["slowmx.test", "A"] = ["127.0.0.3"]
    deliverer = make(connections_per_destination=2, timeouts={"mail_s": 1})
    stuck = [asyncio.create_task(deliverer.deliver(MxRoute("slow.test"), message())) for _ in range(4)]
    await eventually(lambda: slow.connections == 2)
    found = await asyncio.gather(*(deliverer.deliver(ROUTE, message()) for _ in range(20)))
    assert all(attempt.delivered for attempt in found)
    assert not any(task.done() for task in stuck)
    assert {attempt.trouble for attempt in await asyncio.gather(*stuck)} == {Trouble.TIMEOUT}


async def test_cancelling_frees_the_place(make, server, message):
    server.script["MAIL"] = ["stall", "250 ok"]
    deliverer = make(connections_per_destination=1)
    stuck = asyncio.create_task(deliverer.deliver(ROUTE, message()))
    waiting = asyncio.create_task(deliverer.deliver(ROUTE, message()))
    next_up = asyncio.create_task(deliverer.deliver(ROUTE, message()))
    await eventually(lambda: server.commands[-1:] and server.commands[-1].startswith("MAIL"))
    waiting.cancel()
    stuck.cancel()
    await asyncio.gather(stuck, waiting, return_exceptions=True)
    assert (await next_up).delivered
    assert deliverer.capacity("d.test") == 1


# Draining


async def test_draining_closes_idle_connections_and_takes_nothing_more(make, server, message):
    deliverer = make()
    assert (await deliverer.deliver(ROUTE, message())).delivered
    await deliverer.drain()
    await eventually(lambda: "QUIT" in server.commands)
    found = await deliverer.deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.HANDED_BACK)


@pytest.mark.parametrize("where", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_draining_hands_back_what_has_not_begun_content(make, server, message, where):
    server.script[where] = "stall"
    deliverer = make(connections_per_destination=1)
    sending = [asyncio.create_task(deliverer.deliver(ROUTE, message())) for _ in range(2)]
    await eventually(lambda: server.connections)
    await asyncio.sleep(0.05)
    await asyncio.wait_for(deliverer.drain(), 2)
    assert {found.trouble for found in await asyncio.gather(*sending)} == {Trouble.HANDED_BACK}


async def test_draining_waits_for_final_dots(make, server, message):
    asked = asyncio.Event()
    server.script["DOT"] = "250 ok"
    deliverer = make()
    original = server._act

    async def slow(phase, writer):
        if phase == "DOT":
            asked.set()
            await asyncio.sleep(0.1)
        return await original(phase, writer)

    server._act = slow
    sending = asyncio.create_task(deliverer.deliver(ROUTE, message()))
    await asked.wait()
    await asyncio.wait_for(deliverer.drain(), 2)
    assert (await sending).delivered


async def test_draining_ends_connecting(make, unanswering_port, message):
    deliverer = make(mx_port=unanswering_port)
    sending = asyncio.create_task(deliverer.deliver(ROUTE, message()))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(deliverer.drain(), 1)
    assert (await sending).trouble is Trouble.HANDED_BACK


async def test_a_connection_is_not_reused_for_a_domain_that_its_host_does_not_serve(make, server, names, message):
    names.records |= {
        ("d.test", "MX"): ["10 d-test.mail.protection.outlook.com."],
        ("e.test", "MX"): ["10 e-test.mail.protection.outlook.com."],
        ("d-test.mail.protection.outlook.com", "A"): ["127.0.0.1"],
        ("e-test.mail.protection.outlook.com", "A"): ["127.0.0.1"],
    }
    deliverer = make(connections_per_destination=1)
    for domain in ("d.test", "e.test"):
        found = await deliverer.deliver(MxRoute(domain), message(f"b@{domain}"))
        assert found.delivered
        assert found.mx == f"{domain.replace('.', '-')}.mail.protection.outlook.com"
    assert server.connections == 2
    await eventually(lambda: server.open == 1)
    assert server.most_open <= 2
