"""KinectMultiTrack: which of the two sensors is shown, by which clock, and what is not taken for a joint."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skeleton.__main__ import main
from skeleton.errors import RecordingError
from skeleton.formats import multitrack
from skeleton.formats.base import read_lines
from skeleton.formats.table import open_recording, write_recording
from skeleton.layout import KINECT_V2
from skeleton.recording import body_track
from tests.multitrack_files import ONE_PERSON, TWO_PEOPLE, header, row, standing, text, walk
from tests.recordings import assert_same_frames

NAME = "Study_18_Kinect_2_Time_10_55_24_PM.csv"


def written(folder: Path, rows: list[str], facts: str = ONE_PERSON, name: str = NAME) -> Path:
    path = folder / name
    path.write_text(text(rows, facts))
    return path


@pytest.mark.parametrize("facts", [ONE_PERSON, TWO_PEOPLE])
def test_both_spellings_are_told_and_joints_go_by_their_names(facts: str, tmp_path: Path) -> None:
    found = open_recording(written(tmp_path, walk(5), facts))
    assert (found.info.format, found.info.layout, found.info.rate_hz) == ("multitrack", KINECT_V2, 30.0)
    (body,) = found.frames[0].bodies
    np.testing.assert_array_equal(body.joints, standing())
    assert (body.state == 2).all()


def test_a_csv_of_ours_is_not_taken_for_one(tmp_path: Path) -> None:
    ours = tmp_path / "ours.csv"
    write_recording(open_recording(written(tmp_path, walk(5))), ours)
    assert open_recording(ours).info.format == "csv"


def test_the_first_sensor_is_shown_by_its_own_clock(tmp_path: Path) -> None:
    seconds = walk(5, skeleton=1, speed_m_s=9)
    found = open_recording(written(tmp_path, [line for both in zip(walk(5), seconds) for line in both]))
    np.testing.assert_allclose(found.times_s, 100 + np.arange(5) / 30, atol=1e-7)
    assert found.info.sensor_id == "sensor-2"
    np.testing.assert_allclose(body_track(found, 0)[1][-1, 0, 0], 0.6 * 4 / 30, atol=1e-6)


def test_a_person_whom_only_the_second_sensor_sees_is_not_there(tmp_path: Path) -> None:
    rows = [*walk(7), *walk(4, person=1), *walk(7, person=1, skeleton=1)]
    found = open_recording(written(tmp_path, rows, TWO_PEOPLE))
    assert [len(frame.bodies) for frame in found.frames] == [2, 2, 2, 2, 1, 1, 1]
    assert found.frames[0].bodies[1].tracking_id == 1


def test_a_frame_that_was_polled_twice_is_shown_once_and_swapped_ones_in_order(tmp_path: Path) -> None:
    lines = walk(6)
    later = row(2 / 30, joints=standing(5.0))  # the same sensor time again: the first one counts
    found = open_recording(written(tmp_path, [*lines[:2], lines[3], lines[2], lines[2], later, *lines[4:]]))
    np.testing.assert_allclose(np.diff(found.times_s), 1 / 30, atol=1e-6)
    np.testing.assert_allclose(np.diff(body_track(found, 0)[1][:, 0, 0]), 0.02, atol=1e-6)


def test_a_skeleton_of_another_sensor_is_left_out_because_its_clock_is_another(tmp_path: Path) -> None:
    rows = [*walk(5), row(0.05, person=1, sensor="sensor-1"), row(0.1, person=1)]
    found = open_recording(written(tmp_path, rows, TWO_PEOPLE))
    assert [len(frame.bodies) for frame in found.frames] == [1, 1, 1, 2, 1]


def test_joints_at_one_point_are_lost_ones(tmp_path: Path) -> None:
    joints = standing()
    joints[[2, 20]] = (0.31, 0.0, 0.4)  # where the recorder moved what was at zero
    joints[7] = (np.nan, 1.0, 2.0)
    rows = [row(0.0), row(0.1, joints=joints), row(0.2, joints=np.zeros((25, 3)))]
    first, second, third = open_recording(written(tmp_path, rows)).frames
    assert first.bodies[0].state.all()
    assert np.flatnonzero(second.bodies[0].state == 0).tolist() == [2, 7, 20]
    assert third.bodies == ()


def test_it_says_who_did_what_when(tmp_path: Path) -> None:
    rows = [*walk(31, scenario=1), *walk(16, start_s=9.0, scenario=3), *walk(4, start_s=10.0, scenario=7)]
    info = open_recording(written(tmp_path, rows)).info
    assert info.labels == {
        "subject": "18",  # the lines say 4; the name is right
        "scenarios": "standing still 0.0 to 1.0 s; walking 9.0 to 9.5 s; unknown 10.0 to 10.1 s",
    }
    assert info.created == "2015-03-17T13:00:00Z"
    renamed = written(tmp_path, rows, name="other.csv")
    assert open_recording(renamed).info.labels["subject"] == "4"


def test_a_recording_of_nothing_has_no_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = open_recording(written(tmp_path, []))
    assert (len(found.frames), found.info.sensor_id, found.info.created, found.info.labels) == (0, "", "", {})
    assert main(["info", str(tmp_path / NAME)]) == 0
    assert "0 frames without one" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".mcap", ".npz"])
def test_it_converts_with_its_facts(suffix: str, tmp_path: Path) -> None:
    joints = standing()
    joints[[2, 20]] = 0.0
    source = open_recording(written(tmp_path, [*walk(5), row(0.5, joints=joints), *walk(3, person=1)], TWO_PEOPLE))
    target = tmp_path / f"a{suffix}"
    assert main(["convert", str(tmp_path / NAME), str(target)]) == 0
    found = open_recording(target)
    assert_same_frames(found, source)
    assert (found.info.sensor_id, found.info.labels) == (source.info.sensor_id, source.info.labels)


def changed(cell: int, value: str) -> str:
    cells = row(0.1).split(", ")
    cells[cell] = value
    return ", ".join(cells)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        pytest.param([header(), row(0.0), row(0.1)[:-200]], r"line 3: a line must have 87 cells", id="cut"),
        pytest.param([header(), row(0.0), row(0.1) + ", 1"], r"line 3: .* found 88", id="a cell too many"),
        pytest.param([header(), changed(30, "x")], r"line 2: coordinates must be numbers", id="a word"),
        pytest.param([header(), "", changed(2, "1.5")], r"line 3: .* must be whole numbers", id="half a scenario"),
        pytest.param([header(), changed(6, "-1")], r"line 2: .* must be from 0 to", id="before the clock"),
        pytest.param([header(), changed(6, "9" * 30)], r"line 2: .* must be from 0 to", id="a huge time"),
        pytest.param(
            [header(), changed(4, "6")], r"line 2: a person must be below 6 .* found 6 and 0", id="person 6"
        ),
        pytest.param([header(), changed(5, "9")], r"line 2: .* found 0 and 9", id="skeleton 9"),
        pytest.param([header().replace("Head_X", "Head_W")], r"line 1: the header must name", id="another joint"),
        pytest.param([header() + ", Head_X"], r"line 1: the header must name", id="a joint twice"),
        pytest.param([header()[:300]], r"line 1: the header must name", id="cut header"),
    ],
)
def test_a_damaged_file_is_one_sentence_with_its_line(lines: list[str], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match=rf"{NAME}, {sentence}"):
        open_recording(path)


def test_damage_of_any_kind_is_never_a_traceback(tmp_path: Path) -> None:
    path = written(tmp_path, [*walk(4), *walk(4, skeleton=1)])
    data = path.read_bytes()
    outcomes = set()

    def outcome(content: bytes) -> str:
        path.write_bytes(content)
        try:
            list(open_recording(path).frames)
        except RecordingError as error:
            assert str(path) in str(error)
            return "sentence"
        return "frames"

    for length in range(0, len(data), len(data) // 100):
        outcomes.add(outcome(data[:length]))
    rng = random.Random(0)
    for _ in range(200):
        copy = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            place = rng.choice([rng.randrange(len(copy)), len(header()) + 1 + rng.randrange(120)])
            copy[place] = rng.choice([0, 255, 10, 44, 45, 57, rng.randrange(256)])
        outcomes.add(outcome(bytes(copy)))
    assert outcomes == {"sentence", "frames"}


REAL = {  # one line a recording: rows, {scenario: rows}, people, polls in which only one sensor saw a person
    "Study_0_Kinect_2_Time_11_45_58_AM": (274, {6: 274}, 1, 0),
    "Study_4_Kinect_0_Time_1_17_51_PM": (3518, {1: 90, 2: 1440, 3: 1988}, 1, 0),
    "Study_8_Kinect_2_Time_3_29_22_PM": (3789, {1: 754, 2: 3035}, 1, 1219),
    "Study_18_Kinect_2_Time_10_55_24_PM": (282, {6: 282}, 1, 0),
    "Study_20_Kinect_1_Time_1_30_34_PM": (2609, {4: 2121, 5: 112, 8: 376}, 2, 177),
    "Study_23_Kinect_2_Time_2_38_27_PM": (1760, {4: 1636, 8: 124}, 2, 136),
}


@pytest.fixture(scope="module")
def real_files(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("multitrack")
    with zipfile.ZipFile(real_data / "kinect-multitrack" / "kinect-multitrack.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        return {Path(name).stem: Path(archive.extract(name, folder)) for name in names}


@pytest.mark.parametrize("name", REAL)
def test_the_real_recordings_hold_what_their_description_says(name: str, real_files: dict[str, Path]) -> None:
    rows = multitrack.parse(read_lines(real_files[name]), where=name)
    count, scenarios, people, alone = REAL[name]
    numbers, counts = np.unique(rows.scenario, return_counts=True)
    assert (len(rows.ticks), dict(zip(numbers.tolist(), counts.tolist()))) == (count, scenarios)
    assert len(np.unique(rows.person)) == people
    pairs = np.unique(np.stack([rows.poll_ms, rows.person]), axis=1, return_counts=True)[1]
    assert int((pairs == 1).sum()) == alone


@pytest.mark.parametrize("name", REAL)
def test_the_real_recordings_play_as_the_sensor_saw_them(name: str, real_files: dict[str, Path]) -> None:
    found = open_recording(real_files[name])
    rows = multitrack.parse(read_lines(real_files[name]), where=name)
    mine = rows.skeleton == 0
    assert set(rows.sensor[mine]) == {found.info.sensor_id}
    assert len(found.frames) == len(np.unique(rows.ticks[mine])) < mine.sum()
    assert np.median(np.diff(found.times_s)) == pytest.approx(0.033, abs=0.001)
    assert found.info.created.startswith("2015-")
    assert found.info.labels["subject"] == name.split("_")[1]
    shown = sum(len(frame.bodies) for frame in found.frames)
    assert shown == len(np.unique(np.stack([rows.ticks, rows.person])[:, mine], axis=1).T)
    body = found.frames[0].bodies[0]
    feet, head = (body.joints[[KINECT_V2.index(joint) for joint in joints], 1].mean() for joints in (
        ("AnkleLeft", "AnkleRight"), ("Head", "Neck"),
    ))  # fmt: skip
    assert 1.0 < head - feet < 1.8  # a person who stands, with the joints in their places


def test_the_real_recordings_have_few_lost_joints(real_files: dict[str, Path]) -> None:
    lost = [0, 0]
    for name, path in real_files.items():
        rows = multitrack.parse(read_lines(path), where=name)
        has_lost = ~rows.seen.all(axis=1)
        for skeleton in (0, 1):
            lost[skeleton] += int((has_lost & (rows.skeleton == skeleton)).sum())
    assert (len(real_files), lost) == (21, [29, 25])
