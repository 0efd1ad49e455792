"""Golden recordings give exactly the listed actions, offline and through the threads (see ``tests/live/golden``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.view import ActionEvent
from tests.live import golden
from tests.live.golden import __main__ as command
from tests.live.pipelines import Counting, Lockstep, running, until

LARGEST_BYTES = 300_000


@pytest.mark.parametrize("model", golden.MODELS)
@pytest.mark.parametrize("name", golden.NAMES)
def test_a_golden_recording_gives_exactly_its_actions(name: str, model: str, recognizer: Recognizer) -> None:
    if model == "exercises":
        recognizer = Recognizer(golden.SHIPPED, provider="cpu")
    wanted = golden.expected(name, model).read_text(encoding="utf-8")
    found = golden.replayed(name, recognizer)
    assert found == wanted, "if the shipped model was replaced on purpose: python -m tests.live.golden --write"


@pytest.mark.parametrize("name", golden.NAMES)
def test_so_it_does_through_the_threads(name: str, model_file: Path) -> None:
    recognizer = Counting(model_file)
    events: list[ActionEvent] = []
    with running(Pipeline(Lockstep(golden.recording(name), recognizer), lambda: recognizer)) as pipeline:
        until(pipeline, lambda _: pipeline.is_done, what="the end", events=events)
    events += pipeline.poll().events
    assert golden.listed(events) == golden.expected(name, "tiny").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", golden.NAMES)
def test_golden_recordings_are_small_and_something_happens_in_them(name: str) -> None:
    assert golden.recording(name).stat().st_size <= LARGEST_BYTES
    for model in golden.MODELS:
        header, *rows = golden.expected(name, model).read_text(encoding="utf-8").splitlines()
        assert header.split(",") == list(golden.COLUMNS)
        assert rows


def test_the_command_writes_lists_only_when_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "NAMES", ("clock-jumps",))
    monkeypatch.setattr(command, "SHIPPED", model_file)  # a stand-in: the real one is the other tests'
    monkeypatch.setattr(command, "expected", lambda name, model: tmp_path / f"{name}.{model}.csv")
    assert command.main([]) == 1
    assert not list(tmp_path.iterdir())
    assert command.main(["--write"]) == 0
    written = (tmp_path / "clock-jumps.tiny.csv").read_text(encoding="utf-8")
    assert written == golden.expected("clock-jumps", "tiny").read_text(encoding="utf-8")
    capsys.readouterr()
    assert command.main([]) == 0
    assert "clock-jumps.tiny.csv: the same, 2 actions" in capsys.readouterr().out
