"""The cache gives back what was written, and says what is wrong with one that was damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from tests.training.conftest import DESCRIPTION, LABELS, clips
from training import cache, cache_writer
from training.datasets.base import Clip


def test_every_clip_comes_back_exactly(synthetic: Path) -> None:
    opened = cache.open_cache(synthetic)
    assert opened.labels == LABELS and opened.layout == DESCRIPTION.layout and opened.persons == 1
    assert opened.mirror_labels.tolist() == [1, 0, 2]
    for index, clip in enumerate(clips()):
        times_s, joints, seen = opened.track(index)
        assert np.array_equal(times_s, clip.times_s) and np.array_equal(joints, clip.joints[:, 0]) and seen.all()
        row = opened.clips[index]
        item = clip.item
        assert (row["label"], row["subject"], row["repetition"]) == (item.label, item.subject, item.repetition)
        assert opened.name(index) == item.name and opened.floor(index) == (0, 1, 0, 0)


def test_the_arrays_stay_on_disk_and_cannot_be_written_to(synthetic: Path) -> None:
    opened = cache.open_cache(synthetic)
    assert isinstance(opened.joints, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        opened.joints[0] = 0


def test_an_existing_folder_is_not_overwritten(synthetic: Path) -> None:
    with pytest.raises(TrainingDataError, match="exists already"):
        cache_writer.write(synthetic, DESCRIPTION, clips())


def test_a_failed_preparation_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing() -> Iterator[Clip]:
        yield next(clips())
        raise TrainingDataError("the second file is damaged.")

    for source, sentence in ((failing(), "second file"), (iter(()), "at least one clip")):
        with pytest.raises(TrainingDataError, match=sentence):
            cache_writer.write(tmp_path / "new", DESCRIPTION, source)
        assert list(tmp_path.iterdir()) == []


def facts(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = path / "cache.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda path: np.save(path / f"{name}.npy", change(np.load(path / f"{name}.npy")))


def with_field(name: str, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[name][-1] = value
        return rows

    return change


def cut_short(path: Path) -> None:
    file = path / "joints.npy"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(lambda path: (path / "cache.json").unlink(), "has no cache.json", id="no facts"),
        pytest.param(lambda path: (path / "cache.json").write_text("{"), "not JSON", id="facts cut short"),
        pytest.param(facts(version=99), "version 2, found 99", id="another version"),
        pytest.param(facts(layout="octopus"), "no known layout", id="unknown layout"),
        pytest.param(facts(labels=[]), "no labels", id="no labels"),
        pytest.param(facts(mirrored_labels=[["a", "b"]]), "mirrored labels", id="mirror of unknown labels"),
        pytest.param(facts(protocols="all"), "no protocols", id="no protocols"),
        pytest.param(lambda path: (path / "joints.npy").unlink(), "joints.npy cannot be read", id="no joints"),
        pytest.param(cut_short, "joints.npy cannot be read", id="joints cut short"),
        pytest.param(array("joints", lambda a: a[:, :, :7]), "joints.npy must be", id="fewer joints"),
        pytest.param(array("state", lambda a: a[1:]), "state.npy", id="fewer states"),
        pytest.param(array("times", lambda a: a[1:]), "times.npy", id="fewer times"),
        pytest.param(array("clips", lambda a: a["label"]), "clips.npy is not an index", id="index of another kind"),
        pytest.param(array("clips", with_field("frames", 10**6)), "frames that are not there", id="clip too long"),
        pytest.param(array("clips", with_field("start", -5)), "frames that are not there", id="clip before all"),
        pytest.param(
            array("clips", with_field("start", 2**63 - 1)), "frames that are not there", id="clip far beyond"
        ),
        pytest.param(array("clips", with_field("name_end", 10**9)), "names.npy does not fit", id="name too long"),
        pytest.param(array("clips", with_field("name_end", 0)), "names.npy does not fit", id="name before the last"),
        pytest.param(array("names", lambda a: a[:-1]), "names.npy does not fit", id="names cut short"),
        pytest.param(array("clips", with_field("label", 3)), "labels that are not there", id="label too large"),
        pytest.param(
            array("clips", with_field("persons", 2)), "people that joints.npy has no place", id="more people"
        ),
        pytest.param(
            array("clips", with_field("persons", -1)), "people that joints.npy has no", id="fewer than none"
        ),
        pytest.param(array("clips", with_field("subject", -2)), "subjects below 0", id="subject below 0"),
        pytest.param(facts(protocols=["odd-even", "<x>"]), "a protocol '<x>'", id="unknown protocol"),
    ],
)
def test_a_damaged_cache_is_one_sentence(
    tmp_path: Path, synthetic: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(synthetic, path)
    damage(path)
    with pytest.raises(TrainingDataError, match=sentence):
        cache.open_cache(path)


def with_last(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[-1] = value
        return values

    return change


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(array("times", with_last(np.nan)), "times that do not increase", id="no time"),
        pytest.param(array("times", with_last(-1)), "times that do not increase", id="a time before the last"),
        pytest.param(array("times", with_last(np.inf)), "times that do not increase", id="an endless time"),
        pytest.param(array("joints", with_last(np.nan)), "coordinates that are not numbers", id="no coordinate"),
        pytest.param(array("joints", with_last(np.inf)), "coordinates that are not numbers", id="a joint far away"),
        pytest.param(array("state", with_last(-7)), "states other than 0 to 2", id="a state below 0"),
        pytest.param(array("state", with_last(3)), "states other than 0 to 2", id="a state above 2"),
    ],
)
def test_damaged_frames_are_one_sentence_that_names_the_clip(
    tmp_path: Path, synthetic: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(synthetic, path)
    damage(path)
    opened = cache.open_cache(path)
    last = len(opened) - 1
    with pytest.raises(TrainingDataError, match=rf"copy is damaged: clip {last} \(.+\) has {sentence}\. Prepare"):
        opened.track(last)
    opened.track(0)  # the others are whole


def test_pickled_objects_are_never_loaded(tmp_path: Path, synthetic: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(synthetic, path)
    np.save(path / "times.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(TrainingDataError, match=r"times\.npy cannot be read"):
        cache.open_cache(path)
