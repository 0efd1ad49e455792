"""A damaged file of any format ends in one sentence that says where, or gives the part that is whole."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

from skeleton.errors import RecordingError
from skeleton.formats import mcap_index
from skeleton.formats.table import open_recording, write_recording
from tests.recordings import assert_same_frames, walking_recording

SUFFIXES = [".mcap", ".npz", ".skeleton", ".csv", ".txt"]


def irds_text(frames: int) -> str:
    lines = ["Version0.1"]
    for index, frame in enumerate(walking_recording(frames=frames).frames):
        body = frame.bodies[0]
        groups = [
            f"({name},Tracked,{x!r},{y!r},{z!r},{100.5 + place},{200.25})"
            for place, (name, (x, y, z)) in enumerate(
                zip(walking_recording().info.layout.joints, body.joints.tolist())
            )
        ]
        lines.append(f"{index},5,{1000 + 33 * index},{','.join(groups)}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def whole(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A whole recording of 7 frames in the format of the test's ``suffix``."""
    suffix = request.getfixturevalue("suffix")
    path = tmp_path / f"whole{suffix}"
    if suffix == ".txt":
        path.write_text(irds_text(7))
    else:
        write_recording(walking_recording(frames=7, bodies=2, come_and_go=True, has_details=True), path)
    return path


