"""The calibration with a person's help: what it says in each state, and what it keeps."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from calibration import store
from calibration.assistant import Advice, CalibrationAssistant, Step
from calibration.color_map import ColorMap
from calibration.floor import Plane
from calibration.store import Calibration
from skeleton.errors import CalibrationError
from skeleton.formats.table import open_recording
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2
from tests.calibration.test_floor import in_sensor_axes, plane_of
from tests.recordings import STANDING

POSE = {"height_m": 0.93, "tilt_deg": 3.1}
FEET_M = float(STANDING[:, 1].min())

pytestmark = pytest.mark.usefixtures("own_settings")


def person(
    *, x: float = 0.0, crouch_m: float = 0.0, tracking_id: int = 1, state: np.ndarray | None = None, clipped: int = 0
) -> Body:
    """Somebody who stands 2.5 m before a sensor in :data:`POSE`, soles on the floor."""
    world = STANDING.astype(np.float64) + [x, 0.03 - FEET_M, 2.5]
    world[[13, 17], 2] -= crouch_m  # knees come forward, hips down
    world[:13, 1] -= crouch_m
    world[16, 1] -= crouch_m
    joints = in_sensor_axes(world, **POSE)
    state = np.full(25, 2) if state is None else state
    return Body(tracking_id=tracking_id, joints=joints, state=state, clipped_edges=clipped)


def frame(number: int, *bodies: Body, floor: Plane | None = None) -> BodyFrame:
    return BodyFrame(index=number, time_s=number / 30, bodies=bodies, floor=floor)


def stand(assistant: CalibrationAssistant, *, frames: int = 70, start: int = 0, floor: Plane | None = None) -> Advice:
    """Lets a person stand until it is done, at most so many frames; returns the last advice."""
    random = np.random.default_rng(3)
    advice = None
    for number in range(start, start + frames):
        body = person(x=random.normal(scale=0.004))
        advice = assistant.take(frame(number, body, floor=floor))
        if advice.step in (Step.DONE, Step.CONFLICT):
            break
    assert advice is not None
    return advice


def lacking(*names: str) -> np.ndarray:
    state = np.full(25, 2)
    state[[KINECT_V2.index(name) for name in names]] = 0
    return state


@pytest.mark.parametrize(
    ("bodies", "step", "words"),
    [
        ([], Step.NOBODY, "Stand in front of the sensor"),
        ([person(), person(tracking_id=2, x=1.0)], Step.CROWD, "but 2 are"),
        ([person(state=lacking("FootLeft"))], Step.OUT_OF_VIEW, "until your feet are in view"),
        ([person(state=lacking("Head"))], Step.OUT_OF_VIEW, "until all of you is in view"),
        ([person(clipped=2)], Step.OUT_OF_VIEW, "until all of you is in view"),
        ([person(crouch_m=0.3)], Step.NOT_UPRIGHT, "Stand upright"),
        ([person()], Step.MEASURING, "Stand still"),
        ([person(state=lacking("ThumbLeft", "HandTipRight"))], Step.MEASURING, "Stand still"),
    ],
    ids=["nobody", "two people", "no foot", "no head", "cut off", "crouching", "standing", "no thumb"],
)
def test_it_says_what_to_do(bodies: list[Body], step: Step, words: str) -> None:
    advice = CalibrationAssistant(sensor_id="a").take(frame(0, *bodies, floor=plane_of(**POSE)))
    assert advice.step is step and words in advice.text


def test_two_seconds_of_standing_measure_the_floor_that_the_sensor_sees() -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    assert assistant.take(frame(0, person(), floor=plane_of(**POSE))).progress == 0
    assert assistant.take(frame(15, person(), floor=plane_of(**POSE))).progress == pytest.approx(0.25)
    advice = stand(assistant, start=16, floor=plane_of(**POSE))
    assert advice == Advice(Step.DONE, "Done: the sensor is 0.93 m above the floor, looking down 3.1°.", 1.0)
    assert assistant.floor is not None and assistant.floor.is_measured
    assert assistant.take(frame(200)).step is Step.DONE  # it stays, though the person has left


def test_without_a_plane_the_person_s_legs_stand_in() -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    advice = stand(assistant, floor=(0.0, 0.0, 0.0, 0.0))
    assert advice.step is Step.DONE and "measured on you" in advice.text
    floor = assistant.floor
    assert floor is not None and not floor.is_measured
    assert floor.height_m == pytest.approx(POSE["height_m"], abs=0.05)
    assert floor.tilt_deg == pytest.approx(POSE["tilt_deg"], abs=3)


def test_who_moves_begins_anew() -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    for number in range(59):
        assert assistant.take(frame(number, person(), floor=plane_of(**POSE))).step is Step.MEASURING
    advice = assistant.take(frame(59, person(x=0.2), floor=plane_of(**POSE)))
    assert (advice.step, advice.text, advice.progress) == (Step.MOVING, "Stand still.", 0.0)
    assert assistant.take(frame(60, person(x=0.2), floor=plane_of(**POSE))).progress < 0.05


def test_who_walks_slowly_is_not_standing_still() -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    steps = {assistant.take(frame(n, person(x=0.1 * n / 30), floor=plane_of(**POSE))).step for n in range(150)}
    assert Step.MOVING in steps and Step.DONE not in steps


@pytest.mark.parametrize("later", [100, 3], ids=["a pause of the sensor", "a clock that steps back"])
def test_a_jump_of_the_clock_begins_anew(later: int) -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    for number in range(20):
        assistant.take(frame(number, person(), floor=plane_of(**POSE)))
    assert assistant.take(frame(later, person(), floor=plane_of(**POSE))).progress == 0


def test_a_table_is_not_the_floor_until_it_is_gone() -> None:
    assistant = CalibrationAssistant(sensor_id="a")
    advice = stand(assistant, floor=plane_of(height_m=0.2, tilt_deg=3.1))
    assert advice.step is Step.CONFLICT and "0.7 m above your feet" in advice.text
    again = assistant.take(frame(100, person(), floor=plane_of(**POSE)))
    assert again.step is Step.CONFLICT and again.text.endswith("Stand still.")
    for number in range(101, 161):
        advice = assistant.take(frame(number, person(), floor=plane_of(**POSE)))
    assert advice.step is Step.DONE


def test_the_result_is_kept_under_the_sensor_s_id_beside_its_color_map() -> None:
    known = ColorMap.default().shifted(1.0, 2.0)
    store.save(Calibration(sensor_id="lab 1", color_map=known, points=42, residual_px=0.5))
    assistant = CalibrationAssistant(sensor_id="lab 1")
    stand(assistant, floor=plane_of(**POSE))
    assert assistant.save() == store.path_of("lab 1")
    kept = store.load("lab 1")
    assert kept is not None and kept.floor is not None and kept.created
    assert (kept.color_map, kept.points, kept.residual_px) == (known, 42, 0.5)
    assert (kept.floor.height_m, kept.floor.tilt_deg) == pytest.approx((0.93, 3.1), abs=0.01)


def test_the_map_of_the_live_sensor_is_kept_too_and_a_damaged_file_is_replaced() -> None:
    path = store.path_of("lab 1")
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    live = ColorMap.default().shifted(-3.0, 5.0)
    assistant = CalibrationAssistant(sensor_id="lab 1", color_map=live)
    stand(assistant, floor=plane_of(**POSE))
    assistant.save()
    kept = store.load("lab 1")
    assert kept is not None and kept.color_map == live and kept.floor is not None


def test_what_cannot_be_kept_is_a_sentence() -> None:
    nothing = CalibrationAssistant(sensor_id="a")
    with pytest.raises(CalibrationError, match="must be measured before"):
        nothing.save()
    nameless = CalibrationAssistant(sensor_id="")
    stand(nameless, floor=plane_of(**POSE))
    with pytest.raises(CalibrationError, match="kept under its sensor's id"):
        nameless.save()


def measured(path: Path) -> tuple[CalibrationAssistant, set[Step]]:
    """The assistant after a whole recording, and what it said."""
    assistant = CalibrationAssistant(sensor_id="a")
    return assistant, {assistant.take(frame).step for frame in open_recording(path).frames}


def test_one_sensor_is_measured_alike_in_several_recordings_of_a_real_person(real_data: Path) -> None:
    floors = [measured(path)[0].floor for path in sorted((real_data / "labanotation").glob("*.csv"))]
    found = [(floor.height_m, floor.tilt_deg) for floor in floors if floor is not None]
    assert len(found) >= 4  # in the others the person never stands still for two seconds
    heights_m, tilts_deg = np.transpose(found)
    assert 1.2 < heights_m.mean() < 1.5 and np.ptp(heights_m) < 0.06
    assert np.ptp(tilts_deg) < 1.0


def test_a_real_person_in_a_wheelchair_is_asked_to_stand_and_nothing_is_measured(
    real_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "seated.txt"
    with zipfile.ZipFile(real_data / "irds" / "irds-188.zip") as archive:
        name = next(name for name in sorted(archive.namelist()) if name.endswith("wheelchair.txt"))
        path.write_bytes(archive.read(name))
    assistant, steps = measured(path)
    assert Step.NOT_UPRIGHT in steps and assistant.floor is None
