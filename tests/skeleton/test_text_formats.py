"""What is particular to NTU, CSV and IRDS text: line ends, units of time, orders of joints, odd numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import RecordingError
from skeleton.formats.table import open_recording, write_recording
from skeleton.layout import KINECT_V2, KINECT_V2_19
from tests.recordings import FIRST_ID, assert_same_frames, walking_recording


@pytest.fixture
def ntu(tmp_path: Path) -> Path:
    path = tmp_path / "S001C001P001R001A001.skeleton"
    write_recording(walking_recording(frames=6, bodies=2, come_and_go=True, has_details=True), path)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n \r\n\n",
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace(" ", "  "),
        lambda text: "\ufeff" + text,
        lambda text: "".join(f" {line} \n" for line in text.splitlines()),
    ],
    ids=["windows", "no last line end", "blank lines", "tabs", "two spaces", "byte order mark", "spaces around"],
)
def test_an_ntu_file_may_be_spaced_in_any_way(change: object, ntu: Path) -> None:
    wanted = open_recording(ntu)
    text = ntu.read_text()
    changed = ntu.with_name("b.skeleton")
    changed.write_bytes(change(text).encode())  # type: ignore[operator]
    assert_same_frames(open_recording(changed), wanted)


def test_ids_beyond_what_a_float_holds_stay_apart(ntu: Path) -> None:
    frame = next(frame for frame in open_recording(ntu).frames if len(frame.bodies) == 2)
    assert [body.tracking_id for body in frame.bodies] == [FIRST_ID, FIRST_ID + 1]
    assert float(FIRST_ID) == float(FIRST_ID + 1)


def test_an_ntu_file_has_thirty_frames_a_second_and_knows_its_video(ntu: Path) -> None:
    assert open_recording(ntu).info.color_video is None
    video = ntu.with_name("S001C001P001R001A001_rgb.avi")
    video.touch()
    found = open_recording(ntu)
    assert found.info.color_video == video
    np.testing.assert_array_equal(found.times_s, np.arange(6) / 30)


@pytest.mark.parametrize(
    ("text", "value"),
    [("NaN", math.nan), ("-1.#IND", math.nan), ("1.#QNAN", math.nan), ("-1.#INF", -math.inf), ("1e300", math.inf)],
)
def test_numbers_that_are_none_are_kept_and_their_joint_is_not_seen(text: str, value: float, ntu: Path) -> None:
    lines = ntu.read_text().splitlines()
    first_joint = next(place for place, line in enumerate(lines) if len(line.split()) == 12)
    lines[first_joint] = " ".join([text, *lines[first_joint].split()[1:]])
    ntu.write_text("\n".join(lines))
    body = next(frame.bodies[0] for frame in open_recording(ntu).frames if frame.bodies)
    np.testing.assert_array_equal(body.joints[0, 0], np.float32(value))
    assert not body.seen[0]


def plain_csv(path: Path, times: list[str], *, width: int = 4, header: str = "", comma: str = "") -> Path:
    """A CSV file as other programs write it: joint j is at (j, 2 j, 3)."""
    cells = [f"{j},{2 * j},3{',2' if width == 4 else ''}" for j in range(25)]
    lines = [",".join([time, *cells]) + comma for time in times]
    path.write_text("\n".join([header, *lines] if header else lines))
    return path


@pytest.mark.parametrize(
    ("times", "header", "step_s"),
    [
        (["89810293609", "89810634305", "89810964305"], "", 0.0330),
        (["1000", "1033", "1066"], "", 0.033),
        (["12.5", "12.533", "12.566"], "", 0.033),
        (["0", "2", "4"], "time_s,nothing,else", 2.0),
        (["0", "8000", "16000"], "time_ms,nothing,else", 8.0),
        (["0", "100", "200"], "time_100ns,nothing,else", 1e-5),
    ],
)
def test_the_unit_of_time_is_the_headers_or_follows_from_the_step(
    times: list[str], header: str, step_s: float, tmp_path: Path
) -> None:
    found = open_recording(plain_csv(tmp_path / "a.csv", times, header=header))
    assert np.diff(found.times_s)[-1] == pytest.approx(step_s, rel=1e-6)


@pytest.mark.parametrize("comma", ["", ","])
@pytest.mark.parametrize("width", [3, 4])
def test_a_csv_file_without_header_has_the_joints_in_the_sensors_order(
    width: int, comma: str, tmp_path: Path
) -> None:
    found = open_recording(plain_csv(tmp_path / "a.csv", ["0", "33"], width=width, comma=comma))
    body = found.frames[1].bodies[0]
    np.testing.assert_array_equal(body.joints, [(j, 2 * j, 3) for j in range(25)])
    assert (body.state == 2).all()
    assert found.info.layout is KINECT_V2


def test_a_header_may_name_the_joints_in_any_order(tmp_path: Path) -> None:
    names = sorted(KINECT_V2.joints)
    header = ",".join(["Timestamp", *(f"{name}_{axis}" for name in names for axis in "XYZ")])
    found = open_recording(plain_csv(tmp_path / "a.csv", ["0.0", "0.1"], width=3, header=header))
    assert found.info.layout is KINECT_V2
    np.testing.assert_array_equal(
        found.frames[0].bodies[0].joints, [(names.index(j), 2 * names.index(j), 3) for j in KINECT_V2.joints]
    )


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("time,A_x,A_y", "line 1: each of at most 256 joints must have the columns x, y and z"),
        ("time,A_x,A_y,A_z,A_state,B_x,B_y,B_z", "line 1: either all joints must have a state column, or none"),
    ],
)
def test_a_header_that_is_half_is_refused(header: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n0,1,2,3,2,4,5,6\n")
    with pytest.raises(RecordingError, match=sentence):
        open_recording(path)


def test_our_own_csv_names_layout_units_and_people(tmp_path: Path) -> None:
    recording = walking_recording(frames=5, bodies=2, come_and_go=True, layout=KINECT_V2_19)
    write_recording(recording, tmp_path / "a.csv")
    header, *lines = (tmp_path / "a.csv").read_text().splitlines()
    assert header.startswith(
        "time_s,tracking_id,SpineBase_x_m,SpineBase_y_m,SpineBase_z_m,SpineBase_state,SpineMid_x_m"
    )
    assert len(lines) == sum(max(1, len(frame.bodies)) for frame in recording.frames)
    assert open_recording(tmp_path / "a.csv").info.layout is KINECT_V2_19
