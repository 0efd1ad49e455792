"""The data sets: known numbers out of the real archives, one sentence for every bad one."""

from __future__ import annotations

import errno
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2_19
from training.datasets import archive, machete, ui_prmd
from training.datasets.base import Clip
from training.datasets.table import DATASETS

POSITIONS = "Segmented Movements/Kinect/Positions/m01_s01_e01_positions.txt"
ANGLES = "Segmented Movements/Kinect/Angles/m01_s01_e01_angles.txt"
GESTURE = "datasets/kinect/training/Sub_u015/backflip/ex_0_moderate"


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def lines(count: int, columns: int = 66) -> bytes:
    return "".join(",".join(["1.5"] * columns) + "\n" for _ in range(count)).encode()


def gesture(name: str = "backflip", frames: int = 5, values: int = 63, stamps: int | None = None) -> bytes:
    joints = np.ones((frames, values), "<f4")
    joints[::2] = 0  # polls without a new frame
    times = np.arange(frames, dtype="<f4") * 0.011 + 7
    head = bytes([len(name)]) + name.encode() + struct.pack("<3i", 1, frames, values)
    return head + joints.tobytes() + struct.pack("<i", frames if stamps is None else stamps) + times.tobytes()


def first_kinect_recording(real_data: Path) -> np.ndarray:
    """(F, 22, 3) of the recording that the check values are of."""
    with archive.open_files(real_data / "ui-prmd" / "ui-prmd-kinect.zip") as source:
        tables = [
            np.array([line.split(",") for line in source.read(name).decode().splitlines()], float).reshape(-1, 22, 3)
            for name in (POSITIONS, ANGLES)
        ]
    return ui_prmd.absolute_joints(*tables)


def test_forward_kinematics_gives_the_published_check_values(real_data: Path) -> None:
    joints = first_kinect_recording(real_data)
    expected = {
        "Waist": (0.0350, 0.8560, 2.3588),
        "HeadTip": (0.0251, 1.5425, 2.3552),
        "LHand": (-0.4589, 1.7031, 2.3203),
        "RHand": (0.4639, 1.6646, 2.3944),
        "LToes": (-0.2109, 0.0821, 2.2035),
        "RToes": (0.3055, 0.0361, 2.3485),
    }
    assert len(joints) == 73
    for name, position in expected.items():
        assert joints[0, ui_prmd.SOURCE_JOINTS.index(name)] == pytest.approx(position, abs=6e-5), name


def test_the_planted_feet_of_a_squat_stay_put(real_data: Path) -> None:
    joints = first_kinect_recording(real_data)
    ankles = joints[:, [ui_prmd.SOURCE_JOINTS.index(name) for name in ("LFoot", "RFoot")]]
    assert ankles.std(axis=0).max() < 0.05


def test_joints_are_renamed_by_bone_length() -> None:
    order = [ui_prmd.SOURCE_JOINTS.index(ui_prmd.SOURCE_OF[joint]) for joint in KINECT_V2_19.joints]
    to_25 = [0, 1, 4, 5, 7, 8, 9, 9, 11, 12, 13, 13, 14, 15, 16, 17, 18, 19, 20, 21, 2, 9, 9, 13, 13]
    not_measured = {7, 11, 21, 22, 23, 24}
    assert order == [source for index, source in enumerate(to_25) if index not in not_measured]


def test_a_turn_about_y_alone_is_applied_before_x_and_z() -> None:
    offsets = np.zeros((1, 22, 3))
    offsets[0, 1] = (1.0, 2.0, 3.0)
    angles = np.zeros((1, 22, 3))
    angles[0, 0] = (90.0, 90.0, 90.0)
    # Ry: (x, y, z) -> (z, y, -x); Rx: -> (x, -z, y); Rz: -> (-y, x, z); then the half turn and centimeters.
    x, y, z = 3.0, 2.0, -1.0
    x, y, z = x, -z, y
    x, y, z = -y, x, z
    assert ui_prmd.absolute_joints(offsets, angles)[0, 1] == pytest.approx((-x / 100, y / 100, -z / 100))


