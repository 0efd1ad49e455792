"""UESTC: both of its forms, what its names say, and a reason for every file that is left out."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from tests.training.published_names import uestc_names
from tests.training.test_mat_file import file, matrix, packed
from training import protocol_table, protocols
from training.cache import open_cache
from training.datasets import uestc
from training.datasets.table import DATASETS
from training.prepare import prepare

UESTC = DATASETS["uestc"]
WHOLE = uestc.UestcOptions(segments=1)
SIGNALING = np.frombuffer(bytes.fromhex("010000000000f07f"), "<f8")
"""A NaN at whose conversion the processor raises its flag."""


def joints(frames: int = 3, seed: int = 0) -> np.ndarray:
    """(F, 25, 3) numbers that a text with six digits holds exactly."""
    return np.random.default_rng(seed).integers(-2000, 2000, (frames, 25, 3)).astype(np.float32) / 1024


def as_text(positions: np.ndarray, *, end: str = "\r\n") -> bytes:
    lines = []
    for frame in positions:
        lines.append("#")
        for x, y, z in frame:
            lines += [f"{x:.10g} {y:.10g} {z:.10g} 0", "812.3 -1.#INF 1", "250.1 211.9 2"]
    return (end.join(lines) + end).encode()


def as_matrix(positions: np.ndarray, name: bytes = b"v") -> bytes:
    if name == b"v":
        positions = positions.reshape(len(positions), 75)
    numbers = positions.astype("<f8").tobytes("F")
    return file(packed(matrix(name, positions.shape, numbers)))


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_both_forms_hold_the_same_positions() -> None:
    wanted = joints()
    for end in ("\n", "\r\n"):
        assert (uestc.parse_text(as_text(wanted, end=end), where="x") == wanted).all()
    for name in (b"v", b"skel"):
        assert (uestc.parse_matrix(as_matrix(wanted, name), where="x") == wanted).all()


def test_a_last_frame_that_was_cut_is_left_out_and_a_frame_without_a_body_is_not() -> None:
    wanted = joints()
    assert (uestc.parse_text(as_text(wanted)[:-40], where="x") == wanted[:2]).all()
    content = as_text(wanted[:1]) + b"#\r\n" + as_text(wanted[1:])
    found = uestc.parse_text(content, where="x")
    assert not found[1].any() and (found[[0, 2, 3]] == wanted).all()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "must begin with a '#'", id="empty"),
        pytest.param(b"#\r\n", "must begin with a '#' and hold a whole frame", id="a mark alone"),
        pytest.param(as_text(joints())[3:], "must begin with a '#'", id="no first mark"),
        pytest.param(as_text(joints(1)), "at least two frames, found 1", id="one frame"),
        pytest.param(
            as_text(joints()).replace(b" 0\r\n", b" 7\r\n", 1), "frame 0 does not", id="another last number"
        ),
        pytest.param(as_text(joints()) + b"1 2 3\n" + as_text(joints()), "frame 2 does not", id="a line too many"),
        pytest.param(as_text(joints()).replace(b"#\r\n", b"#\r\nx"), "something else", id="a word"),
        pytest.param(as_text(np.full((2, 25, 3), np.nan)), "finite numbers, but frame 0", id="not a number"),
        pytest.param(b"#\n" * 30_000 + as_text(joints()), "at most 20000 frames", id="without end"),
    ],
)
def test_a_text_that_is_something_else_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        uestc.parse_text(content, where="x")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(file(matrix(b"v", (4, 3))), "its matrix is 4 x 3", id="another width"),
        pytest.param(file(matrix(b"v", (0, 75), b"")), "its matrix is 0 x 75", id="no frame"),
        pytest.param(as_matrix(np.full((2, 25, 3), np.inf)), "finite numbers", id="infinite"),
        pytest.param(as_matrix(np.full((2, 25, 3), 1e300)), "finite numbers", id="beyond single precision"),
        pytest.param(as_matrix(np.full((2, 25, 3), SIGNALING)), "finite numbers", id="a number that signals none"),
    ],
)
def test_a_matrix_that_is_something_else_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        uestc.parse_matrix(content, where="x")


def test_a_name_says_action_person_direction_and_camera(tmp_path: Path) -> None:
    names = ["a3_d2_p07_c2_skeleton.txt", "a39_d8_p118_c1_skeleton.txt", "a39_d8_p118_c1_color.avi"]
    listing = uestc.look(tree(tmp_path, dict.fromkeys(names, b"x")), WHOLE)
    found = [(item.label, item.subject, item.setup, item.camera) for item in listing.items]
    assert found == [(3, 7, 2, 2), (39, 118, 8, 1)]
    assert listing.description.labels[39] == "high knees running"


def test_a_folder_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"must hold files like 'a0_d1_p01_c1_skeleton\.txt'"):
        uestc.look(tree(tmp_path, {"readme.txt": b"x", "my_skeleton.txt": b"x"}), WHOLE)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("a40_d1_p001_c1_skeleton.txt", "there is no action 40", id="action 40"),
        pytest.param("a100_d1_p001_c1_skeleton.txt", "there is no action 100", id="action 100"),
        pytest.param("a4_d9_p11_c1_skeleton.mat", "there is no direction 9", id="direction 9"),
        pytest.param("a4_d0_p11_c1_skeleton.mat", "there is no direction 0", id="direction 0"),
        pytest.param("a1_d1_p119_c1_skeleton.txt", "there is no person 119", id="person 119"),
        pytest.param("a1_d1_p00_c1_skeleton.txt", "there is no person 0", id="person 0"),
        pytest.param("a1_d1_p01_c3_skeleton.txt", "there is no camera 3", id="camera 3"),
        pytest.param("a2_d1_p1_c1_skeleton.mat", "its name must be written like 'a0_d1_p01_c1_", id="one digit"),
        pytest.param("a2_d1_p0001_c1_skeleton.mat", "its name must be written", id="four digits"),
        pytest.param("a2_d1_p01_c1_skeleton (1).mat", "its name must be written", id="a copy"),
        pytest.param("A2_D1_P01_C1_Skeleton.TXT", "its name must be written", id="capitals"),
        pytest.param("m/a0_d1_p001_c1_skeleton.txt", "it is there twice, first as a0_d1_p01_c1", id="two spellings"),
        pytest.param("m/a0_d1_p01_c1_skeleton.mat", "it is there twice, first as a0_d1_p01_c1", id="both forms"),
    ],
)
def test_a_name_that_is_nearly_right_is_left_out_with_a_reason(tmp_path: Path, name: str, reason: str) -> None:
    names = ["a0_d1_p01_c1_skeleton.txt", "a12_d1_p043_c1_skeleton.mat", "a12_d1_p043_c1_color.avi", name]
    listing = uestc.look(tree(tmp_path, dict.fromkeys(names, b"x")), WHOLE)
    assert [item.name for item in listing.items] == names[:2]
    [refused] = listing.refused
    assert refused.file == name and refused.reason.startswith(reason)


def test_cameras_and_copies_share_a_group_with_their_original(tmp_path: Path) -> None:
    names = [f"a12_d{direction}_p043_c{camera}_skeleton.txt" for direction in (1, 4, 7) for camera in (1, 2)]
    names += [f"a1_d{direction}_p01_c1_skeleton.txt" for direction in (1, 7)]  # without the third camera
    items = uestc.look(tree(tmp_path, dict.fromkeys(names, b"x")), WHOLE).items
    sizes = Counter(item.group for item in items)
    assert sorted(sizes.values()) == [1, 1, 2, 4]
    assert len({item.group for item in items if item.setup in (1, 7) and item.label == 12}) == 1


def test_a_recording_of_the_moving_camera_is_cut_into_clips_of_one_performance(tmp_path: Path) -> None:
    both, fixed = joints(57, seed=1), joints(7, seed=2)
    files = {
        "a12_d8_p043_c1_skeleton.txt": as_text(both),
        "a12_d8_p043_c2_skeleton.mat": as_matrix(both),
        "a12_d2_p043_c2_skeleton.txt": as_text(fixed),
    }
    source, cache = tree(tmp_path / "source", files), tmp_path / "cache"
    prepare(UESTC, source, cache, options=uestc.UestcOptions(segments=4), workers=1)
    found = open_cache(cache)
    assert found.clips["frames"].tolist() == [7, *[14, 14, 15, 14] * 2]
    assert found.clips["setup"].tolist() == [2, *[8] * 8] and len(set(found.clips["group"][1:].tolist())) == 1
    assert found.clips["repetition"].tolist() == [0, *[1, 2, 3, 4] * 2]
    assert found.name(3) == "a12_d8_p043_c1_skeleton.txt[3 of 4]"
    for first in (1, 5):
        parts = [found.track(index) for index in range(first, first + 4)]
        assert (np.concatenate([part[1] for part in parts]) == both).all()
        assert all(part[0][0] == 0 for part in parts)


def test_too_many_segments_are_refused(tmp_path: Path) -> None:
    source = tree(tmp_path / "s", {"a1_d8_p01_c2_skeleton.txt": as_text(joints(5))})
    with pytest.raises(TrainingDataError, match="at least two frames, found 0"):
        prepare(UESTC, source, tmp_path / "cache", workers=1)
    for count in (0, 101):
        with pytest.raises(ValueError, match="segments must be from 1 to 100"):
            uestc.UestcOptions(segments=count)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of 400 recordings, two forms mixed, four of them useless."""
    folder = tmp_path_factory.mktemp("uestc")
    files = {}
    for number, name in enumerate(sorted(random.Random(0).sample(list(uestc_names()), 400))):
        positions = joints(2 + number % 3, seed=number)
        is_text = number % 2 == 0
        files[name if is_text else name.replace(".txt", ".mat")] = (as_text if is_text else as_matrix)(positions)
    useless = [b"", as_text(np.zeros((3, 25, 3))), b"rubbish", as_text(joints(1))]
    files.update(zip(list(files)[4:12:2], useless))
    cache = folder / "cache"
    prepare(UESTC, tree(folder / "source", files), cache, options=WHOLE, workers=1)
    return cache


