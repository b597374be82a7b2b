"""The small parts of the composition root: routes, list headers, retention, metrics, logs."""

import contextlib
import io
import json
import logging
import os
import sys
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest

from leases import make_lease
from postroad.app import logs
from postroad.app.building import open_house
from postroad.app.metrics import collect
from postroad.app.retention import Retention
from postroad.app.routes import UnknownProject, router_of
from postroad.app.unsubscribing import Unsubscribing, mailbox_of
from postroad.config import RouteKind, RouteRule, Secret, Settings
from postroad.config.tree import LogFormat, LogLevel
from postroad.model.clock import DAY, HOUR, after
from postroad.model.delivery import State
from postroad.model.ids import ProjectId
from postroad.model.route import CaptureRoute, MxRoute, RelayRoute, Security
from postroad.model.stream import BROADCAST, StreamKind
from postroad.model.token import unseal
from postroad.store import bulk, uploads
from postroad.store.blobs import Blobs
from postroad.store.messages import accept
from postroad.wire import verp
from stores import acceptance, clock, database, mints, new_message, prepare, project

__all__ = ["clock", "database", "mints", "project"]

TOKEN_KEY = b"t" * 32
PROJECTS = {"shop": "prj_1", "prj_1": "prj_1"}


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    prepare(url)
    return url


# --- routes ----------------------------------------------------------------------------------------------------------


def routed(*rules, projects=PROJECTS, **delivery):
    plain = Settings()
    return router_of(replace(plain, delivery=replace(plain.delivery, routes=rules, **delivery)), projects)


def test_the_default_route_is_that_of_the_settings():
    assert routed(route=RouteKind.MX).route(make_lease(domain="x.test")) == MxRoute("x.test")
    assert routed(route=RouteKind.CAPTURE).route(make_lease()) == CaptureRoute()
    url = Secret("smtps://user:pass%40word@relay.test:465")
    route = routed(route=RouteKind.RELAY, relay_url=url).route(make_lease())
    assert route == RelayRoute("relay", "relay.test", 465, Security.TLS, "user", "pass@word")


def test_a_relay_without_a_login_has_no_password():
    route = routed(route=RouteKind.RELAY, relay_url=Secret("smtp://relay.test:25")).route(make_lease())
    assert (route.username, route.password) == (None, None)


def test_rules_hold_for_projects_by_name_or_identifier():
    for name in ("shop", "prj_1"):
        router = routed(RouteRule(RouteKind.CAPTURE, project=name, domain="x.test"), route=RouteKind.MX)
        assert router.route(make_lease(domain="x.test")) == CaptureRoute()
        assert router.route(make_lease(domain="y.test")) == MxRoute("y.test")
        assert router.route(make_lease(domain="x.test", project_id="prj_2")) == MxRoute("x.test")
    everybody = routed(RouteRule(RouteKind.MX, domain="x.test"), route=RouteKind.CAPTURE)
    assert everybody.route(make_lease(domain="x.test", project_id="prj_2")) == MxRoute("x.test")


def test_a_rule_of_a_project_that_does_not_exist_says_how_to_make_it():
    with pytest.raises(UnknownProject, match="postroad project create nobody"):
        routed(RouteRule(RouteKind.CAPTURE, project="nobody"))


# --- list headers ----------------------------------------------------------------------------------------------------


def headers_of(url, lease):
    return dict(Unsubscribing(url, TOKEN_KEY).headers(lease, BROADCAST))


def test_where_mail_is_read_a_reader_may_write_to_unsubscribe():
    plain = Settings()
    settings = replace(plain, return_path=replace(plain.return_path, domain="bounces.test"))
    assert mailbox_of(settings, TOKEN_KEY) is None
    mailbox = mailbox_of(replace(settings, exchange=replace(plain.exchange, enabled=True)), TOKEN_KEY)
    lease = make_lease()
    found = dict(Unsubscribing("https://mail.test", TOKEN_KEY, mailbox=mailbox).headers(lease, BROADCAST))
    link, mailto = found["List-Unsubscribe"].split(", ")
    assert link.startswith("<https://mail.test/u/")
    local, _, domain = mailto.removeprefix("<mailto:").removesuffix(">").partition("@")
    assert verp.read_any(local, TOKEN_KEY) == (verp.Purpose.UNSUBSCRIBE, lease.delivery_id)
    assert verp.read(local, TOKEN_KEY) is None, "it is no return path"
    assert domain == "bounces.test"


