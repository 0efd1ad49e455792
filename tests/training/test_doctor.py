"""The doctor says what would spoil training, and nothing of a data set that is sound."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from skeleton.layout import NOT_TRACKED
from tests.training import conftest
from tests.training.conftest import DESCRIPTION, LAYOUT
from training import cache_writer, config
from training.__main__ import main
from training.cache import Cache, open_cache
from training.clip_windows import duration_s
from training.datasets.base import Clip, Refusal
from training.doctor import examine
from training.doctor_text import as_text
from training.findings import DOUBTFUL, NOTE, SPOILS

SIDES = ("Left", "Right")
Change = Callable[[list[Clip]], list[Clip]]


def clips() -> Iterator[Clip]:
    """The three movements, with legs that keep their length: who squats there sinks into the floor."""
    base, shins = LAYOUT.index("SpineBase"), [LAYOUT.index(f"{j}{s}") for j in ("Ankle", "Foot") for s in SIDES]
    for clip in conftest.clips():
        joints = np.array(clip.joints)
        if clip.item.label == 2:
            joints[:, :, shins, 1] += joints[:, :, base, None, 1] - joints[0, :, base, None, 1]
        yield dataclasses.replace(clip, joints=joints)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return cache_of(tmp_path_factory.mktemp("sound"), list(clips()))


def cache_of(folder: Path, changed: list[Clip], **description: object) -> Cache:
    cache_writer.write(folder / "cache", dataclasses.replace(DESCRIPTION, **description), changed)  # type: ignore[arg-type]
    return open_cache(folder / "cache")


def said(cache: Cache, protocol: str | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {SPOILS: [], DOUBTFUL: [], NOTE: []}
    for finding in examine(cache, protocol)["findings"]:
        found[finding["severity"]].append(finding["sentence"])
    return found


def test_nothing_is_said_of_a_sound_data_set(sound: Cache) -> None:
    report = examine(sound)
    assert report["findings"] == []
    assert (report["clips"], report["frames"]) == (60, int(sound.clips["frames"].sum()))
    assert report["classes"][2] == {"label": "squat", "clips": 20}
    assert report["subjects"] == [{"subject": number, "clips": 15} for number in (1, 2, 3, 4)]
    assert [row["name"] for row in report["protocols"]] == ["odd-even", "loso-1", "loso-2", "loso-3", "loso-4"]
    assert report["protocols"][1] | {"name": ""} == {
        "name": "", "train": 45, "test": 15, "shared_subjects": 0, "shared_groups": 0, "copies_across": 0,
    }  # fmt: skip


def every(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Changes the joints (F, M, V, 3) of all clips."""
    return lambda some: [dataclasses.replace(clip, joints=change(clip.joints)) for clip in some]


