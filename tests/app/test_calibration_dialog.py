"""The calibration dialog: it says what to do, shows what was found, and keeps it for the sensor."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QHideEvent, QImage
from PyQt5.QtTest import QTest

from app.calibration_dialog import BEGIN, LOST, NO_SENSOR, NOTHING_KNOWN, PAUSED, CalibrationDialog
from app.main_window import MainWindow
from calibration import store
from calibration.color_map import ColorMap
from calibration.floor import Floor, Plane
from calibration.store import Calibration
from live.sources.base import SourceInfo, SourceStatus
from live.sources.replay import ReplaySource
from live.view import PipelineView
from skeleton.formats.table import open_recording
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording
from tests.app.fakes import FakePipeline
from tests.calibration.test_assistant import POSE, person
from tests.calibration.test_floor import plane_of

pytestmark = pytest.mark.usefixtures("own_settings")
SENSOR = ColorMap.default().shifted(-2.5, 11.0)
INFO = SourceInfo("replay", "squat.mcap", KINECT_V2, is_live=False, sensor_id="lab 1")


@pytest.fixture
def dialog(window: MainWindow) -> CalibrationDialog:
    """The dialog as the menu opens it."""
    window.timer.stop()  # the tests show the views
    window.menu.calibrate.trigger()
    assert window.calibration is not None and window.calibration.isVisible()
    return window.calibration


def a_view(
    number: int, *bodies: Body, info: SourceInfo = INFO, floor: Plane | None = None, **changes: object
) -> PipelineView:
    shown = BodyFrame(index=number, time_s=number / 30, bodies=bodies, floor=floor)
    status = changes.pop("status", SourceStatus.STREAMING)
    return PipelineView(source=info, status=status, frame=shown, **changes)  # type: ignore[arg-type]


def stand(
    dialog: CalibrationDialog,
    *,
    info: SourceInfo = INFO,
    floor: Plane | None = None,
    body: Callable[[], Body] = person,
    frames: int = 70,
) -> None:
    for number in range(frames):
        dialog.show_view(a_view(number, body(), info=info, floor=floor))


def click(button: object) -> None:
    QTest.mouseClick(button, Qt.LeftButton)  # type: ignore[call-overload]


def known(dialog: CalibrationDialog) -> str:
    shown = [dialog.note, *(value for _, value in dialog.known.values())]
    return "\n".join(label.text() for label in shown if label.isVisible())


def test_a_person_who_stands_still_calibrates_the_sensor(
    dialog: CalibrationDialog, window: MainWindow, pipeline: FakePipeline
) -> None:
    dialog.show_view(a_view(0))
    assert dialog.source.text() == "squat.mcap" and known(dialog) == NOTHING_KNOWN
    assert not dialog.keep.isEnabled() and not dialog.drawing.isVisible()
    stand(dialog)
    assert dialog.progress.value() == 0  # nobody has asked for a measurement
    click(dialog.measure)
    stand(dialog, frames=30, floor=plane_of(**POSE))
    assert 30 < dialog.progress.value() < 70 and "still" in dialog.advice.text()
    stand(dialog, floor=plane_of(**POSE))
    assert "0.93 m above the floor, looking down 3.1°" in dialog.advice.text() and dialog.progress.value() == 100
    assert store.load("lab 1") is None and dialog.keep.isEnabled()
    click(dialog.keep)
    kept = store.load("lab 1")
    assert kept is not None and kept.floor is not None and kept.origin == "squat.mcap"
    assert "Kept in" in dialog.advice.text() and "sensor 0.93 m above it" in known(dialog)
    assert pipeline.recalibrations == 1 and not dialog.keep.isEnabled()
    window.tick()
    assert any("'lab 1' was kept" in banner.text for banner, _ in window._notices.values())


def test_it_says_what_to_do(dialog: CalibrationDialog) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    for number, (bodies, words) in enumerate(
        [
            ((), "Stand in front of the sensor"),
            ((person(), person(x=1.0, tracking_id=2)), "One person alone"),
            ((person(crouch_m=0.3),), "Stand upright"),
            ((person(clipped=8),), "all of you is in view"),
        ],
        start=1,
    ):
        dialog.show_view(a_view(number, *bodies))
        assert words in dialog.advice.text()
    dialog.show_view(a_view(9, person(), status=SourceStatus.PAUSED))
    assert dialog.advice.text() == PAUSED


def test_a_sensor_that_is_lost_is_said_and_the_measurement_begins_anew(dialog: CalibrationDialog) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, frames=30, floor=plane_of(**POSE))
    assert dialog.progress.value() > 30
    dialog.show_view(a_view(30, person(), status=SourceStatus.LOST))
    assert dialog.advice.text() == LOST and dialog.progress.value() == 0
    dialog.show_view(a_view(120, person(), info=dataclasses.replace(INFO)))  # opened again
    assert dialog.advice.text() == BEGIN


def test_a_finished_measurement_of_a_sensor_that_is_lost_and_comes_back_can_still_be_saved(
    dialog: CalibrationDialog,
) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE))
    dialog.show_view(a_view(70, person(), status=SourceStatus.LOST))
    dialog.show_view(PipelineView())  # opened again, with another model
    dialog.show_view(a_view(120, person(), info=dataclasses.replace(INFO)))
    assert "0.93 m above the floor" in dialog.advice.text() and dialog.keep.isEnabled()
    click(dialog.keep)
    assert store.load("lab 1") is not None
    dialog.show_view(a_view(180, person(), info=dataclasses.replace(INFO, sensor_id="lab 2")))
    assert dialog.advice.text() == BEGIN and dialog.progress.value() == 0


def test_a_measurement_of_a_source_that_names_no_sensor_begins_anew_with_another_one(
    dialog: CalibrationDialog,
) -> None:
    nameless = dataclasses.replace(INFO, sensor_id="")
    dialog.show_view(a_view(0, info=nameless))
    click(dialog.measure)
    stand(dialog, info=nameless, floor=plane_of(**POSE))
    dialog.show_view(a_view(120, person(), info=dataclasses.replace(nameless, name="other.mcap")))
    assert dialog.advice.text() == BEGIN and dialog.source.text() == "other.mcap"


def test_a_finished_measurement_outlives_a_window_that_the_system_minimizes(dialog: CalibrationDialog) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE))

    class Minimized(QHideEvent):
        def spontaneous(self) -> bool:
            return True

    dialog.hideEvent(Minimized())
    assert dialog.keep.isEnabled() and dialog.progress.value() == 100


def test_a_table_is_not_taken_for_the_floor(dialog: CalibrationDialog) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, floor=plane_of(height_m=0.2, tilt_deg=3.1))
    assert "takes something else for the floor" in dialog.advice.text() and not dialog.keep.isEnabled()


def test_pixels_of_the_joints_give_a_color_map_and_a_picture_of_its_residuals(dialog: CalibrationDialog) -> None:
    random = np.random.default_rng(6)

    def with_pixels() -> Body:
        body = person(x=random.normal(scale=0.004))
        pixels = SENSOR.project(body.joints) + random.normal(scale=0.1, size=(25, 2))
        return dataclasses.replace(body, details=BodyDetails(color_px=pixels))

    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE), body=with_pixels)
    assert dialog.drawing.isVisible() and "From the pixels of the joints" in dialog.caption.text()
    assert "px median" in dialog.caption.text()
    image = dialog.drawing.pixmap().toImage().convertToFormat(QImage.Format_RGB888)
    assert (image.width(), image.height()) == (560, 315)
    colors = {image.pixelColor(x, y).name() for x in range(0, 560, 3) for y in range(0, 315, 3)}
    assert len(colors) > 20  # arrows and dots on white
    click(dialog.keep)
    kept = store.load("lab 1")
    assert kept is not None and kept.color_map is not None and kept.points > 500
    assert kept.residual_px == pytest.approx(0.12, abs=0.05) and "px median" in known(dialog)


def test_what_is_known_is_shown_and_what_is_not_measured_stays(dialog: CalibrationDialog) -> None:
    store.save(Calibration("lab 1", color_map=SENSOR, residual_px=0.1, largest_residual_px=0.4, points=77))
    dialog.show_view(a_view(0))
    assert "77 points" in known(dialog) and "-2.50 px in u, +11.00 px in v" in known(dialog)
    assert dialog.drawing.isVisible() and "usual Kinect" in dialog.caption.text()
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE))
    click(dialog.keep)
    kept = store.load("lab 1")
    assert kept is not None and kept.color_map == SENSOR and kept.points == 77 and kept.floor is not None


def test_a_damaged_file_is_a_sentence_and_is_set_aside_by_the_next_calibration(dialog: CalibrationDialog) -> None:
    path = store.save(Calibration("lab 1", floor=Floor.from_plane(plane_of(**POSE))))
    path.write_text("{", encoding="utf-8")
    dialog.show_view(a_view(0))
    assert "is no JSON text" in known(dialog)
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE))
    click(dialog.keep)
    assert "sensor 0.93 m above it" in known(dialog) and path.with_suffix(".damaged").is_file()


def test_a_source_without_a_sensor_is_measured_but_not_kept(dialog: CalibrationDialog) -> None:
    nameless = dataclasses.replace(INFO, sensor_id="")
    dialog.show_view(a_view(0, info=nameless))
    assert known(dialog) == NO_SENSOR
    click(dialog.measure)
    stand(dialog, info=nameless, floor=plane_of(**POSE))
    assert "0.93 m above the floor" in dialog.advice.text() and not dialog.keep.isEnabled()


def test_another_source_and_a_closed_dialog_begin_anew(dialog: CalibrationDialog, window: MainWindow) -> None:
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, frames=30)
    other = dataclasses.replace(INFO, name="other.mcap", sensor_id="lab 2")
    dialog.show_view(a_view(31, person(), info=other))
    assert dialog.source.text() == "other.mcap" and dialog.progress.value() == 0
    click(dialog.measure)
    stand(dialog, info=other, floor=plane_of(**POSE))
    click(dialog.leave)
    assert not dialog.isVisible()
    window.menu.calibrate.trigger()
    assert dialog.isVisible() and not dialog.keep.isEnabled() and dialog.progress.value() == 0


def test_a_folder_that_cannot_be_written_is_a_sentence(dialog: CalibrationDialog, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("in the way", encoding="utf-8")
    dialog.show_view(a_view(0))
    click(dialog.measure)
    stand(dialog, floor=plane_of(**POSE))
    click(dialog.keep)
    assert dialog.advice.text().startswith("The calibration cannot be kept in ") and dialog.keep.isEnabled()
    assert "config" in dialog.advice.text() and "Errno" not in dialog.advice.text()


def test_the_window_hands_its_views_to_the_open_dialog(
    dialog: CalibrationDialog, window: MainWindow, pipeline: FakePipeline
) -> None:
    pipeline.shown = a_view(0, person())
    window.tick()
    assert dialog.source.text() == "squat.mcap"


def test_a_real_person_in_a_replay_is_measured(real_data: Path, dialog: CalibrationDialog) -> None:
    whole = open_recording(real_data / "labanotation" / "Ges02_balancinghands.csv")
    whole = Recording(dataclasses.replace(whole.info, sensor_id="lab 1"), whole.times_s, whole.frames)
    with contextlib.closing(ReplaySource(whole, speed=math.inf)) as source:
        info = source.open()
        dialog.show_view(PipelineView(source=info, status=SourceStatus.STREAMING))
        click(dialog.measure)
        while not dialog.keep.isEnabled() and source.status is not SourceStatus.ENDED:
            dialog.show_view(PipelineView(source=info, status=source.status, frame=source.read(1.0)))
    click(dialog.keep)
    kept = store.load("lab 1")
    assert kept is not None and kept.floor is not None and 1.2 < kept.floor.height_m < 1.5
