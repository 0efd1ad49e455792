"""NTU RGB+D: what names say, which files are left out, and who of the bodies in a file are the people who act."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from skeleton import config
from skeleton.errors import ConfigError, RecordingError, TrainingDataError
from skeleton.formats import ntu as ntu_format
from skeleton.formats import ntu_positions
from skeleton.formats.ntu_positions import read_positions
from tests.training.ntu_files import BIG, body, text, together, walk
from training.datasets import ntu
from training.datasets.base import Clip, Item
from training.datasets.ntu import NTU60, NTU120
from training.datasets.ntu_bodies import NtuRules
from training.datasets.ntu_names import INCOMPLETE, LABELS, NTU60_SETUPS

ITEM = Item(name="S001C002P003R002A004.skeleton", label=3, subject=3, repetition=2, group=0)


def read(frames: list[dict[int, np.ndarray]], *choices: str) -> Clip:
    return ntu.clip(ITEM, text(frames), config.load(NtuRules, assignments=choices))


def is_there(clip: Clip) -> list[list[int]]:
    """For each person, in which frames of the clip they are seen."""
    return [np.flatnonzero(clip.state[:, person].all(axis=1)).tolist() for person in range(clip.state.shape[1])]


def x_of(clip: Clip, person: int) -> np.ndarray:
    return clip.joints[:, person].mean(axis=1)[:, 0]


def test_ids_that_are_one_number_as_floats_are_two_people() -> None:
    frames = together(walk(20, step_m=0.02), walk(20, identity=BIG + 1, step_m=0.0))
    clip = read(frames)
    assert is_there(clip) == [list(range(20)), list(range(20))]
    assert np.ptp(x_of(clip, 0)) == pytest.approx(0.38, abs=1e-4) and np.ptp(x_of(clip, 1)) == 0


def test_who_moves_most_comes_first_or_who_is_first_in_the_file() -> None:
    frames = together(walk(20, step_m=0.0), walk(20, identity=BIG + 9, step_m=0.02))
    assert np.ptp(x_of(read(frames), 0)) > 0.3
    assert np.ptp(x_of(read(frames, "main_actor=file"), 0)) == 0


def test_a_body_of_eleven_frames_is_noise_and_one_of_twelve_is_not() -> None:
    def people(length: int, *choices: str) -> int:
        return len(is_there(read(together(walk(30), walk(length, identity=5, step_m=0.1)), *choices)))

    assert (people(11), people(12), people(11, "short_bodies=false")) == (1, 2, 2)


def test_short_bodies_stay_where_there_are_no_longer_ones() -> None:
    assert is_there(read(walk(7))) == [list(range(7))]


def test_a_wide_body_is_noise_unless_it_is_alone() -> None:
    table = walk(30, identity=5, step_m=0.1, width_m=1.21)  # 0.8 of 1.5 m is 1.2
    assert len(is_there(read(together(walk(30), table)))) == 1
    assert len(is_there(read(together(walk(30), table), "wide_bodies=false"))) == 2
    assert len(is_there(read(together(walk(30), walk(30, identity=5, width_m=1.19))))) == 2
    assert len(is_there(read(table))) == 1


def test_a_body_may_be_wide_in_two_thirds_of_its_frames() -> None:
    def people(wide: int) -> int:
        arms = walk(100, identity=5)[wide:]
        return len(is_there(read(together(walk(100), walk(wide, identity=5, width_m=1.3) + arms))))

    assert (people(69), people(70)) == (2, 1)


def test_wide_frames_do_not_count_as_motion() -> None:
    restless = [{5: body(x_m=frame % 2 * 3.0, width_m=1.4)} for frame in range(10)] + walk(20, identity=5, step_m=0.0)
    frames = together(walk(30, step_m=0.02), restless)
    assert np.ptp(x_of(read(frames), 0)) == pytest.approx(0.58, abs=1e-4)
    assert np.ptp(x_of(read(frames, "wide_bodies=false"), 0)) > 2


def test_a_second_id_at_another_time_is_the_same_person() -> None:
    frames = walk(20) + [{BIG + 1: body(x_m=0.5)}] * 15
    assert is_there(read(frames)) == [list(range(35))]
    assert sorted(is_there(read(frames, "merge_ids=false"))) == [list(range(20)), list(range(20, 35))]


def test_a_body_that_is_spliced_in_never_replaces_a_frame_of_the_other() -> None:
    frames = walk(20, step_m=0.05) + [{BIG + 1: body(x_m=-5.0)}] * 14
    frames[19] = {**frames[19], BIG + 1: body(x_m=-5.0)}  # both are there
    clip = read(frames)
    assert len(is_there(clip)) == 1 and x_of(clip, 0)[19] == pytest.approx(0.95) and x_of(clip, 0)[20] == -5


def test_a_second_person_is_pieced_together_as_well() -> None:
    second = walk(20, identity=7, step_m=0.005) + [{}] * 5 + walk(20, identity=8, step_m=0.005)
    clip = read(together(walk(45, step_m=0.02), second))
    assert is_there(clip) == [list(range(45)), [*range(20), *range(25, 45)]]


def test_a_body_that_returns_keeps_its_place_in_time() -> None:
    frames = walk(50, step_m=0.02)
    frames[15:35] = [{9: body(x_m=2.0)}] * 20
    clip = read(together(frames, walk(50, identity=3, step_m=0.0)), "merge_ids=false")
    assert is_there(clip)[0] == [*range(15), *range(35, 50)]
    assert x_of(clip, 0)[35] == pytest.approx(0.7)


def test_a_third_id_may_fill_the_gap_between_two() -> None:
    parts = [walk(20, identity=1, step_m=0.02), walk(15, identity=2, step_m=0.0), walk(20, identity=3, step_m=0.02)]
    frames = [frame for part in parts for frame in part]
    assert is_there(read(frames)) == [list(range(55))]


def test_only_two_people_stay_and_fewer_where_asked() -> None:
    frames = together(*(walk(20, identity=number, step_m=0.01 * number) for number in (1, 2, 3)))
    assert [round(float(np.ptp(x_of(read(frames), person))), 2) for person in (0, 1)] == [0.57, 0.38]
    assert len(is_there(read(frames, "merge_ids=false"))) == 2
    assert len(is_there(read(frames, "persons=1"))) == 1


def test_times_are_the_sensors_and_frames_with_nobody_are_left_out_or_kept() -> None:
    frames = [{}, {}, *walk(12), {}, {}, {}, *walk(12)]
    clip = read(frames)
    assert len(clip.times_s) == 24 and clip.times_s[0] == 0
    assert clip.times_s[12] - clip.times_s[11] == pytest.approx(4 / 30)
    kept = read(frames, "empty_frames=keep")
    assert len(kept.times_s) == 29 and is_there(kept) == [[*range(2, 14), *range(17, 29)]]


def test_an_id_twice_in_one_frame_counts_once() -> None:
    frames = together(walk(20), walk(8, identity=5))
    assert is_there(ntu.clip(ITEM, text(frames, repeat=5), NtuRules())) == [list(range(20))]
    assert is_there(ntu.clip(ITEM, text(frames, repeat=BIG), NtuRules())) == [list(range(20))]


def test_a_file_with_nobody_in_it_and_a_damaged_one_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="5 frames are empty"):
        read([{}] * 5)
    with pytest.raises(RecordingError, match=r"S001C002P003R002A004\.skeleton, line 32"):
        ntu.clip(ITEM, text(walk(3)).replace(b"\r\n25\r\n", b"\r\n24\r\n", 2).replace(b"24", b"25", 1), NtuRules())


def test_numbers_that_are_none_do_not_count_as_motion() -> None:
    frames = together(walk(15, identity=4, step_m=0.01), walk(15, step_m=0.02))
    content = text(frames).replace(b"-0.25 -0.8 3 ", b"1.#QNAN -0.8 3 ", 2)  # the first joint of both, once
    clip = ntu.clip(ITEM, content, NtuRules())
    assert np.isnan(clip.joints).sum() == 2 and np.nanmax(x_of(clip, 0)) == pytest.approx(0.28, abs=1e-6)


@pytest.mark.parametrize("choice", ["persons=0", "persons=3", "main_actor=tallest", "empty_frames=maybe", "noise=1"])
def test_a_rule_that_does_not_exist_is_one_sentence(choice: str) -> None:
    with pytest.raises(ConfigError):
        config.load(NtuRules, assignments=[choice])


def test_the_published_list_of_incomplete_files_has_its_length() -> None:
    assert len(INCOMPLETE) == 535
    assert sum(setup <= NTU60_SETUPS for setup, *_ in INCOMPLETE) == 302
    assert (6, 3, 16, 1, 60) in INCOMPLETE and (32, 2, 67, 1, 40) not in INCOMPLETE


def test_the_list_is_the_one_that_was_published(real_data: Path) -> None:
    published = real_data.parent / "reference" / "ntu_missing.txt"
    if not published.is_file():
        pytest.skip(f"no {published}")
    names = {"S{:03}C{:03}P{:03}R{:03}A{:03}".format(*row) for row in INCOMPLETE}
    assert names == set(published.read_text(encoding="ascii").split())


def test_there_are_120_different_classes() -> None:
    assert len(set(LABELS)) == len(LABELS) == 120
    assert (LABELS[0], LABELS[59], LABELS[60]) == ("drink water", "walking apart from each other", "put on headphone")


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text(walk(3)))
    return root


def test_names_say_who_did_what_where(tmp_path: Path) -> None:
    source = tree(tmp_path, "nturgb+d_skeletons/S017C003P020R002A060.skeleton", "x.txt")
    tree(
        source,
        *(f"S{name}.skeleton" for name in ("018C001P042R001A061", "018C001P043R001A009", "001C001P001R001A061")),
    )
    (item,) = ntu.look(source, NtuRules(), name="ntu60").items
    assert (item.setup, item.camera, item.subject, item.repetition, item.label) == (17, 3, 20, 2, 59)
    assert item.size == len(text(walk(3)))
    assert sorted(item.label for item in ntu.look(source, NtuRules(), name="ntu120").items) == [8, 59, 60, 60]


def test_cameras_at_the_same_time_are_one_performance(tmp_path: Path) -> None:
    names = [f"S001C00{camera}P00{person}R001A001.skeleton" for person in (1, 2) for camera in (1, 2, 3)]
    names += ["S001C001P001R002A001.skeleton", "S001C001P001R001A002.skeleton", "S002C001P001R001A001.skeleton"]
    items = ntu.look(tree(tmp_path, *names), NtuRules(), name="ntu60").items
    groups = {item.name: item.group for item in items}
    assert len({groups[name] for name in names[:3]}) == 1 and len(set(groups.values())) == 5


def test_files_are_left_out_by_name(tmp_path: Path) -> None:
    twice = ("a/S001C001P001R001A001.skeleton", "b/S001C001P001R001A001.skeleton")
    source = tree(tmp_path, *twice, "S001C002P005R002A008.skeleton", "S001C001P001R001A121.skeleton")
    listing = ntu.look(source, NtuRules(), name="ntu120")
    reasons = dict(listing.refused)
    assert [item.name for item in listing.items] == [twice[0]]
    assert "published list" in reasons["S001C002P005R002A008.skeleton"] and "twice" in reasons[twice[1]]
    assert "no action 121" in reasons["S001C001P001R001A121.skeleton"]
    everything = ntu.look(source, NtuRules(missing_list=False), name="ntu120")
    assert "S001C002P005R002A008.skeleton" in [item.name for item in everything.items]


@pytest.mark.parametrize(
    ("data_set", "name", "reason"),
    [
        ("ntu60", "S000C001P001R001A001", "no set-up 0"),
        ("ntu60", "S033C001P001R001A001", "no set-up 33"),
        ("ntu60", "S001C004P001R001A001", "no camera 4"),
        ("ntu60", "S001C001P041R001A001", "no person 41"),
        ("ntu60", "S001C001P001R001A121", "no action 121"),
        ("ntu120", "S032C000P001R001A001", "no camera 0"),
        ("ntu120", "S032C001P107R001A001", "no person 107"),
        ("ntu120", "S032C001P106R003A120", "no repetition 3"),
        ("ntu120", "S032C001P106R000A120", "no repetition 0"),
    ],
)
def test_a_number_that_cannot_be_in_a_name_is_left_out_by_it(
    data_set: str, name: str, reason: str, tmp_path: Path
) -> None:
    source = tree(tmp_path, "S017C003P040R002A060.skeleton", f"{name}.skeleton")
    listing = ntu.look(source, NtuRules(), name=data_set)
    assert [item.name for item in listing.items] == ["S017C003P040R002A060.skeleton"]
    assert listing.refused == ((f"{name}.skeleton", f"there is {reason}"),)


def test_both_zip_files_in_a_folder_are_one_source(tmp_path: Path) -> None:
    for part, name in (("s001_to_s017", "S001C001P001R001A001"), ("s018_to_s032", "S020C001P050R001A061")):
        with zipfile.ZipFile(tmp_path / f"nturgbd_skeletons_{part}.zip", "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr(f"nturgb+d_skeletons/{name}.skeleton", text(walk(4)))
    clips = list(NTU120.clips(tmp_path))
    assert [clip.item.label for clip in clips] == [0, 60] and all(len(clip.times_s) == 4 for clip in clips)
    one = tmp_path / "nturgbd_skeletons_s001_to_s017.zip"
    assert [clip.item.setup for clip in NTU60.clips(one)] == [1]


def test_a_file_that_differs_between_two_zip_files_is_refused(tmp_path: Path) -> None:
    for part, lengths in (("s001_to_s017", (4, 4)), ("s018_to_s032", (5, 4))):
        with zipfile.ZipFile(tmp_path / f"nturgbd_skeletons_{part}.zip", "w") as target:
            for person, length in enumerate(lengths, 1):
                target.writestr(f"S001C001P{person:03}R001A001.skeleton", text(walk(length)))
    listing = ntu.look(tmp_path, NtuRules(), name="ntu120")
    with ntu.reader(tmp_path, NtuRules(), listing.description) as load:
        with pytest.raises(TrainingDataError, match=r"s001_to_s017\.zip and in nturgbd_skeletons_s018_to_s032\.zip"):
            load(listing.items[0])
        assert len(load(listing.items[1]).times_s) == 4


def test_a_folder_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"files like 'S001C001P001R001A001\.skeleton'"):
        ntu.look(tree(tmp_path, "readme.txt"), NtuRules(), name="ntu60")


def test_positions_are_those_of_the_full_reader(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    frames = [
        {BIG + number: random.normal(0, [1e-6, 1, 1e3], (25, 3)) for number in range(int(random.integers(0, 4)))}
        for _ in range(9)
    ]
    path = tmp_path / "file.skeleton"
    for old, new in ((b"", b""), (b" 0.1 0.2", b"  0.1 0.2"), (b"\r", b""), (b" 1 2 3 4", 60 * b"0" + b" 1 2 3 4")):
        content = text(frames).replace(old, new) if old else text(frames)
        path.write_bytes(content)
        found, bodies = read_positions(content, path), []
        for index, frame in enumerate(ntu_format.read(path).frames):
            bodies += [(index, body.tracking_id, body.joints, body.state) for body in frame.bodies]
        assert found.frame_count == 9 and found.frames.tolist() == [row[0] for row in bodies]
        assert found.ids == [row[1] for row in bodies]
        assert np.array_equal(found.joints, np.stack([row[2] for row in bodies]))
        assert np.array_equal(found.state, np.stack([row[3] for row in bodies]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"\r\n", b"\r\n", id="as it is"),
        pytest.param(b"\r\n", b"\n", id="other line ends"),
        pytest.param(b"-0.25 ", b"-1.#IND ", id="what is not a number"),
        pytest.param(b"-0.25 ", b"1e-05 ", id="a power of ten"),
        pytest.param(b"-0.25 ", b"1e39 ", id="beyond float32"),
        pytest.param(b" 0.4 2\r\n", b" 0.4 1\r\n", id="inferred"),
        pytest.param(b" 0.1 0.2", b" 1.#QNAN -1e-9", id="other values"),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\r\n", b" \n\n", None], ids=["ended", "blank", "blanks", "open"])
def test_a_regular_file_is_read_as_one_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: bytes, new: bytes, end: bytes | None
) -> None:
    content = text(together([{}, *walk(4), {}, *walk(1)], walk(3, identity=5))).replace(old, new)
    content = content.rstrip() if end is None else content + end
    with np.errstate(over="ignore"):
        line_by_line = ntu_positions._read_other(content, tmp_path)
    monkeypatch.delattr(ntu_positions, "_read_other")
    found = read_positions(content, tmp_path)
    assert (found.frame_count, found.ids) == (7, line_by_line.ids)
    assert found.frames.tolist() == [0, 1, 1, 2, 2, 3, 4, 6]
    for name in ("frames", "joints", "state"):
        one, other = getattr(found, name), getattr(line_by_line, name)
        assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes(), name


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b"\v", "\x85".encode(), "\u2028".encode()])
def test_a_file_of_more_lines_than_a_body_has_in_five_minutes_is_refused_before_they_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, line_end: bytes
) -> None:
    monkeypatch.setattr(ntu_positions, "MOST_LINES", 3 + 27 + 20)
    table = text(walk(1)).split(b"\r\n", 1)[1].replace(b"\r\n", line_end)

    def content(empty: int) -> bytes:
        return line_end.join([b"%d" % (empty + 1), table]) + empty * (b"0" + line_end)

    assert read_positions(content(21), Path("x.skeleton")).frame_count == 22
    monkeypatch.delattr(ntu_positions, "read_lines_of")
    with pytest.raises(
        RecordingError, match=r"^x\.skeleton, line 51: the file must have ended before, found 51 lines"
    ):
        read_positions(content(22), Path("x.skeleton"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"", b"", id="nothing changed"),
        pytest.param(b"", b"and more of it\r\n", id="a line too many"),
        pytest.param(b"3\r\n1\r\n", b"4\r\n1\r\n", id="a frame missing"),
        pytest.param(b"3\r\n1\r\n", b"2\r\n1\r\n", id="a frame too many"),
        pytest.param(b"\r\n25\r\n", b"\r\n26\r\n", id="another number of joints"),
        pytest.param(b" 0.4 2\r\n", b" 0.4 7\r\n", id="a state that there is not"),
        pytest.param(b" 0.4 2\r\n", b" 2\r\n", id="a value missing"),
        pytest.param(b" 0.4 2\r\n", b"  2\r\n", id="a value missing between two spaces"),
        pytest.param(b" 3 4 0.1", b" 3  0.1", id="a value missing between two spaces further on"),
        pytest.param(b" 0.05 2\r\n", b" 2\r\n", id="a value of a body missing"),
        pytest.param(b" 0.05 2\r\n", b"  2\r\n", id="a value of a body missing between two spaces"),
        pytest.param(b" 0.05 2\r\n", b" 0.05 0.06 2\r\n", id="a value of a body too many"),
        pytest.param(b" 3 1 2", b" far 1 2", id="a word"),
        pytest.param(b"72057594037931104", b"7e16", id="an id that is no integer"),
        pytest.param(b"72057594037931104", b"99999999999999999999999", id="an id of more than 64 bits"),
        pytest.param(b"\r\n1\r\n", b"\r\n7\r\n", id="seven bodies"),
        pytest.param(b" 0.4 2\r\n", b" 0.4 0.5 2\r\n", id="a value too many"),
        pytest.param(b" 3 4 0.1", b" 3" + 257 * b" 4" + b" 0.1", id="so many values that a byte cannot count them"),
        pytest.param(b" 0.4 2\r\n-", b" 0.4 12\r\n-", id="a state of two digits"),
        pytest.param(b" 0.4 2\r\n", b" 0.4\r2\r\n", id="a line end of another kind"),
        pytest.param(b"\r\n25\r\n", b"\r\n25\r\n\r\n", id="a blank line"),
        pytest.param(b"-0.2083333 ", b"-0.2083\xff33 ", id="a byte that is no character"),
    ],
)
def test_positions_refuse_what_the_full_reader_refuses(tmp_path: Path, old: bytes, new: bytes) -> None:
    content = text(walk(3)).replace(old, new, 1) if old else text(walk(3)) + new
    path = tmp_path / "file.skeleton"
    path.write_bytes(content)
    if not old + new:
        assert len(read_positions(content, path).ids) == len(ntu_format.read(path).frames) == 3
        return
    with pytest.raises(RecordingError) as full:
        ntu_format.read(path)
    with pytest.raises(RecordingError) as quick:
        read_positions(content, path)
    assert str(quick.value) == str(full.value)
