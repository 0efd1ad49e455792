"""KinectMultiTrack as clips: what is a stretch of its own, what is left out and why, and that it is a background."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2
from skeleton.window import cut
from tests.multitrack_files import TWO_PEOPLE, row, standing, text, walk
from tests.training.conftest import LAYOUT
from tests.training.test_datasets import zipped
from training import background, config, protocols
from training.__main__ import main
from training.cache import Cache, open_cache
from training.datasets.base import Clip
from training.datasets.multitrack import LABELS, LEAP_M_S, MULTITRACK, MultitrackOptions, look
from training.prepare import prepare

ALONE = "Data/Experiments_1_2_3_6/Original/Study_4_Kinect_2_Time_1_17_51_PM.csv"
PAIR = "Data/Experiments_4/Original/Study_21_Kinect_1_Time_2_09_50_PM.csv"


def alone() -> str:
    """Stands for 31 frames, walks for 62, and, after 9 s, for 45; the second sensor sees the standing."""
    rows = [*walk(31, scenario=1, speed_m_s=0.1), *walk(62, start_s=2.0), *walk(45, start_s=13.0)]
    return text([*rows, *walk(31, scenario=1, skeleton=1, speed_m_s=0.1)])


def pair() -> str:
    """Two people; after 40 frames the first is seen in the second's place, 2 m away, until frame 58 of 80."""
    rows = []
    for frame in range(80):
        time_s, is_swapped = frame / 30, 40 <= frame < 58
        rows.append(row(time_s, scenario=4, joints=standing(2.0 * is_swapped)))
        rows.append(row(time_s, scenario=4, person=1, joints=standing(2.0 + 0.3 * time_s)))
    return text(rows, TWO_PEOPLE)


def members(**others: str) -> dict[str, bytes]:
    return {name: content.encode() for name, content in ({ALONE: alone(), PAIR: pair()} | others).items()}


def clips(path: Path, **options: object) -> list[Clip]:
    return list(MULTITRACK.clips(path, MultitrackOptions(**options)))  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return zipped(tmp_path / "data.zip", members())


def test_a_clip_is_one_scenario_without_a_gap_as_one_sensor_saw_it(archive: Path) -> None:
    found = [clip for clip in clips(archive) if clip.item.subject == 4]
    assert [LABELS[clip.item.label] for clip in found] == ["standing still", "walking", "walking", "standing still"]
    assert [len(clip.times_s) for clip in found] == [31, 62, 45, 31]
    assert [clip.item.camera for clip in found] == [2, 2, 2, 1]
    assert [clip.item.repetition for clip in found] == [1, 1, 2, 1]
    assert [clip.item.setup for clip in found] == [2] * 4
    assert len({clip.item.group for clip in found}) == 1
    for clip in found:
        np.testing.assert_allclose(clip.times_s, np.arange(len(clip.times_s)) / 30, atol=1e-6)
        assert clip.state.all()
    np.testing.assert_allclose(found[2].joints[0, 0], standing(0.6 * 13.0), atol=1e-6)


def test_scenarios_that_follow_each_other_at_once_are_clips_of_their_own(tmp_path: Path) -> None:
    rows = [*walk(31, scenario=4), *walk(40, start_s=31 / 30, scenario=5)]
    found = clips(zipped(tmp_path / "data.zip", {PAIR: text(rows).encode()}))
    assert [(LABELS[clip.item.label], len(clip.times_s)) for clip in found] == [
        ("circling each other", 31),
        ("changing places", 40),
    ]


def test_each_person_is_a_clip_that_ends_where_the_sensor_takes_them_for_another(archive: Path) -> None:
    found = [clip for clip in clips(archive) if clip.item.subject == 21]
    assert [clip.joints.shape[:2] for clip in found] == [(40, 1), (18, 1), (22, 1), (80, 1)]
    assert {LABELS[clip.item.label] for clip in found} == {"circling each other"}
    np.testing.assert_allclose(found[-1].joints[-1, 0], standing(2.0 + 0.3 * 79 / 30), atol=1e-6)


def test_two_people_can_stay_together(archive: Path) -> None:
    found = [clip for clip in clips(archive, persons=2) if clip.item.subject == 21]
    assert [clip.joints.shape[:2] for clip in found] == [(40, 2), (18, 2), (22, 2)]
    assert found[0].state.all()


def test_studies_can_be_chosen_by_their_number(archive: Path) -> None:
    assert {clip.item.subject for clip in clips(archive, studies="odd")} == {21}
    assert {clip.item.subject for clip in clips(archive, studies="even")} == {4}