def test_a_server_reached_by_https_offers_one_click():
    lease = make_lease()
    found = headers_of("https://mail.test/", lease)
    assert found["List-Id"] == "<broadcast.a.test>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = found["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://mail.test/u/")
    right = unseal(link.rpartition("/")[2], TOKEN_KEY)
    assert (right.recipient, right.stream, right.delivery_id) == (lease.recipient, "broadcast", lease.delivery_id)
    assert lease.recipient not in link


def test_without_https_there_is_a_link_and_no_one_click():
    found = headers_of("http://127.0.0.1:8025", make_lease())
    assert found["List-Unsubscribe"].startswith("<http://127.0.0.1:8025/u/")
    assert "List-Unsubscribe-Post" not in found


def test_a_server_that_readers_cannot_reach_offers_no_link():
    assert headers_of(None, make_lease()) == {"List-Id": "<broadcast.a.test>"}


# --- retention -------------------------------------------------------------------------------------------------------


async def test_a_round_removes_what_has_had_its_time_with_its_blobs(database, project, mints, clock, tmp_path):
    blobs = Blobs((tmp_path / "blobs").as_uri())
    old, shared, young = [await blobs.put(octets) for octets in (b"old", b"shared", b"young")]
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file() and path.name != young:
            os.utime(path, (0, 0))
    made = []
    for state, names in ((State.DELIVERED, (old, shared, young)), (State.QUEUED, (shared,))):
        new = new_message(mints, project, "a@x.test")
        new = replace(new, blobs=names)
        database.write_now(lambda c, new=new: accept(c, [acceptance(project, new)]))
        database.write_now(
            lambda c, new=new, state=state: bulk.run(
                c, "UPDATE deliveries SET state = ? WHERE message_id = ?", (state.value, new.message.id)
            )
        )
        made.append(new.message.id)
    settings = replace(Settings().retention, messages_days=30, events_days=60)
    keeper = Retention(database, blobs, clock, settings)
    await keeper.round()
    assert len(bulk_rows(database, "SELECT id FROM messages")) == 2, "nothing is that old yet"
    clock.pass_by(31 * DAY)
    await keeper.round()
    assert bulk_rows(database, "SELECT id FROM messages") == [(made[1],)]
    assert [await blobs.size(name) for name in (old, shared, young)] == [None, 6, 5]
    assert len(bulk_rows(database, "SELECT seq FROM events")) == 2
    clock.pass_by(30 * DAY)
    await keeper.round()
    assert bulk_rows(database, "SELECT seq FROM events") == []


async def test_an_upload_that_no_message_names_goes_after_its_time(database, project, mints, clock, tmp_path):
    blobs = Blobs((tmp_path / "blobs").as_uri())
    unnamed, named, again = [await blobs.put(octets) for octets in (b"unnamed", b"named", b"again")]
    for name in (unnamed, named, again):
        database.write_now(lambda c, name=name: uploads.note(c, project.id, [name], clock.now()))
    database.write_now(lambda c: uploads.note(c, ProjectId("prj_other"), [again], after(clock.now(), DAY)))
    new = replace(new_message(mints, project, "a@x.test"), blobs=(named,))
    database.write_now(lambda c: accept(c, [acceptance(project, new)]))
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    keeper = Retention(database, blobs, clock, replace(Settings().retention, uploads_hours=24))
    await keeper.round()
    assert [await blobs.size(name) for name in (unnamed, named, again)] == [7, 5, 5]
    clock.pass_by(25 * HOUR)
    await keeper.round()
    assert [await blobs.size(name) for name in (unnamed, named, again)] == [None, 5, 5]


