"""What the tests of the live room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.pipeline import Pipeline
from live.recognizer import Recognizer
from tests.live import tiny_model
from tests.live.fakes import WAIT_S


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that tells whether the right hand is up."""
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(autouse=True)
def patient_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of a test is silent while the computer stands still; a test of a loss says itself when it is one."""
    monkeypatch.setitem(Pipeline.__init__.__kwdefaults__, "lost_after_s", WAIT_S)


@pytest.fixture
def recognizer(model_file: Path) -> Recognizer:
    return Recognizer(model_file, provider="cpu")