def first(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda some: [dataclasses.replace(some[0], joints=change(np.array(some[0].joints))), *some[1:]]


def item(where: Callable[[Clip], bool], **facts: int) -> Change:
    def change(some: list[Clip]) -> list[Clip]:
        return [
            dataclasses.replace(clip, item=dataclasses.replace(clip.item, **facts)) if where(clip) else clip
            for clip in some
        ]

    return change


def mirrored(joints: np.ndarray) -> np.ndarray:
    return joints * np.float32([-1, 1, 1])


def jumping(joints: np.ndarray) -> np.ndarray:
    joints[5, 0, LAYOUT.index("WristLeft")] += 0.9
    return joints


def frozen(joints: np.ndarray) -> np.ndarray:
    joints[:, 0, LAYOUT.index("AnkleRight")] = joints[0, 0, LAYOUT.index("AnkleRight")]
    return joints


def stretched(joints: np.ndarray) -> np.ndarray:
    joints[:, 0, LAYOUT.index("ElbowLeft"), 0] -= 1.1
    return joints


def never_seen(some: list[Clip]) -> list[Clip]:
    state = [np.array(clip.state) for clip in some]
    for one in state:
        one[:, :, LAYOUT.index("Neck")] = NOT_TRACKED
    return [dataclasses.replace(clip, state=one) for clip, one in zip(some, state)]


def copied_joint(joints: np.ndarray) -> np.ndarray:
    joints = np.array(joints)
    joints[:, :, LAYOUT.index("Neck")] = joints[:, :, LAYOUT.index("SpineShoulder")]
    return joints


def copy_of_first(subject: int, label: int = 0) -> Change:
    """The last clip becomes a copy of the first, which is of person 1 and label 0."""

    def change(some: list[Clip]) -> list[Clip]:
        facts = dataclasses.replace(some[-1].item, subject=subject, label=label)
        return [*some[:-1], dataclasses.replace(some[0], item=facts)]

    return change


def with_gap(some: list[Clip]) -> list[Clip]:
    times_s = np.array(some[0].times_s)
    times_s[10:] += 2.0
    return [dataclasses.replace(some[0], times_s=times_s), *some[1:]]


def short(some: list[Clip]) -> list[Clip]:
    one = some[0]
    rest = dataclasses.replace(one, times_s=one.times_s[:3], joints=one.joints[:3], state=one.state[:3])
    return [rest, *some[1:]]


def repeated(some: list[Clip]) -> list[Clip]:
    return [
        dataclasses.replace(
            clip,
            times_s=np.arange(2 * len(clip.times_s)) / 90,
            joints=np.repeat(clip.joints, 2, axis=0),
            state=np.repeat(clip.state, 2, axis=0),
        )
        for clip in some
    ]


@pytest.mark.parametrize(
    ("change", "severity", "sentence"),
    [
        pytest.param(every(lambda j: j * 100), SPOILS, "must be meters", id="centimeters"),
        pytest.param(every(lambda j: j * np.float32([1, -1, 1])), SPOILS, "y must point up", id="upside down"),
        pytest.param(every(mirrored), DOUBTFUL, "left and right may be exchanged", id="mirrored"),
        pytest.param(every(lambda j: j * np.float32([1, 1, -1])), DOUBTFUL, "behind the sensor", id="z toward it"),
        pytest.param(first(jumping), NOTE, "1 of 60 clips in which a joint jumps: 0 (raise left/1-0).", id="jump"),
        pytest.param(every(lambda j: jumping(j.copy())), DOUBTFUL, "60 of 60 clips in which a joint", id="jumps"),
        pytest.param(first(frozen), NOTE, "in which a joint is frozen (AnkleRight)", id="frozen joint"),
        pytest.param(first(lambda j: j[:1] + 0 * j), DOUBTFUL, "in which nothing moves at all", id="frozen clip"),
        pytest.param(first(stretched), NOTE, "usual (most often ShoulderLeft-ElbowLeft)", id="long bone"),
        pytest.param(never_seen, DOUBTFUL, "Never seen: Neck", id="a joint never seen"),
        pytest.param(every(copied_joint), DOUBTFUL, "one is a copy: SpineShoulder-Neck", id="joint that is a copy"),
        pytest.param(with_gap, NOTE, "1 of 60 clips with a gap in time", id="gap"),
        pytest.param(short, DOUBTFUL, "1 of 60 clips shorter than 0.3 s", id="short"),
        pytest.param(repeated, DOUBTFUL, "60 of 60 clips in which more than a quarter of the frames", id="repeats"),
        pytest.param(copy_of_first(1), DOUBTFUL, "1 clips are exact copies of others; the first: raise", id="copy"),
        pytest.param(copy_of_first(1, label=2), SPOILS, "1 recordings stand under two labels", id="contradiction"),
        pytest.param(copy_of_first(2), DOUBTFUL, "odd-even: 1 test clips are copies of training", id="copy across"),
        pytest.param(item(lambda c: c.item.label == 1, label=0), SPOILS, "No clip shows raise right", id="no class"),
        pytest.param(lambda some: [*some[:20], *some[36:]], DOUBTFUL, "Classes are unequal", id="imbalance"),
        pytest.param(item(lambda c: True, subject=7), SPOILS, "All clips show one person", id="one person"),
        pytest.param(
            item(lambda c: c.item.label == 2, subject=3),
            DOUBTFUL,
            "Only one person shows squat",
            id="one person's class",
        ),
        pytest.param(item(lambda c: True, group=8), DOUBTFUL, "must stay on one side", id="performance across"),
    ],
)
def test_what_is_amiss_is_said(tmp_path: Path, change: Change, severity: str, sentence: str) -> None:
    found = said(cache_of(tmp_path, change(list(clips()))))
    assert any(sentence in text for text in found[severity]), found


@pytest.mark.parametrize("wrong", [np.nan, -1.0, np.inf])
def test_damaged_times_are_named_and_no_traceback(tmp_path: Path, wrong: float) -> None:
    path = cache_of(tmp_path, list(clips())).path
    times = np.load(path / "times.npy")
    times[len(times) - 1] = wrong
    np.save(path / "times.npy", times)
    damaged = open_cache(path)
    assert any("1 of 60 clips with times that do not increase" in text for text in said(damaged)[SPOILS])
    with pytest.raises(TrainingDataError, match=r"clip 59 .* has times that do not increase"):
        duration_s(damaged, 59)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "wrong", "sentence"),
    [
        ("state", -7, "1 of 60 clips with states of joints other than 0 to 2: 59"),
        ("joints", np.nan, " coordinates are not numbers."),
        ("joints", np.inf, " coordinates are not numbers."),
        ("times", np.inf, "1 of 60 clips with times that do not increase"),
    ],
)
def test_damaged_frames_spoil_training(tmp_path: Path, name: str, wrong: float, sentence: str) -> None:
    path = cache_of(tmp_path, list(clips())).path
    values = np.load(path / f"{name}.npy")
    values[-1] = wrong
    np.save(path / f"{name}.npy", values)
    assert any(sentence in text for text in said(open_cache(path))[SPOILS])


