import base64
import io

import pytest


@pytest.mark.parametrize(
    ("command", "operation", "arguments"),
    [
        ("migrate", "migrate", {}),
        ("queue", "queue", {}),
        ("project create shop", "project.create", {"name": "shop"}),
        ("project list", "project.list", {}),
        ("project rename shop store", "project.rename", {"project": "shop", "name": "store"}),
        ("project pause shop", "project.pause", {"project": "shop"}),
        ("project resume shop", "project.resume", {"project": "shop"}),
        (
            """key create web --project shop --mode test --scope send --from-domain a.example --from-domain b.example
            --recipient *@c.example --network 10.0.0.0/8 --expires 2030-01-01T01:00:00+01:00""",
            "key.create",
            {
                "project": "shop",
                "name": "web",
                "mode": "test",
                "scope": "send",
                "from_domains": ["a.example", "b.example"],
                "recipients": ["*@c.example"],
                "networks": ["10.0.0.0/8"],
                "expires_at": "2030-01-01T00:00:00+00:00",
            },
        ),
        (
            "key create",
            "key.create",
            {
                "project": "default",
                "name": "default",
                "mode": "live",
                "scope": "full",
                "from_domains": [],
                "recipients": [],
                "networks": [],
                "expires_at": None,
            },
        ),
        ("key list --project shop", "key.list", {"project": "shop"}),
        ("key revoke key_1", "key.revoke", {"project": "default", "key": "key_1"}),
        ("domain create a.example", "domain.create", {"project": "default", "name": "a.example"}),
        ("domain delete a.example --yes", "domain.delete", {"project": "default", "name": "a.example"}),
        ("domain list", "domain.list", {"project": "default"}),
        ("domain rotate a.example", "domain.rotate", {"project": "default", "name": "a.example"}),
        (
            "suppression list --limit 7 --after x",
            "suppression.list",
            {"project": "default", "limit": 7, "after": "x"},
        ),
        (
            "suppression add a@b.example --stream news --note asked",
            "suppression.add",
            {"project": "default", "address": "a@b.example", "stream": "news", "note": "asked"},
        ),
        (
            "suppression list --incident inc_1 --cause bounce",
            "suppression.list",
            {"project": "default", "limit": 50, "after": None, "incident": "inc_1", "cause": "bounce"},
        ),
        ("suppression incidents --limit 3", "suppression.incidents", {"project": None, "limit": 3}),
        (
            """suppression undo --incident inc_1 --cause bounce --class policy --rule r --site google --project shop
            --since 2030-01-01T00:00:00Z --until 2030-01-02T00:00:00Z --force --note why --dry-run""",
            "suppression.undo",
            {
                "project": "shop",
                "incident": "inc_1",
                "cause": "bounce",
                "class": "policy",
                "rule": "r",
                "site": "google",
                "since": "2030-01-01T00:00:00+00:00",
                "until": "2030-01-02T00:00:00+00:00",
                "force": True,
                "note": "why",
                "dry_run": True,
            },
        ),
        (
            "suppression remove a@b.example --force",
            "suppression.remove",
            {"project": "default", "address": "a@b.example", "stream": None, "force": True},
        ),
        (
            "webhook create https://a.example/hook --event message.bounced",
            "webhook.create",
            {"project": "default", "url": "https://a.example/hook", "types": ["message.bounced"]},
        ),
        ("webhook list", "webhook.list", {"project": "default"}),
        ("webhook attempts whk_1", "webhook.attempts", {"project": "default", "webhook": "whk_1"}),
        ("webhook rotate whk_1", "webhook.rotate", {"project": "default", "webhook": "whk_1"}),
        ("webhook enable whk_1", "webhook.enable", {"project": "default", "webhook": "whk_1"}),
        ("webhook disable whk_1", "webhook.disable", {"project": "default", "webhook": "whk_1"}),
        ("webhook remove whk_1", "webhook.remove", {"project": "default", "webhook": "whk_1"}),
        (
            "webhook replay whk_1 --after evt_1",
            "webhook.replay",
            {"project": "default", "webhook": "whk_1", "after": "evt_1"},
        ),
        ("inbound list", "inbound.list", {"project": None, "state": None, "limit": 50, "after": None}),
        (
            "inbound list --state quarantined --project shop --limit 3 --after inb_1",
            "inbound.list",
            {"project": "shop", "state": "quarantined", "limit": 3, "after": "inb_1"},
        ),
        ("inbound show inb_1", "inbound.show", {"mail": "inb_1"}),
        ("inbound release inb_1", "inbound.release", {"mail": "inb_1"}),
    ],
)
def test_a_command_asks_for_one_operation(postroad, server, command, operation, arguments):
    server.answers = [{"answer": 1}]
    ended = postroad(*command.split(), "--json")
    assert server.asked == [(operation, arguments)]
    assert ended.json == {"answer": 1}
    assert (ended.code, ended.err) == (0, "")


