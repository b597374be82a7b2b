"""OpenSSL's way to multiply: chosen by measurement, where there is a choice, and never against an operator."""

import os
import subprocess
from pathlib import Path

import pytest
import structlog

from composers import composers
from postroad.pipeline.press import PressOutside, arithmetic
from postroad.pipeline.press.arithmetic import VARIABLE, WITHOUT_ADX, choose, processor_flags, signing_s

ZEN = frozenset({"fpu", "adx", "avx2", "bmi2"})


@pytest.fixture(autouse=True)
def _own_log():
    yield
    structlog.reset_defaults()


def measuring(usual_s, other_s):
    return lambda environment: other_s if environment else usual_s


def never(_):
    raise AssertionError("there was nothing to measure")


@pytest.mark.parametrize(("usual_s", "other_s", "taken"), [(1.0, 0.8, True), (1.0, 0.97, False), (1.0, 1.5, False)])
def test_the_older_way_is_taken_only_where_it_is_clearly_faster(usual_s, other_s, taken):
    assert choose(ZEN, {}, measuring(usual_s, other_s)) == (WITHOUT_ADX if taken else {})


@pytest.mark.parametrize("flags", [ZEN | {"avx512ifma"}, ZEN - {"adx"}, ZEN - {"avx2"}, frozenset()])
def test_where_there_is_no_choice_nothing_is_measured(flags):
    assert choose(flags, {}, never) == {}


def test_what_an_operator_has_set_stands():
    assert choose(ZEN, {VARIABLE: "0x0"}, never) == {}


@pytest.mark.parametrize(
    "error",
    [OSError(), ValueError(), subprocess.TimeoutExpired("python", 1), subprocess.CalledProcessError(1, "python")],
)
def test_what_cannot_be_measured_changes_nothing(error):
    def fails(_):
        raise error

    assert choose(ZEN, {}, fails) == {}


def test_the_flags_of_the_processor_are_those_of_its_first_core(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu adx avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert processor_flags(file) == {"fpu", "adx", "avx2"}


def test_a_system_that_does_not_tell_has_no_flags(tmp_path):
    assert processor_flags(tmp_path / "none") == frozenset()
    (tmp_path / "odd").write_text("Features : neon\n")
    assert processor_flags(tmp_path / "odd") == frozenset()


@pytest.mark.parametrize("environment", [{}, WITHOUT_ADX])
def test_a_signature_takes_time_in_a_process_of_its_own(environment):
    assert 0 < signing_s(environment) < 10


async def test_composing_processes_are_started_with_what_was_found():
    found = []

    async def environment():
        found.append(True)
        return {"POSTROAD_TEST_FOUND": "it"}

    press = PressOutside(2, environment)
    press.prepare()
    press.prepare()
    before = composers()
    await press.compose([], [])
    (pid,) = composers() - before
    assert "POSTROAD_TEST_FOUND=it" in Path(f"/proc/{pid}/environ").read_text().split("\0")
    await press.close()
    assert found == [True]
    assert "POSTROAD_TEST_FOUND" not in os.environ


async def test_a_choice_is_made_on_this_machine_or_none_is_left():
    assert await arithmetic.faster_environment() in ({}, WITHOUT_ADX)
