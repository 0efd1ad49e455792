"""Preparing: the same cache whatever happens on the way, and one sentence for what fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2
from tests.conftest import REPOSITORY
from tests.training.ntu_files import text, walk
from tests.training.prepared import ON_LINUX, refused
from training import cache, cache_writer, prepare
from training.__main__ import main
from training.cache_writer import CacheWriter
from training.datasets.base import Description
from training.datasets.ntu import NTU60
from training.datasets.ntu_bodies import NtuRules
from training.locks import locked

FILES = 23
pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of NTU files of different lengths; one is damaged, one empty, one on the published list."""
    root = tmp_path_factory.mktemp("ntu")
    for number in range(1, FILES + 1):
        (root / f"S001C001P{number:03}R001A002.skeleton").write_bytes(text(walk(number + 2)))
    (root / "S001C001P005R001A002.skeleton").write_bytes(text(walk(9))[:-50])
    (root / "S001C001P007R001A002.skeleton").write_bytes(b"")
    (root / "S001C002P005R002A008.skeleton").write_bytes(text(walk(3)))
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_cache_is_the_same_whatever_the_number_of_workers(tree: Path, tmp_path: Path) -> None:
    for workers in (1, 3):
        done = prepare.prepare(NTU60, tree, tmp_path / str(workers), workers=workers)
        assert (done.clips, done.refused, done.resumed) == (FILES - 2, 3, 0)
    assert content(tmp_path / "1") == content(tmp_path / "3")
    assert sorted(os.listdir(tmp_path)) == ["1", "3"]


def test_clips_stand_in_the_order_of_their_names_with_their_frames(tree: Path, tmp_path: Path) -> None:
    prepare.prepare(NTU60, tree, tmp_path / "new", workers=2)
    opened = cache.open_cache(tmp_path / "new")
    people = [number for number in range(1, FILES + 1) if number not in (5, 7)]
    assert opened.clips["subject"].tolist() == people and opened.clips["label"].tolist() == [1] * len(people)
    assert opened.clips["frames"].tolist() == [number + 2 for number in people]
    assert [opened.name(index) for index in (0, 4, len(people) - 1)] == [
        f"S001C001P{number:03}R001A002.skeleton" for number in (1, 6, FILES)
    ]
    assert opened.persons == 2 and set(opened.clips["persons"].tolist()) == {1} and opened.floor(0) is None
    times_s, joints, seen = opened.track(4)
    assert len(times_s) == 8 and seen.all() and joints[:, 0, 0] == pytest.approx(np.arange(8) * 0.01 - 0.25, abs=1e-6)
    assert not opened.state[:, 1].any()


def test_files_that_cannot_be_used_are_in_a_table_with_the_reason(tree: Path, tmp_path: Path) -> None:
    prepare.prepare(NTU60, tree, tmp_path / "new", workers=1)
    reasons = refused(tmp_path / "new")
    assert list(reasons) == [
        f"S001C00{name}.skeleton" for name in ("2P005R002A008", "1P005R001A002", "1P007R001A002")
    ]
    assert "published list" in reasons["S001C002P005R002A008.skeleton"]
    assert re.search(r"line \d+", reasons["S001C001P005R001A002.skeleton"])


