import pytest

from postroad.wire import status
from postroad.wire.status import EnhancedStatus, StatusClass, Subject


def test_a_code_is_read_and_written_back():
    code = status.parse("5.7.26")
    assert code == EnhancedStatus(StatusClass.PERMANENT, Subject.SECURITY, 26)
    assert str(code) == "5.7.26"
    assert code is not None
    assert code.meaning == "several authentication checks failed"


@pytest.mark.parametrize("text", ["", "3.1.1", "5.1", "5.1.1 ", "5.1.1000", "a.b.c", "٥.1.1", "5.1.1\n"])
def test_what_is_not_exactly_one_code_is_none(text):
    assert status.parse(text) is None


def test_a_code_at_the_head_of_a_text_is_found():
    assert str(status.leading("4.2.2 mailbox full")) == "4.2.2"
    assert str(status.leading("2.0.0")) == "2.0.0"


@pytest.mark.parametrize("text", ["hello 5.1.1", "5.1.1.2 host", "5.1.1, no", ""])
def test_a_number_that_only_looks_like_a_code_is_not_found(text):
    assert status.leading(text) is None


@pytest.mark.parametrize("pattern", ["5.1.1", "5.1.*", "5.*", "*.1.1", "*", "5", "*.*.1"])
def test_a_pattern_matches_its_code(pattern):
    assert EnhancedStatus(StatusClass.PERMANENT, 1, 1).matches(pattern)


@pytest.mark.parametrize("pattern", ["4.1.1", "5.2.*", "5.1.10", "*.*.2"])
def test_a_pattern_does_not_match_another_code(pattern):
    assert not EnhancedStatus(StatusClass.PERMANENT, 1, 1).matches(pattern)


@pytest.mark.parametrize("pattern", ["", "5.1.1.1", "5.x", "5..1", "-1"])
def test_what_is_no_pattern_is_a_mistake_of_ours(pattern):
    with pytest.raises(ValueError, match="pattern"):
        EnhancedStatus(StatusClass.PERMANENT, 1, 1).matches(pattern)


def test_an_unregistered_code_has_no_meaning_and_is_no_error():
    code = status.parse("5.9.999")
    assert code is not None
    assert code.meaning is None