def test_the_real_archives_give_every_clip(real_data: Path) -> None:
    clips: list[Clip] = list(machete.MACHETE.clips(real_data / "machete" / "machete-kinect.zip"))
    assert len(clips) == 850
    assert sum(len(clip.times_s) for clip in clips) == 57_358
    assert {clip.item.subject for clip in clips} == set(range(15, 25))
    first = next(clip for clip in clips if (clip.item.subject, clip.item.label, clip.item.repetition) == (15, 0, 0))
    assert first.joints[0, 0, 0] == pytest.approx((-0.320768, -0.506687, 3.109938), abs=1e-6)
    assert all(clip.joints.any(axis=(1, 2, 3)).all() for clip in clips)
    assert np.median(np.concatenate([np.diff(clip.times_s) for clip in clips])) == pytest.approx(0.033, abs=1e-3)


def test_a_machete_file_begins_as_its_description_says() -> None:
    header = bytes.fromhex("08 62 61 63 6b 66 6c 69 70 01 00 00 00 ef 00 00 00 3f 00 00 00")
    content = gesture(frames=239)
    assert content[: len(header)] == header and len(content) == 61_209


def test_polls_without_a_new_frame_are_dropped_with_their_times() -> None:
    name, times_s, joints = machete.parse(gesture(frames=6), where="here")
    assert name == "backflip" and joints.shape == (3, 21, 3) and joints.all()
    assert times_s == pytest.approx([0.0, 0.022, 0.044], abs=1e-5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "must begin with a name", id="empty"),
        pytest.param(gesture()[:20], "must begin with a name", id="cut in the header"),
        pytest.param(gesture()[:-1], "bytes", id="cut in the times"),
        pytest.param(gesture(values=60), "63 values a frame", id="other joints"),
        pytest.param(gesture(stamps=4), "one time stamp for each", id="fewer times than frames"),
        pytest.param(gesture(frames=2), "at least two frames", id="one frame that is not zero"),
        pytest.param(
            b"\x08backflip" + struct.pack("<3i", 1, 2**31 - 1, 63), "bytes for its", id="a huge number of frames"
        ),
    ],
)
def test_a_damaged_machete_file_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        machete.parse(content, where="here")


def test_repeated_times_are_refused() -> None:
    content = bytearray(gesture(frames=6))
    content[-4:] = content[-12:-8]
    with pytest.raises(TrainingDataError, match="increasing times"):
        machete.parse(bytes(content), where="here")


