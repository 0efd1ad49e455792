"""Sign30: known numbers out of the real file, one sentence for every other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V1
from training.cache import open_cache
from training.datasets.base import NoOptions
from training.datasets.sign30 import LABELS, SIGN30, SOURCE_JOINTS, look
from training.prepare import prepare


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Two words, two people, the second twice; 5, 7, 6 frames."""
    xyz = np.random.default_rng(0).normal(size=(18, 20, 3)).astype(np.float32)
    return {
        "xyz": xyz,
        "start": np.array([0, 5, 12]),
        "length": np.array([5, 7, 6], np.int32),
        "label": np.array([2, 4, 4], np.int32),
        "subject": np.array([1, 3, 3], np.int32),
        "label_names": np.array(LABELS),
    } | changes


def saved(path: Path, content: dict[str, np.ndarray]) -> Path:
    np.savez_compressed(path, **content)
    return path


def test_joints_are_brought_into_the_order_of_the_first_kinect(tmp_path: Path) -> None:
    content = arrays()
    first, second, third = SIGN30.clips(saved(tmp_path / "x.npz", content))
    assert [len(clip.times_s) for clip in (first, second, third)] == [5, 7, 6]
    assert [clip.item.repetition for clip in (first, second, third)] == [1, 1, 2]
    for joint in ("Head", "HipCenter", "HandLeft", "FootRight"):
        wanted = content["xyz"][5:12, SOURCE_JOINTS.index(joint)]
        assert (second.joints[:, 0, KINECT_V1.index(joint)] == wanted).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"xyz": np.zeros((18, 19, 3), np.float32)}, "shape", id="19 joints"),
        pytest.param({"start": np.zeros(3, np.float32)}, "'start' is missing or of another", id="starts of a half"),
        pytest.param({"start": np.array([0, 5, 13])}, "frames that are not there", id="beyond the end"),
        pytest.param({"length": np.array([5, 7, -1], np.int32)}, "frames that are not there", id="less than nothing"),
        pytest.param({"length": np.array([5, 7], np.int32)}, "one by one", id="a length too few"),
        pytest.param({"label_names": np.array(LABELS[::-1])}, "words are others", id="other words"),
        pytest.param({"label": np.array([2, 4, 30], np.int32)}, "impossible number", id="word 30"),
    ],
)
def test_another_file_is_one_sentence(tmp_path: Path, changes: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        look(saved(tmp_path / "x.npz", arrays(**changes)), NoOptions())


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and no more")
    for name in ("x.npz", "none.npz"):
        with pytest.raises(TrainingDataError, match=name) as caught:
            look(tmp_path / name, NoOptions())
        assert caught.value.remedy == "Give the file sign30.npz."


def test_a_recording_that_holds_no_numbers_is_left_out(tmp_path: Path) -> None:
    content = arrays()
    content["xyz"][6] = np.nan
    done = prepare(SIGN30, saved(tmp_path / "x.npz", content), tmp_path / "cache", workers=1)
    assert (done.clips, done.refused) == (2, 1)


def test_the_real_file_gives_every_clip(real_data: Path, tmp_path: Path) -> None:
    done = prepare(SIGN30, real_data / "sign30" / "sign30.npz", tmp_path / "cache", workers=1)
    cache = open_cache(tmp_path / "cache")
    assert (done.clips, done.refused, len(cache.joints)) == (2700, 0, 201_054)
    assert cache.joints[0, 0, KINECT_V1.index("Head")] == pytest.approx((-0.377197, 0.676514, 2.477051), abs=1e-6)
    clips = cache.clips
    assert np.bincount(clips["subject"]).tolist() == [0, *[270] * 10]
    assert np.bincount(clips["setup"]).tolist() == [0, 900, 900, 900]
    assert set(clips["repetition"][clips["setup"] == 2].tolist()) == {4, 5, 6}
    # The line between the shoulders turns with the person: by 1, 46 and 63 degrees, the median of each set-up.
    across = np.ptp(cache.joints[:, 0, [KINECT_V1.index(f"Shoulder{side}") for side in ("Left", "Right")]], axis=1)
    turned_deg = np.degrees(np.arctan2(across[:, 2], across[:, 0]))
    setups = np.repeat(clips["setup"], clips["frames"])
    assert [np.median(turned_deg[setups == setup]) for setup in (1, 2, 3)] == pytest.approx([4, 46, 63], abs=4)
