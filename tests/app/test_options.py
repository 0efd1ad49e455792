"""The flags, and which of them go together."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from app import options
from app.options import MODELS, Options, check, parse, source_kind
from live.heat_kinds import HeatKind
from skeleton.errors import ConfigError


def test_without_flags_everything_has_its_default() -> None:
    assert parse([]) == Options()


def test_every_flag_is_read() -> None:
    line = (
        "--source replay --recording r.csv --video v.avi --model m.onnx --provider cpu --headless --output o.mp4 "
        "--events e.csv --duration 2.5 --speed max --people 4 --loop --verbose "
        "--heat coupled"
    )
    assert parse(line.split()) == Options(
        source="replay",
        recording=Path("r.csv"),
        video=Path("v.avi"),
        model=Path("m.onnx"),
        provider="cpu",
        is_headless=True,
        output=Path("o.mp4"),
        events=Path("e.csv"),
        duration_s=2.5,
        speed=math.inf,
        people=4,
        is_looping=True,
        is_verbose=True,
        heat="coupled",
    )


def test_a_model_that_comes_with_the_app_goes_by_its_name() -> None:
    assert parse(["--model", "gestures"]).model == MODELS["gestures"]
    assert parse(["--model", "gestures.onnx"]).model == Path("gestures.onnx")
    assert all(path.is_file() for path in MODELS.values())


def test_every_kind_of_heat_can_be_asked_for() -> None:
    assert sorted(options.HEATS) == sorted(kind.value for kind in HeatKind)


@pytest.mark.parametrize(
    "line",
    [
        "--source camera",
        "--provider tpu",
        "--heat warm",
        "--duration 0",
        "--duration -3",
        "--duration soon",
        "--duration inf",
        "--duration 1e9",
        "--speed 0",
        "--speed nan",
        "--speed fast",
        "--people 0",
        "--people 7",
        "--people two",
        "--people 1.5",
        "--unknown",
    ],
)
def test_a_flag_that_is_no_flag_ends_with_code_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split())
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--source replay", "needs --recording"),
        ("--source demo --recording HERE", "does not go with --source demo"),
        ("--source kinect --recording HERE", "does not go with --source kinect"),
        ("--video HERE", "needs the --recording"),
        ("--recording HERE --people 2", "--people is for the demo"),
        ("--headless --source kinect", "not the live sensor"),
        ("--output a.mp4", "--output needs --headless"),
        ("--events a.csv", "--events needs --headless"),
        ("--headless --loop", "needs --duration"),
        ("--headless --output a.avi", "must end in .mp4"),
        ("--recording nowhere.csv", "there is none at 'nowhere.csv'"),
        ("--model nowhere.onnx", "there is none at 'nowhere.onnx'"),
        ("--headless --output no/such/a.mp4", "'no/such' does not"),
        ("--headless --recording HERE --events HERE", "must not replace the file of --recording"),
        ("--headless --recording HERE --video HERE.mp4 --output HERE.mp4", "must not replace the file of --video"),
        ("--headless --output a.mp4 --events ./a.mp4", "must not replace the file of --output"),
        ("--headless --events FOLDER", "is something else"),
    ],
)
def test_flags_that_cannot_work_are_a_sentence(line: str, words: str, tmp_path: Path) -> None:
    here = tmp_path / "there.csv"
    here.touch()
    here.with_name("there.csv.mp4").touch()
    with pytest.raises(ConfigError) as refused:
        check(parse(line.replace("HERE", str(here)).replace("FOLDER", str(tmp_path)).split()))
    assert words in str(refused.value)
    assert str(refused.value).count(".") >= 1


def test_a_link_to_the_recording_is_the_recording(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").touch()
    try:
        (tmp_path / "events.csv").symlink_to("walk.csv")
    except OSError:
        pytest.skip("links are not allowed here")
    line = ["--headless", "--recording", str(tmp_path / "walk.csv"), "--events", str(tmp_path / "events.csv")]
    with pytest.raises(ConfigError, match="must not replace"):
        check(parse(line))


@pytest.mark.parametrize(
    ("line", "platform", "kind"),
    [
        ("", "linux", "demo"),
        ("", "win32", "kinect"),
        ("--recording r.csv", "win32", "replay"),
        ("--recording r.csv", "linux", "replay"),
        ("--headless", "win32", "demo"),
        ("--source kinect", "linux", "kinect"),
    ],
)
def test_auto_takes_what_there_is(line: str, platform: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options.sys, "platform", platform)
    assert source_kind(parse(line.split())) == kind


def test_windows_without_onnx_runtime_still_reads_its_flags() -> None:
    # What comes first is imported as the system that it is on; then the app believes it is on Windows.
    code = (
        "import sys, ctypes, logging.handlers, pathlib, socket, subprocess, tempfile\n"
        "sys.platform, sys.modules['onnxruntime'] = 'win32', None\n"
        "from app.main import main; sys.exit(main(['--source', 'replay']))"
    )
    repository = Path(options.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: --source replay needs --recording FILE.\n")