def test_a_message_is_sent_with_all_its_parts(postroad, server, tmp_path):
    (tmp_path / "page.html").write_text("<p>Hi</p>")
    (tmp_path / "note.txt").write_text("note")
    (tmp_path / "log.txt.gz").write_bytes(b"\x1f\x8b")
    postroad(
        *("send", "--from", "a@x.example", "--to", "b@y.example", "--to", "c@y.example", "--cc", "d@y.example"),
        *("--subject", "Hi", "--text", "Hello", "--html", "@page.html", "--attach", "note.txt"),
        *("--attach", "log.txt.gz", "--tag", "t", "--stream", "s", "--send-at", "2030-01-01T00:00:00Z"),
    )
    assert server.asked == [
        (
            "message.send",
            {
                "project": "default",
                "message": {
                    "from": "a@x.example",
                    "to": ["b@y.example", "c@y.example"],
                    "cc": ["d@y.example"],
                    "subject": "Hi",
                    "text": "Hello",
                    "html": "<p>Hi</p>",
                    "attachments": [
                        {
                            "filename": "note.txt",
                            "content_type": "text/plain",
                            "content": base64.b64encode(b"note").decode(),
                        },
                        {"filename": "log.txt.gz", "content_type": "application/octet-stream", "content": "H4s="},
                    ],
                    "tags": ["t"],
                    "stream": "s",
                    "send_at": "2030-01-01T00:00:00+00:00",
                },
            },
        )
    ]


def test_a_text_comes_from_standard_input(postroad, server, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Hello"), encoding="utf-8"))
    postroad("send", "--from", "a@x.example", "--to", "b@y.example", "--text", "-")
    assert server.asked[0][1]["message"]["text"] == "Hello"


def test_a_text_that_is_not_utf_8_is_not_guessed_at(postroad, server, tmp_path):
    (tmp_path / "text").write_bytes("Grüße".encode("latin-1"))
    ended = postroad("send", "--from", "a@x.example", "--to", "b@y.example", "--text", "@text")
    assert (ended.code, server.asked) == (2, [])
    assert "text is not UTF-8" in ended.err


def test_a_raw_message_of_a_text_file_gets_the_line_ends_of_mail(postroad, server, tmp_path):
    (tmp_path / "mail").write_bytes(b"From: a@x.example\n\nHi\n")
    postroad("send", "--to", "b@y.example", "--raw", "mail")
    sent = base64.b64decode(server.asked[0][1]["message"]["raw"])
    assert sent == b"From: a@x.example\r\n\r\nHi\r\n"


def test_a_raw_message_is_sent_as_it_is(postroad, server, tmp_path):
    (tmp_path / "mail").write_bytes(b"From: a@x.example\r\n\r\n")
    postroad("send", "--to", "b@y.example", "--raw", "mail")
    raw = base64.b64encode(b"From: a@x.example\r\n\r\n").decode()
    assert server.asked[0][1]["message"] == {"to": ["b@y.example"], "raw": raw}


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("send --to b@y.example --from a@x.example", "Give either --text"),
        ("send --to b@y.example --from a@x.example --raw x --text y", "Give either --text"),
        ("send --to b@y.example --text x", "Say whom the message is from"),
        ("send --to b@y.example --raw nowhere", "nowhere cannot be read: No such file"),
        ("send --to b@y.example --from a@x.example --text @nowhere", "nowhere cannot be read: No such file"),
        ("send --text x", "Missing option"),
        ("key create --expires tomorrow", "'tomorrow' is not a time"),
        ("key create --expires 2030-01-01T00:00:00", "is not a time"),
        ("key create --mode live2", "Invalid value"),
        ("serve --role smtp", "in `postroad dev` only"),
        ("serve --role cook", "There is no role 'cook'; there are http"),
        ("suppression import nowhere", "nowhere cannot be read"),
        ("nonsense", "No such command"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_told(postroad, server, command, sentence):
    told, as_json = postroad(*command.split()), postroad(*command.split(), "--json")
    assert told.code == as_json.code == 2
    assert sentence in told.err
    assert told.err.startswith("Error: ")
    assert sentence in as_json.problem["detail"]
    assert as_json.problem["code"] == "usage"
    assert not server.asked


def test_version_is_told(postroad):
    assert postroad("version", "--json").json["postroad"].count(".") == 2


def test_a_mail_that_came_in_is_printed_octet_by_octet_or_without_its_octets(postroad, server):
    raw = "Subject: café\r\n\r\n".encode()
    server.answers = [{"id": "inb_1", "raw": base64.b64encode(raw).decode()}] * 2
    assert postroad("inbound", "show", "inb_1", "--raw").out.encode() == raw
    shown = postroad("inbound", "show", "inb_1").out
    assert "inb_1" in shown
    assert "Raw" not in shown
