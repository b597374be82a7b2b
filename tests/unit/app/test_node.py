"""What one process is: alone on its directory, known by its name again, different with every start."""

import multiprocessing
import os
import re
import threading
import time

import pytest
from structlog.testing import capture_logs

from postroad.app.node import DirectoryTaken, Minter, WallClock, occupy
from postroad.model.clock import HOUR
from postroad.model.ids import COUNT_BITS, TAIL_DIGITS, mint, minted_at
from stores import StillClock


def test_a_node_keeps_its_name_and_not_its_run(tmp_path):
    first = occupy(tmp_path / "data")
    assert first.fresh
    first.release()
    second = occupy(tmp_path / "data")
    second.release()
    assert (second.name, second.machine_boot) == (first.name, first.machine_boot)
    assert second.run != first.run
    assert not second.fresh
    assert re.fullmatch(r"node_[0-9a-f]{16}", first.name)


def test_nodes_of_two_directories_have_two_names(tmp_path):
    nodes = [occupy(tmp_path / name) for name in ("a", "b")]
    assert nodes[0].name != nodes[1].name
    for node in nodes:
        node.release()


def test_a_directory_has_one_process_at_a_time_and_the_sentence_says_what_to_do(tmp_path):
    node = occupy(tmp_path)
    with pytest.raises(DirectoryTaken, match=rf"\(pid {os.getpid()}\).*POSTROAD_DATA_DIRECTORY"):
        occupy(tmp_path)
    node.release()
    occupy(tmp_path).release()


def test_a_process_waits_for_one_that_is_about_to_end(tmp_path):
    node = occupy(tmp_path)
    threading.Timer(0.15, node.release).start()
    with capture_logs() as logged:
        occupy(tmp_path, patience_s=10).release()
    (said,) = logged
    assert said["event"] == "waiting_for_data_directory"
    assert (said["held_by"], said["for_s"]) == (f"pid {os.getpid()}", 10)


def test_a_process_that_waits_in_vain_says_what_it_waits_for_and_then_what_to_do(tmp_path):
    node = occupy(tmp_path)
    with capture_logs() as logged, pytest.raises(DirectoryTaken, match="stop it"):
        occupy(tmp_path, patience_s=0.2)
    assert [(said["event"], said["directory"]) for said in logged] == [("waiting_for_data_directory", str(tmp_path))]
    node.release()


def test_a_directory_that_is_free_is_taken_without_a_word(tmp_path):
    with capture_logs() as logged:
        occupy(tmp_path, patience_s=10).release()
    assert not logged


def hold(directory, held):
    occupy(directory)
    held.set()
    time.sleep(60)


def test_a_killed_process_leaves_its_directory_free(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path, held))
    process.start()
    try:
        assert held.wait(30)
        with pytest.raises(DirectoryTaken):
            occupy(tmp_path)
    finally:
        process.kill()
        process.join()
    occupy(tmp_path).release()


def test_the_data_directory_is_the_owners_alone(tmp_path):
    occupy(tmp_path / "data").release()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_identifiers_are_never_made_twice_and_carry_the_time():
    make = Minter(WallClock())
    before = WallClock().now()
    made = [make("msg") for _ in range(1000)]
    after = WallClock().now()
    assert len(set(made)) == 1000
    assert mint("msg", before, bytes(10)) <= min(made)
    assert max(made) <= mint("msg", after, b"\xff" * 10)


def test_identifiers_of_one_moment_grow():
    clock = StillClock()
    make = Minter(clock)
    made = [make("msg") for _ in range(1000)]
    assert made == sorted(set(made))
    assert {minted_at(one) for one in made} == {clock.now() // 1000 * 1000}


def test_no_two_identifiers_of_one_moment_differ_by_their_count_alone():
    make = Minter(StillClock())
    assert len({make("msg")[-TAIL_DIGITS:] for _ in range(1000)}) == 1000


def test_a_clock_that_is_set_back_makes_no_identifier_smaller():
    clock = StillClock()
    make = Minter(clock)
    first = make("msg")
    clock.pass_by(-HOUR)
    assert make("msg") > first


def test_one_moment_has_room_for_two_to_the_29_identifiers_and_lends_from_the_next():
    make = Minter(StillClock())
    first = make("msg")
    make._count = (1 << COUNT_BITS) - 1
    last = make("msg")
    assert first < last
    assert minted_at(last) == minted_at(first) + 1000
