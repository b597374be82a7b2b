"""Deleting a domain asks first: it takes new DNS records to undo."""

import io
import sys

import pytest


class Terminal(io.StringIO):
    """Where somebody types."""

    def isatty(self):
        return True


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_a_domain_is_deleted_when_it_is_meant(postroad, server, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    server.answers = [{"name": "a.example", "deleted": True}]
    ended = postroad("domain", "delete", "a.example", "--json")
    assert server.asked == [("domain.delete", {"project": "default", "name": "a.example"})]
    assert (ended.code, ended.json["deleted"]) == (0, True)
    assert "new DNS records" in ended.err


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_a_domain_stays_when_it_is_not_meant(postroad, server, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert postroad("domain", "delete", "a.example").code == 130
    assert not server.asked


def test_where_nobody_can_be_asked_yes_is_said_beforehand(postroad, server, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    ended = postroad("domain", "delete", "a.example")
    assert (ended.code, server.asked) == (2, [])
    assert "say --yes" in ended.err
    assert postroad("domain", "delete", "a.example", "-y").code == 0
