"""The table of --check on this computer: what is there, what lacks, and what the exit code says."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from app import check, preflight
from app.check import Row, State, conclusion, examine, print_check
from app.options import PRETRAINED
from app.preflight import Display


@pytest.fixture(autouse=True)
def display(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with a display, and without a Kinect's system."""
    monkeypatch.setattr(preflight, "find_display", lambda: Display("xcb", ":0", True))
    monkeypatch.setattr("live.sources.kinect_v2.SYSTEM", "Linux")
    monkeypatch.setattr(preflight, "missing_libraries", lambda platform: [])


def table(model: Path = PRETRAINED) -> dict[str, Row]:
    return {row.name: row for row in examine(model, provider="cpu")}


def test_a_complete_computer_without_a_kinect_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_check(PRETRAINED, provider="cpu") == 0
    printed = capsys.readouterr().out
    lines = {line.split("  ")[0]: line for line in printed.splitlines()}
    assert f"ok        {metadata.version('numpy')}" in lines["numpy"]
    assert "exercises.onnx: 10 actions, 19 joints" in lines["model"] and "30 frames over 2 s" in lines["model"]
    for name in ("Kinect runtime", "sensor", "body frames"):
        assert "not here  not Windows (Linux)" in lines[name]
    assert printed.endswith("\nThe app starts here: recordings and the demo, no Kinect.\n")


def test_the_model_is_run_and_its_time_is_told() -> None:
    row = table()["inference"]
    one, six = (float(part.split()[0]) for part in row.detail.split(" and "))
    assert 0 < one < 1000 and 0 < six < 1000
    assert row.detail.endswith("ms for 6 people on the CPU")


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_without_a_graphics_card_the_app_passes(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from live.recognizer import Recognizer
    from skeleton.errors import ModelLoadError

    def no_card(*_: object, **__: object) -> None:
        raise ModelLoadError("CUDA cannot be used: no card.")

    monkeypatch.setattr(Recognizer, "_start_cuda", no_card)
    rows = list(examine(PRETRAINED, provider=provider))
    (row,) = [row for row in rows if row.name == "graphics card"]
    assert row.state is State.NOT_HERE
    assert ("no card. Recognition runs on the CPU" in row.detail) == (provider == "auto")
    assert "cannot start" not in conclusion(rows)


def test_a_model_that_is_none_fails_with_its_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.onnx"
    path.write_bytes(b"shopping list")
    assert print_check(path, provider="cpu") == 1
    printed = capsys.readouterr().out
    assert "model                   missing   " in printed and "notes.onnx" in printed
    assert printed.endswith("The app cannot start here: model.\n")


def test_a_package_that_is_not_there_fails_and_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("PyQt5", "mcap"):
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert print_check(PRETRAINED, provider="cpu") == 1
    printed = capsys.readouterr().out
    assert "PyQt5                   missing   5." in printed and "pip install -r requirements-app.txt" in printed
    assert "warning   0.1, but 2." in printed
    assert printed.endswith("cannot start here: PyQt5.\n")  # the demo runs without the recordings' package


def test_without_numpy_the_table_still_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("numpy", "live", "calibration"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)  # what an import of it meets when it is not installed
    rows = table()
    assert (rows["model"].state, rows["Kinect runtime"].state) == (State.MISSING, State.NOT_HERE)
    assert "numpy" in rows["model"].detail
    assert "model" in conclusion(rows.values())


@pytest.mark.parametrize(
    ("found", "state", "words", "passes"),
    [
        (Display("xcb", ":0", True), State.OK, ":0", True),
        (Display("", "", True), State.OK, "the system's own", True),
        (Display("", "", False, "nothing is set"), State.NOT_HERE, "renders a video", True),
        (Display("xcb", ":9", False, "nobody answers"), State.MISSING, "':9' does not open: nobody answers", False),
    ],
    ids=["X server", "Windows", "none", "closed"],
)
def test_the_display_decides_as_the_app_does(
    found: Display, state: State, words: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "find_display", lambda: found)
    rows = table()
    assert rows["display"].state is state and words in rows["display"].detail
    assert ("cannot start" not in conclusion(rows.values())) == passes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system libraries and fonts are asked on Linux")
def test_system_libraries_and_fonts_that_lack_have_their_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preflight, "missing_libraries", lambda platform: ["libgl1", "libxcb1"])
    monkeypatch.setattr(check, "FONT_FOLDERS", (str(tmp_path), str(tmp_path / "nowhere")))
    rows = table()
    assert rows["system libraries"].remedy == "sudo apt-get install -y libgl1 libxcb1"
    assert "Qt" not in rows  # loading it would end the program
    assert rows["fonts"].state is State.MISSING and "fonts-dejavu-core" in rows["fonts"].remedy
    assert "system libraries" in conclusion(rows.values()) and "fonts" not in conclusion(rows.values())
    (tmp_path / "Sans.TTF").touch()
    assert table()["fonts"].state is State.OK


def test_the_flag_prints_the_table_and_starts_nothing(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    program = Path(__file__).resolve().parents[2] / "run_app.py"
    command = [sys.executable, str(program), "--check", "--provider", "cpu"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("Python ") and "The app starts here" in run.stdout.splitlines()[-1]
    assert not list(tmp_path.glob("*.mp4"))
