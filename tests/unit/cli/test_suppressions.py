import csv
import datetime as dt
import io
import json

import pytest

from postroad.cli.asking import PAGE


def test_an_export_follows_the_pages_and_is_inert_in_a_spreadsheet(postroad, server):
    server.answers = [
        {"data": [{"address": "=1+1@x.example", "stream": None, "evidence": {"code": 550}}], "next": "c"},
        {"data": [{"address": "b@x.example", "stream": "news", "evidence": "@SUM(A1)"}], "next": None},
    ]
    rows = list(csv.reader(io.StringIO(postroad("suppression", "export").out)))
    assert rows == [
        ["address", "stream", "evidence"],
        ["'=1+1@x.example", "", '{"code": 550}'],
        ["b@x.example", "news", "'@SUM(A1)"],
    ]
    assert [arguments["after"] for _, arguments in server.asked] == [None, "c"]


def test_an_empty_export_prints_nothing(postroad, server):
    server.answers = [{"data": []}]
    assert postroad("suppression", "export").out == ""


def test_an_export_can_be_json_lines_or_json(postroad, server):
    server.answers = [{"data": [{"address": "a@x.example"}, {"address": "b@x.example"}]}] * 2
    lines = postroad("suppression", "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["address"] for line in lines] == ["a@x.example", "b@x.example"]
    assert len(postroad("suppression", "export", "--json").json["data"]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "address,stream,note\n'=1+1@x.example,news,\nb@x.example,,gone,more\n",
        '\ufeffaddress,stream\n"\'=1+1@x.example",news\nb@x.example,\n',
        '{"address": "=1+1@x.example", "stream": "news"}\n\n{"address": "b@x.example"}\n',
    ],
)
def test_an_import_takes_what_an_export_wrote(postroad, server, tmp_path, text):
    (tmp_path / "list").write_text(text, encoding="utf-8")
    server.answers = [{"added": 1, "present": 1, "errors": []}]
    ended = postroad("suppression", "import", "list", "--json")
    ((operation, arguments),) = server.asked
    assert operation == "suppression.import"
    assert arguments["entries"][0] == {"address": "=1+1@x.example", "stream": "news"}
    assert arguments["entries"][1]["address"] == "b@x.example"
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
    assert server.asked[0][1]["entries"] == [{"address": "a@x.example", "note": "gone"}]


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"address\na@x.example\nb\xe9@x.example\n", "Line 3 of list is not UTF-8"),
        (b'address,note\na@x.example,"open\nb@x.example,\n', "is not CSV"),
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
    assert server.asked[0][1]["entries"] == [{"address": "a@x.example"}, {"address": "b@x.example"}]


def test_an_import_of_nothing_asks_nothing(postroad, server, tmp_path):
    (tmp_path / "list").write_text("\n")
    assert postroad("suppression", "import", "list", "--json").json["added"] == 0
    assert not server.asked


def test_a_long_import_goes_in_batches_and_fails_when_an_entry_does(postroad, server, tmp_path):
    (tmp_path / "list").write_text("".join(f"a{n}@x.example\n" for n in range(PAGE + 1)))
    server.answers = [{"added": PAGE}, {"added": 0, "errors": [{"address": "x", "detail": "Not an address."}]}]
    ended = postroad("suppression", "import", "list")
    assert [len(arguments["entries"]) for _, arguments in server.asked] == [PAGE, 1]
    assert ended.code == 1
    assert "Not an address." in ended.out


@pytest.mark.parametrize("text", ['{"address"\n', '{"address": "a"}\n[]\n'])
def test_a_line_that_is_no_json_object_is_told(postroad, tmp_path, text):
    (tmp_path / "list").write_text(text)
    ended = postroad("suppression", "import", "list")
    assert ended.code == 2
    assert "is not a JSON object" in ended.err


def test_a_file_of_addresses_is_removed(postroad, server, tmp_path):
    (tmp_path / "list.txt").write_text("a@b.example\nc@d.example\n")
    server.answers = [{"matched": 2, "removed": 1, "kept": 1}]
    answer = postroad("suppression", "remove-file", "list.txt", "--force", "--json").json
    assert answer == {"matched": 2, "removed": 1, "kept": 1}
    (asked,) = server.asked
    assert asked == (
        "suppression.remove_all",
        {"project": "default", "addresses": ["a@b.example", "c@d.example"], "stream": None, "force": True},
    )


def test_a_span_before_now_is_a_time(postroad, server):
    postroad("suppression", "undo", "--since", "2h")
    given = dt.datetime.fromisoformat(server.asked[-1][1]["since"])
    age = dt.datetime.now(dt.UTC) - given
    assert dt.timedelta(hours=1, minutes=50) < age < dt.timedelta(hours=3)