def test_a_mirror_image_without_a_class_is_named(tmp_path: Path) -> None:
    found = said(cache_of(tmp_path, list(clips()), mirrored_labels=()))
    assert found[DOUBTFUL] == [
        "The mirror image of raise left, raise right has no class of its own: train with --set mirror_share=0."
    ]
    config.load(assignments=["mirror_share=0"])  # what is advised can be done


def test_who_records_alone_is_told_how_to_go_on(tmp_path: Path) -> None:
    alone = item(lambda clip: True, subject=7)(list(clips()))
    found = said(cache_of(tmp_path, alone, protocols=("odd-even", "takes")))
    assert found[SPOILS] == [] and "only --protocol takes divides them" in found[DOUBTFUL][0]


def test_where_every_protocol_is_spoiled_the_first_reason_is_said(tmp_path: Path) -> None:
    alone = item(lambda clip: True, subject=7)(list(clips()))
    (spoils,) = [text for text in said(cache_of(tmp_path, alone, protocols=("odd-even",)))[SPOILS] if "Every" in text]
    assert spoils.startswith("Every protocol of the data set is spoiled; the first, odd-even: ")
    assert spoils.endswith(".") and not spoils.endswith("..") and "below" not in spoils


def test_a_copy_that_the_data_set_knows_of_is_a_note(tmp_path: Path) -> None:
    some = copy_of_first(1)(list(clips()))
    some[-1] = dataclasses.replace(some[-1], item=dataclasses.replace(some[-1].item, group=some[0].item.group))
    assert said(cache_of(tmp_path, some))[NOTE] == ["1 clips are copies, which the data set says itself."]


def test_the_protocol_that_was_asked_for_is_judged_severely(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, copy_of_first(2)(list(clips())))
    assert any("copies of training clips" in text for text in said(cache, "odd-even")[SPOILS])
    assert said(cache, "loso-3")[SPOILS] == []


def test_what_a_published_protocol_shares_is_a_note(tmp_path: Path) -> None:
    views = []
    for clip in clips():
        for camera in (1, 2):
            facts = dataclasses.replace(clip.item, camera=camera, name=f"{camera}/{clip.item.name}")
            views.append(dataclasses.replace(clip, item=facts, joints=clip.joints + np.float32(0.001 * camera)))
    found = said(cache_of(tmp_path, views, protocols=("xview",)))
    assert found[SPOILS] == [] and found[NOTE] == [
        "Protocol xview has 4 people and 60 performances on both sides, as it is defined."
    ]


def test_files_that_were_left_out_are_counted(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with closing(cache_writer.CacheWriter(tmp_path / "cache", DESCRIPTION)) as writer:
        writer.refuse([Refusal("a/b.mcap", "it is empty.")])
        known = {clip.item: clip for clip in clips()}
        writer.append(cache_writer.pack(DESCRIPTION, known.__getitem__, list(known)))
        writer.finish()
    report = examine(open_cache(tmp_path / "cache"))
    assert report["refused"] == 1
    assert report["findings"] == [
        {"severity": NOTE, "sentence": "1 file left out (see refused.csv); the first: a/b.mcap: it is empty."}
    ]


def test_a_long_data_set_is_measured_in_blocks(sound: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = examine(sound)
    for frames in (1, 100):
        monkeypatch.setattr("training.joint_quality.BLOCK_FRAMES", frames)
        assert examine(sound) == whole


def test_two_people_and_single_frames_are_measured(tmp_path: Path) -> None:
    def pairs() -> Iterator[Clip]:
        for clip in clips():
            joints = np.concatenate([clip.joints, clip.joints + np.float32(0.7)], axis=1)
            state = np.concatenate([clip.state, np.zeros_like(clip.state)], axis=1)
            length = 1 if clip.item.repetition == 4 else None
            yield dataclasses.replace(
                clip, times_s=clip.times_s[:length], joints=joints[:length], state=state[:length]
            )

    cache_writer.write(tmp_path / "cache", dataclasses.replace(DESCRIPTION, persons=2), pairs())
    found = said(open_cache(tmp_path / "cache"))
    assert found[SPOILS] == [] and any("12 of 60 clips shorter" in text for text in found[DOUBTFUL])


def test_the_command_prints_a_report_and_ends_with_zero_or_one(
    sound: Cache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--data", str(sound.path)]) == 0
    assert "60 clips" in capsys.readouterr().out
    cache = cache_of(tmp_path, every(lambda joints: joints * 100)(list(clips())))
    assert main(["doctor", "--data", str(cache.path), "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["findings"][0]["severity"] == SPOILS
    assert printed.err.startswith("error: ") and "would spoil training" in printed.err
    assert main(["doctor", "--data", str(sound.path), "--protocol", "xsub"]) == 1
    assert "has no protocol 'xsub'" in capsys.readouterr().err


def test_the_text_names_what_it_counts(sound: Cache) -> None:
    text = as_text(examine(sound))
    for part in ("synthetic, 60 clips", "20  squat", "Subjects  1: 15  2: 15", "loso-N", "45", "  nothing"):
        assert part in text
    assert "all tracked in 99.5% of the frames or more" in text
