"""The notes of a node: what a killed process leaves is read back, and what may be missing is said."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import Instant
from postroad.model.composition import Recipe
from postroad.pipeline.journal import Journal, Note, read_result

BOOT = "boot-1"
RESERVED = 10_000
DELIVERED = Attempt(
    phase=Phase.DOT, reply=SmtpReply(250, "ok"), started_at=Instant(1), finished_at=Instant(2), route="mx"
)
RECIPE = Recipe(("key_1",), (("List-Id", "<a>"),))


def result(delivery, attempt, ended=DELIVERED, **facts):
    return Note(delivery, attempt, msgspec.Raw(msgspec.json.encode(ended)), **facts)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def open_journal(path):
    """Open the journal, as each further process does that follows another."""
    opened = []

    def again(boot=BOOT):
        if opened:
            opened[-1].close()
        opened.append(Journal(path, boot, reserved_octets=RESERVED))
        return opened[-1]

    yield again
    if opened:
        opened[-1].close()


def test_a_first_start_has_no_notes_and_misses_none(open_journal):
    journal = open_journal()
    assert journal.complete
    assert journal.noted("dlv_1", 1) is None


def test_a_node_that_ran_before_and_finds_no_journal_trusts_no_silence(path):
    journal = Journal(path, BOOT, new_node=False, reserved_octets=RESERVED)
    journal.close()
    assert not journal.complete


def test_a_dot_without_a_result_is_read_back_as_open(open_journal):
    open_journal().dot("dlv_1", 2)
    journal = open_journal()
    note = journal.noted("dlv_1", 2)
    assert journal.complete
    assert read_result(note) is None
    assert note.digest_octets is None
    assert journal.noted("dlv_1", 1) is None


def test_a_result_is_read_back_with_the_digest_and_recipe_of_its_octets(open_journal):
    journal = open_journal()
    journal.dot("dlv_1", 1)
    journal.result(result("dlv_1", 1, digest="ab" * 32, recipe=RECIPE))
    note = open_journal().noted("dlv_1", 1)
    assert read_result(note) == DELIVERED
    assert note.digest_octets == b"\xab" * 32
    assert note.recipe == RECIPE


def test_notes_are_kept_over_any_number_of_starts_until_they_are_settled(open_journal):
    open_journal().dot("dlv_1", 1)
    for _ in range(3):
        journal = open_journal()
        assert journal.noted("dlv_1", 1) is not None
    journal.settled("dlv_1", 1)
    journal.settled("dlv_1", 1)
    assert journal.noted("dlv_1", 1) is None


def test_after_a_restart_of_the_machine_notes_may_be_missing_until_all_is_recovered(open_journal):
    open_journal().dot("dlv_1", 1)
    journal = open_journal("boot-2")
    assert not journal.complete
    assert journal.noted("dlv_1", 1) is not None
    assert not open_journal("boot-2").complete, "the process that was to recover died"
    open_journal("boot-2").recovered()
    journal = open_journal("boot-2")
    assert journal.complete
    assert journal.noted("dlv_1", 1) is None


def test_what_is_noted_after_the_recovery_is_kept(open_journal):
    journal = open_journal("boot-2")
    journal.recovered()
    journal.dot("dlv_1", 1)
    assert open_journal("boot-2").noted("dlv_1", 1) is not None


@pytest.mark.parametrize("octets", [b"", b"\n\n", b"not a journal\n", b"{}\n", b'{"boot":"\xff"}\n', bytes(5000)])
def test_of_a_file_that_is_no_journal_nothing_is_believed(path, open_journal, octets):
    path.write_bytes(octets)
    assert not open_journal().complete


def test_a_full_file_is_begun_anew_with_the_open_notes_alone(path, open_journal):
    journal = open_journal()
    reserved = path.stat().st_size
    journal.dot("dlv_open", 1)
    long = msgspec.structs.replace(DELIVERED, detail="x" * 1000)
    for n in range(20):
        journal.result(result(f"dlv_{n}", 1, long))
        journal.settled(f"dlv_{n}", 1)
    assert path.stat().st_size == reserved
    journal = open_journal()
    assert journal.complete
    assert journal.noted("dlv_open", 1) is not None
    assert journal.noted("dlv_0", 1) is None
    assert read_result(journal.noted("dlv_19", 1)) == long


def test_more_open_notes_than_a_file_holds_make_the_file_larger(path, open_journal):
    journal = open_journal()
    reserved = path.stat().st_size
    long = msgspec.structs.replace(DELIVERED, detail="x" * 1000)
    for n in range(20):
        journal.result(result(f"dlv_{n}", 1, long))
    assert path.stat().st_size > reserved
    journal = open_journal()
    assert all(read_result(journal.noted(f"dlv_{n}", 1)) == long for n in range(20))


# --- whatever happens to the file ------------------------------------------------------------------------------------

DELIVERIES = st.sampled_from([f"dlv_{n}" for n in range(5)])
NOTES = st.lists(
    st.builds(Note, DELIVERIES, st.integers(1, 3))
    | st.builds(result, DELIVERIES, st.integers(1, 3), digest=st.just("ab" * 32), recipe=st.just(RECIPE)),
    max_size=8,
)
SAME_FILE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path, notes):
    """Write notes as a process does, and return them with the offset at which each is complete."""
    path.unlink(missing_ok=True)
    journal = Journal(path, BOOT, reserved_octets=RESERVED)
    ends = [len(path.read_bytes().rstrip(b"\0"))]
    for note in notes:
        if read_result(note) is None:
            journal.dot(note.delivery_id, note.attempt)
        else:
            journal.result(note)
        ends.append(len(path.read_bytes().rstrip(b"\0")))
    journal.close()
    return ends


def known(journal, note):
    found = journal.noted(note.delivery_id, note.attempt)
    return found is not None and read_result(found) == read_result(note)


@SAME_FILE
@given(NOTES, st.data())
def test_a_file_cut_anywhere_tells_all_that_was_whole_before_the_cut(path, notes, data):
    ends = written(path, notes)
    octets = path.read_bytes()
    cut = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(octets[:cut] + bytes(data.draw(st.sampled_from([0, 100]))))
    journal = Journal(path, BOOT, reserved_octets=RESERVED)
    journal.close()
    whole = [note for note, end in zip(notes, ends[1:], strict=True) if end <= cut + 1]
    last = {(note.delivery_id, note.attempt): note for note in whole}
    if cut >= ends[0] - 1:
        assert journal.complete
        assert all(known(journal, note) for note in last.values())
    else:
        assert not journal.complete
    for note in notes:
        assert (journal.noted(note.delivery_id, note.attempt) is not None) == (
            (note.delivery_id, note.attempt) in last and cut >= ends[0] - 1
        )


@SAME_FILE
@given(NOTES.filter(bool), st.data())
def test_a_damaged_line_that_is_not_the_last_makes_every_silence_doubtful(path, notes, data):
    written(path, notes)
    lines = path.read_bytes().rstrip(b"\0").split(b"\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 2))
    lines[at] = data.draw(st.binary(max_size=20).filter(lambda octets: b"\n" not in octets).map(b"\xff".__add__))
    path.write_bytes(b"\n".join(lines) + b"\n")
    journal = Journal(path, BOOT, reserved_octets=RESERVED)
    journal.close()
    assert not journal.complete


@SAME_FILE
@given(NOTES, st.data())
def test_whatever_became_of_the_file_the_journal_opens_and_its_notes_can_be_read(path, notes, data):
    ends = written(path, notes)
    octets = bytearray(path.read_bytes()[: ends[-1]])
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at : at + 4] = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(bytes(octets))
    journal = Journal(path, BOOT, reserved_octets=RESERVED)
    journal.close()
    for note in notes:
        found = journal.noted(note.delivery_id, note.attempt)
        assert found is None or read_result(found) is None or isinstance(read_result(found), Attempt)
        assert found is None or found.digest_octets is None or isinstance(found.digest_octets, bytes)


@pytest.mark.parametrize(
    "line",
    [b'["dlv_1",1,"\xff"]', b'["dlv_1",1,{"phase":"nowhere"}]', b'["dlv_1",1,null,"no hexadecimal"]', b'["\xff",1]'],
)
def test_a_note_that_cannot_be_read_whole_is_none(path, open_journal, line):
    open_journal().close()
    with path.open("r+b") as file:
        file.write(path.read_bytes().rstrip(b"\0") + line + b"\n")
    journal = open_journal()
    assert journal.noted("dlv_1", 1) is None
    assert not journal.complete
