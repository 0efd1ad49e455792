"""The benchmark of training runs as the documents say, and refuses in a sentence what it does not compare."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import training_speed
from tests.training.conftest import SMALL


def measured(data: Path, *flags: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a short measurement, without the loader's worker processes."""
    monkeypatch.setattr(training_speed, "WAYS", [way for way in training_speed.WAYS if way[1] != 2])
    arguments = ["--data", str(data), "--seconds", "0.01", "--threads", "1", *flags, "--set", *SMALL]
    monkeypatch.setattr(sys, "argv", ["training_speed", *arguments])
    with pytest.raises(SystemExit) as ended:
        training_speed.main()
    return int(ended.value.code or 0)


def test_without_a_recipe_it_measures_every_way(
    synthetic: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(synthetic, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert all(said.count(f"\n{name} ") == training_speed.ROUNDS + 1 for name, _, _ in training_speed.WAYS)


@pytest.mark.parametrize("recipe", ["exercises", "gestures"])
def test_a_recipe_with_background_or_streams_is_refused_in_a_sentence(
    recipe: str, synthetic: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"training/recipes/{recipe}.toml"
    assert measured(synthetic, "--config", file, monkeypatch=monkeypatch) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "on clips alone" in error and f"{file} has background_share" in error
