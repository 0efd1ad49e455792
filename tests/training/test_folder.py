"""Recordings of one's own: folders by label or a table, every format, and one sentence for whatever is amiss."""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import AppError, TrainingDataError
from skeleton.formats.table import write_recording
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V1, KINECT_V2, KINECT_V2_21
from skeleton.recording import Recording, RecordingInfo
from tests.recordings import walking_body, walking_recording
from training import protocols
from training.cache import Cache, open_cache
from training.datasets.base import Listing
from training.datasets.folder import FOLDER, FolderOptions, look
from training.prepare import prepare

TILTED = (0.0, math.cos(0.2), math.sin(0.2), 1.1)


def record(path: Path, recording: Recording | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_recording(recording or walking_recording(frames=20), path)


def made(frames: list[BodyFrame], **facts: object) -> Recording:
    info = RecordingInfo(format="synthetic", path=None, layout=KINECT_V2, **facts)  # type: ignore[arg-type]
    return Recording(info, np.array([frame.time_s for frame in frames]), frames)


def frame(index: int, time_s: float, *bodies: Body, floor: tuple | None = None) -> BodyFrame:
    return BodyFrame(index=index, time_s=time_s, bodies=bodies, floor=floor)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two labels by two people, in four formats."""
    root = tmp_path / "own"
    for number, name in enumerate(
        ("bow/anna_1.mcap", "bow/ben b_1.npz", "wave/anna_1.csv", "wave/ben b_x2.skeleton")
    ):
        record(root / name, walking_recording(frames=20 + number))
    (root / "bow" / "anna_1.mp4").write_bytes(b"a video beside a recording")
    (root / ".git").mkdir()
    return root


def cached(root: Path, **options: float) -> Cache:
    prepare(FOLDER, root, root.parent / "cache", options=FolderOptions(**options), workers=1)
    return open_cache(root.parent / "cache")


def reasons(cache: Cache) -> list[list[str]]:
    with (cache.path / "refused.csv").open(newline="") as table:
        return list(csv.reader(table))[1:]


def listed(root: Path) -> Listing:
    return look(root, FolderOptions())


def table(root: Path, *lines: str, header: str = "file,label,subject,start,end") -> None:
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def test_folders_are_labels_and_names_say_who(own: Path) -> None:
    cache = cached(own)
    assert (cache.labels, cache.layout, cache.persons, cache.dataset) == (("bow", "wave"), KINECT_V2, 1, "folder")
    assert cache.clips["label"].tolist() == [0, 0, 1, 1] and cache.clips["subject"].tolist() == [1, 2, 1, 2]
    assert cache.clips["frames"].tolist() == [20, 21, 22, 23]
    assert cache.name(3) == "wave/ben b_x2.skeleton" and cache.people == {1: "anna", 2: "ben b"}
    split = protocols.split(cache, "odd-even")
    assert (split.train.tolist(), split.test.tolist()) == ([0, 2], [1, 3])


def test_joints_and_states_come_through_every_format(own: Path) -> None:
    cache = cached(own)
    for clip in range(4):
        times_s, joints, seen = cache.track(clip)
        for number, time_s in enumerate(times_s):
            body = walking_body(float(number / 30))
            assert (seen[number] == (body.state > 0)).all()
            assert joints[number][seen[number]] == pytest.approx(body.joints[seen[number]], abs=1e-4)
            assert time_s == pytest.approx(number / 30, abs=1e-3)


@pytest.mark.parametrize(
    ("names", "takes"),
    [
        pytest.param(["anna_1", "anna_10", "anna_2", "ben_7"], [1, 10, 2, 7], id="the number in the name"),
        pytest.param(["anna_02", "anna_1", "anna_3"], [2, 1, 3], id="zeros before it"),
        pytest.param(["anna_1", "anna_10", "anna_2", "anna_x"], [1, 3, 2, 4], id="a word among them"),
        pytest.param(["anna_01", "anna_1", "anna_10", "anna_9"], [1, 2, 4, 3], id="a number twice"),
        pytest.param(["anna_a", "anna_b", "ben_5"], [1, 2, 5], id="each person alone"),
        pytest.param(["anna_1", "anna_1234567890"], [1, 2], id="a date is no take"),
    ],
)
def test_a_take_is_the_number_in_the_name_where_all_differ(
    names: list[str], takes: list[int], tmp_path: Path
) -> None:
    for name in names:
        record(tmp_path / "own" / "bow" / f"{name}.csv")
    items = listed(tmp_path / "own").items
    assert [item.name for item in items] == [f"bow/{name}.csv" for name in names]
    assert [item.repetition for item in items] == takes


def test_people_with_numbers_keep_them(tmp_path: Path) -> None:
    for name in ("bow/7_1.csv", "bow/12_1.csv", "wave/7_1.csv", "wave/12_1.csv"):
        record(tmp_path / "own" / name)
    assert [item.subject for item in listed(tmp_path / "own").items] == [12, 7, 12, 7]


def test_a_table_names_parts_of_recordings(tmp_path: Path) -> None:
    root = tmp_path / "own"
    record(root / "monday" / "long.mcap", walking_recording(frames=91, start_s=50.0))
    record(root / "short.csv", walking_recording(frames=30))
    table(
        root,
        r"monday\long.mcap,wave left,anna,1,2",
        "monday/long.mcap, wave  right,ben,2.5,",
        "",
        "short.csv,bow,7,,",
    )
    cache = cached(root)
    assert cache.labels == ("bow", "wave left", "wave right") and cache.mirror_labels.tolist() == [0, 2, 1]
    assert cache.clips["label"].tolist() == [1, 2, 0] and cache.clips["frames"].tolist() == [30, 16, 30]
    assert [cache.name(i) for i in range(3)] == ["monday/long.mcap[1..2]", "monday/long.mcap[2.5..inf]", "short.csv"]
    first = walking_body(1.0)
    assert cache.track(0)[1][0][first.state > 0] == pytest.approx(first.joints[first.state > 0], abs=1e-5)
    assert cache.track(0)[0][[0, -1]] == pytest.approx([0.0, 29 / 30], abs=1e-6)


@pytest.mark.parametrize("end", ["3", "3.04", ""])
def test_takes_that_follow_each_other_share_no_frame_and_lose_none(end: str, tmp_path: Path) -> None:
    root = tmp_path / "own"
    record(root / "a.npz", walking_recording(frames=91))
    table(root, "a.npz,bow,anna,0,1", "a.npz,wave,anna,1,2", f"a.npz,bow,anna,2,{end}")
    assert cached(root).clips["frames"].tolist() == [30, 30, 31]


def test_a_table_from_a_german_excel_is_read(tmp_path: Path) -> None:
    record(tmp_path / "own" / "a.csv", walking_recording(frames=61))
    content = "file;label;subject;start;end\r\na.csv;Kniebeuge;Jürgen;0,5;1\r\na.csv;Gruß;Jürgen;1;0:01,5\r\n"
    for encoding in ("utf-8-sig", "cp1252"):
        (tmp_path / "own" / "labels.csv").write_bytes(content.encode(encoding))
        listing = listed(tmp_path / "own")
        assert listing.description.labels == ("Gruß", "Kniebeuge")
        assert [item.place[1:] for item in listing.items] == [(0.5, 1.0), (1.0, 1.5)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"sep=;\r\nfile;label;subject\r\nanna.csv;a;anna\r\n", id="Excel's separator"),
        pytest.param(b"\n\nfile,label,subject,,\nanna.csv,a,anna,,\n", id="blank lines and columns"),
        pytest.param("file\tlabel\tsubject\nanna.csv\ta\tanna\n".encode("utf-16"), id="Excel's Unicode text"),
    ],
)
def test_tables_of_other_programs_are_read(tmp_path: Path, content: bytes) -> None:
    record(tmp_path / "own" / "anna.csv")
    (tmp_path / "own" / "labels.csv").write_bytes(content)
    [item] = listed(tmp_path / "own").items
    assert (item.name, item.subject) == ("anna.csv", 1)


def test_one_name_in_two_forms_of_unicode_is_one_person(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        record(tmp_path / "own" / name)
    composed, taken_apart = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    table(
        tmp_path / "own", f"a.csv,café,{composed},,", f"b.csv,{unicodedata.normalize('NFD', 'café')},{taken_apart},,"
    )
    found = listed(tmp_path / "own")
    assert found.description.labels == ("café",) and found.description.people == {1: "José"}


@pytest.mark.parametrize("piece_s", [0.0, 3.0])
def test_a_clock_that_leaps_costs_its_file_only(tmp_path: Path, piece_s: float) -> None:
    late = [frame(number, number / 30 + (1.7e9 if number > 9 else 0), walking_body(0.1)) for number in range(20)]
    record(tmp_path / "own" / "bow" / "anna_1.npz", made(late))
    record(tmp_path / "own" / "bow" / "ben_1.npz")
    cache = cached(tmp_path / "own", piece_s=piece_s)
    assert len(cache) == 1 and ["bow/anna_1.npz", *reasons(cache)[0][1:]] in reasons(cache)
    assert "must last at most 1 h" in reasons(cache)[0][1]


def test_times_can_be_written_as_the_app_shows_them(tmp_path: Path) -> None:
    record(tmp_path / "own" / "a.csv")
    table(tmp_path / "own", "a.csv,x,anna,1:02.5,1:00:00")
    assert listed(tmp_path / "own").items[0].place[1:] == (62.5, 3600.0)


def test_parts_that_overlap_show_one_performance(tmp_path: Path) -> None:
    record(tmp_path / "own" / "a.csv", walking_recording(frames=61))
    record(tmp_path / "own" / "b.csv", walking_recording(frames=61))
    table(tmp_path / "own", "a.csv,x,anna,1,1.5", "a.csv,y,anna,1.2,", "a.csv,x,anna,0,1", "b.csv,y,anna,1.2,")
    groups = [item.group for item in listed(tmp_path / "own").items]
    assert groups[0] == groups[1] and len(set(groups)) == 3


def test_long_recordings_are_cut_into_pieces(tmp_path: Path) -> None:
    root = tmp_path / "own"
    record(root / "a.mcap", walking_recording(frames=301))
    record(root / "b.skeleton", walking_recording(frames=91))
    table(root, "a.mcap,x,7,1,", "a.mcap,y,7,0,1", "b.skeleton,x,7,,", "b.skeleton,y,7,0,99")
    cache = cached(root, piece_s=2)
    assert [cache.name(index) for index in range(len(cache))] == [
        *("a.mcap[1..3.25]", "a.mcap[3.25..5.5]", "a.mcap[5.5..7.75]", "a.mcap[7.75..inf]"),
        *("a.mcap[0..1]", "b.skeleton[0..1.5]", "b.skeleton[1.5..inf]"),
    ]
    assert cache.clips["frames"].tolist() == [68, 67, 68, 68, 30, 45, 46]
    assert (
        cache.clips["repetition"].tolist() == [1, 1, 1, 1, 1, 2, 2] and len(set(cache.clips["group"].tolist())) == 3
    )
    assert [name for name, _ in reasons(cache)] == ["b.skeleton[0..99]"]


def test_takes_divide_what_one_person_recorded(tmp_path: Path) -> None:
    for name in (f"{label}/anna_{take}.csv" for label in ("bow", "wave") for take in (1, 2, 3)):
        record(tmp_path / "own" / name)
    split = protocols.split(cached(tmp_path / "own"), "takes", validation_subjects=1, validation_fold=1)
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([0, 3], [2, 5], [1, 4])


def test_times_with_gaps_and_the_floor_come_through(tmp_path: Path) -> None:
    times = [*np.arange(10) / 30, *(4.0 + np.arange(12) / 15)]
    frames = [frame(n, 1000.0 + t, walking_body(t), floor=TILTED) for n, t in enumerate(times)]
    frames.insert(0, frame(-1, 999.0))  # nobody in view yet
    record(tmp_path / "own" / "x" / "1_1.mcap", made(frames))
    blind = [dataclasses.replace(one, floor=None) for one in frames[1:]]
    record(tmp_path / "own" / "y" / "1_1.npz", made(blind, floor=(0.0, 1.0, 0.0, 0.7)))
    record(tmp_path / "own" / "z" / "1_1.csv", walking_recording(frames=9))
    cache = cached(tmp_path / "own")
    for clip in (0, 1):
        assert cache.track(clip)[0] == pytest.approx(times, abs=1e-6)
    assert cache.floor(0) == pytest.approx(TILTED, abs=1e-5)
    assert cache.floor(1) == pytest.approx((0.0, 1.0, 0.0, 0.7)) and cache.floor(2) is None


def crowd() -> Recording:
    """A bystander, first in every frame; an actor who is lost and found under a new id; somebody who walks past."""
    frames = []
    for n in range(60):
        still = dataclasses.replace(walking_body(0.0, 2), tracking_id=5)
        actor = [dataclasses.replace(walking_body(n / 10), tracking_id=90 if n < 30 else 91)] if n != 30 else []
        walker = walking_body(n / 10, 1)
        passing = [dataclasses.replace(walker, joints=walker.joints + (n / 4, 0, 0), tracking_id=7)]
        frames.append(frame(n, n / 30, still, *actor, *(passing if 20 <= n < 40 else [])))
    return made(frames)


def test_of_several_bodies_those_who_move_most_are_taken(tmp_path: Path) -> None:
    record(tmp_path / "own" / "x" / "1_1.mcap", crowd())
    cache = cached(tmp_path / "own", persons=1)
    times_s, joints, seen = cache.track(0)
    assert len(times_s) == 59 and times_s[30] == pytest.approx(31 / 30, abs=1e-6)  # one frame without the actor
    for row, n in enumerate([*range(30), *range(31, 60)]):
        body = walking_body(n / 10)
        assert joints[row][seen[row]] == pytest.approx(body.joints[seen[row]], abs=1e-5)


def test_two_people_have_two_places(tmp_path: Path) -> None:
    record(tmp_path / "own" / "x" / "1_1.mcap", walking_recording(frames=20, bodies=2))
    record(tmp_path / "own" / "y" / "1_1.mcap")
    cache = cached(tmp_path / "own", persons=2)
    assert cache.clips["persons"].tolist() == [2, 1]
    assert cache.track(0, 0)[2].any(axis=1).all() and cache.track(0, 1)[2].any(axis=1).all()
    assert cache.track(1, 0)[2].any(axis=1).all() and not cache.track(1, 1)[2].any()


def nan_joints(state: int) -> Recording:
    lost = Body(tracking_id=1, joints=np.full((25, 3), np.nan), state=np.full(25, state))
    return made([frame(n, n / 30, lost) for n in range(5)])


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        pytest.param(nan_joints(2), "not a single joint is seen", id="NaN"),
        pytest.param(nan_joints(0), "not a single joint is seen", id="never tracked"),
        pytest.param(made([]), "must hold frames, but is empty", id="no frames"),
        pytest.param(made([frame(n, n / 30) for n in range(9)]), "at least two frames, found 0", id="nobody"),
        pytest.param(walking_recording(frames=1), "at least two frames, found 1", id="one frame"),
    ],
)
def test_a_recording_that_shows_nothing_is_left_out(own: Path, recording: Recording, reason: str) -> None:
    record(own / "bow" / "carl_1.npz", recording)
    cache = cached(own)
    assert len(cache) == 4
    assert [(name, reason in why) for name, why in reasons(cache)] == [("bow/carl_1.npz", True)]


def test_a_damaged_recording_is_left_out_with_a_reason(own: Path) -> None:
    (own / "bow" / "carl_1.mcap").write_bytes(b"rubbish")
    assert "in no format that is known" in reasons(cached(own))[0][1]


def test_where_nothing_is_left_nothing_is_made(tmp_path: Path) -> None:
    record(tmp_path / "own" / "x" / "1_1.npz", made([frame(0, 0.0)]))
    with pytest.raises(TrainingDataError, match="at least one clip that can be used, found none"):
        cached(tmp_path / "own")
    assert [entry.name for entry in tmp_path.iterdir()] == ["own"]


def test_a_part_beyond_its_file_is_left_out(tmp_path: Path) -> None:
    record(tmp_path / "own" / "a.csv", walking_recording(frames=31))
    table(tmp_path / "own", "a.csv,x,1,0,1.04", "a.csv,y,1,0.5,30", "a.csv,y,1,0,0.02")
    cache = cached(tmp_path / "own")
    assert len(cache) == 1
    assert "which has 1.00 s, found 30 s" in reasons(cache)[0][1] and "two frames" in reasons(cache)[1][1]


def add(*names: str, layout: object = KINECT_V2) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        for name in names:
            record(root / name, walking_recording(frames=5, layout=layout))  # type: ignore[arg-type]

    return apply


def foreign_layout(root: Path) -> None:
    layout = KINECT_V2.subset("three", ["Head", "Neck", "SpineBase"])
    for entry in list(root.rglob("*_*.*")):
        entry.unlink()
    for name in ("bow/1_1.npz", "wave/1_1.npz"):
        record(root / name, walking_recording(frames=5, layout=layout))


def linked(name: str, target: str, *lines: str) -> Callable[[Path], None]:
    """A link in the folder; beside the folder lies a recording. With lines, a table too."""

    def apply(root: Path) -> None:
        record(root.parent / "wide" / "anna_9.csv")
        os.symlink(target, root / name)
        if lines:
            table(root, *lines)

    return apply


def rows(*lines: str, header: str = "file,label,subject,start,end") -> Callable[[Path], None]:
    return lambda root: table(root, *lines, header=header)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda root: (root / "squat").mkdir(), "must hold recordings.*squat holds none", id="empty label"
        ),
        pytest.param(
            add("anna_1.csv"), "folder named like its label, but .*anna_1.csv does not", id="loose recording"
        ),
        pytest.param(add("bow/anna.csv"), "must say who is in it, as in 'anna_1.csv'", id="nobody named"),
        pytest.param(
            add("Wave/anna_1.csv"),
            "Every label must be spelled in one way.*'Wave' and 'wave'",
            id="two spellings of a label",
        ),
        pytest.param(
            add("wave/7_1.csv", "wave/007_1.csv"),
            "Every person must be spelled in one way.*'007' and '7'",
            id="zeros",
        ),
        pytest.param(add("wave/Anna_1.csv"), "Every person must be spelled in one way.*'Anna'", id="two of a person"),
        pytest.param(
            add("bow/carl_1.npz", layout=KINECT_V2_21), r"same joints.*25 \(kinect-v2\).*21", id="mixed layouts"
        ),
        pytest.param(foreign_layout, "joints of a known layout.*has others", id="unknown joints"),
        pytest.param(rows(), "has only its first line", id="table without lines"),
        pytest.param(rows(header="name,label,subject"), "but file is missing", id="table without a column"),
        pytest.param(rows("x.csv,a,1,,"), "labels.csv, line 2: there is no file 'x.csv'", id="no such file"),
        pytest.param(rows("../own/bow/anna_1.mcap,a,1,,"), "must lie within the folder", id="path upward"),
        pytest.param(rows("/etc/passwd,a,1,,"), "must lie within the folder", id="absolute path"),
        pytest.param(rows(r"C:\x.csv,a,1,,"), "must lie within the folder", id="path of another drive"),
        pytest.param(rows(",a,1,,"), "must lie within the folder", id="no path"),
        pytest.param(
            linked("in.csv", "../wide/anna_9.csv", "in.csv,x,1,,"),
            "line 2: a recording must lie within the folder, but 'in.csv' leads out of it by a link.*Copy",
            id="link that leads out",
        ),
        pytest.param(
            linked("in", "../wide", "in/anna_9.csv,x,1,,"),
            "'in/anna_9.csv' leads out of it by a link",
            id="to a folder",
        ),
        pytest.param(
            linked("loop.csv", "loop.csv", "loop.csv,x,1,,"), "'loop.csv' is a link that leads nowhere", id="loop"
        ),
        pytest.param(
            linked("wave/anna_9.csv", "../../wide/anna_9.csv"),
            "own: a recording must lie within the folder, but 'wave/anna_9.csv' leads out of it by a link",
            id="no table, link that leads out",
        ),
        pytest.param(linked("wide", "../wide"), "'wide/anna_9.csv' leads out", id="no table, link to a folder"),
        pytest.param(
            linked("wave/anna_9.csv", "anna_9.csv"),
            "own: .*'wave/anna_9.csv' is a link that leads nowhere",
            id="no table, loop",
        ),
        pytest.param(linked("wave/anna_9.csv", "gone.csv"), "leads nowhere", id="no table, link to nothing"),
        pytest.param(
            rows("bow/anna_1.mcap,\x1b[31mwave,1,,"),
            r"A label must have no control characters, but .* '\\x1b\[31mwave'",
            id="a label that colors the terminal",
        ),
        pytest.param(rows("bow/anna_1.mcap,,1,,"), "line 2: the column label must say", id="no label"),
        pytest.param(rows("bow/anna_1.mcap,a,,,"), "line 2: the column subject must say", id="no person"),
        pytest.param(rows("bow/anna_1.mcap,a"), "line 2: the column subject must say", id="a short line"),
        pytest.param(rows("bow/anna_1.mcap,a,1,one,"), "the start must be a time.*found 'one'", id="start in words"),
        pytest.param(rows("bow/anna_1.mcap,a,1,-1,"), "the start must be a time", id="start before all"),
        pytest.param(rows("bow/anna_1.mcap,a,1,1::2,"), "the start must be a time", id="start with a hole"),
        pytest.param(rows("bow/anna_1.mcap,a,1,,nan"), "the end must be a time", id="end that is no number"),
        pytest.param(rows("bow/anna_1.mcap,a,1,,1:-57"), "the end must be a time", id="end with a sign in it"),
        pytest.param(rows("bow/anna_1.mcap,a,1,0,1,2,3"), "line 2: .*at most 5 cells.*quotes", id="decimal comma"),
        pytest.param(
            rows(header="file,label,label,subject"), "name each column once, but has label twice", id="column twice"
        ),
        pytest.param(rows(*2 * ["bow/anna_1.mcap,a,1,0,0.5"]), "is listed again", id="a line twice"),
        pytest.param(
            rows("", 'bow/anna_1.mcap,"a,1,0,0.1', "bow/anna_1.mcap,a,1,0.1,0.2", 'bow/anna_1.mcap,b",1,0.2,0.3'),
            "labels.csv, line 3: a quote must be closed on its line, but one is not",
            id="a quote that a later line closes",
        ),
        pytest.param(
            lambda root: (root / "labels.csv").write_text('file,label,subject\nbow/anna_1.mcap,a,"1'),
            "line 2: a quote must be closed",
            id="a quote that nothing closes",
        ),
        pytest.param(
            rows("bow/anna_1.mcap,a,1,0,0.5", f'bow/anna_1.mcap,"{"long" * 50_000},1,,'),
            "labels.csv, line 3: a line must be one of CSV, but is not: field larger",
            id="a quote before much else",
        ),
        pytest.param(rows("bow/anna_1.mcap,a,1,2,2"), "must end after it starts, found 2 s to 2 s", id="no length"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(own: Path, change: Callable[[Path], None], sentence: str) -> None:
    change(own)
    with pytest.raises(AppError, match=sentence) as caught:
        cached(own)
    assert str(caught.value).count("\n") == 0 and not list(own.parent.glob("*cache*"))


def test_a_link_within_the_folder_is_followed(own: Path) -> None:
    os.symlink("../bow/anna_1.mcap", own / "wave" / "carl_1.mcap")
    assert "wave/carl_1.mcap" in [item.name for item in listed(own).items]
    table(own, "wave/carl_1.mcap,wave,carl,,")
    assert [item.name for item in listed(own).items] == ["wave/carl_1.mcap"]


def test_no_folder_and_an_empty_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"must lie in a folder, but .*own is none"):
        listed(tmp_path / "own")
    (tmp_path / "own").mkdir()
    with pytest.raises(TrainingDataError, match=r"a folder for each label, or a labels\.csv"):
        listed(tmp_path / "own")


def test_recordings_of_the_first_kinect_are_read(tmp_path: Path) -> None:
    body = Body(tracking_id=1, joints=np.random.default_rng(0).normal(size=(20, 3)), state=np.full(20, 2))
    info = RecordingInfo(format="synthetic", path=None, layout=KINECT_V1)
    frames = [frame(n, n / 30, body) for n in range(4)]
    record(tmp_path / "own" / "x" / "1_1.mcap", Recording(info, np.arange(4) / 30, frames))
    assert cached(tmp_path / "own").layout == KINECT_V1
