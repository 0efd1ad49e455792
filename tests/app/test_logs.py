"""An exception that nobody caught is written down and told, never fatal."""

from __future__ import annotations

import errno
import logging
import logging.handlers
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import logs, main
from app.logs import ExceptionHooks, start_logging, stop_logging
from app.session import Choice
from live.sources.table import SourceOptions
from skeleton.errors import RecordingError
from tests.live.fakes import wait_until


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    yield start_logging(tmp_path / "logs")
    stop_logging()


@pytest.fixture
def told(log_file: Path) -> Iterator[list[str]]:
    sentences: list[str] = []
    hooks = ExceptionHooks(log_file, report=sentences.append)
    hooks.install()
    yield sentences
    hooks.remove()


def fail(error: Exception) -> None:
    try:
        raise error
    except type(error):
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]


def test_a_surprise_is_told_with_the_log_file_and_its_traceback_is_in_there(told: list[str], log_file: Path) -> None:
    fail(RuntimeError("index out of range"))
    assert "index out of range" in told[0] and str(log_file) in told[0]
    assert "in fail" in log_file.read_text()


def test_an_error_for_people_is_told_as_it_is(told: list[str]) -> None:
    fail(RecordingError("A frame must have joints.", remedy="Choose another."))
    assert told == ["A frame must have joints. Choose another."]


def test_the_same_mistake_thirty_times_a_second_is_told_once(told: list[str], log_file: Path) -> None:
    for _ in range(500):
        fail(RuntimeError("again"))
    assert len(told) == 1
    assert log_file.stat().st_size < 5000


def test_an_exception_in_a_thread_is_told_too(told: list[str]) -> None:
    thread = threading.Thread(target=fail_hard)
    thread.start()
    thread.join()
    assert "in a thread" in told[0]


def fail_hard() -> None:
    raise ValueError("in a thread")


def test_a_surprise_in_the_pipeline_is_a_banner_that_names_the_log_file(
    log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_load(model: Path, provider: str) -> None:
        raise RuntimeError(f"{model} on {provider}")

    monkeypatch.setattr(main, "_load_recognizer", fail_to_load)
    pipeline = main._make_pipeline(log_file, Choice("demo", SourceOptions(people=1), Path("a.onnx")))
    pipeline.start()
    try:
        [banner] = wait_until(lambda: pipeline.poll().banners, what="a banner")
    finally:
        pipeline.stop()
    assert str(log_file) in banner.text and "a.onnx on auto" in log_file.read_text()


def test_verbose_says_where_the_log_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        file = start_logging(tmp_path, is_verbose=True)
        assert f"the log file is {file}" in capsys.readouterr().err
    finally:
        stop_logging()
        root.handlers, root.level = handlers, level


def test_the_log_file_is_bounded(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [handler] = [one for one in logging.getLogger().handlers if isinstance(one, logging.handlers.RotatingFileHandler)]
    monkeypatch.setattr(handler, "maxBytes", 2000)
    for _ in range(300):
        logging.getLogger("test").warning("x" * 100)
    assert sum(file.stat().st_size for file in log_file.parent.iterdir()) < 2500 * (logs.OLDER_LOGS + 1)


def test_a_log_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    try:
        assert start_logging(tmp_path / "file" / "logs").is_file()
    finally:
        stop_logging()


def test_a_log_file_that_cannot_be_written_is_no_noise_on_the_terminal(
    log_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handler: logging.StreamHandler) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "flush", full)
    logging.getLogger("app").warning("a line that finds no room")
    monkeypatch.undo()
    assert log_file.is_file() and capsys.readouterr().err == ""