def interrupted(folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the midst of writing the third piece."""
    pieces = iter(range(3))
    append = cache_writer._GrowingArray.append

    def stop(array: cache_writer._GrowingArray, rows: np.ndarray) -> None:
        if rows.dtype == np.int8 and next(pieces, None) is None:
            raise KeyboardInterrupt
        append(array, rows)

    with monkeypatch.context() as patch:
        patch.setattr(cache_writer._GrowingArray, "append", stop)
        with pytest.raises(TrainingDataError, match=r"Interrupted\. The same command goes on"):
            prepare.prepare(NTU60, source, folder, workers=1)


def test_interrupted_work_goes_on_and_ends_in_the_same_cache(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path / "new", tree, monkeypatch)
    assert os.listdir(tmp_path) == [".new.part"]
    with pytest.raises(TrainingDataError):
        cache.open_cache(tmp_path / ".new.part")
    done = prepare.prepare(NTU60, tree, tmp_path / "new", workers=2)
    assert done.resumed == 12 and done.clips == FILES - 2
    prepare.prepare(NTU60, tree, tmp_path / "whole", workers=1)
    assert content(tmp_path / "new") == content(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["new", "whole"]


def cut_joints(folder: Path) -> None:
    os.truncate(folder / "joints.npy", 5000)


def lose_joints(folder: Path) -> None:
    (folder / "joints.npy").unlink()


def progress_of(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "progress.json").write_text(text)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        cut_joints,
        lose_joints,
        progress_of(""),
        progress_of("[]"),
        progress_of('{"items": "x", "refused": 0, "table_bytes": 0, "rows": {}}'),
        progress_of('{"items": 1, "refused": 0, "table_bytes": 0, "rows": {"joints": -5}}'),
    ],
)
def test_damaged_unfinished_work_is_not_continued(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    interrupted(tmp_path / "new", tree, monkeypatch)
    damage(tmp_path / ".new.part")
    with pytest.raises(TrainingDataError, match=r"\.new\.part cannot go on.*Delete that folder and repeat"):
        prepare.prepare(NTU60, tree, tmp_path / "new", workers=1)
    assert not (tmp_path / "new").exists()


def test_interrupted_work_on_other_data_is_not_continued(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path / "new", tree, monkeypatch)
    with pytest.raises(TrainingDataError, match=r"these differ: options\. Repeat the command"):
        prepare.prepare(NTU60, tree, tmp_path / "new", options=NtuRules(merge_ids=False))
    extra = tree / "S001C001P040R001A002.skeleton"
    extra.write_bytes(text(walk(3)))
    try:
        with pytest.raises(TrainingDataError, match="these differ: files"):
            prepare.prepare(NTU60, tree, tmp_path / "new")
    finally:
        extra.unlink()


def test_two_preparations_do_not_write_into_one_folder(tree: Path, tmp_path: Path) -> None:
    (tmp_path / ".new.part").mkdir()
    with (
        locked(tmp_path / ".new.part"),
        pytest.raises(TrainingDataError, match="written by another process"),
    ):
        prepare.prepare(NTU60, tree, tmp_path / "new", workers=1)


HANGING = """
import multiprocessing, sys, time
from pathlib import Path
from training import prepare
from training.cache_writer import CacheWriter
from training.datasets.ntu import NTU60

def append(self, piece, before=CacheWriter.append, count=[0]):
    before(self, piece)
    count[0] += 1
    if count[0] == 4:
        for array in self._files():
            array.flush()
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(600)

if __name__ == "__main__":
    prepare.MOST_CHUNK_ITEMS, prepare.CHECKPOINT_S, CacheWriter.append = 3, 0.0, append
    prepare.prepare(NTU60, Path(sys.argv[1]), Path(sys.argv[2]), workers=2)
"""
"""Writes three pieces with a checkpoint, and a fourth that reaches the disk without one."""


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"  # ended, and nobody asked how
    except OSError:
        return False


@pytest.mark.skipif(not ON_LINUX, reason="asks /proc which processes are left")
def test_after_a_kill_nothing_runs_on_and_the_same_command_goes_on(tree: Path, tmp_path: Path) -> None:
    script = tmp_path / "hanging.py"
    script.write_text(HANGING, encoding="ascii")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(script), str(tree), str(tmp_path / "new")]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = list(map(int, process.stdout.readline().split()))
        process.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    limit = time.monotonic() + 60
    while any(map(is_running, workers)):
        assert time.monotonic() < limit, "a worker outlives the process that it worked for"
        time.sleep(0.01)
    progress = json.loads((tmp_path / ".new.part" / "progress.json").read_text())
    assert progress["items"] == 9 and not (tmp_path / "new").exists()
    size = (tmp_path / ".new.part" / "times.npy").stat().st_size
    assert size > cache_writer.HEADER_BYTES + 8 * progress["rows"]["times"]  # the fourth piece is there, unfinished
    done = prepare.prepare(NTU60, tree, tmp_path / "new", workers=1)
    assert done.resumed == 9
    prepare.prepare(NTU60, tree, tmp_path / "whole", workers=1)
    assert content(tmp_path / "new") == content(tmp_path / "whole")


FULL_DISK = """
import resource, sys
from training.__main__ import main

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(sys.argv[1:]))
"""
"""No file may have more than 20 kB: writing fails as on a full disk."""


@pytest.mark.skipif(not ON_LINUX, reason="limits the size of files")
def test_a_full_disk_is_one_sentence_and_with_room_the_same_command_goes_on(tree: Path, tmp_path: Path) -> None:
    arguments = ["prepare", "ntu60", str(tree), "--output", str(tmp_path / "new"), "--workers", "1"]
    command = [sys.executable, "-c", FULL_DISK, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr
    assert not (tmp_path / "new").exists()
    assert main(arguments) == 0
    assert len(cache.open_cache(tmp_path / "new")) == FILES - 2


def test_a_hostile_archive_costs_its_bad_files_only(tmp_path: Path) -> None:
    source = tmp_path / "nturgbd.zip"
    good, bomb, broken, outside = (f"S001C001P00{n}R001A001.skeleton" for n in (1, 2, 3, 4))
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(f"skeletons/{good}", text(walk(5)))
        target.writestr(f"skeletons/{bomb}", b"0" * (20 << 20))
        target.writestr(f"skeletons/{broken}", text(walk(5)), zipfile.ZIP_STORED)
        target.writestr(f"../../{outside}", text(walk(6)))
    data = bytearray(source.read_bytes())
    at = data.index(b"72057594037931104", data.index(broken.encode()))
    data[at : at + 5] = b"99999"  # the checksum is another now
    source.write_bytes(data)
    done = prepare.prepare(NTU60, source, tmp_path / "new", workers=1)
    reasons = refused(tmp_path / "new")
    assert done.clips == 2 and "more than" in reasons[f"skeletons/{bomb}"]
    assert "cannot be unpacked" in reasons[f"skeletons/{broken}"]
    assert sorted(os.listdir(tmp_path)) == ["new", "nturgbd.zip"] and not (tmp_path.parent / outside).exists()


def test_the_command_says_what_it_made(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "new")
    arguments = ["prepare", "ntu60", str(tree), "--output", output, "--workers", "1"]
    assert main([*arguments, "--set", "persons=1", "missing_list=false"]) == 0
    printed = capsys.readouterr().out
    assert f"{FILES - 1} clips of 60 classes" in printed and "2 files left out" in printed
    facts = json.loads((tmp_path / "new" / "cache.json").read_text())
    assert (
        facts["options"]["persons"] == 1 and facts["source"] == str(tree) and facts["protocols"] == ["xsub", "xview"]
    )
    assert main(arguments) == 1 and "exists already" in capsys.readouterr().err
    assert main([*arguments, "--set", "ghosts=false"]) == 1 and "no setting 'ghosts'" in capsys.readouterr().err


def test_a_link_that_leads_nowhere_is_refused_before_the_work(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TrainingDataError, match="exists already"):
        prepare.prepare(NTU60, tree, tmp_path / "link")
    assert os.listdir(tmp_path) == ["link"]


def test_an_index_of_the_size_of_ntu_is_checked_in_milliseconds(tmp_path: Path) -> None:
    count = 56_880
    joints, state = np.zeros((2, 2, 25, 3), np.float32), np.ones((2, 2, 25), np.int8)
    index = np.zeros(count, cache.CLIP_FIELDS)
    index["frames"], index["name_end"] = 2, 5
    with_writer = CacheWriter(tmp_path, Description("made-up", KINECT_V2, ("a",), persons=2))
    arrays = {"joints": joints, "state": state, "times": np.arange(2.0), "clips": index}
    with_writer.append(cache_writer.Piece(arrays | {"names": np.zeros(5, np.uint8)}, (), count))
    with_writer.finish()
    with_writer.close()
    times_s = []
    for _ in range(5):
        start = time.perf_counter()
        assert len(cache.open_cache(tmp_path)) == count
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < 0.1  # about 4 ms; a loop over the rows takes 40 times as long
