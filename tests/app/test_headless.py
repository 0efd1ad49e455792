"""The video and the table: from real files through the recognizer to pixels and lines."""

from __future__ import annotations

import csv
import dataclasses
import errno
import itertools
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PyQt5.QtWidgets import QApplication

from app import headless
from app.headless import RATE_HZ, SIZE, render
from app.main import main
from app.presenter import MOST_EVENTS, Presenter
from calibration.color_map import ColorMap
from live.heat_kinds import DEFAULT_HEAT, HeatKind
from live.offline import run
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import JointEvidence, PipelineView
from skeleton.errors import RecordingError
from skeleton.formats.table import write_recording
from skeleton.frames import read_only
from tests.app.fakes import LABELS, event, person, view
from tests.live import tiny_model
from tests.live.fakes import recording as hand_recording
from tests.recordings import walking_recording

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NO_DISPLAY = {
    key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
}


@pytest.fixture(autouse=True)
def qt(application: QApplication) -> None:
    """Painting wants a QApplication."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that finds "right hand up"."""
    return tiny_model.write(tmp_path / "tiny.onnx")


def pictures(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    result = []
    while (answer := capture.read())[0]:
        result.append(answer[1])
    capture.release()
    return result


def views(*times_s: float, **changes: object) -> list[PipelineView]:
    return [view(person(1), time_s=time_s, **changes) for time_s in times_s]


def run_app(*arguments: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, REPOSITORY / "run_app.py", *map(str, arguments)],
        cwd=folder,
        env={**NO_DISPLAY, **environment, "XDG_STATE_HOME": str(folder / "state"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_video_has_a_picture_for_every_thirtieth_of_a_second(tmp_path: Path) -> None:
    result = render(views(*np.arange(0, 2.01, 1 / 15)), tmp_path / "a.mp4")
    found = pictures(tmp_path / "a.mp4")
    assert len(found) == result.frames == 2 * RATE_HZ + 1
    assert found[0].shape == (SIZE[1], SIZE[0], 3)
    assert found[30].max() > 200  # somebody is on it


def test_the_video_shows_the_heat_that_was_asked_for(tmp_path: Path) -> None:
    falls = np.zeros(25, dtype=np.float32)
    falls[7] = 0.5
    said = JointEvidence(101, LABELS[0], 0.0, falls)
    found = {}
    for kind in HeatKind:
        one = person(1, joint_attention=np.linspace(0.2, 1.2, 25), frame_attention=np.full(4, 0.5))
        shown = [view(one, time_s=time_s, evidence=(said,)) for time_s in (0.0, 0.1)]
        render(shown, tmp_path / f"{kind.value}.mp4", heat=kind)
        found[kind] = pictures(tmp_path / f"{kind.value}.mp4")[0].astype(int)
    for kind, other in itertools.combinations(HeatKind, 2):
        assert np.abs(found[kind] - found[other]).max() > 100, (kind, other)


def test_the_flag_reaches_the_model_and_the_picture(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "wave.csv"
    write_recording(hand_recording(45, hand_up_s=(0.0, 9.0)), recording)
    rendered: list[tuple[HeatKind, int]] = []

    def note(views: Iterator[PipelineView], *_: object, heat: HeatKind, **__: object) -> headless.Rendered:
        rendered.append((heat, sum(bool(one.evidence) for one in views)))
        return headless.Rendered()

    monkeypatch.setattr(headless, "render", note)
    words = ["--headless", "--recording", str(recording), "--model", str(model), "--provider", "cpu"]
    for flags in ([], ["--heat", "spatial"], ["--heat", "evidence"]):
        assert main([*words, "--output", str(tmp_path / "a.mp4"), *flags]) == 0
    (usual, usual_count), (spatial, none), (evidence, count) = rendered
    assert (usual, spatial, evidence) == (DEFAULT_HEAT, HeatKind.SPATIAL, HeatKind.EVIDENCE)
    assert none == 0 < count == usual_count


def test_a_faster_video_is_shorter(tmp_path: Path) -> None:
    assert render(views(*np.arange(0, 2.01, 1 / 30)), tmp_path / "a.mp4", speed=4.0).frames == 16


def test_only_the_duration_asked_for_is_rendered(tmp_path: Path) -> None:
    asked: list[float] = []

    def endless() -> Iterator[PipelineView]:
        for index in range(10**9):
            asked.append(index / 30)
            yield view(person(1), time_s=index / 30)

    result = render(endless(), tmp_path / "a.mp4", duration_s=1.5)
    assert result.frames == 46 and max(asked) < 1.6


def test_a_gap_of_hours_is_shortened(tmp_path: Path) -> None:
    result = render(views(0.0, 0.1, 7200.0, 7200.1), tmp_path / "a.mp4")
    assert result.video_s == pytest.approx(headless.LONGEST_STILL_S + 0.2, abs=0.1)


def test_a_recording_that_starts_again_goes_on(tmp_path: Path) -> None:
    assert render(views(5.0, 5.5, 0.0, 0.5), tmp_path / "a.mp4").video_s == pytest.approx(1.03, abs=0.05)


def test_events_go_into_the_table_and_end_at_the_end(tmp_path: Path) -> None:
    shown = views(0.0, 0.5, 1.0)
    shown[1] = view(person(1), time_s=0.5, events=(event(start_s=0.25), event(2, start_s=0.1, end_s=0.4, best=1)))
    render(shown, tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert list(csv.reader((tmp_path / "e.csv").read_text().splitlines())) == [
        ["start_s", "end_s", "body", "label", "confidence", "latency_ms", "other_body"],
        ["0.100", "0.400", "102", "hurdle_step", "0.900", "", ""],
        ["0.250", "1.000", "101", "deep_squat", "0.900", "", ""],
    ]


def rows(path: Path) -> list[tuple[str, str]]:
    """Start and end of every event in a table."""
    return [(row["start_s"], row["end_s"]) for row in csv.DictReader(path.read_text().splitlines())]


def test_an_action_over_a_gap_ends_by_the_clock_of_the_recording(tmp_path: Path) -> None:
    shown = [view(person(1), time_s=8.0, events=(event(start_s=0.1),)), *views(8.5, 100.0, 100.5)]
    render(shown, tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert rows(tmp_path / "e.csv") == [("0.100", "92.500")]


def test_a_gap_counts_toward_the_duration_as_long_as_it_is_shown(tmp_path: Path) -> None:
    result = render(views(0.0, 0.5, 100.0, 100.5, 101.0), tmp_path / "a.mp4", duration_s=6.2)
    assert result.video_s == pytest.approx(0.5 + headless.LONGEST_STILL_S + 0.5, abs=0.05)


def test_every_pass_of_a_loop_has_its_own_rows(tmp_path: Path) -> None:
    shown = views(5.0, 5.5, 6.0, 5.0, 5.5, 6.0)
    for index, end_s in ((1, None), (2, 0.9), (4, None)):
        changed = (event(start_s=0.25, end_s=end_s),)
        shown[index] = dataclasses.replace(shown[index], events=changed)
    render(shown, tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert rows(tmp_path / "e.csv") == [("0.250", "0.900"), ("0.250", "1.000")]


def test_a_long_recording_has_all_of_its_events_in_the_table(tmp_path: Path) -> None:
    every = tuple(event(start_s=0.001 * number, end_s=0.001 * number + 0.5) for number in range(MOST_EVENTS + 7))
    shown = [view(person(1), time_s=0.0), view(person(1), time_s=1.0, events=every)]
    render(shown, tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 1 + len(every)


def test_ctrl_c_keeps_what_was_rendered(tmp_path: Path) -> None:
    def interrupted() -> Iterator[PipelineView]:
        yield from views(*np.arange(0, 1.0, 1 / 30))
        raise KeyboardInterrupt

    result = render(interrupted(), tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert result.is_interrupted and len(pictures(tmp_path / "a.mp4")) == result.frames >= 30
    assert (tmp_path / "e.csv").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_picture_waits_for_its_end(number: signal.Signals, tmp_path: Path) -> None:
    pid, views_given = os.getpid(), []

    def endless() -> Iterator[PipelineView]:
        for index in range(10**6):
            views_given.append(index)
            yield view(person(1), time_s=index / 30)
            if index == 40:
                os.kill(pid, number)

    before = signal.getsignal(number)
    result = render(endless(), tmp_path / "a.mp4")
    assert result.is_interrupted and len(pictures(tmp_path / "a.mp4")) == result.frames
    assert 40 <= result.frames <= len(views_given) < 50
    assert signal.getsignal(number) is before


def test_a_failure_leaves_the_old_video_and_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"the old one")

    def failing() -> Iterator[PipelineView]:
        yield from views(0.0, 0.5)
        raise RecordingError("The recording is damaged.")

    with pytest.raises(RecordingError):
        render(failing(), tmp_path / "a.mp4")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.mp4", b"the old one")]


def test_a_source_without_a_frame_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="gave none"):
        render([], tmp_path / "a.mp4")


def test_a_full_disk_ends_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(headless.shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError) as failed:
        render(views(0.0, 1.0), tmp_path / "a.mp4")
    assert failed.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "e.csv").mkdir()
    with pytest.raises(OSError) as failed:
        render(views(0.0, 0.1), tmp_path / "a.mp4", events=tmp_path / "e.csv")
    assert failed.value.filename == str(tmp_path / "e.csv")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "e.csv"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    output, events = tmp_path / f"{'n' * 251}.mp4", tmp_path / f"{'n' * 251}.csv"
    try:
        events.touch()
    except OSError:
        pytest.skip("a path of this length is not allowed here")
    render(views(0.0, 0.1), output, events=events)
    assert len(pictures(output)) == 4 and events.read_text().startswith("start_s")


def test_the_color_video_that_a_recording_names_is_not_replaced(tmp_path: Path, model: Path) -> None:
    video = tmp_path / "walk.mp4"
    render(views(0.0, 0.1), video)
    before = video.read_bytes()
    whole = walking_recording(frames=8)
    named = dataclasses.replace(whole, info=dataclasses.replace(whole.info, color_video=video))
    write_recording(named, tmp_path / "walk.mcap")
    done = run_app("--headless", "--model", model, "--recording", "walk.mcap", "--output", video, folder=tmp_path)
    assert done.returncode == 1 and "must not replace" in done.stderr
    assert video.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_folder_whose_name_is_not_utf_8_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    with pytest.raises(RecordingError, match="UTF-8"):
        render(views(0.0, 0.1), folder / "a.mp4")
    assert list(folder.iterdir()) == []


def test_joints_of_an_ntu_recording_lie_on_its_video(tmp_path: Path, model: Path) -> None:
    color_map = ColorMap.default().shifted(3.1, -8.4)  # a sensor of its own
    recording = walking_recording(frames=12, bodies=2, has_details=True)
    for frame in recording.frames:
        for body in frame.bodies:
            assert body.details is not None
            color_px = read_only(color_map.project(body.joints), np.float32, (25, 2), name="color_px")
            object.__setattr__(body.details, "color_px", color_px)
    path, video = tmp_path / "S001C001P001R001A001.skeleton", tmp_path / "S001C001P001R001A001_rgb.avi"
    write_recording(recording, path)
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (1920, 1080))
    for _ in range(12):
        writer.write(np.full((1080, 1920, 3), 90, np.uint8))
    writer.release()
    presenter = Presenter()
    source = ReplaySource(path, speed=math.inf, video=video)
    for shown in run(source, Recognizer(model, provider="cpu")):
        presenter.take(shown)
        scene = presenter.scene(shown)
        assert scene.image is not None and scene.size == (1920, 1080) and shown.frame is not None
        pixels = {body.tracking_id: body.details.color_px for body in shown.frame.bodies if body.details}
        for figure in scene.figures:
            seen = figure.state > 0
            assert np.abs(figure.points - pixels[figure.body_id])[seen].max() < 0.5


def test_a_recording_becomes_a_video_and_a_table(tmp_path: Path, model: Path) -> None:
    recording = tmp_path / "walk.csv"
    write_recording(walking_recording(frames=45), recording)
    done = run_app("--headless", "--recording", recording, "--model", model, "--provider", "cpu", folder=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1][:8]) == (0, "rendered"), done.stderr
    assert len(pictures(tmp_path / "walk-labeled.mp4")) == 45
    assert (tmp_path / "walk-labeled-events.csv").read_text().startswith("start_s,end_s,body,label,")


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path, model: Path, application: QApplication) -> None:
    recording = tmp_path / "walk.csv"
    write_recording(walking_recording(frames=20, bodies=2), recording)
    for name in ("a.mp4", "b.mp4"):
        source = ReplaySource(recording, speed=math.inf)
        render(run(source, Recognizer(model, provider="cpu")), tmp_path / name)
    first, second = (np.stack(pictures(tmp_path / name)) for name in ("a.mp4", "b.mp4"))
    assert (first == second).all()


def test_a_real_recording_is_recognized_and_rendered(real_data: Path, tmp_path: Path, model: Path) -> None:
    recording = real_data / "labanotation" / "Ges01_wavehand.csv"
    result = render(
        run(ReplaySource(recording, speed=math.inf), Recognizer(model, provider="cpu")),
        tmp_path / "a.mp4",
        events=tmp_path / "e.csv",
    )
    assert result.video_s == pytest.approx(5.2, abs=0.1)
    assert [one.label for one in result.events] == ["right hand up"]


def test_a_model_that_needs_a_floor_says_once_that_there_is_none(tmp_path: Path) -> None:
    leveled = tiny_model.write(tmp_path / "leveled.onnx", expects_leveled=True)
    write_recording(hand_recording(90, hand_up_s=(1.0, 2.0)), tmp_path / "flat.npz")
    arguments = ["--headless", "--recording", tmp_path / "flat.npz", "--output", tmp_path / "o.mp4"]
    run = run_app(*arguments, "--model", leveled, "--provider", "cpu", folder=tmp_path)
    assert run.returncode == 0
    assert run.stderr.count("warning: The model 'tiny' needs heights above the floor") == 1


def test_without_a_display_the_demo_is_rendered_and_that_is_said(tmp_path: Path, model: Path) -> None:
    done = run_app("--model", model, "--provider", "cpu", "--duration", "1.5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No display" in done.stderr
    assert len(pictures(tmp_path / "demo.mp4")) == pytest.approx(45, abs=2)


def test_without_a_display_a_recording_that_should_repeat_is_rendered_once(tmp_path: Path, model: Path) -> None:
    write_recording(walking_recording(frames=20), tmp_path / "walk.csv")
    done = run_app("--recording", "walk.csv", "--loop", "--model", model, "--provider", "cpu", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(pictures(tmp_path / "walk-labeled.mp4")) == 20


def test_the_app_never_imports_torch(tmp_path: Path, model: Path) -> None:
    code = (
        "import sys; from app.main import main\n"
        f"code = main(['--headless', '--duration', '1', '--provider', 'cpu', '--model', {str(model)!r}])\n"
        "print(code, sorted(name for name in ('torch', 'onnx', 'training') if name in sys.modules))"
    )
    environment = {**NO_DISPLAY, "PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--headless", "--recording", "damaged.skeleton"], "damaged.skeleton"),
        (["--headless", "--model", "damaged.onnx"], "damaged.onnx"),
        (["--headless", "--recording", "none.csv"], "none.csv"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    for name in ("damaged.skeleton", "damaged.onnx"):
        (tmp_path / name).write_bytes(b"12\n\x00\xff not a file of its kind")
    done = run_app(*arguments, folder=tmp_path)
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("error: ") and words in sentence


@pytest.mark.skipif(not Path("/proc/1").is_dir(), reason="needs a folder that not even root can write to")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, model: Path) -> None:
    done = run_app("--headless", "--model", model, "--output", "/proc/a.mp4", "--duration", "1", folder=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_programming_mistake_is_one_sentence_and_its_traceback_is_in_the_log(tmp_path: Path, model: Path) -> None:
    code = (
        "import sys; from app import headless, main\n"
        "def fail(*_, **__): raise RuntimeError('a mistake')\n"
        "headless.render = fail\n"
        f"sys.exit(main.main(['--headless', '--provider', 'cpu', '--model', {str(model)!r}]))"
    )
    environment = {**NO_DISPLAY, "PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    [sentence] = done.stderr.splitlines()
    log = tmp_path / "state" / "kinect-action-recognition" / "app.log"
    assert done.returncode == 1 and "a mistake" in sentence and str(log) in sentence
    assert "Traceback" in log.read_text()


def test_flags_are_checked_before_anything_is_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["--source", "replay"]) == 1
    assert capsys.readouterr().err == "error: --source replay needs --recording FILE.\n"
