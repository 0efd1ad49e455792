"""A run that was stopped anywhere ends like one that was not, bit for bit; nothing is written twice or lost."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import SMALL, edit_settings
from training import config, export, train
from training.__main__ import main
from training.journal import Journal
from training.learner import Learner
from training.locks import locked
from training.loop import Scores, Training
from training.run import Run, open_run

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 900.0
SETTINGS = (*SMALL, "epochs=4", "average_decay=0.9", "dropout=0.3", "mixup=0.3", "noise_m=0.01", "patience=3")
"""Everything that holds a state or draws random numbers is in use."""


@pytest.fixture(scope="module")
def whole(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four epochs that nothing stopped."""
    return begin(synthetic, tmp_path_factory.mktemp("runs") / "whole")


def begin(data: Path, output: Path) -> Run:
    return train.train(
        data=data,
        protocol="odd-even",
        output=output,
        settings=config.load(assignments=SETTINGS),
        seed=3,
        is_exported=False,
    )


def require_same(one: Any, other: Any, *, where: str = "checkpoint") -> None:
    """Every tensor and number is equal, but for the seconds an epoch took."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one.keys() - {"seconds"}:
            require_same(one[key], other[key], where=f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other)):
            require_same(*pair, where=f"{where}.{index}")
    else:
        assert one == other or one != one, where  # NaN is no number


def require_same_run(resumed: Run, whole: Run) -> None:
    for name in ("last", "best"):
        require_same(resumed.load(name), whole.load(name), where=name)
    require_same(table(resumed), table(whole), where="results.csv")
    assert logged(resumed) == logged(whole)


def table(made: Run) -> list[dict[str, str]]:
    with (made.path / "results.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def logged(made: Run) -> list[tuple[int, float]]:
    """What TensorBoard shows of the loss."""
    events = EventAccumulator(str(made.path), purge_orphaned_data=True)
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("train_loss")]


def stop_after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, calls: int) -> None:
    """Presses Ctrl-C at the end of the given call of a method."""
    original, left = getattr(owner, name), [calls]

    def counted(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("steps", [1, 4, 5, 7])  # an epoch has two steps
def test_a_run_stopped_after_any_step_ends_the_same(
    synthetic: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, Learner, "step", steps)
        with pytest.raises(AppError, match=rf"{(steps - 1) // 2} of 4 epochs are saved.*--resume"):
            begin(synthetic, tmp_path / "stopped")
    require_same_run(train.resume(tmp_path / "stopped", is_exported=False), whole)


def test_tensorboard_shows_each_epoch_once_whichever_file_it_reads_first(
    synthetic: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads files in the order of their names, which begin with a second and go on with a process number."""
    with monkeypatch.context() as patch:
        stop_after(patch, Learner, "step", 5)
        with pytest.raises(AppError):
            begin(synthetic, tmp_path / "stopped")
    (written,) = (tmp_path / "stopped").glob("events.out.tfevents.*")
    written.rename(written.with_name("events.out.tfevents.9999999999.later.1.0"))
    assert logged(train.resume(tmp_path / "stopped", is_exported=False)) == logged(whole)


def test_two_and_two_epochs_are_four(
    synthetic: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, Journal, "write", 2)
        with pytest.raises(AppError, match="2 of 4 epochs"):
            begin(synthetic, tmp_path / "stopped")
    assert [row["epoch"] for row in table(open_run(tmp_path / "stopped"))] == ["1", "2"]
    require_same_run(train.resume(tmp_path / "stopped", is_exported=False), whole)


@pytest.mark.parametrize(
    "owner_and_name",
    [
        pytest.param((Run, "save"), id="after the checkpoint, before the log"),
        pytest.param((Journal, "write"), id="later"),
    ],
)
def test_a_crash_around_the_log_leaves_every_epoch_in_it_once(
    synthetic: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner_and_name: tuple[type, str]
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, *owner_and_name, 3)
        with pytest.raises(AppError):
            begin(synthetic, tmp_path / "stopped")
    resumed = train.resume(tmp_path / "stopped", is_exported=False)
    assert [row["epoch"] for row in table(resumed)] == ["1", "2", "3", "4"]
    require_same_run(resumed, whole)


