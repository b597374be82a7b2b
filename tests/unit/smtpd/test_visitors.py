"""Limits for each client, in bounded memory."""

import pytest

from postroad.smtpd import visitors
from postroad.smtpd.visitors import Visitors, client_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_have_so_many_connections_at_a_time() -> None:
    counted = Visitors(2, 100, Clock())
    first, second = counted.arrive("192.0.2.1"), counted.arrive("192.0.2.1")
    assert first == second == "192.0.2.1"
    assert counted.arrive("192.0.2.1") is None
    assert counted.arrive("192.0.2.2") is not None
    assert first is not None
    counted.leave(first)
    assert counted.arrive("192.0.2.1") is not None


def test_a_client_may_come_so_often_in_a_minute() -> None:
    clock = Clock()
    counted = Visitors(100, 3, clock)
    for _ in range(3):
        name = counted.arrive("192.0.2.1")
        assert name is not None
        counted.leave(name)
    assert counted.arrive("192.0.2.1") is None
    clock.now = 60
    assert counted.arrive("192.0.2.1") is not None


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_client(address: str, name: str) -> None:
    assert client_of(address) == name


def test_those_who_left_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "_MOST_KNOWN", 3)
    clock = Clock()
    counted = Visitors(1, 9, clock)
    stays = counted.arrive("192.0.2.1")
    for number in range(2, 9):
        name = counted.arrive(f"192.0.2.{number}")
        assert name is not None
        counted.leave(name)
        clock.now += 20
    assert len(counted._known) <= 4
    assert stays is not None
    assert counted.arrive("192.0.2.1") is None, "who is connected is remembered"
    counted.leave("nobody")
