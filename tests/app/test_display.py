"""The real program on a real X server: it opens, shows itself, and closes cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import preflight
from skeleton.formats.table import write_recording
from tests.app.display import has_virtual_display, virtual_display
from tests.live import tiny_model
from tests.recordings import walking_recording

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60.0
pytestmark = [
    pytest.mark.display,
    pytest.mark.skipif(not has_virtual_display(), reason="Xvfb is not installed"),
]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """The name of an X server."""
    if preflight.missing_libraries("xcb"):
        pytest.skip(f"missing: {preflight.missing_libraries('xcb')}")
    with virtual_display() as name:
        yield name


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds "right hand up"."""
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


class App:
    """The program as a process."""

    def __init__(self, folder: Path, display: str, *arguments: object, **environment: str) -> None:
        self.display = display
        self.note = folder / "first-paint"
        kept = {key: value for key, value in os.environ.items() if key not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY")}
        self.process = subprocess.Popen(
            [sys.executable, REPOSITORY / "run_app.py", *map(str, arguments)],
            cwd=folder,
            env={
                **kept,
                "DISPLAY": display,
                "KAR_FIRST_PAINT": str(self.note),
                "XDG_STATE_HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_picture(self) -> None:
        """Waits until a frame with bodies was painted."""
        end_s, has_ended = time.monotonic() + PATIENCE_S, False
        while not (self.note.is_file() and self.note.read_text()):
            assert not has_ended, f"it ended with {self.process.returncode}: {self.process.stderr.read()}"
            assert time.monotonic() < end_s, "no picture"
            time.sleep(0.02)
            has_ended = self.process.poll() is not None  # maybe after a picture that came since the last look

    def end(self) -> tuple[int, str]:
        """Waits for the process, and returns its exit code and what it wrote to stderr."""
        try:
            _, text = self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
        return self.process.returncode, text


@pytest.fixture
def flags(model: Path) -> tuple[object, ...]:
    return ("--model", model, "--provider", "cpu")


def test_the_demo_opens_and_closes_by_itself(tmp_path: Path, display: str, flags: tuple[object, ...]) -> None:
    app = App(tmp_path, display, *flags, "--source", "demo", "--duration", "2")
    app.wait_for_picture()
    assert app.end() == (0, "")


def test_a_recording_is_replayed_and_a_signal_ends_it_cleanly(
    tmp_path: Path, display: str, flags: tuple[object, ...]
) -> None:
    write_recording(walking_recording(frames=30), tmp_path / "walk.csv")
    app = App(tmp_path, display, *flags, "--recording", "walk.csv", "--loop")
    app.wait_for_picture()
    app.process.send_signal(signal.SIGINT)
    assert app.end() == (0, "")


def test_opencvs_qt_plugins_do_not_break_it(tmp_path: Path, display: str, flags: tuple[object, ...]) -> None:
    bogus = tmp_path / "cv2" / "qt" / "plugins"
    (bogus / "platforms").mkdir(parents=True)
    (bogus / "platforms" / "libqxcb.so").write_bytes(b"a plugin of another Qt")
    app = App(
        tmp_path, display, *flags, "--duration", "2",
        QT_QPA_PLATFORM_PLUGIN_PATH=str(bogus), QT_QPA_FONTDIR=str(bogus),
    )  # fmt: skip
    app.wait_for_picture()
    assert app.end() == (0, "")


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")
def test_the_window_has_a_title_and_obeys_the_keyboard(
    tmp_path: Path, display: str, flags: tuple[object, ...]
) -> None:
    app = App(tmp_path, display, *flags, "--source", "demo")
    app.wait_for_picture()
    environment = {**os.environ, "DISPLAY": display}
    search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "Demo"]
    found = subprocess.run(search, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    window = found.stdout.split()[0]
    press = ["xdotool", "windowfocus", "--sync", window, "key", "ctrl+q"]
    subprocess.run(press, env=environment, check=True, timeout=PATIENCE_S)
    assert app.end() == (0, "")


def test_a_display_that_is_not_there_is_one_sentence(tmp_path: Path, flags: tuple[object, ...]) -> None:
    code, text = App(tmp_path, ":63998", *flags).end()
    [sentence] = text.splitlines()
    assert code == 1 and sentence.startswith("error: ") and "':63998' cannot be opened" in sentence


def test_a_missing_library_is_one_sentence_with_its_package(tmp_path: Path, display: str) -> None:
    program = (
        "import ctypes, sys; from app import preflight, main\n"
        "def load(name):\n"
        "    if name == 'libxcb-icccm.so.4': raise OSError(name)\n"
        "preflight.missing_libraries.__kwdefaults__['load'] = load\n"
        "sys.exit(main.main([]))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
    environment |= {"DISPLAY": display, "PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    [sentence] = done.stderr.splitlines()
    assert done.returncode == 1 and sentence.endswith("sudo apt-get install -y libxcb-icccm4")


def test_a_platform_that_qt_does_not_have_is_one_sentence(tmp_path: Path, display: str) -> None:
    code, text = App(tmp_path, display, QT_QPA_PLATFORM="nonsense").end()
    [sentence] = text.splitlines()
    assert code == 1 and sentence.startswith("error: ") and "'nonsense'" in sentence and "xcb" in sentence


def test_a_mistake_before_the_window_works_is_told_on_the_terminal(tmp_path: Path, display: str) -> None:
    program = (
        "import sys; from app import main\n"
        "def fail(window): raise RuntimeError('a mistake')\n"
        "main._note_first_paint = fail\n"
        "sys.exit(main.main(['--source', 'demo', '--duration', '1']))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
    environment |= {"DISPLAY": display, "PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1 and "a mistake" in done.stderr
