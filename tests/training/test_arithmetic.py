"""Which numbers a network learns in: what auto means where, that a run keeps it, and what a machine cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import SMALL, edit_settings
from tests.training.test_resume import require_same, stop_after
from training import ablate, arithmetic, config, seeds, train
from training.config import Settings
from training.learner import Learner
from training.processes import Processes
from training.run import Run, open_run

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def settings(*more: str) -> Settings:
    return config.load(assignments=[*SMALL, "precision=auto", "validation_subjects=0", "span_s=1.2", *more])


def processor(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True} | capabilities)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, "float32"),
        ({"avx512_vnni": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"amx_bf16": True}, "bfloat16"),
    ],
    ids=str,
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: str
) -> None:
    processor(monkeypatch, **capabilities)
    assert config.load().training.precision == "auto"
    assert arithmetic.settled(config.load(), CPU).training.precision == expected


@pytest.mark.parametrize(("is_native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_gpu_where_it_trains_there(
    monkeypatch: pytest.MonkeyPatch, is_native: bool, expected: str
) -> None:
    processor(monkeypatch, avx512_bf16=not is_native)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or is_native)
    assert arithmetic.settled(config.load(), GPU).training.precision == expected


@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_what_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    processor(monkeypatch, avx512_bf16=chosen == "float32")
    asked = settings(f"precision={chosen}", "epochs=7")
    assert arithmetic.settled(asked, CPU) == asked


def test_settling_changes_the_precision_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, avx512_bf16=True)
    assert arithmetic.settled(settings("epochs=7"), CPU) == settings("epochs=7", "precision=bfloat16")


def test_a_run_keeps_its_arithmetic_on_another_machine(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(name: str) -> Run:
        output, chosen = tmp_path / name, settings("epochs=2")
        return train.train(
            data=synthetic, protocol="odd-even", output=output, settings=chosen, seed=3, is_exported=False
        )

    processor(monkeypatch, avx512_bf16=True)
    whole = begin("whole")
    with monkeypatch.context() as patch:
        stop_after(patch, Learner, "step", 6)  # an epoch has four
        with pytest.raises(AppError, match="1 of 2 epochs"):
            begin("stopped")
    processor(monkeypatch, avx512_bf16=False)
    resumed = train.resume(tmp_path / "stopped", is_exported=False)
    assert open_run(resumed.path).settings.training.precision == "bfloat16"
    require_same(resumed.load("last"), whole.load("last"))
    rounded = begin("float32")  # so that the two do not agree because nothing depends on it
    assert rounded.settings.training.precision == "float32"
    weights = [run.load("last")["network"]["classifier.1.weight"] for run in (whole, rounded)]
    assert not torch.equal(*weights)


def test_seeds_that_go_on_elsewhere_are_all_computed_alike(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, avx512_bf16=False)
    with monkeypatch.context() as patch:
        stop_after(patch, Learner, "step", 6)  # a run has four
        with pytest.raises(AppError, match="1 of 2 runs"):
            seeds.train_seeds(
                data=synthetic,
                protocol="odd-even",
                output=tmp_path / "seeds",
                settings=settings("epochs=1"),
                seeds=(0, 1),
                is_exported=False,
            )
    processor(monkeypatch, avx512_bf16=True)
    made = seeds.resume_seeds(tmp_path / "seeds", is_exported=False)
    assert [run.settings.training.precision for run in made] == ["float32", "float32"]


def test_a_learner_wants_to_be_told_and_not_to_guess() -> None:
    chosen = settings()
    shape = chosen.network_config(joints=("SpineBase", "SpineMid"), classes=2, persons=1)
    with pytest.raises(ValueError, match="precision must be settled"):
        Learner(chosen.training, shape, total_steps=1, seed=0, processes=Processes(0, 1, CPU))


@pytest.mark.parametrize("line", ["", 'precision = "auto"\n'], ids=["says nothing", "says auto"])
def test_a_folder_that_does_not_say_goes_on_in_float32(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    processor(monkeypatch, avx512_bf16=False)
    chosen = settings("epochs=2")
    folders = [tmp_path / name / "seed-0" for name in ("whole", "old")]
    with monkeypatch.context() as patch:
        for folder in folders:
            stop_after(patch, Learner, "step", 6)  # a run has eight
            with pytest.raises(AppError, match="0 of 1 runs"):
                seeds.train_seeds(
                    data=synthetic,
                    protocol="odd-even",
                    output=folder.parent,
                    settings=chosen,
                    seeds=(0,),
                    is_exported=False,
                )
            patch.undo()
    processor(monkeypatch, avx512_bf16=True)
    for folder in (folders[1], folders[1].parent):
        edit_settings(folder, 'precision = "float32"\n', line)
    made = [seeds.resume_seeds(folder.parent, is_exported=False)[0] for folder in folders]
    assert made[1].settings.training.precision == "float32"
    require_same(made[1].load("last"), made[0].load("last"))


def test_a_table_is_not_continued_in_another_arithmetic(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def table(*more: str) -> str:
        return ablate.run(
            data=synthetic,
            protocol="odd-even",
            output=tmp_path / "table",
            settings=settings("epochs=1", *more),
            modes=["none"],
            seeds=(0,),
        )

    processor(monkeypatch, avx512_bf16=True)
    first = table()
    assert table() == first
    processor(monkeypatch, avx512_bf16=False)
    with pytest.raises(TrainingDataError, match="precision = 'bfloat16' instead of 'float32'") as error:
        table()
    assert "--set precision=bfloat16" in error.value.remedy
    assert table("precision=bfloat16") == first


def test_a_machine_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic.shutil, "which", lambda name: None)
    monkeypatch.setattr(arithmetic.importlib.util, "find_spec", lambda name: None)
    chosen = config.load(assignments=["compile=true"]).training
    for device, missing in ((CPU, "C\\+\\+ compiler"), (GPU, "triton")):
        with pytest.raises(ConfigError, match=rf"compile needs the .*{missing}"):
            arithmetic.require(chosen, device)


def test_a_gpu_without_bfloat16_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an old card")
    with pytest.raises(ConfigError, match="an old card cannot compute"):
        arithmetic.require(config.load(assignments=["precision=bfloat16"]).training, GPU)
