"""Problem details: one table, pointers, and nothing private."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

import postroad
from postroad.http.problems import STATUSES, failure, invalid, to_pointer
from postroad.http.sending import decode_draft
from postroad.http.streaming import begun
from postroad.model.errors import Flaw, Refused, Unavailable


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 0


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    one: Colour | None = None
    many: list[Literal["a", "b"]] = []
    named: dict[str, Colour] = {}
    told: Annotated[Colour, msgspec.Meta(description="A colour.")] | None = None


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parts: list[Part] = []
    facts: dict[str, int] = {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"name": 1}', "/name"),
        (b"{}", "/name"),
        (b'{"name": "a", "what": 1}', "/what"),
        (b'{"name": "a", "a/b~c": 1}', "/a~1b~0c"),
        (b'{"name": "a", "parts": [{}, {"size": "x"}]}', "/parts/1/size"),
        (b'{"name": "a", "parts": [{"weight": 1}]}', "/parts/0/weight"),
        (b'{"name": "a", "facts": {"k": "v"}}', "/facts"),
        (b"[]", ""),
    ],
)
def test_a_body_that_does_not_fit_is_pointed_at(body: bytes, pointer: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(body, type=Whole)
    refused = invalid(error.value)
    assert [flaw.pointer for flaw in refused.flaws] == [pointer]
    assert "`" not in refused.detail
    assert "$" not in refused.detail


@pytest.mark.parametrize(
    ("body", "pointer", "choices"),
    [
        (b'{"one": "green"}', "/one", "; it is one of red, blue."),
        (b'{"many": ["a", "c"]}', "/many/1", "; it is one of a, b."),
        (b'{"named": {"sky": "green"}}', "/named", "; it is one of red, blue."),
        (b'{"told": "green"}', "/told", "; it is one of red, blue."),
    ],
)
def test_what_is_one_of_a_few_is_told_with_the_few(body: bytes, pointer: str, choices: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(body, type=Chosen)
    (flaw,) = invalid(error.value, "/under", kind=Chosen).flaws
    assert flaw.pointer == f"/under{pointer}"
    assert flaw.detail.endswith(choices)
    assert not invalid(error.value).flaws[0].detail.endswith("red, blue.")


def test_a_place_within_a_batch_is_put_before_the_pointer() -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(b"{}", type=Whole)
    assert invalid(error.value, "/messages/3").flaws[0].pointer == "/messages/3/name"


def test_a_pointer_ends_where_the_place_is_not_known() -> None:
    assert to_pointer(".a[3].b") == "/a/3/b"
    assert to_pointer(".a[...].b") == "/a"


def test_a_refusal_shows_its_code_its_sentence_and_its_flaws() -> None:
    shown = failure(Refused("conflict", "It is so.", flaws=[Flaw("/a", "No.", "invalid")]))
    assert shown.status == 409
    assert msgspec.json.decode(shown.body("req_1")) == {
        "type": "urn:postroad:problem:conflict",
        "title": STATUSES["conflict"][1],
        "status": 409,
        "detail": "It is so.",
        "code": "conflict",
        "errors": [{"pointer": "/a", "detail": "No.", "code": "invalid"}],
        "request_id": "req_1",
    }


def test_whoever_may_try_again_is_told_when() -> None:
    shown = failure(Unavailable("overloaded", "Later.", retry_after_s=7))
    assert (shown.status, shown.headers) == (503, {"retry-after": "7"})


def test_a_missing_key_is_answered_with_a_challenge() -> None:
    assert "www-authenticate" in failure(Refused("unauthorized", "Who?")).headers


def test_a_bug_says_nothing_of_itself() -> None:
    shown = failure(RuntimeError("the password is hunter2"))
    assert shown.status == 500
    assert b"hunter2" not in shown.body()


def test_time_and_depth_have_their_limits() -> None:
    assert failure(TimeoutError()).status == 503
    assert failure(RecursionError()).status == 400
    assert failure(msgspec.DecodeError("truncated")).status == 400


@pytest.mark.parametrize("body", [b"", b'{"from": "a@b.test"'])
def test_a_body_that_is_missing_or_cut_is_told_so_in_words(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode_draft(body)
    assert b"it is empty or ends too early" in failure(caught.value).body()


def test_every_code_that_is_raised_stands_in_the_table() -> None:
    """A code without a status would be answered as an invalid request, which it may not be."""
    raised: dict[str, str] = {}
    for path in Path(postroad.__path__[0]).rglob("*.py"):
        if "cli" in path.parts or "app" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("Refused", "Unavailable") and isinstance(node.args[0], ast.Constant):
                raised[str(node.args[0].value)] = str(path)
    known = {*STATUSES, "cannot_open"}  # a store is opened before anybody is served
    assert {code: path for code, path in raised.items() if code not in known} == {}
    assert len(raised) > 15


async def test_pieces_are_begun_before_the_answer_is() -> None:
    async def pieces(refuse: bool) -> AsyncIterator[bytes]:
        if refuse:
            raise Refused("conflict", "No.")
        yield b"a"
        yield b"b"

    assert [piece async for piece in await begun(pieces(refuse=False))] == [b"a", b"b"]
    with pytest.raises(Refused):
        await begun(pieces(refuse=True))
