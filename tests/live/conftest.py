"""What the tests of the live room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.recognizer import Recognizer
from tests.live import tiny_model


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that tells whether the right hand is up."""
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def recognizer(model_file: Path) -> Recognizer:
    return Recognizer(model_file, provider="cpu")