def frames_of(path: Path) -> int | str:
    """How many frames the file gives, or the sentence."""
    try:
        return len(list(open_recording(path).frames))
    except RecordingError as error:
        return str(error)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_off_anywhere_is_shorter_or_a_sentence(suffix: str, whole: Path) -> None:
    data = whole.read_bytes()
    cut = whole.with_name(f"cut{suffix}")
    outcomes = set()
    for length in range(0, len(data), max(1, len(data) // 150)):
        cut.write_bytes(data[:length])
        outcomes.add(type(frames_of(cut)))
    assert str in outcomes
    assert frames_of(whole) == 7


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_random_damage_is_never_a_traceback(suffix: str, whole: Path) -> None:
    data = whole.read_bytes()
    damaged = whole.with_name(f"damaged{suffix}")
    rng = random.Random(suffix)
    for _ in range(150):
        copy = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            near_an_end = rng.choice(
                [rng.randrange(len(copy)), rng.randrange(60), len(copy) - 1 - rng.randrange(400)]
            )
            copy[near_an_end] = rng.choice([0, 255, 10, 45, 48, rng.randrange(256)])
        damaged.write_bytes(copy)
        frames_of(damaged)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_files_folders_and_garbage_are_told_apart(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(RecordingError, match="no file"):
        open_recording(path)
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="is empty"):
        open_recording(path)
    path.write_bytes(random.Random(1).randbytes(5000))
    with pytest.raises(RecordingError, match="no format that is known"):
        open_recording(path)
    with pytest.raises(RecordingError, match="cannot be read: it is a folder"):
        open_recording(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(RecordingError, match="is a pipe or a device"):
        open_recording(tmp_path / "a.csv")


@pytest.mark.parametrize("suffix", SUFFIXES[:4])
def test_only_a_file_is_ever_replaced(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(RecordingError, match="something that is no file"):
        write_recording(walking_recording(frames=2), tmp_path / f"a{suffix}", overwrite=True)


@pytest.mark.parametrize("suffix", SUFFIXES[:4])
def test_a_name_may_be_as_long_as_the_system_allows(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * (255 - len(suffix))}{suffix}"
    try:
        path.touch()
    except OSError:
        pytest.skip("a path of this length is not allowed here")
    write_recording(walking_recording(frames=2), path, overwrite=True)
    assert len(open_recording(path).frames) == 2
    assert list(tmp_path.iterdir()) == [path]


def edited(path: Path, line: int, text: str) -> Path:
    """The text file with one line (from 1) replaced."""
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "text", "sentence"),
    [
        (1, "999999999", "line 1: the number of frames is 999999999, but the file has only"),
        (1, "10", "line 253: the file ends where the number of bodies must stand"),
        (2, "7", "line 2: a frame has at most 6 bodies, found 7"),
        (2, "x", "line 2: the number of bodies must stand here, found 'x'"),
        (3, "1 2 3", "line 3: a body must have 10 values, found 3"),
        (3, "1.5 0 0 0 0 0 0 0 0 2", "line 3: a body line must hold whole numbers"),
        (3, f"{2**64} 0 0 0 0 0 0 0 0 2", "line 3: a body line must hold whole numbers"),
        (3, "1 999 0 0 0 0 0 0 0 2", "line 3: a body line must hold whole numbers"),
        (4, "24", "line 4: a body must have 25 joints, found 24"),
        (5, "1 2 3", "line 5: a joint must have 12 values, found 3"),
        (6, "a 0 0 0 0 0 0 0 0 0 0 2", "line 6: a joint must have numbers only"),
        (7, "0 0 0 0 0 0 0 0 0 0 0 3", "line 7: a joint's state must be 0, 1 or 2, found 3"),
        (7, "0 0 0 0 0 0 0 0 0 0 0 nan", "line 7: a joint's state must be 0, 1 or 2, found nan"),
    ],
)
def test_a_wrong_line_of_an_ntu_file_is_named(line: int, text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    write_recording(walking_recording(frames=9), path)
    with pytest.raises(RecordingError) as caught:
        open_recording(edited(path, line, text))
    assert str(caught.value).startswith(f"{path}, {sentence}")


def test_a_value_too_many_in_every_body_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    write_recording(walking_recording(frames=2), path)
    lines = [f"{line} 7" if len(line.split()) == 10 else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match="line 3: a body must have 10 values, found 11"):
        open_recording(path)


def test_an_ntu_file_with_more_than_its_frames_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    write_recording(walking_recording(frames=2), path)
    path.write_text(path.read_text() + "\n\n5\n")
    with pytest.raises(RecordingError, match="line 60: the file must end after 2 frames"):
        open_recording(path)


@pytest.mark.parametrize(
    ("line", "change", "sentence"),
    [
        (3, lambda cells: cells[:-2], "line 3: a line must have 101 cells, found 99"),
        (3, lambda cells: [*cells, "1"], "line 3: a line must have 101 cells, found 102"),
        (4, lambda cells: ["x", *cells[1:]], "line 4: a line must hold numbers only"),
        (4, lambda cells: [*cells[:4], "7", *cells[5:]], "line 4: a joint's state must be 0, 1 or 2"),
        (5, lambda cells: ["0", *cells[1:]], "line 5: time must increase"),
        (5, lambda cells: ["inf", *cells[1:]], "line 5: the time must be finite"),
        (1, lambda cells: cells[:77], "line 1: a line must have a time and 25 joints of 3 or 4 values"),
    ],
)
def test_a_wrong_line_of_a_csv_file_is_named(line: int, change: object, sentence: str, tmp_path: Path) -> None:
    rows = [[str(1000 + 33 * k), *(["0.5", "0.25", "2.5", "2"] * 25)] for k in range(6)]
    rows[line - 1] = change(rows[line - 1])  # type: ignore[operator]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(row) for row in rows))
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert str(caught.value).startswith(f"{path}, {sentence}")


def test_a_header_of_one_endless_name_is_answered_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time_s,{'_' * 200_000}\n0,1\n")  # by a search without a bound: an hour
    with pytest.raises(RecordingError, match="line 2: a line must have a time and 25 joints"):
        open_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("(Neck,", "(Nick,", "line 2: a group (Neck,state and five numbers) must stand where 'Nick' is"),
        ("(Neck,Tracked", "(Neck,Lost", "line 2: a group (Neck,state"),
        (",(ThumbRight", ",", "line 2: a frame must have 25 whole groups of joints, found 24"),
        ("0,5,1000", "0,5,x", "line 2: three whole numbers and then numbers must stand here"),
        ("1,5,1033", "1,5,1000", "line 3: time must increase, found 1000 ms after 1000 ms"),
    ],
)
def test_a_wrong_line_of_an_irds_file_is_named(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = irds_text(3)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert sentence in str(caught.value)


def npz_with(path: Path, **changes: np.ndarray | None) -> Path:
    """A recording of 5 frames with some keys replaced, or left out where None."""
    write_recording(walking_recording(frames=5), path, overwrite=True)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays |= {key: value for key, value in changes.items() if value is not None}
    np.savez(
        path, allow_pickle=True, **{key: value for key, value in arrays.items() if changes.get(key, 0) is not None}
    )
    return path


def test_rows_of_bodies_that_wrap_in_a_small_kind_are_refused(tmp_path: Path) -> None:
    frames = 256 + 5  # in 8 bits, 128 is -128 and 261 is 5, the number of bodies
    path = npz_with(
        tmp_path / "a.npz",
        times_s=np.arange(frames) / 30,
        index=np.arange(frames),
        floor=np.full((frames, 4), np.nan),
        first_body=np.arange(frames + 1).astype(np.int8),
    )
    with pytest.raises(RecordingError, match=r"'first_body' of .* must rise from 0 to 5"):
        open_recording(path)


@pytest.mark.parametrize("kind", [np.float16, np.longdouble])
def test_times_of_any_kind_are_read_as_the_same_kind(kind: type, tmp_path: Path) -> None:
    path = npz_with(tmp_path / "a.npz", times_s=np.arange(5, dtype=kind))
    assert open_recording(path).times_s.dtype == np.float64


def test_a_pickle_in_an_npz_file_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("the pickle was loaded",))

    path = npz_with(tmp_path / "a.npz", state=np.array([Trap()], dtype=object))
    with pytest.raises(RecordingError, match="does not hold plain numbers"):
        open_recording(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"joints": None}, "'joints'"),
        ({"joints": np.zeros((5, 24, 3))}, "'joints' of .* must have shape"),
        ({"joints": np.zeros((5, 25, 3), dtype=complex)}, "does not hold plain numbers"),
        ({"first_body": np.array([0, 1, 2, 3, 4, 9])}, "'first_body' of .* must rise from 0 to 5"),
        ({"first_body": np.array([0, -1, 2, 3, 4, 5])}, "'first_body' of .* must rise"),
        ({"state": np.full((5, 25), 9, np.int8)}, "states 0, 1 or 2"),
        ({"times_s": np.array([0.0, 1.0, np.nan, 3.0, 4.0])}, "must be finite"),
        ({"times_s": np.array([-1.7e308, 1.0, 2.0, 3.0, 1.7e308])}, "a.npz has frame 0 at -1.7e\\+308 s"),
        ({"times_s": np.array([0.0, 2.0, 1.0, 3.0, 4.0])}, "Sensor time must increase"),
        ({"facts": np.array("{}")}, "'facts' must name the format"),
        ({"facts": None}, "'facts' must name the format"),
        ({"kept": np.array(["a"] * 5)}, "'kept'"),
        ({"kept": np.zeros((5, 2), np.int64)}, "'kept'"),
    ],
)
def test_an_npz_file_with_a_wrong_key_is_refused(changes: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=sentence):
        open_recording(npz_with(tmp_path / "a.npz", **changes))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("layout", '{"name":"a","joints":["A"],"measured":[true],"mirror":[],"bones":[[Infinity,0]]}'),
        ("floor", f"[0, 1, 0, {'9' * 400}]"),
        ("color_map", f"[{'9' * 400}]"),
    ],
)
def test_a_fact_with_an_endless_number_is_a_sentence(name: str, text: str, tmp_path: Path) -> None:
    path = npz_with(tmp_path / "a.npz")
    with np.load(path) as archive:
        facts = json.loads(str(archive["facts"]))
    path = npz_with(path, facts=np.array(json.dumps(facts | {name: text})))
    with pytest.raises(RecordingError, match=f"must say its {name}"):
        open_recording(path)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("facts.npy", b"\0" * (64 << 20))
    with pytest.raises(RecordingError, match="100 times its size"):
        open_recording(path)


