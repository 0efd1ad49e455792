"""A disk that is full while a command writes: one sentence, and nothing that looks finished."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.conftest import SMALL
from training.__main__ import main

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may have more than ``size`` bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("command", "size"),
    [
        pytest.param(
            "train --data {data} --protocol odd-even --output run --set epochs=1 {small}", 100, id="settings"
        ),
        pytest.param("clip --data {data} --index 1 --output clip.mcap", 1000, id="clip"),
        pytest.param("clip --data {data} --index 1 --output clip.csv", 1000, id="clip as table"),
    ],
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_that_looks_finished(
    command: str,
    size: int,
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = command.format(data=synthetic, small=" ".join(SMALL).replace(", ", ","))
    with room_for(size):
        code = main(words.split())
    captured = capsys.readouterr()
    assert code == 1 and captured.out == "", captured.err
    assert captured.err.count("\n") == 1 and captured.err.startswith("error: "), captured.err
    assert "too large" in captured.err or "cannot be written" in captured.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_checkpoint_that_finds_no_room_is_one_sentence_and_leaves_no_model(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["train", "--data", synthetic, "--protocol", "odd-even", "--output", run, "--set", "epochs=1", *SMALL]
    with room_for(10_000):
        assert main([str(word) for word in words]) == 1
    captured = capsys.readouterr()
    assert f"error: {run / 'last.pt'}: File too large." in captured.err and "Traceback" not in captured.err
    assert not (run / "model.onnx").exists() and not list(run.glob("*.pt"))
