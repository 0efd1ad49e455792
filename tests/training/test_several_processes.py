"""Processes that train together, as torchrun starts them: the same network, one writer, and an end when one ends."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from skeleton.errors import ConfigError
from tests.training.conftest import SMALL, edit_settings
from training import config, processes, train
from training.run import Run, open_run

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 900.0
SAME_WINDOWS = (
    *SMALL,
    "span_share=0.0",
    "sampling_share=0.0",
    "smallest_crop=1.0",
    "rotation_deg=0.0",
    "size_change=0.0",
    "joint_dropout=0.0",
    "mirror_share=0.0",
    "batch_norm=false",
    "average_decay=0.5",
    "batch_size=7",
)
"""Nothing that each process draws for itself, no statistics of a process's own part, batches that do not halve."""

pytestmark = [
    pytest.mark.skipif(os.name == "nt" or not torch.distributed.is_gloo_available(), reason="needs gloo and signals"),
    pytest.mark.slow,
]


def started(data: Path, output: Path, *settings: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """Two processes that train together."""
    command = ["-m", "training", "train", "--data", str(data), "--protocol", "odd-even", "--output", str(output)]
    return launched(*command, "--set", *settings)


@contextmanager
def launched(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Two processes on the CPU, in a process group of their own, like a command in a terminal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [*torchrun, *command],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def losses(made: Run) -> list[tuple[float, float]]:
    with (made.path / "results.csv").open(newline="", encoding="utf-8") as stream:
        return [(float(row["train_loss"]), float(row["val_loss"])) for row in csv.DictReader(stream)]


def test_two_processes_learn_what_one_does(synthetic: Path, tmp_path: Path) -> None:
    settings = (*SAME_WINDOWS, "epochs=3")
    alone = train.train(
        data=synthetic,
        protocol="odd-even",
        output=tmp_path / "alone",
        settings=config.load(assignments=settings),
        is_exported=False,
    )
    with started(synthetic, tmp_path / "together", *settings) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert said.count("3 epochs; the model is") == 1
    together = open_run(tmp_path / "together")
    for one, other in zip(losses(alone), losses(together), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    one, other = alone.load("last")["averaged"], together.load("last")["averaged"]
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)
    assert (together.path / "model.onnx").is_file() and len(list(together.path.glob("events.out.*"))) == 1


@pytest.mark.parametrize("who", ["everybody, by Ctrl-C", "one of them, by kill -9"])
def test_all_end_when_one_does_and_the_run_goes_on_alone(synthetic: Path, tmp_path: Path, who: str) -> None:
    output = tmp_path / "run"
    with started(synthetic, output, *SMALL, "epochs=100000") as process:
        wait_for(lambda: (output / "results.csv").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        workers = children(process.pid)
        assert len(workers) == 2
        if who.startswith("one"):
            os.kill(workers[1], signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    stopped = open_run(output)
    epochs = stopped.load("last")["epoch"]
    assert epochs >= 1 and not list(output.glob("*.part"))
    edit_settings(output, "epochs = 100000", f"epochs = {epochs + 1}")
    assert train.resume(output, is_exported=False).load("last")["epoch"] == epochs + 1


def test_what_the_first_process_refuses_ends_all_with_its_sentence(synthetic: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with started(synthetic, tmp_path / "run", *SMALL, "epochs=1") as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0 and "The run folder must be new" in said
    assert not list((tmp_path / "run").iterdir())


LEAVING = r"""
import os, sys, time
from pathlib import Path
from skeleton import command_line
from skeleton.errors import AppError
from training.processes import joined

def leave():
    with joined("cpu") as processes:
        processes.first(lambda: None)
        if processes.is_first:
            time.sleep(1)
            if sys.argv[1] == "fails":
                raise AppError("The disk is full.")
            Path(sys.argv[2]).touch()
    os.write(1, b"the file is there\n" if Path(sys.argv[2]).exists() else b"the file is missing\n")  # in one piece

sys.exit(command_line.run(leave, is_verbose=False))
"""
"""The first process still has a second's work when the other has none left."""


@pytest.mark.parametrize("first", ["works", "fails"])
def test_nobody_leaves_before_the_first_is_done(tmp_path: Path, first: str) -> None:
    """Whoever leaves early can be aborted by PyTorch on the way out, and torchrun then stops the first."""
    (tmp_path / "leave.py").write_text(LEAVING, encoding="utf-8")
    arguments = [str(tmp_path / "leave.py"), first, str(tmp_path / "file")]
    with launched(*arguments) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    if first == "works":
        assert process.returncode == 0 and said.count("the file is there") == 2, said
    else:
        assert process.returncode != 0 and "error: The disk is full." in said, said
        assert "the file" not in said and "RuntimeError" not in said


def test_more_processes_than_windows_in_a_step_are_refused(synthetic: Path, tmp_path: Path) -> None:
    many = processes.Processes(0, 9, torch.device("cpu"))
    with pytest.raises(ConfigError, match="9 processes share 8"):
        train.train_in(
            many,
            data=synthetic,
            protocol="odd-even",
            output=tmp_path / "run",
            settings=config.load(assignments=SMALL),
            seed=0,
            command="",
            is_exported=False,
        )
    assert not (tmp_path / "run").exists()


def children(parent: int) -> list[int]:
    """Process numbers of the children, in the order they were started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sorted(int(number) for number in listed)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
