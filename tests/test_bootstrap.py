"""The newcomer's two commands: where they start what, what they mend, and how they end when they cannot."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("moment", ["environment", "install", "install_system_libraries", "run"])
def test_an_interruption_ends_in_a_sentence_whenever_it_comes(
    moment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "environment", lambda: sys.executable)
    monkeypatch.setattr(bootstrap, "install", lambda python, requirements: Path(requirements).is_file())
    monkeypatch.setattr(bootstrap, "install_system_libraries", lambda task: None)
    monkeypatch.setattr(bootstrap.subprocess if moment == "run" else bootstrap, moment, interrupted)
    assert bootstrap.main(["run"]) == 1
    assert capsys.readouterr().err == "error: Interrupted.\n"


OLD_PYTHON = """
import pathlib, runpy, shutil, subprocess, sys
sys.version_info = (3, 6, 9, "final", 0)
sys.argv = ["bootstrap.py", "run"]
sys.modules["app"] = None
functions = {"list": lambda items: [*items], "str": lambda value: f"{value}"}  # which are no types of an annotation
runpy.run_path("bootstrap.py", init_globals=functions, run_name="__main__")
"""


def test_an_old_python_is_told_which_one_is_needed() -> None:
    command = [sys.executable, "-c", OLD_PYTHON]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr == "error: Python 3.10 to 3.13 is needed, this is 3.6.9.\n"
    assert done.returncode == 1
    source = (REPOSITORY / "bootstrap.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))  # the oldest that all our Pythons can play
    assert "__future__" not in source  # 3.6 does not know its annotations


@pytest.mark.parametrize("task", ["run", "test"])
def test_files_are_meant_from_where_the_user_is_and_tests_from_the_repository(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "environment", lambda: sys.executable)
    monkeypatch.setattr(bootstrap, "install", lambda python, requirements: True)
    monkeypatch.setattr(bootstrap, "install_system_libraries", lambda task: None)
    started = []
    real = subprocess.run

    def run(command: list[str], *, cwd: Path | None = None, check: bool) -> subprocess.CompletedProcess[bytes]:
        started.append(command)
        return real([sys.executable, "-c", "open('here', 'w')"], cwd=cwd, check=check)

    monkeypatch.setattr(bootstrap, "HERE", tmp_path / "repository")
    bootstrap.HERE.mkdir()
    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    assert bootstrap.main([task, "--recording", "mine.csv"]) == 0
    assert (tmp_path / ("here" if task == "run" else "repository/here")).is_file()
    assert started[0][-2:] == ["--recording", "mine.csv"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the virtual environment is made, which is done without pip: that would take half a minute."""
    real = subprocess.run

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        return real([*command, "--without-pip"] if "venv" in command else command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(bootstrap, "HERE", tmp_path)
    return tmp_path / ".venv"


def in_venv(folder: Path) -> Path:
    """Where the Python of a virtual environment lies; its folder is made."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    return python


def without_python(folder: Path) -> None:
    in_venv(folder)


def with_a_python_that_is_gone(folder: Path) -> None:
    in_venv(folder).symlink_to(folder / "gone")


def with_garbage(folder: Path) -> None:
    python = in_venv(folder)
    python.write_bytes(b"\0garbage")
    python.chmod(0o755)


def that_may_not_run(folder: Path) -> None:
    in_venv(folder).write_bytes(b"\0garbage")


def with_a_folder(folder: Path) -> None:
    in_venv(folder).mkdir()


def without_pip(folder: Path) -> None:
    python = in_venv(folder)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)


needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows makes no links, and runs no scripts")


@needs_posix
@pytest.mark.parametrize(
    "damage",
    [without_python, with_a_python_that_is_gone, with_garbage, that_may_not_run, with_a_folder, without_pip],
)
def test_a_broken_environment_is_made_anew(damage: Callable[[Path], None], place: Path) -> None:
    damage(place)
    assert bootstrap.environment() == str(place / "bin/python")
    subprocess.run([place / "bin/python", "-c", ""], check=True)


@needs_posix
def test_a_sound_environment_stays_as_it_is(place: Path) -> None:
    python = in_venv(place)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    assert bootstrap.environment() == str(python)
    assert python.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_file_in_the_place_of_the_environment_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.write_text("mine")
    assert bootstrap.main(["run"]) == 1
    assert capsys.readouterr().err == f"error: '{place}' must be a folder, but is none. Move it away.\n"
    assert place.read_text() == "mine"
