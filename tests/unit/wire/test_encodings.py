"""Encoded words and extended parameters are cut on the edges of characters."""

import base64

import pytest

from postroad.wire.encodings import encoded_words, extended_parameter


def test_nothing_takes_no_words() -> None:
    assert encoded_words("") == []


@pytest.mark.parametrize("text", ["日本語" * 30, "x" + "日本語" * 30, "xx" + "😀" * 30])
def test_base64_words_hold_whole_characters(text: str) -> None:
    words = encoded_words(text, 60)
    assert len(words[0]) <= 60
    assert max(map(len, words)) <= 75
    pieces = [base64.b64decode(word.removeprefix("=?utf-8?b?").removesuffix("?=")).decode() for word in words]
    assert "".join(pieces) == text


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("letter", ["é", "日", "😀", "="])
def test_quoted_words_hold_whole_characters(letter: str, shift: int) -> None:
    text = "a" * shift + (letter + "plain text follows for a while ") * 12
    for word in encoded_words(text):
        assert word.startswith("=?utf-8?q?")
        assert len(word) <= 75
        piece = word.removeprefix("=?utf-8?q?").removesuffix("?=").replace("_", " ").replace("=", "\\x")
        piece.encode().decode("unicode_escape").encode("latin-1").decode()


def test_a_room_too_small_to_be_useful_is_not_used() -> None:
    assert encoded_words("grüße", 10) == encoded_words("grüße")


def test_parameters_are_extended_or_continued() -> None:
    assert extended_parameter("filename", "ü") == ["filename*=utf-8''%C3%BC"]
    assert extended_parameter("filename", "a" * 40) == [
        'filename*0="aaaaaaaaaaaaaaaaaaaaaaaaaaaaa";',
        'filename*1="aaaaaaaaaaa"',
    ]
