"""Each peer does what the tests that rely on it take for granted."""

from __future__ import annotations

import http.client
import smtplib
import ssl
from urllib.parse import urlsplit

import psycopg
import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN, NoNameservers, Resolver

from peers.dns import DnsServer, Record, a, cname, mx, txt
from peers.fixtures import present
from peers.http import Answer, HttpReceiver
from peers.mta import Behaviour, MailSink, Rule
from peers.postfix import PostfixServer
from peers.postgres import PostgresServer, postgres_server
from peers.process import PartMissing, program


def _resolver(dns: DnsServer) -> Resolver:
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [dns.host], dns.port, 1.0
    return resolver


def _answers(dns: DnsServer, name: str, kind: str) -> list[str]:
    return sorted(record.to_text() for record in _resolver(dns).resolve(name, kind))


def test_postgres_gives_every_test_an_empty_database(postgres: PostgresServer, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE here (n integer)")
    with psycopg.connect(postgres.database()) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'here'").fetchone()
    assert found == (0,)


def test_postgres_copies_a_prepared_template(postgres: PostgresServer) -> None:
    def prepare(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE made AS SELECT 7 AS n")

    with psycopg.connect(postgres.database(template=postgres.template("prepared", prepare))) as connection:
        assert connection.execute("SELECT n FROM made").fetchone() == (7,)


def test_a_durable_postgres_keeps_its_commits_through_an_immediate_stop() -> None:
    with present(postgres_server(durable=True)) as server:
        url = server.database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        server.restart(immediate=True)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_postfix_takes_mail_over_starttls_and_gives_back_its_octets(exchange: PostfixServer) -> None:
    octets = (
        b"From: a@alpha.test\r\nDate: Sun, 22 Nov 2026 19:00:00 +0000\r\nMessage-ID: <p1@a>\r\nSubject: \xc3\xbc\r\n"
    )
    octets += b"To: b@alpha.test\r\n\r\n.dot\r\nlast\r\n"
    trust = ssl.create_default_context(cafile=str(exchange.certificate))
    trust.check_hostname = False
    with smtplib.SMTP(exchange.host, exchange.port) as client:
        client.starttls(context=trust)
        client.sendmail("a@alpha.test", ["bücher@alpha.test"], octets, mail_options=["SMTPUTF8"])
    (arrived,) = [mail for mail in exchange.await_mail(1) if mail.recipient == "bücher@alpha.test"]
    assert arrived.octets == octets
    assert arrived.sender == "a@alpha.test"
    assert "with UTF8SMTPS" in arrived.received


def test_unbound_answers_every_kind_of_record_given(dns: DnsServer) -> None:
    long_text = 'v=DKIM1; p="' + "x" * 400
    dns.change(
        [a("mx.a.test", "127.0.0.2"), a("mx.a.test", "::1"), mx("a.test", "mx.a.test"), cname("c.test", "a.test")]
    )
    dns.add(mx("null.test", ".", 0), txt("s._domainkey.a.test", long_text), Record("h.test", "CAA", '0 issue ";"'))
    assert _answers(dns, "mx.a.test", "A") == ["127.0.0.2"]
    assert _answers(dns, "mx.a.test", "AAAA") == ["::1"]
    assert _answers(dns, "c.test", "MX") == ["10 mx.a.test."]
    assert _answers(dns, "null.test", "MX") == ["0 ."]
    (text,) = _resolver(dns).resolve("s._domainkey.a.test", "TXT")
    assert b"".join(text.strings).decode() == long_text


def test_unbound_takes_changed_records_while_it_runs(dns: DnsServer) -> None:
    dns.change([a("one.test")])
    assert _answers(dns, "one.test", "A") == ["127.0.0.1"]
    dns.change([a("two.test")], servfail=["broken.test"], silent=["dead.test"])
    with pytest.raises(NXDOMAIN):
        _answers(dns, "one.test", "A")
    with pytest.raises(NoNameservers):
        _answers(dns, "mx.broken.test", "A")
    with pytest.raises(Timeout):
        _answers(dns, "dead.test", "MX")


def test_the_sink_records_each_recipient_before_it_answers(sink: MailSink) -> None:
    with smtplib.SMTP(sink.host, sink.port) as client:
        client.sendmail("a@a.test", ["b@b.test", '"q r"@b.test'], b"Message-ID: <m1@a>\r\n\r\n.dotted\r\n")
        entries = sink.ledger()
    assert [(entry.message_id, entry.recipient) for entry in entries] == [
        ("<m1@a>", "b@b.test"),
        ("<m1@a>", '"q r"@b.test'),
    ]
    assert sink.octets(entries[0]) == b"Message-ID: <m1@a>\r\n\r\n.dotted\r\n"
    assert entries[0].answered


def test_the_sink_follows_its_script_and_keeps_its_ledger_over_a_restart(sink: MailSink) -> None:
    sink.behave(Behaviour(rules=(Rule("rcpt", "450 4.7.1 later", first=1), Rule("dot", "lose", first=1))))
    sink.stop()
    sink.start()
    with smtplib.SMTP(sink.host, sink.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@a.test", ["b@b.test"], b"x\r\n")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@a.test", ["b@b.test"], b"x\r\n")
    with smtplib.SMTP(sink.host, sink.port) as client:
        client.sendmail("a@a.test", ["b@b.test"], b"x\r\n")
    assert [entry.answered for entry in sink.ledger()] == [False, True]


def test_the_receiver_records_requests_and_answers_as_scripted(receiver: HttpReceiver) -> None:
    receiver.then(Answer(status=500, body=b"no"), Answer(hang_up=True))
    connection = http.client.HTTPConnection(urlsplit(receiver.url).netloc)
    connection.request("POST", "/hook", body=b"{}", headers={"X-One": "1"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (500, b"no")
    connection.request("POST", "/hook")
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.request("POST", "/hook")
    assert connection.getresponse().status == 204
    connection.close()
    first = receiver.await_requests(3)[0]
    assert (first.method, first.path, first.body, first.headers["x-one"]) == ("POST", "/hook", b"{}", "1")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(PartMissing, match="no-such-program is not installed"):
        program("no-such-program")