async def test_a_blob_that_cannot_be_removed_now_is_removed_in_a_later_round(
    database, project, mints, clock, tmp_path, monkeypatch
):
    blobs = Blobs((tmp_path / "blobs").as_uri())
    names = [await blobs.put(octets) for octets in (b"of a message", b"uploaded")]
    new = replace(new_message(mints, project, "a@x.test"), blobs=(names[0],))
    database.write_now(lambda c: accept(c, [acceptance(project, new)]))
    database.write_now(lambda c: bulk.run(c, "UPDATE deliveries SET state = 'delivered'"))
    database.write_now(lambda c: uploads.note(c, project.id, [names[1]], clock.now()))
    keeper = Retention(database, blobs, clock, replace(Settings().retention, messages_days=30, events_days=30))
    clock.pass_by(31 * DAY)
    await keeper.round()
    assert [await blobs.size(name) for name in names] == [12, 8], "they were put a moment ago"
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))

    async def away(*_):
        raise OSError("away")

    with monkeypatch.context() as patch:
        patch.setattr("obstore.delete_async", away)
        await keeper.round()
    assert bulk_rows(database, "SELECT seq FROM events") == [], "all else goes all the same"
    assert [await blobs.size(name) for name in names] == [12, 8]
    await keeper.round()
    assert [await blobs.size(name) for name in names] == [None, None]
    assert bulk_rows(database, "SELECT sha256 FROM uploads") == []


def bulk_rows(database, statement):
    return database.read_now(lambda c: bulk.run(c, statement))


# --- metrics ---------------------------------------------------------------------------------------------------------


async def test_metrics_show_the_house_as_it_stands(settings):
    house = await open_house(settings, dev=True)
    try:
        registry = CollectorRegistry()
        collect(registry, house)
        house.sending.settled[State.DELIVERED] += 3
        house.room.low_disk = True
        for name in ("google", "mx.test", "other.test"):
            house.shaping.site(name).kind(StreamKind.TRANSACTIONAL)
        text = generate_latest(registry).decode()
    finally:
        await house.sending.stop(0)
        await house.close()
    assert 'postroad_deliveries_settled_total{state="delivered"} 3.0' in text
    assert "postroad_low_disk 1.0" in text
    assert 'postroad_site_connections{kind="transactional",site="google"} 3.0' in text
    assert 'postroad_site_connections{kind="transactional",site="other"} 10.0' in text
    assert "postroad_deliveries_in_hand 0.0" in text
    assert "postroad_store_transactions_total" in text


# --- logs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(monkeypatch):
    """Configure the log of a process and return the lines that something logs."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def lines(write, **log):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(replace(Settings(), log=replace(Settings().log, **log)))
        write(structlog.get_logger("postroad.test"))
        return stream.getvalue().splitlines()

    yield lines
    root.handlers[:], root.level = before


def test_a_log_that_no_person_reads_is_json_with_the_event_and_its_time(logged):
    (line,) = logged(lambda log: log.info("delivered", delivery="dlv_1"))
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["delivery"]) == ("delivered", "info", "dlv_1")
    assert entry["timestamp"].endswith("Z")


def test_a_full_disk_under_the_log_stops_nobody(logged, monkeypatch):
    logged(lambda log: log.info("all is well"))
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stderr", full)
        logs.configure(Settings())
        log = structlog.get_logger("postroad.test.full")
        for _ in range(1000):
            log.warning("nobody will read this")
        with contextlib.suppress(OSError):
            full.close()


def test_a_log_for_people_is_text(logged):
    (line,) = logged(lambda log: log.info("delivered"), format=LogFormat.TEXT)
    assert "delivered" in line
    assert not line.startswith("{")


def test_less_severe_lines_are_left_out(logged):
    def both(log):
        log.info("quiet")
        log.error("loud")

    assert [json.loads(line)["event"] for line in logged(both, level=LogLevel.ERROR)] == ["loud"]


def test_what_a_library_warns_of_is_logged_and_what_it_chats_is_not(logged):
    def library(_):
        logging.getLogger("library").info("chat")
        logging.getLogger("library").warning("beware of %s", "dogs")

    (line,) = logged(library)
    entry = json.loads(line)
    assert (entry["event"], entry["message"], entry["level"]) == ("library", "beware of dogs", "warning")


def test_an_exception_is_logged_with_its_trace_on_one_line(logged):
    def fail(log):
        try:
            raise LookupError("a bug")
        except LookupError:
            log.exception("failed")

    (line,) = logged(fail)
    assert "LookupError: a bug" in json.loads(line)["exception"]
