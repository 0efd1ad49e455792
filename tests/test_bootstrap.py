"""The newcomer's two commands: where they start what, what they mend, and how they end when they cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap


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
