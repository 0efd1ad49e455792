"""``python -m skeleton``: what it prints, what it leaves behind, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skeleton.__main__ import main
from skeleton.formats.mcap import RecordingWriter
from skeleton.formats.table import open_recording, write_recording
from skeleton.layout import KINECT_V2_19
from tests.conftest import REPOSITORY
from tests.recordings import assert_same_frames, walking_recording


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.mcap"
    write_recording(walking_recording(frames=31, bodies=2, come_and_go=True), path)
    return path


@pytest.mark.parametrize("suffix", [".skeleton", ".mcap", ".csv", ".npz"])
def test_convert_writes_the_format_that_the_name_says(suffix: str, source: Path) -> None:
    output = source.with_name(f"out{suffix}")
    assert main(["convert", str(source), str(output)]) == 0
    assert_same_frames(
        open_recording(output), open_recording(source), details=suffix != ".csv", time_tolerance_s=1e-9
    )


def test_convert_says_in_one_line_what_is_lost(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(source), str(source.with_suffix(".csv"))]) == 0
    output = capsys.readouterr()
    assert output.err == "note: .csv does not hold hand states, clipped edges.\n"
    assert output.out.endswith("in.csv: 31 frames, 1.0 s\n")


def test_convert_keeps_a_file_that_is_there_unless_forced(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = source.with_name("out.npz")
    output.write_text("mine")
    assert main(["convert", str(source), str(output)]) == 1
    assert capsys.readouterr().err == f"error: The file {output} is already there. --force replaces it.\n"
    assert output.read_text() == "mine"
    assert main(["convert", str(source), str(output), "--force"]) == 0
    assert len(open_recording(output).frames) == 31


def test_a_recording_can_be_converted_onto_itself(source: Path) -> None:
    before = source.read_bytes()
    assert main(["convert", str(source), str(source), "--force"]) == 0
    assert source.read_bytes() == before


def test_a_layout_that_does_not_fit_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.npz"
    write_recording(walking_recording(frames=3, layout=KINECT_V2_19), source)
    assert main(["convert", str(source), str(tmp_path / "b.skeleton")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: A .skeleton file holds the 25 joints")
    assert error.count("\n") == 1


def test_info_tells_what_is_inside(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(source)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == {
        "format": "mcap",
        "layout": "kinect-v2, 25 joints",
        "frames": "31",
        "duration": "1.000 s at 30 frames a second",
        "bodies": "2, at most 2 at once, 7 frames without one",
        "complete": "yes",
    }


def test_info_names_the_gaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, later = walking_recording(frames=5, start_s=3.0), walking_recording(frames=4, start_s=60.0)
    with RecordingWriter(tmp_path / "a.mcap", whole.info) as writer:
        for frame in (*whole.frames, *later.frames):
            writer.append(frame)
    assert main(["info", str(writer.path)]) == 0
    assert "1; the first lasts 56.9 s and begins after 0.1 s" in capsys.readouterr().out


def test_info_says_that_a_writer_was_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RecordingWriter(tmp_path / "a.mcap", walking_recording().info) as writer:
        writer.append(walking_recording().frames[0])
        writer.flush()
        assert main(["info", str(writer.path)]) == 0
    assert "complete   no: its writer ended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["info", "missing.mcap"], 1, "error: There is no file missing.mcap."),
        (["convert", "missing.mcap", "b.xyz"], 1, "error: A recording is written as .mcap, .npz, .skeleton, .csv"),
        (["convert", "one"], 2, "usage:"),
        ([], 2, "usage:"),
        (["info", "missing.mcap", "--verbose"], 1, "Traceback"),
    ],
)
def test_the_process_ends_with_its_code(arguments: list[str], code: int, words: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "skeleton", *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=240
    )
    assert process.returncode == code
    assert words in process.stderr
    assert process.stdout == ""
