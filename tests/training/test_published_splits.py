"""The protocols of NTU RGB+D and UESTC give the published numbers of samples, on the real names of all files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import ConfigError, TrainingDataError
from skeleton.layout import KINECT_V2
from tests.training.published_names import ntu_names, uestc_names
from training import protocol_table, protocols, published
from training.cache import CLIP_FIELDS, Cache
from training.datasets import ntu, uestc
from training.datasets.archive import Files
from training.datasets.base import Listing
from training.datasets.table import DATASETS
from training.datasets.uestc_names import had_third_camera
from training.evaluate import trained_on_tested

EVERYWHERE = Path("everywhere")


class NamesAlone(Files):
    """Files that were never written: for what is decided by their names."""

    def _read(self, name: str) -> bytes:
        raise AssertionError(f"{name} must not be read")


def listed(monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, int]) -> Listing:
    @contextmanager
    def opened(path: Path, *others: object) -> Iterator[Files]:
        yield NamesAlone(path, files)

    monkeypatch.setattr(ntu, "open_parts", opened)
    monkeypatch.setattr(uestc, "open_files", opened)
    data_set = DATASETS[name]
    return data_set.look(EVERYWHERE, data_set.options())


def cache_of(listing: Listing) -> Cache:
    """A cache with the index of all recordings, and no frames."""
    clips = np.zeros(len(listing.items), CLIP_FIELDS)
    for field in ("label", "subject", "repetition", "camera", "setup", "group"):
        clips[field] = [getattr(item, field) for item in listing.items]
    known = listing.description
    return Cache(
        path=EVERYWHERE,
        dataset=known.name,
        layout=KINECT_V2,
        labels=known.labels,
        mirror_labels=np.arange(len(known.labels)),
        protocols=known.protocols,
        license=known.license,
        source=EVERYWHERE,
        joints=np.zeros((0, known.persons, 25, 3), np.float32),
        state=np.zeros((0, known.persons, 25), np.int8),
        times_s=np.zeros(0),
        clips=clips,
        names=np.zeros(0, np.uint8),
    )


@pytest.fixture(scope="module")
def caches() -> Iterator[dict[str, Cache]]:
    with pytest.MonkeyPatch.context() as patch:
        files = dict.fromkeys(ntu_names(), 1)
        ntu_caches = {name: cache_of(listed(patch, name, files)) for name in ("ntu60", "ntu120")}
        yield ntu_caches | {"uestc": cache_of(listed(patch, "uestc", dict.fromkeys(uestc_names(), 1)))}


def distinct(cache: Cache, indices: np.ndarray) -> int:
    """Recordings without those that are copies of one another: equal performance seen from an equal direction."""
    clips = cache.clips[indices]
    return len(np.unique(np.stack([clips["group"], protocol_table.view_of(clips)]), axis=1).T)


def test_every_published_file_has_a_name_here(caches: dict[str, Cache]) -> None:
    assert len(set(ntu_names())) == 114_480 and len(set(uestc_names())) == 25_600
    assert {name: len(cache) for name, cache in caches.items()} == {
        "ntu60": 56_578,
        "ntu120": 113_945,
        "uestc": 22_400 + 10 * 3_200,  # those of the moving camera in segments
    }


@pytest.mark.parametrize(
    ("name", "protocol", "train", "test"),
    [
        ("ntu60", "xsub", 40_091, 16_487),
        ("ntu60", "xview", 37_646, 18_932),
        ("ntu120", "xsub", 63_026, 50_919),
        ("ntu120", "xset", 54_468, 59_477),
        ("uestc", "cs", 9_940, 12_460),
        ("uestc", "cv1-0", 11_200, 11_200),
        ("uestc", "cv1-7", 1_600, 20_800),
        ("uestc", "cv2-even", 16_000, 6_400),
        ("uestc", "cv2-odd", 6_400, 16_000),
        ("uestc", "av", 22_400, 10 * 1_600),
    ],
)
def test_the_sides_have_the_published_sizes(
    caches: dict[str, Cache], name: str, protocol: str, train: int, test: int
) -> None:
    split = protocols.split(caches[name], protocol)
    assert (len(split.train), len(split.test), len(split.validation)) == (train, test, 0)
    assert not set(split.train) & set(split.test)
    if protocol != "av":  # into which clips published results cut its recordings is not known
        assert published.TESTED[name][protocol] == test


@pytest.mark.parametrize(
    ("protocol", "train", "test"), [("cs", 8_092, 10_216), ("cv1-0", 7_108, 11_200), ("cv2-even", 11_908, 6_400)]
)
def test_the_copies_of_uestc_are_in_the_group_of_their_original(
    caches: dict[str, Cache], protocol: str, train: int, test: int
) -> None:
    split = protocols.split(caches["uestc"], protocol)
    assert (distinct(caches["uestc"], split.train), distinct(caches["uestc"], split.test)) == (train, test)


def test_as_many_copies_as_the_authors_name_map_says() -> None:
    pairs = {(int(a[1:]), int(p[1:])) for a, _, p, *_ in (name.split("_") for name in uestc_names())}
    assert sum(had_third_camera(action, person) for action, person in pairs) == 1_364


def test_the_list_of_copies_is_the_one_of_the_authors(real_data: Path) -> None:
    table = real_data.parent / "reference" / "uestc_c1_duplicates.tsv"
    if not table.is_file():
        pytest.skip(f"no {table}")
    expected = {line.split("\t")[0] for line in table.read_text().splitlines()[1:]}
    found = set()
    for name in uestc_names():
        stem = name.removesuffix("_skeleton.txt")
        action, direction, person, camera = (int(part[1:]) for part in stem.split("_"))
        if camera == 1 and direction in (5, 6, 7) and had_third_camera(action, person):
            found.add(stem)
    assert found == expected


def people(cache: Cache, indices: np.ndarray) -> set[int]:
    return set(cache.clips["subject"][indices].tolist())


def groups(cache: Cache, indices: np.ndarray) -> set[int]:
    return set(cache.clips["group"][indices].tolist())


@pytest.mark.parametrize(
    ("name", "protocol", "has_people_across", "has_performances_across"),
    [
        ("ntu60", "xsub", False, False),
        ("ntu60", "xview", True, True),
        ("ntu120", "xset", True, False),
        ("uestc", "cs", False, False),
        ("uestc", "cv1-3", True, True),
        ("uestc", "cv2-odd", True, True),
        ("uestc", "av", True, False),
    ],
)
def test_what_is_on_both_sides_is_what_the_protocol_says(
    caches: dict[str, Cache], name: str, protocol: str, has_people_across: bool, has_performances_across: bool
) -> None:
    cache = caches[name]
    split = protocols.split(cache, protocol, validation_subjects=2)
    kind = protocols.find(protocol)[0]
    assert (kind.shares_people, kind.shares_performances) == (has_people_across, has_performances_across)
    assert bool(people(cache, split.train) & people(cache, split.test)) == has_people_across
    assert bool(groups(cache, split.train) & groups(cache, split.test)) == has_performances_across
    assert not groups(cache, split.train) & groups(cache, split.validation)
    if kind.validation == "subject":
        assert not people(cache, split.train) & people(cache, split.validation)
    whole = protocols.split(cache, protocol)
    assert sorted([*split.train, *split.validation]) == whole.train.tolist()
    assert split.test.tolist() == whole.test.tolist()


@pytest.mark.parametrize(
    ("name", "trained", "tested", "named"),
    [
        pytest.param("uestc", "cv2-even", "cv2-odd", 118, id="all that trained tests"),
        pytest.param("uestc", "cv2-even", "cv2-even", 0, id="the same protocol"),
        pytest.param("uestc", "cs", "cv1-0", 51, id="who trained is seen again, from the same views"),
        pytest.param("uestc", "cv1-0", "cv1-1", 118, id="one of the tested views trained"),
        pytest.param("uestc", "cs", "av", 0, id="no clip of the moving camera trained"),
        pytest.param("uestc", "cv2-odd", "cs", 67, id="the protocol divides people"),
        pytest.param("ntu60", "xsub", "xview", 20, id="the published people of 40"),
        pytest.param("ntu60", "xview", "xsub", 20, id="and the others"),
    ],
)
def test_who_trained_by_another_protocol_is_known_again(
    caches: dict[str, Cache], name: str, trained: str, tested: str, named: int
) -> None:
    cache = caches[name]
    trainers = sorted(people(cache, protocols.split(cache, trained).train))
    card = {"dataset": name, "protocol": trained, "subjects": trainers}
    found = trained_on_tested(card, cache, tested, protocols.split(cache, tested).test)
    assert len(found) == named and set(found) <= set(trainers)


def test_set_ups_validate_where_people_are_on_both_sides(caches: dict[str, Cache]) -> None:
    split = protocols.split(caches["ntu120"], "xset", validation_subjects=2, validation_fold=1)
    setups = caches["ntu120"].clips["setup"]
    assert set(setups[split.validation].tolist()) == {4, 6}
    assert not set(setups[split.train].tolist()) & {4, 6}


def test_a_mean_over_divisions_names_them(caches: dict[str, Cache]) -> None:
    cache = caches["uestc"]
    assert protocols.folds(cache, "cv2") == ("cv2-even", "cv2-odd")
    assert protocols.folds(cache, "cv1") == tuple(f"cv1-{view}" for view in range(8))
    assert protocols.folds(cache, "cs") == ("cs",)


def test_a_protocol_of_another_data_set_is_refused(caches: dict[str, Cache]) -> None:
    with pytest.raises(ConfigError, match=r"uestc has no protocol 'xview'\. It has: cs, cv1, cv2, av"):
        protocols.split(caches["uestc"], "xview")


def test_a_performance_on_two_sides_is_refused_where_it_is_not_published_so(caches: dict[str, Cache]) -> None:
    clips = caches["uestc"].clips.copy()
    clips["group"][clips["subject"] == 3] = clips["group"][clips["subject"] == 1][0]
    with pytest.raises(TrainingDataError, match="in train and test"):
        protocols.split(dataclasses.replace(caches["uestc"], clips=clips), "cs")


def test_who_validates_shares_no_performance_with_who_trains_even_where_the_test_may(
    caches: dict[str, Cache],
) -> None:
    clips = caches["ntu60"].clips.copy()
    clips["group"][clips["subject"] == 2] = clips["group"][clips["subject"] == 1][0]
    with pytest.raises(TrainingDataError, match="in train and validation"):
        protocols.split(dataclasses.replace(caches["ntu60"], clips=clips), "xview", validation_subjects=1)