@pytest.mark.parametrize(
    ("name", "members", "sentence"),
    [
        pytest.param("ui-prmd", {"readme.txt": b"hello"}, "must hold files like", id="another archive"),
        pytest.param("machete", {"readme.txt": b"hello"}, "must hold files like", id="another archive, binary"),
        pytest.param("ui-prmd", {POSITIONS: lines(3)}, "must hold .*angles.txt", id="angles missing"),
        pytest.param("ui-prmd", {POSITIONS: lines(3), ANGLES: lines(4)}, "equally many lines", id="other length"),
        pytest.param("ui-prmd", {POSITIONS: lines(3, 65), ANGLES: lines(3)}, "line 1 has not", id="a number missing"),
        pytest.param("ui-prmd", {POSITIONS: b"a,b\n", ANGLES: lines(3)}, "66 numbers a line", id="no numbers"),
        pytest.param(
            "ui-prmd", {POSITIONS: lines(3).replace(b"1.5", b"nan"), ANGLES: lines(3)}, "finite", id="not finite"
        ),
        pytest.param("ui-prmd", {POSITIONS: b"", ANGLES: b""}, "at least two lines", id="empty recording"),
        pytest.param(
            "ui-prmd", {POSITIONS.replace("m01", "m11"): lines(3)}, "must hold files like", id="unknown movement"
        ),
        pytest.param("ui-prmd", {POSITIONS: b"0" * (1 << 21)}, "times its packed size", id="bomb"),
        pytest.param("ui-prmd", {POSITIONS: b"0" * ((16 << 20) + 1)}, "more than 16777216", id="huge file"),
        pytest.param("machete", {GESTURE: gesture("duck")}, "gesture of its folder", id="name of another gesture"),
    ],
)
def test_a_bad_archive_is_one_sentence(tmp_path: Path, name: str, members: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        list(DATASETS[name].clips(zipped(tmp_path / "data.zip", members)))


def test_a_missing_archive_and_one_that_is_no_zip_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    for name, sentence in (("nowhere.zip", "there is none"), ("text.zip", "must be a zip archive")):
        with pytest.raises(TrainingDataError, match=sentence):
            list(ui_prmd.UI_PRMD.clips(tmp_path / name))


def test_a_size_that_the_directory_lies_about_is_caught(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", {POSITIONS: b"0123456789" * 1000})
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 20)  # unpacked size in the directory
    path.write_bytes(content)
    with archive.open_files(path) as source, pytest.raises(TrainingDataError, match="cannot be unpacked"):
        source.read(POSITIONS)


def several(path: Path, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """An archive of four files of noise, which packs to nothing less."""
    with zipfile.ZipFile(path, "w", method) as target:
        for name in "abcd":
            target.writestr(name, np.random.default_rng(ord(name)).bytes(1000))
    return path


def test_an_archive_with_a_hole_is_read_where_it_is_whole(tmp_path: Path) -> None:
    path = several(tmp_path / "data.zip")
    content = path.read_bytes()
    path.write_bytes(content[:1200] + content[1900:])
    with archive.open_files(path) as source:
        assert all(len(source.read(name)) == 1000 for name in "cd")
        for name in "ab":
            with pytest.raises(TrainingDataError, match=f"'{name}' cannot be unpacked .* Download it again"):
                source.read(name)


def test_a_hole_in_a_data_set_is_a_row_of_what_is_refused(real_data: Path, tmp_path: Path) -> None:
    content = (real_data / "kinect-multitrack" / "kinect-multitrack.zip").read_bytes()
    (tmp_path / "data.zip").write_bytes(content[:1000] + content[3000:])
    data_set = DATASETS["kinect-multitrack"]
    rows = data_set.look(tmp_path / "data.zip", data_set.options()).refused
    refused = [row for row in rows if ".zip" in row.reason]
    assert len(refused) == 1 and f"'{refused[0].file}' cannot be unpacked" in refused[0].reason


@pytest.mark.parametrize(
    ("method", "damage"),
    [
        pytest.param(zipfile.ZIP_DEFLATED, {40: b"x" * 200}, id="deflate"),
        pytest.param(zipfile.ZIP_BZIP2, {40: b"x" * 200}, id="bzip2"),
        pytest.param(zipfile.ZIP_LZMA, {40: b"x" * 200}, id="lzma"),
        pytest.param(zipfile.ZIP_DEFLATED, {7: b"\x08", 30: b"\xff"}, id="a name in bytes that are no UTF-8"),
    ],
)
def test_a_damaged_file_of_an_archive_is_one_sentence(tmp_path: Path, method: int, damage: dict[int, bytes]) -> None:
    path = several(tmp_path / "data.zip", method=method)
    content = bytearray(path.read_bytes())
    for at, changed in damage.items():
        content[at : at + len(changed)] = changed
    path.write_bytes(content)
    with archive.open_files(path) as source, pytest.raises(TrainingDataError, match="'a' cannot be unpacked"):
        source.read("a")


def test_a_disk_that_fails_is_told_from_a_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    sentence = f"'a' cannot be read .{os.strerror(errno.EIO)}"
    several(tmp_path / "data.zip")
    with archive.open_files(tmp_path / "data.zip") as source, pytest.raises(TrainingDataError, match=sentence):
        source.read("a")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_an_archive_has_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as target:
        for name, content in ((POSITIONS, lines(3)), (ANGLES, lines(3)), (POSITIONS, lines(4))):
            target.writestr(name, content)
    with archive.open_files(tmp_path / "data.zip") as source:
        assert len(source.read(ANGLES)) > 0
        with pytest.raises(TrainingDataError, match="' is there twice"):
            source.read(POSITIONS)


def test_an_archive_with_backslashes_has_the_same_files(tmp_path: Path) -> None:
    members = {"Kinect\\": b"", GESTURE.replace("/", "\\"): gesture()}
    [clip] = machete.MACHETE.clips(zipped(tmp_path / "data.zip", members))
    assert clip.item.name == GESTURE and len(clip.times_s) == 2


def test_an_encrypted_file_is_one_sentence(tmp_path: Path) -> None:
    path = several(tmp_path / "data.zip")
    content = bytearray(path.read_bytes())
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(header) + at] |= 1
    path.write_bytes(content)
    with archive.open_files(path) as source:
        with pytest.raises(TrainingDataError) as caught:
            source.read("a")
        assert str(caught.value) == f"{path}: the file 'a' is encrypted; unpack it first."
        assert len(source.read("b")) == 1000


def test_every_mirrored_label_is_a_label() -> None:
    for known in filter(None, (data_set.description for data_set in DATASETS.values())):
        sides = [side for pair in known.mirrored_labels for side in pair]
        assert set(sides) <= set(known.labels) and len(set(sides)) == len(sides)
