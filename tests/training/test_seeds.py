"""Several runs that differ in their seed alone: what they end with, and Ctrl-C between and within them."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import pytest

from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import SMALL
from training import config, seeds
from training.__main__ import main
from training.learner import Learner
from training.run import Run, open_run


def begin(data: Path, output: Path) -> list[Run]:
    return seeds.train_seeds(
        data=data,
        protocol="odd-even",
        output=output,
        settings=config.load(assignments=[*SMALL, "epochs=2", "learning_rate=0.01"]),
        seeds=(4, 5, 6),
        is_exported=False,
    )


def table(output: Path) -> list[dict[str, str]]:
    with (output / "summary.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_summary_gives_mean_and_deviation_of_the_epochs_that_count(synthetic: Path, tmp_path: Path) -> None:
    runs = begin(synthetic, tmp_path / "runs")
    assert [(run.path.name, run.seed) for run in runs] == [("seed-4", 4), ("seed-5", 5), ("seed-6", 6)]
    summary = json.loads((tmp_path / "runs" / "summary.json").read_text())
    losses = [run.load("best")["rows"][-1]["val_loss"] for run in runs]
    assert [row["val_loss"] for row in summary["runs"]] == losses and len(set(losses)) == 3
    assert summary["mean"]["val_loss"] == pytest.approx(statistics.mean(losses))
    assert summary["deviation"]["val_loss"] == pytest.approx(statistics.stdev(losses))
    rows = table(tmp_path / "runs")
    assert [row["seed"] for row in rows] == ["4", "5", "6", "mean", "deviation"]
    assert float(rows[3]["val_loss"]) == summary["mean"]["val_loss"]


@pytest.mark.parametrize("steps", [1, 4, 6])  # a run has two epochs of two steps
def test_stopped_runs_go_on_where_they_were(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    whole = begin(synthetic, tmp_path / "whole")
    original, left = Learner.step, [steps]

    def step(learner: Learner, *arguments: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return original(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", step)
        with pytest.raises(AppError, match=rf"{steps // 4} of 3 runs are finished.*--resume .*stopped$"):
            begin(synthetic, tmp_path / "stopped")
    assert (
        len(table(tmp_path / "stopped")) == 3 if steps >= 4 else not (tmp_path / "stopped" / "summary.csv").exists()
    )
    resumed = seeds.resume_seeds(tmp_path / "stopped", is_exported=False)
    assert table(tmp_path / "stopped") == table(tmp_path / "whole")
    for one, other in zip(whole, resumed, strict=True):
        assert all(
            (one.load("last")["averaged"][name] == weight).all()
            for name, weight in other.load("last")["averaged"].items()
        )


def test_what_is_left_of_a_run_is_never_deleted(synthetic: Path, tmp_path: Path) -> None:
    begin(synthetic, tmp_path / "runs")
    new, lost = (tmp_path / "runs" / name for name in ("seed-4", "seed-5"))
    for name in ("last.pt", "best.pt", "results.csv"):
        (new / name).unlink()
    (lost / "last.pt").unlink()
    for folder in (new, lost):
        (folder / "mine.txt").write_text("of the user")
    kept = sorted(lost.iterdir())
    with pytest.raises(TrainingDataError, match=r"seed-5 must hold a checkpoint last\.pt, but has none"):
        seeds.resume_seeds(tmp_path / "runs", is_exported=False)
    assert open_run(new).load("last")["epoch"] == 2 and (new / "mine.txt").is_file()
    assert sorted(lost.iterdir()) == kept


@pytest.mark.slow
def test_the_command_trains_so_many_seeds_and_takes_them_up_again(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "runs"
    command = ["train", "--data", str(synthetic), "--protocol", "odd-even", "--output", str(output), "--seeds", "2"]
    command += ["--seed", "7", "--set", *SMALL, "epochs=1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    for name in ("seed-7", "seed-8"):
        assert f"{name}: 1 epoch; the model is" in said and (output / name / "model.onnx").is_file()
    assert main(command) == 1 and "--resume" in capsys.readouterr().err
    assert main(["train", "--resume", str(output)]) == 0
    assert main(["train", "--resume", str(output), "--seeds", "3"]) == 1


def test_other_settings_cannot_continue_runs(synthetic: Path, tmp_path: Path) -> None:
    begin(synthetic, tmp_path / "runs")
    file = tmp_path / "runs" / "config.toml"
    file.write_text(file.read_text().replace("epochs = 2", ""))
    with pytest.raises(ConfigError, match=r"config\.toml must hold the settings that training began with"):
        seeds.resume_seeds(tmp_path / "runs")


@pytest.mark.parametrize("plan", ["", "[]", "{}", '{"schema": 1, "data": "a", "protocol": "b", "seeds": ["x"]}'])
def test_a_damaged_plan_is_one_sentence(tmp_path: Path, plan: str) -> None:
    (tmp_path / seeds.PLAN).write_text(plan)
    assert seeds.is_seeds(tmp_path)
    with pytest.raises(TrainingDataError, match=r"must hold a seeds\.json"):
        seeds.resume_seeds(tmp_path)
