"""The benchmarks: flags and inputs that cannot work are refused before the work, in a sentence."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks import decision_latency, machine, uestc_tree
from skeleton.errors import ConfigError

NAMES = sorted(
    file.stem for file in Path(machine.__file__).parent.glob("*.py") if '__name__ == "__main__"' in file.read_text()
)
NO_MODEL = "--model no.onnx"
NO_PLOT = "--plot missing/x.svg"


def ended(name: str, flags: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a benchmark; it never comes to say what it would be measured on."""
    if name == "training_speed":
        pytest.importorskip("torch")
    benchmark = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, *flags.split()])
    monkeypatch.setattr(machine, "describe", None)
    if hasattr(benchmark, "describe"):
        monkeypatch.setattr(benchmark, "describe", None)
    try:
        return int(benchmark.main())
    except SystemExit as exit:
        return int(exit.code or 0)


@pytest.mark.parametrize(
    ("name", "flags", "words"),
    [
        pytest.param("decision_latency", NO_MODEL, "no.onnx"),
        pytest.param("decision_latency", "--frames 0", "must be at least 1"),
        pytest.param("decision_latency", "--seconds nan", "must be a number above 0"),
        pytest.param("everything_on", NO_MODEL, "no.onnx"),
        pytest.param("everything_on", "--seconds 0", "must be a number above 0"),
        pytest.param("long_run", "--minutes -1", "must be a number above 0"),
        pytest.param("long_run", "--minutes nan", "must be a number above 0"),
        pytest.param("long_run", "--minutes 0.01", "must last from 0.1 to 1440 minutes, found 0.01"),
        pytest.param("long_run", "--minutes 1e6", "must last from 0.1 to 1440 minutes"),
        pytest.param("long_run", NO_MODEL, "no.onnx"),
        pytest.param("long_run", NO_PLOT, "missing is none"),
        pytest.param("long_run", "--table missing/x.csv", "missing is none"),
        pytest.param("long_run", "--plot .", "is a folder"),
        pytest.param("machine", "--cores 2", "unrecognized arguments"),
        pytest.param("ntu_parsing", "--files 2", "unrecognized arguments"),
        pytest.param("ntu_tree", "", "FOLDER, COUNT"),
        pytest.param("ntu_tree", "tree 0", "must be at least 1"),
        pytest.param("painting", "--frames 0", "must be at least 1"),
        pytest.param("performer_realism", "--repetitions 0", "must be at least 1"),
        pytest.param("performer_realism", "--stream inf", "must be a number above 0"),
        pytest.param("performer_realism", NO_MODEL, "no.onnx"),
        pytest.param("prepare_throughput", "--files 0", "must be at least 1"),
        pytest.param("prepare_throughput", "--workers 0", "must be at least 1"),
        pytest.param("prepare_throughput", "--folder missing", "missing is none"),
        pytest.param("prepare_throughput", "--ctr-gcn missing", "missing lacks get_raw_skes_data.py"),
        pytest.param("sensor_latency", "--seconds 0", "must be a number above 0"),
        pytest.param("sensor_latency", NO_MODEL, "no.onnx"),
        pytest.param("sensor_latency", NO_PLOT, "missing is none"),
        pytest.param("startup", "--runs 0", "must be at least 1"),
        pytest.param("training_speed", "--data cache --threads 0", "must be at least 1"),
        pytest.param("training_speed", "--data cache --seconds 0", "must be a number above 0"),
        pytest.param("uestc_tree", "tree", "COUNT"),
        pytest.param("uestc_tree", "tree four", "must be a whole number from 0, found 'four'"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence_before_the_work(
    name: str,
    flags: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended(name, flags, monkeypatch) in (1, 2)
    *usage, sentence = capsys.readouterr().err.splitlines()
    assert "error: " in sentence and words in sentence
    assert not usage or usage[0].startswith("usage: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "awake"])
def test_every_benchmark_explains_its_flags(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(name, "--help", monkeypatch) == 0
    assert "usage: " in capsys.readouterr().out


def test_nothing_measured_is_a_sentence() -> None:
    frames = decision_latency.performed(1, 3)
    with pytest.raises(ConfigError, match="after the warm-up, but nothing was"):
        decision_latency.row(decision_latency.timed(lambda frame: None, frames))


def test_a_tree_is_written_by_two_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["uestc_tree", str(tmp_path / "tree"), "2"])
    assert uestc_tree.main() == 0 and capsys.readouterr().out.endswith(" frames\n")
    assert len(list((tmp_path / "tree").iterdir())) == 2


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(machine, "held_up", lambda: (0.0, 0.0))
    monkeypatch.setattr(sys, "argv", ["machine"])
    assert machine.main() == 0 and "cores, load" in capsys.readouterr().out
