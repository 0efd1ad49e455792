"""The newcomer's two commands: how they end when somebody interrupts them."""

from __future__ import annotations

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
