"""The programs that keep cores awake while a benchmark runs: they step aside, and none is left behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.awake import TURNER, kept_awake


def test_every_core_is_kept_awake_as_long_as_the_benchmark_runs() -> None:
    with kept_awake() as turners:
        assert turners and all(turner.poll() is None for turner in turners)
    assert all(turner.poll() is not None for turner in turners)


def test_a_program_that_keeps_a_core_awake_ends_with_the_one_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", TURNER, "0"], stdin=subprocess.PIPE) as turner:
        assert turner.stdin is not None
        turner.stdin.close()
        assert turner.wait(timeout=60) == 0


@pytest.mark.parametrize("arguments", [[], ["--minutes"]])
def test_without_a_benchmark_there_is_a_sentence(arguments: list[str]) -> None:
    found = subprocess.run([sys.executable, "-m", "benchmarks.awake", *arguments], capture_output=True, check=False)
    assert found.returncode == 1 and b"The name of a benchmark must follow" in found.stderr


def test_the_benchmark_s_exit_code_is_passed_on() -> None:
    found = subprocess.run([sys.executable, "-m", "benchmarks.awake", "json.tool", "no.json"], check=False)
    assert found.returncode != 0