@pytest.mark.parametrize(
    ("descr", "sentence"), [("<f8", "which is not its size"), ("<U0", "does not hold plain numbers")]
)
def test_an_array_header_that_declares_more_than_its_member_is_refused(
    descr: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (1 << 40,), "fortran_order": False, "descr": descr})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("facts.npy", header.getvalue())
    with pytest.raises(RecordingError, match=sentence):
        open_recording(path)


def test_another_npz_file_is_told_from_a_recording(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", xyz=np.zeros((3, 4)))
    with pytest.raises(RecordingError, match="but not a recording"):
        open_recording(tmp_path / "a.npz")


def mcap_with_chunk(
    path: Path, *, packed: bytes, declared: int, compression: bytes = b"zstd", times: int = 1
) -> Path:
    """A recording that was cut off after its facts, with one more chunk record of these bytes, or so many of them."""
    write_recording(walking_recording(frames=3), path, overwrite=True)
    data = path.read_bytes()
    head = data[: data.index(b"recording") + 4096]
    position = len(mcap_index.MAGIC)
    while head[position] != 6:
        position += 9 + struct.unpack_from("<Q", head, position + 1)[0]
    body = struct.pack("<QQQI", 0, 0, declared, 0) + struct.pack("<I", len(compression)) + compression
    body += struct.pack("<Q", len(packed)) + packed
    path.write_bytes(head[:position] + (struct.pack("<BQ", 6, len(body)) + body) * times)
    return path


@pytest.mark.parametrize("declared", [1 << 10, 15 << 20, 1 << 40, (1 << 64) - 1])
def test_a_chunk_that_unpacks_to_more_than_it_says_is_left_out(declared: int, tmp_path: Path) -> None:
    bomb = zstandard.compress(b"\0" * (256 << 20))
    found = open_recording(mcap_with_chunk(tmp_path / "a.mcap", packed=bomb, declared=declared))
    assert (len(found.frames), found.info.is_complete) == (0, False)


def test_many_small_bombs_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcap_index, "RATIO_FROM", 1 << 16)
    monkeypatch.setattr(mcap_index, "LARGEST_RATIO", 2)
    path = tmp_path / "a.mcap"
    size = 1 << 18
    assert (
        len(open_recording(mcap_with_chunk(path, packed=zstandard.compress(bytes(size)), declared=size)).frames) == 0
    )


