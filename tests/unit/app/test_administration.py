"""What each operation does, through the socket of a running server and on the store itself."""

import base64
import os
import pwd
import re

import pytest
from msgspec.structs import replace

from peers.dns import txt
from postroad.app.administration import administer
from postroad.app.administration.operations import OPERATIONS
from postroad.config import RouteKind, RouteRule, Secret
from postroad.config.paths import NamedRelay, Pool, Source
from postroad.model.clock import Instant
from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import ProjectId, event_id
from postroad.model.webhook import PushState, Try
from postroad.store import audit, pushes
from postroad.store.database import Database

FIRST_EVENT = event_id(0)
MAIL = {"from": "Ann <ann@a.example>", "to": ["bob@b.example"], "subject": "Hi", "text": "Hello"}


def refused(carry_out, *arguments, **named) -> Refused:
    with pytest.raises(Refused) as raised:
        carry_out(*arguments, **named)
    return raised.value


def stored(settings, function):
    """Read or write the store when no process has it."""
    database = Database(settings.database_url)
    try:
        return database.write_now(function)
    finally:
        database.close()


# --- the installation ------------------------------------------------------------------------------------------------


def test_every_operation_of_the_command_line_is_there():
    names = """guard.show guard.set site.list site.show site.pin site.unpin site.changes
        suppression.incidents suppression.undo suppression.remove_all
        queue.list queue.count queue.show queue.change queue.suspend queue.resume queue.suspensions
        migrate doctor queue project.create project.list project.rename project.pause project.resume
        key.create key.list key.revoke domain.create domain.delete
        domain.check domain.rotate domain.list message.send suppression.list suppression.add suppression.remove
        suppression.import suppression.export
        webhook.create webhook.list webhook.attempts webhook.rotate webhook.enable webhook.disable
        webhook.remove webhook.replay inbound.list inbound.show inbound.release
        clock.show clock.advance tls.policies tls.broken tls.reports tls.report"""
    assert set(OPERATIONS) == set(names.split())


def test_migrate_says_at_which_step_the_schema_stands(told):
    answer = told("migrate")
    assert answer["database"] == "sqlite"
    assert re.fullmatch(r"\d{4}", answer["revision"])


def test_an_empty_queue_is_told(told):
    assert told("queue") == {
        "states": {"scheduled": 0, "queued": 0, "deferred": 0, "sending": 0, "held": 0},
        "complete": True,
        "oldest_due_s": None,
        "destinations": [],
    }


def test_the_queue_says_what_waits_for_whom(told):
    told("message.send", message={**MAIL, "to": ["x@b.example", "y@b.example", "z@c.example"]})
    told("message.send", message={**MAIL, "to": "z@d.example", "send_at": "2026-12-01T00:00:00Z"})
    answer = told("queue")
    assert answer["states"] == {"scheduled": 1, "queued": 3, "deferred": 0, "sending": 0, "held": 0}
    assert [(each["domain"], each["waiting"], each["deferred"]) for each in answer["destinations"]] == [
        ("b.example", 2, 0),
        ("c.example", 1, 0),
        ("d.example", 1, 0),
    ]
    assert answer["destinations"][2]["next_attempt_at"] == "2026-12-01T00:00:00.000000Z"
    assert 0 <= answer["oldest_due_s"] < 60


def test_the_doctor_examines_everything(told):
    told("domain.create", name="a.example")
    answer = told("doctor")
    names = [finding["name"] for finding in answer["findings"]]
    assert {"host name", "database", "blob store", "clock", "disk", "domain a.example"} <= set(names)
    assert {finding["state"] for finding in answer["findings"]} <= {"ok", "warning", "problem"}
    assert all(finding["detail"].startswith(f"{finding['name']}: ") for finding in answer["findings"])
    assert [domain["name"] for domain in answer["domains"]] == ["a.example"]