def test_a_folder_gives_the_same(archive: Path, tmp_path: Path) -> None:
    for name, content in members().items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    pairs = list(zip(clips(archive), clips(tmp_path / "folder"), strict=True))
    assert len(pairs) == 8
    for one, other in pairs:
        assert one.item == other.item
        np.testing.assert_array_equal(one.joints, other.joints)


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    short = text([*walk(14), *walk(30, start_s=5.0, scenario=7), *walk(31, start_s=9.0)])
    others = {
        "Original/Study_5_Kinect_1_Time_1_00_00_PM.csv": short,
        "Original/Study_6_Kinect_1_Time_1_00_00_PM.csv": text([]),
        "Original/Study_7_Kinect_1_Time_1_00_00_PM.csv": text([*walk(31)])[:-40],
        "Original/Study_9_Kinect_1_Time_1_00_00_PM.csv": "",
        "Original/notes.csv": "no recording",
    }
    path = zipped(tmp_path / "data.zip", {name: content.encode() for name, content in others.items()})
    done = prepare(MULTITRACK, path, tmp_path / "cache", workers=1)
    assert (done.clips, done.refused) == (1, 5)
    with (tmp_path / "cache" / "refused.csv").open(newline="") as file:
        reasons = {line["file"].removeprefix("Original/Study_")[:1]: line["reason"] for line in csv.DictReader(file)}
        file.seek(0)
        assert "must last at least 0.5 s, found 0.43 s" in file.read()
    assert "its scenario must be one of 1, 2, 3, 4, 5, 6, 8, found 7" in reasons["5"]
    assert reasons["6"] == "it must hold frames with somebody in them, found none"
    assert "1_00_00_PM.csv', line 32: a line must have 87 cells, found 8" in reasons["7"]
    assert "line 1: the header must name" in reasons["9"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param({"readme.txt": b"hello"}, "must hold files like 'Study_4", id="another archive"),
        pytest.param({ALONE: b"0" * (1 << 21)}, "times its packed size", id="bomb"),
        pytest.param({ALONE: b"0" * ((16 << 20) + 1)}, "more than 16777216", id="huge file"),
        pytest.param({ALONE: b"\xff\x00\n" * 9}, "line 1: the header must name", id="garbage"),
        pytest.param({ALONE: text([row(0.0), "x"]).encode()}, "line 3: a line must have 87 cells", id="damaged line"),
    ],
)
def test_an_archive_without_a_clip_is_one_sentence(content: dict[str, bytes], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        prepare(MULTITRACK, zipped(tmp_path / "data.zip", content), tmp_path / "cache", workers=1)
    assert not (tmp_path / "cache").exists()


def test_three_people_are_no_choice(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["prepare", "kinect-multitrack", str(archive), "--output", str(tmp_path / "cache"), "--set"]
    assert main([*command, "persons=3"]) == 1
    assert "persons must be 1 or 2, found 3" in capsys.readouterr().err
    assert main([*command, "studies=some"]) == 1
    assert "must be one of all, odd, even" in capsys.readouterr().err


def test_a_prepared_cache_is_a_background_of_exercises(archive: Path, synthetic: Path, tmp_path: Path) -> None:
    prepare(MULTITRACK, archive, tmp_path / "cache", workers=1)
    cache, settings = open_cache(synthetic), config.load(assignments=["background_share=0.3"]).training
    split = protocols.split(cache, "odd-even")
    (source,) = background.open_sources([tmp_path / "cache"], cache, "odd-even", split, settings)
    assert set(source.cache.clips["subject"][source.indices]) == {21}  # the others are left to test on
    assert [KINECT_V2.joints[index] for index in source.joints] == list(LAYOUT.joints)


@pytest.fixture(scope="module")
def real_cache(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cache:
    path = tmp_path_factory.mktemp("multitrack") / "cache"
    prepare(MULTITRACK, real_data / "kinect-multitrack" / "kinect-multitrack.zip", path, workers=1)
    return open_cache(path)


def test_the_real_archive_gives_every_study_and_scenario(real_cache: Cache) -> None:
    clips = real_cache.clips
    assert (len(clips), len(real_cache.times_s)) == (211, 35740)
    assert Counter(real_cache.labels[label] for label in clips["label"]) == {
        "standing still": 10, "stepping": 13, "walking": 9, "circling each other": 137, "changing places": 28,
        "walking round an obstacle": 14,
    }  # fmt: skip
    assert set(clips["subject"].tolist()) == {0, 1, 2, 3, 4, 8, 10, 13, 16, 18, 20, 21, 22, 23, 24, 25, 26}
    assert Counter(clips["camera"].tolist()) == {1: 105, 2: 106}
    with (real_cache.path / "refused.csv").open(newline="") as file:
        refused = list(csv.DictReader(file))
    assert len(refused) == 36 and all("at least 0.5 s" in line["reason"] for line in refused)


def test_the_people_in_the_real_clips_move_like_people(real_cache: Cache) -> None:
    speeds_m_s, heights_m = [], []
    for index in range(len(real_cache)):
        times_s, joints, seen = real_cache.track(index)
        both = seen[1:] & seen[:-1]
        step_m = np.linalg.norm(np.diff(joints, axis=0), axis=2)
        speeds_m_s.append((step_m / np.diff(times_s)[:, None])[both])
        body_m = np.median(np.where(both, step_m, 0), axis=1)
        assert not ((body_m >= 0.3) & (body_m >= LEAP_M_S * np.diff(times_s))).any()
        heights_m.append(
            np.median(joints[:, KINECT_V2.index("Head"), 1] - joints[:, KINECT_V2.index("SpineBase"), 1])
        )
    speed_m_s = np.concatenate(speeds_m_s)
    assert np.percentile(speed_m_s, 99) < 4  # a hand that swings while its owner walks
    assert np.mean(speed_m_s > 15) < 0.0005  # a frame shown twice at one time would be faster than anything
    is_upright = (np.array(heights_m) > 0.5) & (np.array(heights_m) < 0.9)
    assert (~is_upright).sum() == 1  # 25 frames of study 8, in which a sensor lost its person again and again


def test_the_real_clips_fill_a_live_window(real_cache: Cache) -> None:
    index = int(np.argmax(real_cache.clips["frames"]))
    times_s, joints, seen = real_cache.track(index)
    seen_then = cut(times_s, joints, seen, start_s=10.0, end_s=13.0, frame_count=32)[1]
    assert seen_then.mean() > 0.99


def test_the_listing_alone_names_the_people_of_one_side(real_data: Path) -> None:
    path = real_data / "kinect-multitrack" / "kinect-multitrack.zip"
    assert len(look(path, MultitrackOptions(studies="odd")).items) == 81