def test_resuming_a_finished_run_changes_nothing(synthetic: Path, whole: Run, tmp_path: Path) -> None:
    made = begin(synthetic, tmp_path / "run")
    before = made.load("last")
    train.resume(made.path, is_exported=False)
    require_same(made.load("last"), before)
    require_same_run(made, whole)


def test_a_run_that_stopped_early_stays_stopped(synthetic: Path, tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, "epochs=50", "patience=2", "learning_rate=1e-8"])
    made = train.train(
        data=synthetic, protocol="odd-even", output=tmp_path / "run", settings=settings, is_exported=False
    )
    last, best = made.load("last"), made.load("best")
    assert last["epoch"] == best["epoch"] + 2 < 50 and last["best_epoch"] == best["epoch"]
    assert train.resume(made.path, is_exported=False).load("last")["epoch"] == last["epoch"]


def test_other_clips_cannot_continue_a_run(synthetic: Path, tmp_path: Path) -> None:
    made = begin(synthetic, tmp_path / "run")
    edit_settings(made.path, "validation_fold = 0", "validation_fold = 1")
    with pytest.raises(TrainingDataError, match="must go on with the clips it began with"):
        train.resume(made.path)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text.replace("learning_rate = 0.002", "learning_rate = 0.1"), id="another value"),
        pytest.param(lambda text: text.replace("patience = 3", ""), id="a line lost"),
        pytest.param(lambda text: "", id="empty"),
        pytest.param(lambda text: text + "[", id="no TOML"),
        pytest.param(None, id="gone"),
    ],
)
def test_other_settings_cannot_continue_a_run(
    edit: Callable[[str], str] | None, whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    file = tmp_path / "run" / "config.toml"
    file.write_text(edit(file.read_text())) if edit else file.unlink()
    for command in (
        "train --resume {run}",
        "export {run} --output {run}/a.onnx",
        "report {run} --output {run}/a.html",
    ):
        assert main(command.format(run=tmp_path / "run").split()) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {file} ") and "train again" in said.lower() and said.count("\n") == 1


def test_settings_with_the_line_ends_of_another_system_are_the_same(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    file = tmp_path / "run" / "config.toml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert open_run(tmp_path / "run").settings == whole.settings


def test_an_older_run_says_nothing_of_its_settings(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    edit_settings(tmp_path / "run", "patience = 3", "")
    assert open_run(tmp_path / "run").settings.training.patience == 0
    for text in ("[", "epochs = 0"):
        (tmp_path / "run" / "config.toml").write_text(text)
        with pytest.raises(ConfigError, match="or train again"):
            open_run(tmp_path / "run")


def test_other_frames_cannot_continue_a_run(synthetic: Path, tmp_path: Path) -> None:
    shutil.copytree(synthetic, tmp_path / "data")
    made = begin(tmp_path / "data", tmp_path / "run")
    joints = np.load(tmp_path / "data" / "joints.npy")
    joints[0] += 0.5
    np.save(tmp_path / "data" / "joints.npy", joints)
    with pytest.raises(TrainingDataError, match="must go on with the clips it began with"):
        train.resume(made.path)
    for make in (lambda: export.export(made.path, tmp_path / "model.onnx"), lambda: export.model_of(made)):
        with pytest.raises(TrainingDataError, match="must go on with the clips it began with"):
            make()
    assert export.export(made.path, tmp_path / "model.onnx", data=synthetic).path == tmp_path / "model.onnx"


def test_the_model_file_of_an_older_run_is_of_the_same_clips(synthetic: Path, tmp_path: Path) -> None:
    shutil.copytree(synthetic, tmp_path / "data")
    made = begin(synthetic, tmp_path / "run")
    facts = json.loads((made.path / "run.json").read_text())
    del facts["content"]
    (made.path / "run.json").write_text(json.dumps(facts))
    export.export(made.path, tmp_path / "model.onnx", data=tmp_path / "data")
    clips = np.load(tmp_path / "data" / "clips.npy")
    clips["subject"] = 5 - clips["subject"]  # the same number of clips, by others
    np.save(tmp_path / "data" / "clips.npy", clips)
    with pytest.raises(TrainingDataError, match="must go on with the clips it began with"):
        export.export(made.path, tmp_path / "model.onnx", data=tmp_path / "data")


def test_ctrl_c_before_the_first_checkpoint_leaves_nothing_in_the_way(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, name in ((Learner, "__init__"), (Journal, "__init__")):
        with monkeypatch.context() as patch:
            stop_after(patch, owner, name, 1)
            with pytest.raises(KeyboardInterrupt):
                begin(synthetic, tmp_path / "run")
        assert not list(tmp_path.iterdir())


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(
    synthetic: Path, whole: Run, tmp_path: Path
) -> None:
    made = begin(synthetic, tmp_path / "run")
    for file in made.path.iterdir():
        if file.name not in ("run.json", "config.toml", "split.csv"):
            file.unlink()
    require_same_run(train.resume(made.path, is_exported=False), whole)
    (made.path / "last.pt").unlink()  # but a run that has learned something has lost it
    with pytest.raises(TrainingDataError, match=r"must hold a checkpoint last\.pt, but has none\. Put the file back"):
        train.resume(made.path)


def test_a_run_is_trained_by_one_process_at_a_time(
    synthetic: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "run", []

    def write(journal: Journal, rows: object) -> None:  # at the end of each epoch of the first process
        with pytest.raises(TrainingDataError, match="run is being written by another process") as caught:
            train.resume(path)
        told.append(caught.value)
        original(journal, rows)

    original = Journal.write
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", write)
        require_same_run(begin(synthetic, path), whole)
    assert len(told) == 4
    train.resume(path, is_exported=False)  # the lock has gone with the one who held it


def test_a_run_that_another_process_takes_up_before_its_lock_stays(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the folder and the lock of a new run there is a moment, in which the other one may resume it."""
    original = train.start
    with ExitStack() as other:

        def start(path: Path, **of_it: Any) -> Run:
            made = original(path, **of_it)
            other.enter_context(locked(path))
            return made

        monkeypatch.setattr(train, "start", start)
        with pytest.raises(TrainingDataError, match="run is being written by another process"):
            begin(synthetic, tmp_path / "run")
    assert open_run(tmp_path / "run").is_new


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        pytest.param((20_000.0, 30_000.0), 1, id="far beyond what is right or wrong"),
        pytest.param((math.inf, math.inf), 1, id="without end"),
        pytest.param((math.nan, math.nan), 1, id="no number"),
        pytest.param((math.nan, 2.0), 2, id="no number, then one"),
        pytest.param((2.0, math.nan), 1, id="a number, then none"),
    ],
)
def test_however_bad_a_run_is_one_of_its_epochs_is_the_best(
    losses: tuple[float, ...], best: int, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter(losses)
    monkeypatch.setattr(Training, "_validate", lambda training: (Scores(next(found), 0.0),) * 2)
    made = train.train(
        data=synthetic,
        protocol="odd-even",
        output=tmp_path / "run",
        settings=config.load(assignments=[*SMALL, "epochs=2"]),
        is_exported=False,
    )
    assert made.load("best")["epoch"] == made.load("last")["best_epoch"] == best
    train.resume(made.path, is_exported=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL] if os.name != "nt" else [])
def test_a_real_process_stopped_in_an_epoch_goes_on(
    synthetic: Path, whole: Run, tmp_path: Path, number: signal.Signals
) -> None:
    """The third epoch never ends by itself, so that the signal comes in the middle of it."""
    output = tmp_path / "run"
    script = (
        "import sys, time\n"
        "from training.__main__ import main\n"
        "from training.learner import Learner\n"
        "step = Learner.step\n"
        "def slow(learner, batch):\n"
        "    done = step(learner, batch)\n"
        "    while learner.steps > 4: open(sys.argv.pop(), 'w') if len(sys.argv) > 1 else time.sleep(0.01)\n"
        "    return done\n"
        "Learner.step = slow\n"
        f"sys.exit(main({['train', '--data', str(synthetic), '--protocol', 'odd-even', '--output', str(output)]!r}"
        f" + {['--seed', '3', '--set', *SETTINGS]!r}))"
    )
    mark = tmp_path / "in the third epoch"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(mark)], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_for(lambda: mark.exists() or process.poll() is not None)
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    if number == signal.SIGINT:
        assert process.returncode == 1 and "Traceback" not in said
        assert said.splitlines()[-1].startswith("error: Interrupted; 2 of 4 epochs are saved.")
        assert f"--resume {output}" in said and not list(output.glob(".*"))
    else:
        assert process.returncode == -signal.SIGKILL
    require_same_run(train.resume(output, is_exported=False), whole)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
