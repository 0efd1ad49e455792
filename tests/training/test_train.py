"""From clips to a model file, on a data set of seconds: the same seed, damaged runs."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.card import ModelCard
from skeleton.errors import ConfigError, TrainingDataError
from tests.training.conftest import SMALL, edit_settings
from training import config, export, train
from training.__main__ import main
from training.augment import mix
from training.learner import learning_rate_share
from training.run import MODEL, Run

REPOSITORY = Path(__file__).resolve().parents[2]


def trained(data: Path, output: Path, *settings: str, seed: int = 0) -> Run:
    assignments = [*SMALL, "epochs=2", *settings]
    return train.train(
        data=data,
        protocol="odd-even",
        output=output,
        settings=config.load(assignments=assignments),
        seed=seed,
        is_exported=False,
    )


def weights(trained_run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    return trained_run.load(name)["averaged"]


def is_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def rows(trained_run: Run) -> list[dict[str, str]]:
    with (trained_run.path / "results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_a_model_is_trained_exported_and_measured_by_the_commands(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, model = tmp_path / "run", tmp_path / "my.onnx"
    common = ["--data", str(synthetic), "--protocol", "odd-even"]
    settings = [*SMALL, "epochs=12", "validation_subjects=0", "span_s=1.2", "average_decay=0.5", "learning_rate=0.01"]
    assert main(["train", *common, "--output", str(output), "--seed", "0", "--set", *settings]) == 0
    assert main(["export", str(output), "--output", str(model), "--name", "three movements"]) == 0
    capsys.readouterr()
    assert main(["evaluate", *common, "--model", str(model), "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    measured = json.loads(printed)
    assert measured["dataset"] == "synthetic" and measured["protocol"] == "odd-even" and measured["samples"] == 30
    assert measured["subjects"] == [2, 4] and measured["seed"] == 0
    assert measured["top1"] >= 0.8 and measured["top1_live"] >= 0.6
    assert set(measured["per_class"]) == {"raise left", "raise right", "squat"}
    card = ModelCard.from_metadata(dict(onnx_metadata(model)), file=model.name)
    assert card.name == "three movements" and card.span_s == 1.2 and card.trained_on["subjects"] == [1, 3]
    assert card.recipe["epochs"] == 12 and card.attention_range[0] < card.attention_range[1]


def onnx_metadata(model: Path) -> Iterator[tuple[str, str]]:
    for entry in onnx.load(model).metadata_props:
        yield entry.key, entry.value


def test_results_of_several_seeds_become_mean_and_deviation() -> None:
    one = {"top1": 0.9, "macro_f1": 0.8, "top1_live": 0.7, "samples": 30, "model": "a.onnx"}
    merged = export.summary([one, one | {"top1": 1.0}, one | {"top1": 0.95}])
    assert merged["top1"] == 0.9 and merged["samples"] == 30 and "model" not in merged
    assert merged["seeds"]["top1"] == {"mean": 0.95, "deviation": 0.05, "runs": 3}
    assert "seeds" not in export.summary([one]) and export.summary([]) == {}


def test_a_file_that_is_no_result_is_refused(synthetic: Path, tmp_path: Path) -> None:
    made = trained(synthetic, tmp_path / "run")
    results = tmp_path / "results.json"
    for text in (
        "",
        "[]",
        '{"top1": 1}',
        '{"dataset": "a", "protocol": "b", "top1": "x", "macro_f1": 1, "top1_live": 1}',
    ):
        results.write_text(text)
        with pytest.raises(TrainingDataError, match=r"results\.json must"):
            export.export(made.path, tmp_path / "a.onnx", results=[results])


def test_the_run_folder_says_how_it_was_made(synthetic: Path, tmp_path: Path) -> None:
    made = trained(synthetic, tmp_path / "run", "validation_fold=1", seed=5)
    facts = json.loads((made.path / "run.json").read_text())
    assert facts["subjects"] == {"train": [1], "validation": [3], "test": [2, 4]}
    assert facts["seed"] == 5 and facts["versions"]["torch"] == torch.__version__
    again = config.load(file=made.path / "config.toml")
    assert again == made.settings and again.training.epochs == 2 and again.shape["channels"] == (4, 6, 8)
    assert [row["epoch"] for row in rows(made)] == ["1", "2"]
    assert all(math.isfinite(float(row["val_top1"])) for row in rows(made))
    assert list(made.path.glob("events.out.*"))


def test_a_cache_of_three_people_is_one_sentence(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = tmp_path / "data", tmp_path / "run"
    shutil.copytree(synthetic, data)
    for name in ("joints", "state"):
        np.save(data / f"{name}.npy", np.repeat(np.load(data / f"{name}.npy"), 3, axis=1))
    assert main(["train", "--data", str(data), "--protocol", "odd-even", "--output", str(output)]) == 1
    assert "at most 2 people, but the clips of" in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert not output.exists()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(synthetic: Path, tmp_path: Path) -> None:
    one, same, other = (
        trained(synthetic, tmp_path / name, "average_decay=0.9", "dropout=0.3", "mixup=0.3", seed=seed)
        for name, seed in (("one", 7), ("same", 7), ("other", 8))
    )
    assert is_same(weights(one), weights(same)) and not is_same(weights(one), weights(other))


def test_learning_changes_only_what_training_people_show(synthetic: Path, tmp_path: Path) -> None:
    """No clip of a test person is read while training."""
    made = trained(synthetic, tmp_path / "one")
    copy = tmp_path / "spoiled"
    copy.mkdir()
    for file in synthetic.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    clips, joints = np.load(copy / "clips.npy"), np.load(copy / "joints.npy")
    for clip in clips[clips["subject"] % 2 == 0]:
        joints[clip["start"] : clip["start"] + clip["frames"]] = np.nan
    np.save(copy / "joints.npy", joints)
    assert is_same(weights(made), weights(trained(copy, tmp_path / "two")))


def test_without_validation_the_last_epoch_counts(synthetic: Path, tmp_path: Path) -> None:
    made = trained(synthetic, tmp_path / "run", "validation_subjects=0")
    network, epoch = export.trained_network(made)
    assert epoch == 2 and is_same(network.state_dict(), weights(made, "last"))
    assert all(row["val_top1"] == "nan" for row in rows(made))


def test_attention_gives_the_heat_its_scale(synthetic: Path, tmp_path: Path) -> None:
    for mode, is_learned in (("st", True), ("none", False)):
        network, _ = export.trained_network(trained(synthetic, tmp_path / mode, f"attention={mode}"))
        random = torch.rand((4, 1, 30, 19, 3), generator=torch.Generator().manual_seed(0))
        low, high = export.attention_range(network, random, torch.ones(4, 1, 30, 19, dtype=torch.bool))
        assert ((low, high) != (0.0, 1.0)) == is_learned and low < high


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param(["speed=3"], "no setting 'speed'", id="unknown"),
        pytest.param(["epochs=many"], "'epochs' must be a whole number", id="wrong type"),
        pytest.param(["channels=8,8,8"], r"'channels' must be a list, such as \[64, 128, 256\]", id="no list"),
        pytest.param(["epochs=0"], "epochs must be from 1", id="out of range"),
        pytest.param(["network=big"], "must be one of csta_cnn", id="unknown network"),
        pytest.param(["dropout=1.5"], "dropout must be", id="out of the network's range"),
        pytest.param(["joints=[1]"], "no setting 'joints'", id="what the data decide"),
        pytest.param(["epochs"], "key=value", id="no value"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(settings: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config.load(assignments=settings)


@pytest.mark.parametrize("recipe", sorted((REPOSITORY / "training" / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_is_one(recipe: Path) -> None:
    assert config.load(file=recipe).training.epochs > 0


def test_damaged_runs_are_one_sentence(synthetic: Path, tmp_path: Path) -> None:
    made = trained(synthetic, tmp_path / "run")
    with pytest.raises(TrainingDataError, match=r"exists already.*--resume"):
        trained(synthetic, tmp_path / "run")
    with pytest.raises(TrainingDataError, match=r"has no run\.json"):
        train.resume(tmp_path)
    checkpoint, whole = made.path / "last.pt", made.load("last")
    content = checkpoint.read_bytes()
    for damage in (b"", b"no checkpoint", content[: len(content) // 2]):
        checkpoint.write_bytes(damage)
        with pytest.raises(TrainingDataError, match="damaged or is not one"):
            train.resume(made.path)
    torch.save({"network": {}, "epoch": 1, "averaged": {}}, checkpoint)
    with pytest.raises(TrainingDataError, match="the numbers of its epochs"):
        train.resume(made.path)
    torch.save(whole | {"network": {}, "averaged": {}}, checkpoint)
    with pytest.raises(TrainingDataError, match="does not fit its settings"):
        train.resume(made.path)
    checkpoint.unlink()
    with pytest.raises(TrainingDataError, match="has none"):
        train.resume(made.path)


class _Payload:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("payload-was-run",)


def test_a_checkpoint_runs_no_code(synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained(synthetic, tmp_path / "run")
    torch.save({"network": _Payload(), "epoch": 1}, made.path / "last.pt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingDataError, match="damaged or is not one"):
        made.load("last")
    assert not (tmp_path / "payload-was-run").exists()


def test_another_data_set_cannot_resume_a_run(synthetic: Path, tmp_path: Path) -> None:
    made = trained(synthetic, tmp_path / "run")
    facts = json.loads((made.path / "run.json").read_text())
    (made.path / "run.json").write_text(json.dumps(facts | {"clips": 7}))
    with pytest.raises(TrainingDataError, match="started on 7 clips"):
        train.resume(made.path)


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    shares = [learning_rate_share(step, 200, warm_up=0.1) for step in range(200)]
    peak = int(np.argmax(shares))
    assert 15 <= peak <= 21 and shares[peak] == pytest.approx(1.0, abs=0.01)
    assert np.all(np.diff(shares[:peak]) > 0) and np.all(np.diff(shares[peak:]) <= 0) and shares[-1] < 1e-3


def test_mixed_windows_keep_their_shares() -> None:
    joints = torch.arange(6.0)[:, None, None, None, None].expand(6, 1, 3, 4, 3)
    targets = torch.eye(6)
    mixed, seen, mixed_targets = mix(
        joints,
        torch.ones(6, 1, 3, 4, dtype=torch.bool),
        targets,
        parameter=0.5,
        random=np.random.default_rng(0),
    )
    assert torch.allclose(mixed_targets.sum(dim=1), torch.ones(6)) and seen.all()
    assert torch.allclose(mixed[:, 0, 0, 0, 0], mixed_targets @ torch.arange(6.0), atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("frames=1200", "frames must be from 1 to 1000"),
        ("interpolated_joints=1000000", "interpolated_joints must be from 1 to 1000"),
        ("channels=[1000000000, 8, 8]", "at most 4096 units"),
        ("hidden=[2147483647]", "at most 4096 units"),
        ("hidden=[8, 8, 8, 8, 8, 8, 8, 8, 8]", "at most 8 layers"),
        ("interpolated_joints=300", "must stay below 10 MB, but this network's weights alone take"),
    ],
)
def test_a_network_that_no_model_file_takes_is_refused_before_it_is_trained(
    setting: str, sentence: str, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data", str(synthetic), "--protocol", "odd-even", "--output", str(tmp_path / "run")]
    assert main(["train", *flags, "--set", "device=cpu", setting]) == 1
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_model_file_that_was_damaged_or_is_of_another_run_is_written_anew(synthetic: Path, tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, "epochs=1"])
    one = train.train(data=synthetic, protocol="odd-even", output=tmp_path / "one", settings=settings, seed=1)
    other = train.train(data=synthetic, protocol="odd-even", output=tmp_path / "two", settings=settings, seed=2)
    good = (one.path / MODEL).read_bytes()
    for wrong in (good[:1000], (other.path / MODEL).read_bytes()):
        (one.path / MODEL).write_bytes(wrong)
        train.resume(one.path)
        assert ModelCard.from_metadata(_metadata(one.path / MODEL), file=MODEL).trained_on["seed"] == 1


def test_a_model_file_that_was_made_by_hand_stays_until_the_run_goes_on(synthetic: Path, tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, "epochs=1", "keep=last"])
    made = train.train(data=synthetic, protocol="odd-even", output=tmp_path / "run", settings=settings)
    model = made.path / MODEL
    export.export(made.path, model, name="mine", note="of the user")
    os.utime(model, (0, 0))  # a copy may have any time
    train.resume(made.path)
    card = ModelCard.from_metadata(_metadata(model), file=MODEL)
    assert (card.name, card.results["note"], card.trained_on["epoch"]) == ("mine", "of the user", 1)
    edit_settings(made.path, "epochs = 1\n", "epochs = 2\n")
    train.resume(made.path)
    assert ModelCard.from_metadata(_metadata(model), file=MODEL).trained_on["epoch"] == 2


def _metadata(model: Path) -> dict[str, str]:
    return {item.key: item.value for item in onnx.load(model).metadata_props}
