"""An ablation trains what is missing, measures every run once, and compares like with like."""

from __future__ import annotations

import csv
import io
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import SMALL
from training import ablate, ablation_table, config, published, train
from training.__main__ import main
from training.ablation_table import Row
from training.cache import content, open_cache
from training.compare import compare
from training.config import Settings
from training.journal import Journal
from training.run import open_run

QUICK = (*SMALL, "epochs=1", "validation_subjects=0", "span_s=1.2")


def settings(*more: str) -> Settings:
    return config.load(assignments=[*QUICK, *more])


class _Fake:
    """Trains and measures in no time: what is counted is which runs are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, stop_at: int = -1) -> None:
        self.trained: list[tuple[str, str, int]] = []
        self.stop_at = stop_at
        monkeypatch.setattr(ablate.train, "train", self.train)
        monkeypatch.setattr(ablate.export, "model_of", lambda run, data: run)
        monkeypatch.setattr(ablate, "evaluate", self.evaluate)

    def train(self, *, settings: Settings, protocol: str, seed: int, **_: Any) -> tuple[str, str, int]:
        if len(self.trained) == self.stop_at:
            raise KeyboardInterrupt
        self.trained.append((settings.shape["attention"], protocol, seed))
        return self.trained[-1]

    def evaluate(self, model: tuple[str, str, int], data: Path, protocol: str, **_: Any) -> dict[str, Any]:
        attention, _, seed = model
        top1 = {"st": 0.9, "s": 0.85, "t": 0.8, "none": 0.7}[attention] + 0.01 * seed
        top1 += 0.04 if protocol == "loso-1" else 0
        facts = {"dataset": "synthetic", "protocol": protocol, "seed": seed, "samples": 30}
        facts["content"] = content(open_cache(data))
        return facts | {"top1": top1, "macro_f1": top1 - 0.1, "top1_live": 0.5}


def run(data: Path, output: Path, *more: str, **options: Any) -> str:
    options = {"protocol": "odd-even", "seeds": range(3)} | options
    return ablate.run(data=data, output=output, settings=settings(*more), **options)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def table(output: Path, name: str = "attention") -> dict[str, Any]:
    return json.loads((output / f"{name}.json").read_text())


@pytest.mark.slow
def test_the_command_trains_measures_and_compares_and_a_second_time_does_nothing(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "ablation"
    arguments = ["ablate", "--data", str(synthetic), "--protocol", "odd-even", "--output", str(output)]
    arguments += ["--modes", "st,none", "--seeds", "1", "--first-seed", "1", "--set", *QUICK]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == (output / "attention.md").read_text(encoding="utf-8").strip()
    assert "2 of 2 runs are finished" in printed and "python -m training ablate" in printed
    assert len(list(output.glob("runs/*/odd-even/seed-1/model.onnx"))) == 2
    for file in output.glob("results/*.json"):
        result = json.loads(file.read_text())
        assert result["samples"] == 30 and result["subjects"] == [2, 4]
    made = table(output)
    assert made["samples"] == {"odd-even": 30}
    by_seed = {row["name"]: row["metrics"]["top1"]["by_seed"] for row in made["rows"]}
    measured = json.loads((output / "results" / "st-tanh-near-one-odd-even-1.json").read_text())
    assert by_seed["st"]["1"] == measured["top1"] and measured["attention"] == "st" and measured["seed"] == 1
    assert f"{100 * statistics.fmean(by_seed['st'].values()):.1f}" in compare([output / "attention.json"])

    for name in ("train", "resume"):
        monkeypatch.setattr(ablate.train, name, lambda **_: pytest.fail("trained again"))
    monkeypatch.setattr(ablate, "evaluate", lambda *_, **__: pytest.fail("measured again"))
    assert main(arguments) == 0 and capsys.readouterr().out == printed


def test_a_difference_is_taken_seed_by_seed(synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Fake(monkeypatch)
    text = run(synthetic, tmp_path)
    rows = {row["name"]: row["metrics"]["top1"] for row in table(tmp_path)["rows"]}
    assert list(rows) == ["st", "none", "t", "s"]
    assert rows["st"]["mean"] == 0.91 and rows["st"]["deviation"] == 0.01 and rows["st"]["runs"] == 3
    # Seeds move both networks alike, so the difference has no deviation although both have one.
    assert rows["st"]["less_without_attention"] == {"mean": 0.2, "deviation": 0.0, "runs": 3}
    assert rows["none"]["less_without_attention"]["runs"] == 0
    line = next(line for line in text.splitlines() if line.startswith("| CSTA-CNN"))
    assert "91.0 ± 1.0" in line and "+20.0 ± 0.0" in line and "0, 1, 2" in line
    assert all(f"| {title} |" in text for title in ("Without ST", "Without S", "Without T"))
    lines = list(csv.DictReader(io.StringIO((tmp_path / "attention.csv").read_text())))
    assert len(lines) == 4 * 3 * 3
    only = [row for row in lines if (row["row"], row["metric"], row["seed"]) == ("t", "top1", "2")]
    assert [(row["value"], row["less_without_attention"]) for row in only] == [("0.8200", "0.1000")]


def test_an_interrupted_ablation_keeps_what_it_has_and_goes_on(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _Fake(monkeypatch, stop_at=5)
    with pytest.raises(AppError, match=r"5 of 12 runs are finished\. The same command goes on"):
        run(synthetic, tmp_path)
    partial = (tmp_path / "attention.md").read_text(encoding="utf-8")
    assert "5 of 12 runs are finished" in partial
    rows = {row["name"]: row["metrics"]["top1"] for row in table(tmp_path)["rows"]}
    assert [rows[name]["runs"] for name in ("st", "none", "t", "s")] == [2, 1, 1, 1]
    assert rows["st"]["less_without_attention"]["runs"] == 1  # only the seed that both have
    fake.stop_at = -1
    assert "12 of 12 runs are finished" in run(synthetic, tmp_path)
    assert len(fake.trained) == 12 == len(set(fake.trained))


def test_ctrl_c_while_training_names_the_whole_command(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise AppError("Interrupted; 3 of 9 epochs are saved.", remedy="train --resume") from None

    monkeypatch.setattr(ablate.train, "train", interrupted)
    with pytest.raises(AppError, match="0 of 12 runs are finished"):
        run(synthetic, tmp_path)


def test_another_error_is_told_as_it_is(synthetic: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="At least one person must be left to train"):
        run(synthetic, tmp_path, "validation_subjects=5")


def test_a_run_that_was_killed_before_its_first_epoch_starts_anew_and_one_that_lost_it_stays(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs" / "none" / "odd-even" / "seed-0"
    train.train(
        data=synthetic, protocol="odd-even", output=path, settings=settings("attention=none"), is_exported=False
    )
    for file in path.iterdir():
        if file.name not in ("run.json", "config.toml", "split.csv"):
            file.unlink()
    monkeypatch.setattr(train, "_write_model", interrupted)
    with pytest.raises(AppError, match="0 of 1 runs are finished"):
        run(synthetic, tmp_path, modes=("none",), seeds=[0])
    assert open_run(path).load("last")["epoch"] == 1

    (path / "last.pt").unlink()
    (path / "mine.txt").write_text("of the user")
    kept = sorted(path.iterdir())
    with pytest.raises(TrainingDataError, match=r"must hold a checkpoint last\.pt"):
        run(synthetic, tmp_path, modes=("none",), seeds=[0])
    assert sorted(path.iterdir()) == kept


def test_a_second_process_in_the_folder_is_told_in_one_sentence(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_write_model", interrupted)
    told, original = [], Journal.write

    def write(journal: Journal, rows: Any) -> None:
        with pytest.raises(TrainingDataError, match="seed-0 is being written by another process") as caught:
            run(synthetic, tmp_path, modes=("none",), seeds=[0])
        told.append(str(caught.value))
        original(journal, rows)

    monkeypatch.setattr(Journal, "write", write)
    with pytest.raises(AppError, match="0 of 1 runs are finished"):
        run(synthetic, tmp_path, modes=("none",), seeds=[0])
    assert len(told) == 1 and (tmp_path / "runs" / "none" / "odd-even" / "seed-0" / "last.pt").is_file()


def test_runs_of_other_settings_are_not_mixed_in(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Fake(monkeypatch)
    run(synthetic, tmp_path)
    run(synthetic, tmp_path, "threads=2")  # the machine's business
    with pytest.raises(TrainingDataError, match=r"dropout = 0\.0 instead of 0\.2.*--output"):
        run(synthetic, tmp_path, "dropout=0.2")
    file = tmp_path / "results" / "none-odd-even-0.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dataset": "machete"}))
    with pytest.raises(TrainingDataError, match="another data set"):
        run(synthetic, tmp_path)
    file.write_text("{}")
    with pytest.raises(TrainingDataError, match="must hold a result"):
        run(synthetic, tmp_path)


def test_results_of_other_clips_are_not_taken_over(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Fake(monkeypatch)
    data, output = tmp_path / "data", tmp_path / "table"
    shutil.copytree(synthetic, data)
    run(data, output)
    joints = np.load(data / "joints.npy")
    np.save(data / "joints.npy", joints * np.float32(1.5))
    with pytest.raises(TrainingDataError, match=r"of other clips than .* has now"):
        run(data, output)
    file = output / "results" / "none-odd-even-0.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"top1": float("nan")}))
    with pytest.raises(TrainingDataError, match="must hold a result"):
        run(data, output, modes=("none",))


def test_an_unfinished_run_of_other_settings_is_not_resumed(synthetic: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "none" / "odd-even" / "seed-0"
    train.train(
        data=synthetic, protocol="odd-even", output=path, settings=settings("attention=none"), is_exported=False
    )
    with pytest.raises(TrainingDataError, match="epochs = 1 instead of 2"):
        run(synthetic, tmp_path, "epochs=2", modes=("none",), seeds=[0])
    with pytest.raises(TrainingDataError, match="another data set, protocol or seed"):
        path.rename(path.with_name("seed-1"))
        run(synthetic, tmp_path, modes=("none",), seeds=[1])


def test_a_figure_of_several_divisions_is_their_mean(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _Fake(monkeypatch)
    text = run(synthetic, tmp_path, protocol="loso", modes=("st", "none"), seeds=[0])
    assert [job[1] for job in fake.trained] == ["loso-1", "loso-2", "loso-3", "loso-4"] * 2
    rows = {row["name"]: row["metrics"]["top1"]["mean"] for row in table(tmp_path)["rows"]}
    assert rows == {"st": 0.91, "none": 0.71} and "mean over 4 divisions" in text


def test_both_tables_share_the_runs_that_are_the_same_network(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _Fake(monkeypatch)
    run(synthetic, tmp_path, seeds=[0])
    assert len(fake.trained) == 4
    text = run(synthetic, tmp_path, seeds=[0], table="activation")
    assert len(fake.trained) == 4 + 5  # tanh and none are there already
    names = {file.stem for file in (tmp_path / "results").iterdir()}
    assert {"st-tanh-zero-odd-even-0", "st-tanh-linear-odd-even-0", "st-softmax-near-one-odd-even-0"} <= names
    assert all(title in text for title in ("sigmoid", "identity", "starts at zero", "without attention"))
    assert {file.name for file in tmp_path.glob("activation.*")} == {
        f"activation.{kind}" for kind in ("md", "csv", "json")
    }


def test_the_paper_stands_beside_where_it_measured_the_same() -> None:
    results = {(name, "xsub", 0): {"top1": 0.8, "macro_f1": 0.8, "top1_live": 0.8} for name in ablate.ATTENTION}
    rows = [Row.of(name, title, ["xsub"], [0], results) for name, (title, _) in ablate.ATTENTION.items()]
    facts = {"dataset": "ntu60", "protocol": "xsub", "divisions": ["xsub"], "runs": 4, "command": "a | `b`"}
    text = ablation_table.as_markdown(facts, rows)
    for row in published.rows(table="3", dataset="ntu60", protocol="xsub"):
        assert any(
            line.startswith(f"| {row.method} ") and line.endswith(f"| {row.top1} |") for line in text.splitlines()
        )
    assert "paper" not in ablation_table.as_markdown(facts | {"dataset": "machete"}, rows)


def test_an_unknown_row_is_one_sentence(synthetic: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no row 'x'.*Known: st, none, t, s"):
        run(synthetic, tmp_path, modes=("st", "x"))
    with pytest.raises(ConfigError, match="--modes names none"):
        run(synthetic, tmp_path, modes=())
    assert not list(tmp_path.iterdir())
