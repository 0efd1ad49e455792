"""Recording from the window and from the command line: the switch, the mark, the files, the sentences."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QRectF, Qt
from PyQt5.QtGui import QImage, QPainter
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from app import options, theme
from app.main import main
from app.main_window import MainWindow
from app.options import check, parse
from app.painting import ScenePainter
from app.recording import NO_VIDEO, mark, new_recording, outcome
from app.scene import Scene
from app.session import Session
from live.sources.replay import ReplaySource
from live.view import PipelineView, RecordingView, Severity
from skeleton.errors import ConfigError, RecordingError
from skeleton.formats.table import open_recording, write_recording
from tests.app.fakes import REPLAY, FakePipeline, person, view
from tests.live import tiny_model
from tests.live.recordings import painted
from tests.recordings import walking_recording

RUNNING = RecordingView(Path("a.mcap"), seconds=75.9, frames=2277)


REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def documents(window: MainWindow, tmp_path: Path) -> Path:
    window.recording.documents = tmp_path / "Documents"
    return window.recording.documents


def banners(window: MainWindow) -> list[str]:
    return [banner.text for banner, _ in window._notices.values()]


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (None, ""),
        (RUNNING, "REC 1:15 · skeletons"),
        (dataclasses.replace(RUNNING, is_running=False), ""),
        (dataclasses.replace(RUNNING, video=Path("a.mkv")), "REC 1:15 · skeletons and video"),
        (dataclasses.replace(RUNNING, pictures_lost=3), "REC 1:15 · skeletons · 3 pictures lost"),
    ],
)
def test_the_mark_says_how_long_and_what(recording: RecordingView | None, expected: str) -> None:
    assert mark(recording) == expected


@pytest.mark.parametrize(
    ("recording", "is_replaced", "expected"),
    [
        (RUNNING, False, "Recorded 75.9 s to a.mcap."),
        (dataclasses.replace(RUNNING, video=Path("a.mkv")), False, "Recorded 75.9 s to a.mcap and a.mkv."),
        (dataclasses.replace(RUNNING, lost=4), False, "Recorded 75.9 s to a.mcap · 4 frames lost."),
        (RUNNING, True, "Recorded 75.9 s to a.mcap; ended because something else was opened."),
        (RecordingView(Path("a.mcap")), False, "Nothing was recorded: no frame came."),
    ],
)
def test_the_end_of_a_recording_is_told(recording: RecordingView, is_replaced: bool, expected: str) -> None:
    assert outcome(recording, is_replaced=is_replaced) == expected


@pytest.mark.parametrize(
    ("recording", "is_replaced", "expected"),
    [
        (RUNNING, False, f"Recorded 75.9 s to a.mcap · {NO_VIDEO}."),
        (RUNNING, True, f"Recorded 75.9 s to a.mcap · {NO_VIDEO}; ended because something else was opened."),
        (dataclasses.replace(RUNNING, video=Path("a.mkv")), False, "Recorded 75.9 s to a.mcap and a.mkv."),
        (RecordingView(Path("a.mcap")), False, "Nothing was recorded: no frame came."),
    ],
)
def test_the_end_of_a_recording_tells_of_a_video_that_could_not_be(
    recording: RecordingView, is_replaced: bool, expected: str
) -> None:
    assert outcome(recording, is_replaced=is_replaced, lacks_video=True) == expected


@pytest.mark.parametrize("with_video", [False, True])
@pytest.mark.parametrize("color_size", [None, (1920, 1080)])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_video_that_was_asked_of_a_source_without_pictures_is_told(
    window: MainWindow,
    session: Session,
    pipeline: FakePipeline,
    documents: Path,
    with_video: bool,
    color_size: tuple[int, int] | None,
    is_replaced: bool,
) -> None:
    source = dataclasses.replace(REPLAY, color_size=color_size)
    pipeline.shown = view(person(1), source=source)
    window.menu.video.setChecked(with_video)
    window.menu.record.trigger()
    assert pipeline.shown.recording is not None
    pipeline.shown = dataclasses.replace(pipeline.shown, recording=RUNNING)
    window.tick()
    if is_replaced:
        session.revision += 1
        other = (640, 480) if color_size is None else None
        pipeline.shown = view(person(1), source=dataclasses.replace(REPLAY, color_size=other))
    else:
        window.menu.record.trigger()
    window.tick()
    [sentence] = banners(window)
    assert sentence.startswith("Recorded") and (NO_VIDEO in sentence) == (with_video and color_size is None)


def test_r_records_into_the_documents_and_r_stops(
    window: MainWindow, pipeline: FakePipeline, documents: Path
) -> None:
    QTest.keyClick(window, Qt.Key_R)
    [(path, with_video)] = pipeline.recordings
    assert path.parent == documents / "recordings" and path.parent.is_dir() and path.suffix == ".mcap"
    assert not with_video
    window.tick()
    assert window.menu.record.isChecked() and not window.menu.video.isEnabled()
    assert window.picture.scene.recording == "REC 0:00 · skeletons"
    QTest.keyClick(window, Qt.Key_R)
    window.tick()
    assert not window.menu.record.isChecked() and window.menu.video.isEnabled()
    assert window.picture.scene.recording == ""
    assert banners(window) == [f"Recorded 2.5 s to {path}."]
    window.tick()
    assert len(pipeline.recordings) == 1


def test_the_color_video_is_kept_only_when_asked_for(
    window: MainWindow, pipeline: FakePipeline, documents: Path
) -> None:
    assert not window.menu.video.isChecked()
    window.menu.video.trigger()
    window.menu.record.trigger()
    assert [with_video for _, with_video in pipeline.recordings] == [True]


def test_the_mark_goes_on_while_the_picture_stands_still(window: MainWindow, pipeline: FakePipeline) -> None:
    for seconds in (1.0, 2.0):
        pipeline.shown = dataclasses.replace(pipeline.shown, recording=dataclasses.replace(RUNNING, seconds=seconds))
        window.tick()
        assert window.picture.scene.recording == f"REC 0:0{seconds:.0f} · skeletons"


def test_what_cannot_be_recorded_is_a_sentence(window: MainWindow, pipeline: FakePipeline, documents: Path) -> None:
    pipeline.recording_error = RecordingError("The file a.mcap is already there.", remedy="Choose another name.")
    QTest.keyClick(window, Qt.Key_R)
    assert banners(window) == ["The file a.mcap is already there. Choose another name."]
    assert not window.menu.record.isChecked()


def test_a_documents_folder_that_cannot_be_written_is_a_sentence(
    window: MainWindow, pipeline: FakePipeline, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    window.recording.documents = tmp_path / "file"
    QTest.keyClick(window, Qt.Key_R)
    assert "cannot be made" in banners(window)[0] and "--record" in banners(window)[0]
    assert pipeline.recordings == []


def test_opening_something_else_ends_the_recording_and_says_so(
    window: MainWindow, session: Session, pipeline: FakePipeline
) -> None:
    pipeline.shown = dataclasses.replace(pipeline.shown, recording=RUNNING)
    window.tick()
    session.revision += 1
    pipeline.shown = view(person(1))
    window.tick()
    assert banners(window) == ["Recorded 75.9 s to a.mcap; ended because something else was opened."]


def test_nothing_is_said_of_a_recording_that_goes_on_with_what_was_opened(
    window: MainWindow, session: Session, pipeline: FakePipeline
) -> None:
    pipeline.shown = dataclasses.replace(pipeline.shown, recording=RecordingView(RUNNING.path))
    window.tick()
    session.revision += 1
    window.tick()
    assert banners(window) == [] and window.menu.record.isChecked()


def test_two_recordings_of_one_second_have_two_names(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        path = new_recording(tmp_path)
        path.touch()
        names.add(path)
    assert len(names) == 3


def test_nothing_is_recorded_before_something_is_open(session: Session, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="must be open"):
        session.record(tmp_path / "a.mcap")


def test_the_mark_is_red_and_in_the_corner(application: QApplication) -> None:
    def painted_scene(recording: str) -> np.ndarray:
        image = QImage(960, 540, QImage.Format_RGB32)
        painter = QPainter(image)
        ScenePainter().paint(painter, QRectF(0, 0, 960, 540), Scene(recording=recording))
        painter.end()
        memory = image.bits()
        memory.setsize(image.sizeInBytes())
        return np.frombuffer(memory, np.uint8).reshape(540, 960, 4)[:, :, 2::-1].copy()

    without, marked = painted_scene(""), painted_scene("REC 0:12 · skeletons")
    rows, columns = np.nonzero((without != marked).any(axis=2))
    assert rows.max() < 60 and columns.max() < 300
    red = (np.abs(marked.astype(int) - theme.RECORDING).max(axis=2) < 12).sum()
    assert red > 60


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--record a.csv", "must end in .mcap"),
        ("--record no/such/a.mcap", "folder that exists"),
        ("--record there.mcap", "new file"),
        ("--record video.mcap --record-video", "video.mkv' is already there"),
        ("--record-video", "needs --record"),
    ],
)
def test_flags_that_cannot_record_are_a_sentence(
    line: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mcap").touch()
    (tmp_path / "video.mkv").touch()
    with pytest.raises(ConfigError, match=sentence):
        check(parse(line.split()))
    check(parse(["--record", "new.mcap", "--record-video"]))
    assert options.Options().record is None and not options.Options().with_record_video


@pytest.mark.parametrize("flags", [[], ["--record-video"]], ids=["without video", "with video"])
def test_a_rendering_records_every_frame(
    application: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    whole = walking_recording(frames=35, bodies=2, come_and_go=True)
    write_recording(whole, tmp_path / "walk.npz")
    model = tiny_model.write(tmp_path / "tiny.onnx")
    copy = tmp_path / "copy.mcap"
    line = f"--headless --recording {tmp_path}/walk.npz --model {model} --provider cpu --output {tmp_path}/o.mp4"
    assert main([*line.split(), "--record", str(copy), *flags]) == 0
    assert f"recorded in {copy}{f' ({NO_VIDEO})' if flags else ''}, " in capsys.readouterr().out
    found = open_recording(copy)
    assert found.info.is_complete and found.times_s == pytest.approx(whole.times_s, abs=1e-8)
    for one, other in zip(found.frames, whole.frames):
        assert [b.tracking_id for b in one.bodies] == [b.tracking_id for b in other.bodies]
        assert all(np.array_equal(a.joints, b.joints) for a, b in zip(one.bodies, other.bodies))


def test_a_rendering_keeps_the_color_video_when_asked(tmp_path: Path) -> None:
    from app.recording import while_recording

    whole = walking_recording(frames=20)
    with ReplaySource(whole, speed=math.inf) as source:
        info = dataclasses.replace(source.open(), color_size=(64, 40))
    views = (PipelineView(source=info, frame=frame, image=painted(frame.index)) for frame in whole.frames)
    assert len(list(while_recording(views, tmp_path / "a.mcap", with_video=True))) == 20
    with ReplaySource(tmp_path / "a.mcap", speed=math.inf) as source:
        for frame in whole.frames:
            assert source.read(1.0) is not None
            picture = source.color()
            assert picture is not None and round(float(picture.mean()) / 4) == frame.index


def test_the_window_records_from_its_start_until_it_closes(tmp_path: Path) -> None:
    line = f"--source demo --people 2 --provider cpu --duration 4 --record {tmp_path}/a.mcap"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "run_app.py", *line.split()]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, timeout=120)
    found = open_recording(tmp_path / "a.mcap")
    assert found.info.is_complete and len(found.frames) > 10
    assert {body.tracking_id for frame in found.frames for body in frame.bodies}


def test_a_notice_of_a_recording_is_quiet(window: MainWindow, pipeline: FakePipeline, documents: Path) -> None:
    window.menu.record.trigger()
    window.menu.record.trigger()
    window.tick()
    assert [banner.severity for banner, _ in window._notices.values()] == [Severity.INFO]
