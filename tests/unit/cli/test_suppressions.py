import datetime as dt
import json

import pytest

from postroad.cli.asking import PAGE
from postroad.features.suppressions import transfer


def test_an_export_follows_the_pages_and_prints_what_the_server_wrote(postroad, server):
    server.answers = [
        {"text": "address\r\n\u00fc@x.example\r\n", "next": "c"},
        {"text": "b@x.example\r\n", "next": None},
    ]
    assert postroad("suppression", "export").out == "address\r\n\u00fc@x.example\r\nb@x.example\r\n"
    assert server.asked == [
        ("suppression.export", {"project": "default", "format": "csv", "after": after}) for after in ("", "c")
    ]


def test_an_export_can_be_json_lines_or_json(postroad, server):
    server.answers = [{"text": '{"address":"a@x.example"}\n'}, {"data": [{"address": "a@x.example"}]}]
    assert json.loads(postroad("suppression", "export", "--format", "jsonl").out) == {"address": "a@x.example"}
    assert server.asked[0][1]["format"] == "jsonl"
    assert len(postroad("suppression", "export", "--json").json["data"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "address,stream,note\n'=1+1@x.example,news,\nb@x.example,,,more\n",
        '\ufeffaddress,scope\n"\'=1+1@x.example",news\nb@x.example,\n',
        '{"address": "=1+1@x.example", "stream": "news"}\n{"address": "b@x.example"}\n',
    ],
)
def test_an_import_takes_what_an_export_wrote(postroad, server, tmp_path, text):
    (tmp_path / "list").write_text(text, encoding="utf-8")
    server.answers = [{"added": 1, "present": 1, "errors": []}]
    ended = postroad("suppression", "import", "list", "--json")
    ((operation, arguments),) = server.asked
    assert operation == "suppression.import"
    found = [(line["address"], line["scope"], line["note"], line["problem"]) for line in arguments["lines"]]
    assert found == [("=1+1@x.example", "news", "", ""), ("b@x.example", None, "", "")]
    assert ended.json == {"added": 1, "present": 1, "refused": 0, "errors": []}


@pytest.mark.parametrize(
    "text",
    [
        "Email,Note\na@x.example,gone\n",
        "note;Recipient\ngone;a@x.example\n",
        "NOTE\tEmail Address\ngone\ta@x.example\n",
    ],
)
def test_an_import_takes_the_lists_of_others(postroad, server, tmp_path, text):
    (tmp_path / "list").write_text(text)
    postroad("suppression", "import", "list")
    (line,) = server.asked[0][1]["lines"]
    assert (line["number"], line["address"], line["note"]) == (2, "a@x.example", "gone")


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"address\na@x.example\nb\xe9@x.example\n", "list: Line 3 of the list is not UTF-8"),
        (b'address,note\na@x.example,"open\nb@x.example,\n', "line 2 of the list is never closed"),
        (b"a@x.example,gone\nb@x.example,gone\n", "no column called address or email"),
    ],
)
def test_a_list_that_would_be_taken_in_wrong_is_refused(postroad, server, tmp_path, octets, said):
    (tmp_path / "list").write_bytes(octets)
    ended = postroad("suppression", "import", "list")
    assert (ended.code, server.asked) == (2, [])
    assert said in ended.err


def test_an_import_takes_one_address_a_line(postroad, server, tmp_path):
    (tmp_path / "list").write_text("a@x.example\n\n b@x.example \n")
    postroad("suppression", "import", "list")
    assert [(line["number"], line["address"]) for line in server.asked[0][1]["lines"]] == [
        (1, "a@x.example"), (3, "b@x.example"),
    ]  # fmt: skip


def test_an_import_of_nothing_asks_nothing(postroad, server, tmp_path):
    (tmp_path / "list").write_text("\n")
    assert postroad("suppression", "import", "list", "--json").json["added"] == 0
    assert not server.asked


def test_a_long_import_goes_in_batches_and_fails_when_an_entry_does(postroad, server, tmp_path):
    (tmp_path / "list").write_text("".join(f"a{n}@x.example\n" for n in range(PAGE + 1)))
    server.answers = [
        {"added": PAGE},
        {"added": 0, "errors": [{"line": 1001, "address": "x", "detail": "Not an address."}]},
    ]
    ended = postroad("suppression", "import", "list")
    assert [len(arguments["lines"]) for _, arguments in server.asked] == [PAGE, 1]
    assert ended.code == 1
    assert "Not an address." in ended.out


def test_a_list_may_be_longer_than_the_api_takes_at_once(postroad, server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "MOST_LINES", 2)
    (tmp_path / "list").write_text("a@x.example\nb@x.example\nc@x.example\n")
    assert postroad("suppression", "import", "list").code == 0
    assert len(server.asked[0][1]["lines"]) == 3


@pytest.mark.parametrize("text", ['{"address": "a@x.example"}\n{"address"\n', '{"address": "a@x.example"}\n[]\n'])
def test_a_line_that_is_no_json_object_goes_as_one_that_is_refused(postroad, server, tmp_path, text):
    (tmp_path / "list").write_text(text)
    postroad("suppression", "import", "list")
    problems = [(line["number"], line["problem"]) for line in server.asked[0][1]["lines"]]
    assert problems == [(1, ""), (2, "The line is not a JSON object with an address.")]


def test_a_file_of_addresses_is_removed(postroad, server, tmp_path):
    (tmp_path / "list.txt").write_text("a@b.example\nc@d.example\n")
    server.answers = [{"matched": 2, "removed": 1, "kept": 1}]
    answer = postroad("suppression", "remove-file", "list.txt", "--force", "--json").json
    assert answer == {"matched": 2, "removed": 1, "kept": 1, "refused": 0, "errors": []}
    (asked,) = server.asked
    assert asked == (
        "suppression.remove_all",
        {"project": "default", "addresses": ["a@b.example", "c@d.example"], "stream": None, "force": True},
    )


def test_a_line_without_an_address_is_not_removed_and_told(postroad, server, tmp_path):
    (tmp_path / "list").write_text("address,cause\na@b.example,boredom\nnobody,\n")
    ended = postroad("suppression", "remove-file", "list", "--json")
    assert server.asked[0][1]["addresses"] == ["a@b.example"]
    assert ended.code == 1
    assert [(error["line"], error["address"]) for error in ended.json["errors"]] == [(3, "nobody")]


def test_a_span_before_now_is_a_time(postroad, server):
    postroad("suppression", "undo", "--since", "2h")
    given = dt.datetime.fromisoformat(server.asked[-1][1]["since"])
    age = dt.datetime.now(dt.UTC) - given
    assert dt.timedelta(hours=1, minutes=50) < age < dt.timedelta(hours=3)