def test_nothing_is_unpacked_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1 << 18
    monkeypatch.setattr(mcap_index, "RATIO_FROM", 3 * size)
    monkeypatch.setattr(mcap_index, "LARGEST_RATIO", 0)
    unpacked = []
    real = zstandard.ZstdDecompressor
    monkeypatch.setattr(
        mcap_index.zstandard, "ZstdDecompressor", lambda **options: unpacked.append(size) or real(**options)
    )
    path = mcap_with_chunk(tmp_path / "a.mcap", packed=zstandard.compress(bytes(size)), declared=size, times=50)
    assert not open_recording(path).info.is_complete
    assert sum(unpacked) == 3 * size


@pytest.mark.parametrize("length", [1 << 30, (1 << 63) + 5, (1 << 64) - 1])
def test_a_record_longer_than_the_file_ends_the_walk(length: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    recording = walking_recording(frames=31)
    write_recording(recording, path)
    data = path.read_bytes()
    end = data.rindex(struct.pack("<BQ", 0x0F, 4))  # where the data section ends
    path.write_bytes(data[:end] + struct.pack("<BQ", 6, length) + b"rest")
    found = open_recording(path)
    assert not found.info.is_complete
    assert_same_frames(found, recording, time_tolerance_s=1e-9)


@pytest.mark.parametrize(
    "message",
    [
        {"index": 0, "bodies": [{}] * 7},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, 0]], "state": [2]}]},
        {"index": 0, "bodies": [{"id": str(2**64), "joints": [[0, 0, 0]] * 25, "state": [2] * 25}]},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, "x"]] * 25, "state": [2] * 25}]},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, 10**400]] * 25, "state": [2] * 25}]},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, 0]] * 25, "state": [9] * 25}]},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, 0]] * 25, "state": [2] * 25, "details": {}}]},
        {"index": 0, "bodies": [{"id": "1", "joints": [[0, 0, 0]] * 25, "state": [2] * 25, "hands": [0, 2**63]}]},
        {"index": 10**30, "bodies": []},
        {"bodies": []},
        [],
        None,
    ],
    ids=str,
)
def test_a_message_that_is_no_body_frame_is_a_sentence(message: object, tmp_path: Path) -> None:
    text = json.dumps(message).encode()
    record = struct.pack("<BQ", 5, 22 + len(text)) + struct.pack("<HIQQ", 1, 0, 7, 7) + text
    found = open_recording(mcap_with_chunk(tmp_path / "a.mcap", packed=record, declared=len(record), compression=b""))
    with pytest.raises(RecordingError, match=r"The frame at 0.000 s must be a body frame"):
        found.frames[0]


def test_deeply_nested_text_is_a_sentence(tmp_path: Path) -> None:
    text = b"[" * 200_000
    record = struct.pack("<BQ", 5, 22 + len(text)) + struct.pack("<HIQQ", 1, 0, 7, 7) + text
    found = open_recording(mcap_with_chunk(tmp_path / "a.mcap", packed=record, declared=len(record), compression=b""))
    with pytest.raises(RecordingError, match="must be a body frame"):
        found.frames[0]