def test_the_doctor_tells_of_a_master_key_that_is_not_the_one_before(settings):
    administer(settings, "domain.create", {"name": "a.example"})

    def told(key: Secret | None) -> list[str]:
        with_key = replace(settings, secrets=replace(settings.secrets, master_key=key))
        findings = administer(with_key, "doctor", {})["findings"]
        return [each["detail"] for each in findings if each["name"] == "master key"]

    assert told(settings.secrets.master_key) == []
    assert told(None) == []
    (sentence,) = told(Secret(base64.b64encode(bytes(32)).decode()))
    assert sentence.startswith("master key: 2 DKIM keys and webhook secrets were encrypted under another master key")


def test_root_makes_no_files_in_the_directory_of_a_servers_user(settings, monkeypatch):
    settings.data.directory.mkdir(mode=0o750)
    if os.geteuid() == 0:
        os.chown(settings.data.directory, 65534, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = pwd.getpwuid(settings.data.directory.stat().st_uid).pw_name
    refusal = refused(administer, settings, "key.create", {"name": "web"})
    assert refusal.detail == f"{settings.data.directory} belongs to the user {owner}. Run the command as that user."
    assert list(settings.data.directory.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_told_with_the_remedy(settings, tmp_path):
    (tmp_path / "file").touch()
    nowhere = replace(settings, data=replace(settings.data, directory=tmp_path / "file" / "data"))
    refusal = refused(administer, nowhere, "project.list", {})
    assert refusal.code == "cannot_open"
    assert refusal.detail == (
        f"{tmp_path}/file/data cannot be used: Not a directory. Run the command as the user who runs the server, or "
        "name another directory in data.directory."
    )


# --- projects and keys -----------------------------------------------------------------------------------------------


def test_a_project_is_made_and_listed(told):
    made = told("project.create", name="shop")
    assert (made["name"], made["paused_at"], made["id"][:4]) == ("shop", None, "prj_")
    assert told("project.list") == {"data": [made]}
    assert refused(told, "project.create", name="shop").code == "already_exists"


def test_a_project_is_renamed_paused_and_resumed(told):
    made = told("project.create", name="shop")
    assert told("project.rename", project="shop", name="store") == {**made, "name": "store"}
    assert told("project.pause", project="store")["paused_at"] is not None
    assert told("project.resume", project=made["id"])["paused_at"] is None
    assert refused(told, "project.pause", project="shop").code == "not_found"
    assert refused(told, "project.rename", project="store", name=" ").code == "invalid_request"


def test_the_default_project_is_there_when_it_is_asked_for(told):
    assert told("key.list") == {"data": []}
    assert [row["name"] for row in told("project.list")["data"]] == ["default"]


def test_an_unknown_project_is_named(told):
    refusal = refused(told, "key.list", project="nowhere")
    assert refusal.code == "not_found"
    assert "'nowhere'" in refusal.detail


def test_a_key_is_made_listed_and_revoked(told):
    limits = {"from_domains": ["A.example"], "recipients": ["*@c.example"], "networks": ["10.0.0.1/8"]}
    made = told("key.create", name="web", mode="test", scope="send", expires_at="2030-01-01T01:00:00+01:00", **limits)
    assert made.pop("secret").startswith("pr_test_")
    assert made["from_domains"] == ["a.example"]
    assert made["networks"] == ["10.0.0.0/8"]
    assert (made["mode"], made["scope"], made["expires_at"]) == ("test", "send", "2030-01-01T00:00:00.000000Z")
    assert told("key.list") == {"data": [made]}
    assert told("key.revoke", key=made["id"])["revoked_at"] is not None
    assert refused(told, "key.revoke", key="key_none").code == "not_found"


def test_a_key_belongs_to_its_project_by_name_or_identifier(told):
    project = told("project.create", name="shop")
    told("key.create", project="shop", name="web", expires_at=None)
    assert told("key.list", project=project["id"]) == told("key.list", project="shop")
    assert told("key.list")["data"] == []


def test_a_limit_that_cannot_be_is_named_as_the_argument_is(told):
    refusal = refused(told, "key.create", name="web", networks=["10.0.0.0/8", "here"])
    assert [flaw.pointer for flaw in refusal.flaws] == ["/networks/1"]


def test_changes_are_audited_with_the_command_line_as_their_actor(settings):
    project = administer(settings, "project.create", {"name": "shop"})
    administer(settings, "key.create", {"project": "shop", "name": "web"})
    administer(settings, "domain.create", {"project": "shop", "name": "a.example"})
    administer(settings, "webhook.create", {"project": "shop", "url": "https://hooks.example/in"})
    entries = stored(settings, lambda connection: audit.entries(connection, ProjectId(project["id"])))
    assert {(entry.action, entry.actor) for entry in entries} == {
        ("project.created", "cli"),
        ("key.created", "cli"),
        ("domain.created", "cli"),
        ("webhook.created", "cli"),
    }


# --- domains ---------------------------------------------------------------------------------------------------------


def test_a_domain_is_made_with_the_records_it_needs(told):
    made = told("domain.create", name="A.example")
    assert (made["name"], made["state"]) == ("a.example", "pending")
    dkim = [record for record in made["records"] if record["purpose"] == "dkim"]
    assert dkim
    assert all(record["state"] == "unknown" and record["found"] == [] and record["wanted"] for record in dkim)
    assert [row["name"] for row in told("domain.list")["data"]] == ["a.example"]
    assert refused(told, "domain.create", name="a.example").code == "already_exists"


def test_a_domain_that_dns_does_not_answer_for_stays_pending(told):
    told("domain.create", name="a.example")
    assert told("domain.check", name="a.example")["state"] == "pending"
    assert refused(told, "domain.check", name="b.example").code == "not_found"


def test_keys_that_wait_for_dns_are_not_rotated(told):
    told("domain.create", name="a.example")
    assert refused(told, "domain.rotate", name="a.example").code == "conflict"


def test_a_domain_is_deleted_and_no_longer_listed(told):
    made = told("domain.create", name="a.example")
    assert told("domain.delete", name="A.example") == {"id": made["id"], "name": "a.example", "deleted": True}
    assert told("domain.list")["data"] == []
    assert refused(told, "domain.delete", name="a.example").code == "not_found"


def test_a_domain_is_verified_and_rotated_by_what_dns_shows(settings, dns):
    settings = replace(settings, delivery=replace(settings.delivery, resolvers=(dns.address,), dns_timeout_s=5))
    made = administer(settings, "domain.create", {"name": "a.example"})
    records = {record["name"]: record["wanted"] for record in made["records"] if record["purpose"] == "dkim"}
    dns.change([*[txt(name, wanted) for name, wanted in records.items()], txt("_dmarc.a.example", "v=DMARC2; p=none")])
    checked = administer(settings, "domain.check", {"name": "a.example"})
    assert checked["state"] == "verified"
    assert {record["state"] for record in checked["records"] if record["purpose"] == "dkim"} == {"ok"}
    rotated = administer(settings, "domain.rotate", {"name": "a.example"})
    assert {record["name"] for record in rotated["records"] if record["purpose"] == "dkim"} > set(records)
    first = next(iter(records))
    dns.change([txt(first, "v=DKIM1; p=")])
    found = administer(settings, "domain.check", {"name": "a.example"})
    assert next(record["state"] for record in found["records"] if record["name"] == first) == "different"


# --- mail ------------------------------------------------------------------------------------------------------------


def test_a_message_is_taken_in(told):
    answer = told("message.send", message=MAIL)
    assert answer["id"].startswith("msg_")
    assert told("queue")["states"]["queued"] == 1


def test_without_a_server_a_message_waits_for_one(settings):
    assert "next one that starts" in administer(settings, "message.send", {"message": MAIL})["note"]


def test_a_raw_message_needs_no_other_sender(told):
    raw = base64.b64encode(b"From: Ann <ann@a.example>\r\nSubject: Hi\r\n\r\nHello\r\n").decode()
    assert told("message.send", message={"to": ["bob@b.example"], "raw": raw})["id"].startswith("msg_")


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [(b"Subject: nobody\r\n\r\n", "no From"), (b"From: a@x.example\n\nHi\n", "not CRLF"), (b"\xff", "empty line")],
)
def test_a_raw_message_that_is_none_is_refused_with_its_flaw(told, octets, sentence):
    raw = base64.b64encode(octets).decode()
    refusal = refused(told, "message.send", message={"to": ["bob@b.example"], "raw": raw})
    assert [flaw.pointer for flaw in refusal.flaws] == ["/raw"]
    assert sentence in refusal.flaws[0].detail


def test_a_raw_message_that_is_no_base64_needs_a_sender(told):
    refusal = refused(told, "message.send", message={"to": ["bob@b.example"], "raw": "###"})
    assert [flaw.pointer for flaw in refusal.flaws] == ["/from"]


def test_a_field_of_a_message_that_cannot_be_is_named(told):
    assert "The field to is not valid" in refused(told, "message.send", message={**MAIL, "to": 7}).detail
    assert "The field colour is not" in refused(told, "message.send", message={**MAIL, "colour": "red"}).detail
    refusal = refused(told, "message.send", message={**MAIL, "to": "nobody"})
    assert [flaw.pointer for flaw in refusal.flaws] == ["/to"]


def test_a_message_is_refused_when_the_disk_is_full(settings):
    full = replace(settings, limits=replace(settings.limits, min_free_disk_octets=1 << 60))
    with pytest.raises(Unavailable) as raised:
        administer(full, "message.send", {"message": MAIL})
    assert raised.value.code == "low_disk"


# --- suppressions ----------------------------------------------------------------------------------------------------


def test_an_address_is_put_on_the_list_and_taken_off(told):
    added = told("suppression.add", address="Ann@a.example", stream=None, note="asked by phone")
    assert (added["scope"], added["cause"], added["author"], added["note"]) == ("*", "manual", "cli", "asked by phone")
    assert told("suppression.list")["data"] == [added]
    assert told("suppression.remove", address="ann@A.example", stream=None, force=False)["removed"] is True
    assert refused(told, "suppression.remove", address="ann@a.example").code == "not_found"


def test_a_suppression_may_hold_for_one_stream(told):
    told("suppression.add", address="ann@a.example", stream="broadcast")
    assert "for the whole project" in refused(told, "suppression.remove", address="ann@a.example").detail
    assert "the stream 'transactional'" in (
        refused(told, "suppression.remove", address="ann@a.example", stream="transactional").detail
    )
    assert told("suppression.remove", address="ann@a.example", stream="broadcast")["scope"] == "broadcast"


def test_what_is_wrong_with_a_suppression_is_named_as_the_argument_is(told):
    refusal = refused(told, "suppression.add", address="ann", stream="none")
    assert {flaw.pointer for flaw in refusal.flaws} == {"/address", "/stream"}
    assert [flaw.pointer for flaw in refused(told, "suppression.remove", address="ann").flaws] == ["/address"]


def test_a_complaint_is_taken_off_with_force_only(told):
    told("suppression.import", lines=[{"number": 1, "address": "ann@a.example", "cause": "complaint"}])
    refusal = refused(told, "suppression.remove", address="ann@a.example")
    assert refusal.code == "force_required"
    assert "--force" in refusal.detail
    assert told("suppression.remove", address="ann@a.example", force=True)["cause"] == "complaint"


def test_a_list_is_taken_in_entry_by_entry(told):
    lines = [
        {"number": 2, "address": "ann@A.example", "scope": "broadcast", "cause": "unsubscribe"},
        {"number": 3, "address": "bob@a.example", "note": "550 5.1.1 no such user"},
        {"number": 4, "address": "bob@a.example"},
        {"number": 5, "address": "nobody"},
        {"number": 6, "address": "", "problem": "The line is not CSV."},
        {"number": 7, "address": "eve@a.example", "scope": "none"},
    ]
    answer = told("suppression.import", lines=lines)
    assert (answer["added"], answer["present"]) == (2, 1)
    assert [(error["line"], error["address"]) for error in answer["errors"]] == [
        (5, "nobody"), (6, ""), (7, "eve@a.example"),
    ]  # fmt: skip
    assert answer["errors"][1]["detail"] == "The line is not CSV."
    found = told("suppression.list")["data"]
    assert {(row["address"], row["scope"], row["cause"], row["note"]) for row in found} == {
        ("ann@a.example", "broadcast", "unsubscribe", ""),
        ("bob@a.example", "*", "import", "550 5.1.1 no such user"),
    }
    written = told("suppression.export")
    assert [line.split(",")[0] for line in written["text"].splitlines()] == [
        "address",
        "ann@a.example",
        "bob@a.example",
    ]
    assert written["next"] is None
    again = told("suppression.import", lines=lines[:3])
    assert (again["added"], again["present"], again["errors"]) == (0, 3, [])


def test_the_list_comes_in_pages(told):
    told("suppression.import", lines=[{"number": n, "address": f"{n}@a.example"} for n in range(5)])
    first = told("suppression.list", limit=2, after=None)
    second = told("suppression.list", limit=2, after=first["next"])
    last = told("suppression.list", limit=2, after=second["next"])
    addresses = [row["address"] for page in (first, second, last) for row in page["data"]]
    assert sorted(addresses) == [f"{n}@a.example" for n in range(5)]
    assert last["next"] is None


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_is_made_and_goes_through_its_life(told):
    made = told("webhook.create", url="https://hooks.example/in", types=["message.bounced"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["state"], made["types"]) == ("enabled", ["message.bounced"])
    assert told("webhook.list") == {"data": [made]}
    assert told("webhook.rotate", webhook=made["id"])["secret"] != secret
    assert told("webhook.disable", webhook=made["id"])["state"] == "disabled"
    assert told("webhook.list")["data"][0]["disabled_because"] == "requested"
    assert told("webhook.enable", webhook=made["id"])["state"] == "enabled"
    assert told("webhook.remove", webhook=made["id"])["removed"] is True
    assert refused(told, "webhook.attempts", webhook=made["id"]).code == "not_found"


def test_an_event_type_that_there_is_not_is_named_as_the_argument_is(told):
    refusal = refused(told, "webhook.create", url="https://hooks.example/in", types=["message.*", "mail.lost"])
    assert [flaw.pointer for flaw in refusal.flaws] == ["/types/1"]


def test_events_are_pushed_again_on_request(told):
    told("message.send", message=MAIL)
    webhook = told("webhook.create", url="https://hooks.example/in", types=[])["id"]
    assert told("webhook.replay", webhook=webhook, after=FIRST_EVENT) == {"queued": 1}
    (row,) = told("webhook.attempts", webhook=webhook)["data"]
    assert (row["event"], row["type"], row["state"], row["at"]) == (event_id(1), "message.accepted", "pending", None)
    assert [flaw.pointer for flaw in refused(told, "webhook.replay", webhook=webhook, after="x").flaws] == ["/after"]


def test_the_latest_tries_come_first_behind_what_is_to_be_tried(settings):
    def ask(operation, **arguments):
        return administer(settings, operation, arguments)

    ask("message.send", message={**MAIL, "to": [f"{n}@b.example" for n in range(3)]})
    webhook = ask("webhook.create", url="https://hooks.example/in")["id"]
    ask("webhook.replay", webhook=webhook, after=FIRST_EVENT)

    def settle(connection):
        waiting = {push.seq: push for push, _ in pushes.listed(connection, webhook, before=None, limit=10)}
        for seq, at, status in ((1, 2_000_000, 500), (3, 1_000_000, 204)):
            push = replace(
                waiting[seq],
                state=PushState.PENDING if status == 500 else PushState.DELIVERED,
                attempts=1,
                history=(Try(at=Instant(at), duration_ms=5, status=status),),
            )
            pushes.settle(connection, [pushes.Settled(push=push)])

    stored(settings, settle)
    rows = ask("webhook.attempts", webhook=webhook)["data"]
    assert [(row["event"], row["status"], row["state"]) for row in rows] == [
        (event_id(2), None, "pending"),
        (event_id(1), 500, "pending"),
        (event_id(3), 204, "delivered"),
    ]


# --- arguments -------------------------------------------------------------------------------------------------------


def test_an_unknown_operation_is_named(told):
    refusal = refused(told, "project.burn")
    assert refusal.code == "unknown_operation"
    assert "'project.burn'" in refusal.detail


@pytest.mark.parametrize(
    ("operation", "arguments", "name"),
    [
        ("project.create", {}, "name"),
        ("project.create", {"name": 7}, "name"),
        ("project.list", {"colour": "red"}, "colour"),
        ("key.create", {"name": "web", "mode": "dead"}, "mode"),
        ("key.create", {"name": "web", "recipients": ["*", 7]}, "recipients.1"),
        ("key.create", {"name": "web", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ("suppression.list", {"limit": 1001}, "limit"),
        ("suppression.import", {"lines": [{"number": 1, "address": ""}] * 1001}, "lines"),
    ],
)
def test_an_argument_that_cannot_be_is_named(told, operation, arguments, name):
    refusal = refused(told, operation, **arguments)
    assert refusal.code == "invalid_request"
    assert refusal.detail.startswith(f"The argument {name} is not valid: ")
    assert [flaw.pointer for flaw in refusal.flaws] == ["/" + name.replace(".", "/")]


# --- which house -----------------------------------------------------------------------------------------------------


def test_beside_a_directory_of_development_its_own_key_is_used(settings, tmp_path):
    keyless = replace(settings, secrets=replace(settings.secrets, master_key=None))
    refusal = refused(administer, keyless, "domain.create", {"name": "a.example"})
    assert refusal.code == "no_master_key"
    assert not (tmp_path / "data").exists()
    administer(keyless, "project.list", {})
    (tmp_path / "data" / "master.key").write_text(base64.b64encode(bytes(32)).decode())
    (tmp_path / "data" / "master.key").chmod(0o600)
    assert administer(keyless, "domain.create", {"name": "a.example"})["state"] == "pending"
    strict = replace(keyless, domains=replace(keyless.domains, require_verified=True))
    assert administer(strict, "message.send", {"message": MAIL})["id"]


def test_outside_development_mail_from_an_unproven_domain_is_refused(settings):
    strict = replace(settings, domains=replace(settings.domains, require_verified=True))
    assert refused(administer, strict, "message.send", {"message": MAIL}).code == "domain_not_verified"


def test_a_project_that_a_route_names_already_can_be_made(settings):
    rule = RouteRule(route=RouteKind.CAPTURE, project="shop")
    routed = replace(settings, delivery=replace(settings.delivery, routes=(rule,)))
    assert administer(routed, "project.create", {"name": "shop"})["name"] == "shop"


def test_a_project_that_the_file_of_limits_names_already_can_be_made(settings, tmp_path, capsys):
    file = tmp_path / "limits.toml"
    file.write_text("[project.shop.default]\nconnections = 2\n")
    limited = replace(settings, shaping=replace(settings.shaping, file=file))
    assert administer(limited, "project.create", {"name": "shop"})["name"] == "shop"
    assert "[project.shop] names a project that does not exist" in capsys.readouterr().err
    administer(limited, "project.list", {})
    assert capsys.readouterr().err == ""


def test_ways_that_serve_would_refuse_keep_no_command_from_its_work(settings):
    delivery = replace(settings.delivery, pool="none", route=RouteKind.RELAY)
    lost = replace(settings, delivery=delivery, pools=(Pool(),), relays=(NamedRelay(),))
    assert administer(lost, "project.list", {}) == {"data": []}
    nameless = replace(settings, sources=(Source(ipv4="192.0.2.1"),))
    assert "sources has an item whose name is ''" in refused(administer, nameless, "project.list", {}).detail


def test_a_file_that_holds_no_master_key_is_told(settings, tmp_path):
    keyless = replace(settings, secrets=replace(settings.secrets, master_key=None))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "master.key").touch(0o600)
    refusal = refused(administer, keyless, "project.list", {})
    assert refusal.code == "cannot_open"
    assert "does not hold a master key" in refusal.detail


def test_a_database_that_cannot_be_reached_is_told_without_its_password(settings):
    url = Secret("postgresql://postroad:secret@127.0.0.1:1/postroad")
    away = replace(settings, database=replace(settings.database, url=url))
    with pytest.raises(Unavailable) as raised:
        administer(away, "queue", {})
    assert raised.value.code == "store_unavailable"
    assert "refused" in raised.value.detail
    assert "secret" not in raised.value.detail