def test_a_tree_of_real_names_becomes_a_cache(prepared: Path) -> None:
    cache = open_cache(prepared)
    assert (len(cache), cache.dataset, cache.layout.name) == (396, "uestc", "kinect-v2")
    for index in (0, 100, 395):
        stem = cache.name(index).split("_")
        clip = cache.clips[index]
        numbers = [int(part[1:]) for part in stem[:4]]
        assert numbers == [clip["label"], clip["setup"], clip["subject"], clip["camera"]]
        times_s, positions, seen = cache.track(index)
        assert seen.all() and len(positions) in (2, 3, 4) and times_s[1] == pytest.approx(1 / 30)


def test_the_table_of_refused_files_says_why(prepared: Path) -> None:
    with (prepared / "refused.csv").open(newline="") as table:
        reasons = [row[1] for row in csv.reader(table)][1:]
    assert len(reasons) == 4
    for reason, word in zip(
        reasons, ("must begin with", "all its numbers are zero", "must begin with", "two frames")
    ):
        assert word in reason


def test_the_cache_is_divided_as_its_names_are(prepared: Path) -> None:
    cache = open_cache(prepared)
    names = [cache.name(index).split("_") for index in range(len(cache))]
    split = protocols.split(cache, "cs")
    wanted = [
        index
        for index, (_, direction, person, *_) in enumerate(names)
        if direction != "d8" and int(person[1:]) not in protocol_table.UESTC_TRAINERS
    ]
    assert split.test.tolist() == wanted and len(split.train) > 80
