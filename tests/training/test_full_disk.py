"""A disk that is full while a command writes: one sentence, nothing that looks finished, and nothing lost."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skeleton.formats.table import write_recording
from tests.training.conftest import SMALL
from training.__main__ import main
from training.cache import open_cache
from training.clip import write
from training.journal import Board
from training.run import open_run

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files")

TRAIN = "train --data {data} --protocol odd-even --output out --set epochs=1 {small}"
EARLIER = b"what an earlier command wrote"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may have more than ``size`` bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def words(synthetic: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What stands for itself in the commands below; they run in an empty folder."""
    run = tmp_path / "before" / "run"
    shutil.copytree(model.parent, run)
    (run / "model.onnx").unlink()
    own = tmp_path / "before" / "own" / "wave"
    own.mkdir(parents=True)
    write(open_cache(synthetic), [1], own / "anna_1.csv")
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "disk")
    return {
        "data": str(synthetic),
        "model": str(model),
        "run": str(run),
        "own": str(own.parent),
        "small": " ".join(SMALL).replace(", ", ","),
    }


def ends_in_a_sentence(command: str, words: dict[str, str], size: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command with little room, and returns the sentence it must end with."""
    capsys.readouterr()
    with room_for(size):
        code = main(command.format(**words).split())
    captured = capsys.readouterr()
    assert code == 1 and captured.out == "" and "Traceback" not in captured.err, captured.err
    sentences = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1 and captured.err.endswith(f"{sentences[0]}\n"), captured.err
    assert "File too large" in sentences[0] and "Make room" in sentences[0]
    return sentences[0]


@pytest.mark.parametrize(
    ("command", "size", "named"),
    [
        pytest.param("attention {model} --data {data} --index 1 --output out.png", 1000, "out.png", id="attention"),
        pytest.param(
            "calibrate --model {model} --data {data} --protocol loso-4 --subjects 2 --set clips=4 --output out.onnx",
            1000,
            "out.onnx",
            id="calibrate",
        ),
        pytest.param("clip --data {data} --index 1 --output out.mcap", 1000, "out.mcap", id="clip"),
        pytest.param("clip --data {data} --index 1 --output out.csv", 1000, "out.csv", id="clip as table"),
        pytest.param("clip --data {data} --index 1 --output out.npz", 1000, "out.npz", id="clip as arrays"),
        pytest.param(
            "evaluate-stream --model {model} --data {data} --protocol loso-2 --set clips=3 --report out.html",
            1000,
            "out.html",
            id="evaluate-stream",
        ),
        pytest.param("export {run} --output out.onnx", 1000, "out.onnx", id="export"),
        pytest.param(
            "faithfulness --model {model} --data {data} --protocol odd-even --clips 2 --draws 1 --output out.png",
            1000,
            "out.png",
            id="faithfulness",
        ),
        pytest.param("report {model} --data {data} --output out.html", 1000, "out.html", id="report"),
        pytest.param("report {run} --data {data} --output out.html", 1000, "model.onnx", id="report on a run"),
    ],
)
def test_a_file_that_finds_no_room_is_named_and_an_earlier_one_stays(
    command: str, size: int, named: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(command.split()[-1])
    assert named in ends_in_a_sentence(command, words, size, capsys)
    assert not list(Path().iterdir())
    output.write_bytes(EARLIER)
    ends_in_a_sentence(command, words, size, capsys)
    assert output.read_bytes() == EARLIER and list(Path().iterdir()) == [output]


@pytest.mark.parametrize(
    ("command", "size", "named"),
    [
        pytest.param(TRAIN, 100, "out:", id="train: settings"),
        pytest.param(TRAIN, 2000, "out:", id="train: split"),
        pytest.param(f"{TRAIN} --seeds 2", 100, "out:", id="train: plan of several seeds"),
        pytest.param(
            "ablate --data {data} --protocol odd-even --output out --modes none --seeds 1 --set epochs=1 {small}",
            10_000,
            "last.pt:",
            id="ablate",
        ),
    ],
)
def test_a_run_that_could_not_begin_leaves_no_folder_in_the_way(
    command: str, size: int, named: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in ends_in_a_sentence(command, words, size, capsys)
    assert not [path for path in Path().rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("command", "size", "named"),
    [
        pytest.param(TRAIN, 10_000, "last.pt:", id="train"),
        pytest.param("prepare folder {own} --output out --workers 1", 50, "plan.json:", id="prepare: plan"),
        pytest.param("prepare folder {own} --output out --workers 1", 2000, ".out.part:", id="prepare: joints"),
    ],
)
def test_with_room_the_same_command_does_what_it_should(
    command: str, size: int, named: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in ends_in_a_sentence(command, words, size, capsys)
    assert not [path for path in Path().rglob("*") if path.suffix in (".pt", ".onnx") or path.name == "cache.json"]
    assert main(command.format(**words).split()) == 0


def test_a_later_checkpoint_that_finds_no_room_leaves_the_one_before_and_the_way_to_go_on(
    words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = ends_in_a_sentence(
        TRAIN, words, 50_000, capsys
    )  # the first one is smaller: no moments of the optimizer
    assert "best.pt: " in sentence and sentence.endswith("python -m training train --resume out")
    assert open_run(Path("out")).load("last")["epoch"] == 0 and not Path("out", "model.onnx").exists()
    assert main(["train", "--resume", "out"]) == 0
    assert open_run(Path("out")).load("last")["epoch"] == 1 and Path("out", "model.onnx").is_file()


def test_a_resumed_run_that_finds_no_room_loses_no_epoch(
    words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TRAIN.format(**words).split()) == 0
    kept = {path.name: path.read_bytes() for path in Path("out").glob("*.pt")}
    Path("out", "model.onnx").unlink()
    sentence = ends_in_a_sentence("train --resume out", words, 1000, capsys)
    assert sentence.endswith("python -m training train --resume out")
    assert {path.name: path.read_bytes() for path in Path("out").glob("*.pt")} == kept
    assert not Path("out", "model.onnx").exists()


def test_what_tensorboard_reads_is_named_too(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (file,) = tmp_path.iterdir()
    with room_for(file.stat().st_size + 10), pytest.raises(OSError, match="File too large") as failed:
        board.write({"train_loss": 0.5}, 1)
    assert failed.value.filename == str(file)


def test_a_recording_of_the_app_is_named_by_the_name_it_was_to_get(synthetic: Path, tmp_path: Path) -> None:
    recording = write(open_cache(synthetic), [1], tmp_path / "whole.mcap")
    with room_for(1000), pytest.raises(Exception, match=r"again\.mcap cannot be written: File too large\. Make room"):
        write_recording(recording, tmp_path / "again.mcap")
    assert [path.name for path in tmp_path.iterdir()] == ["whole.mcap"]
