"""Times ``prepare`` at NTU scale against the step the field uses: ``python -m benchmarks.prepare_throughput``.

The same generated tree (``ntu_tree.py``) goes through ``python -m training prepare ntu60`` and, with ``--ctr-gcn``,
through CTR-GCN's three scripts as they stand in its folder data/ntu: get_raw_skes_data.py, get_raw_denoised_data.py,
seq_transformation.py. Get them with ``git clone https://github.com/Uason-Chen/CTR-GCN`` and give CTR-GCN/data/ntu.
They are run from there, unchanged, in a process each, with what newer versions of numpy took away (``np.int``) given
back and with empty stand-ins for two libraries that they import and do not use (h5py, scikit-learn).

Both begin with text files and end with arrays that training can open. Theirs end in two .npz files of all clips
padded to the longest, after moving every clip to its first frame's origin (which our network does itself); ours in
the ragged cache with joint states, times and names. The files are read once before, so neither pays
for a cold disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.ntu_tree import names, write_tree
from skeleton import command_line
from skeleton.errors import AppError, ConfigError
from training.cache import open_cache

SCRIPTS = ("get_raw_skes_data.py", "get_raw_denoised_data.py", "seq_transformation.py")
NTU60_FILES = 56_880
RUN_OLD = """
import runpy, sys, types
import numpy as np
np.int, np.string_ = int, np.bytes_
sys.modules["h5py"] = types.ModuleType("h5py")
sys.modules["sklearn"] = types.ModuleType("sklearn")
sys.modules["sklearn.model_selection"] = types.ModuleType("sklearn.model_selection")
sys.modules["sklearn.model_selection"].train_test_split = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def main() -> int:
    """Prints the machine, the time of both, and what the ratio makes of the whole data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=command_line.positive, default=2000, metavar="N")
    parser.add_argument("--workers", type=command_line.positive, default=os.cpu_count(), metavar="N")
    parser.add_argument("--ctr-gcn", type=Path, metavar="FOLDER", help="CTR-GCN's data/ntu")
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where to work; needs 1 MB a file (default: a temporary folder)"
    )
    options = parser.parse_args()
    return command_line.run(lambda: _measure(options), is_verbose=False)


def _measure(options: argparse.Namespace) -> None:
    if options.folder and not options.folder.is_dir():
        raise ConfigError(f"--folder must name a folder, but {options.folder} is none.", remedy="Make it first.")
    missing = [script for script in SCRIPTS if options.ctr_gcn and not (options.ctr_gcn / script).is_file()]
    if missing:
        raise ConfigError(f"--ctr-gcn must name CTR-GCN's folder data/ntu, but {options.ctr_gcn} lacks {missing[0]}.")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        tree = root / "nturgbd_raw" / "nturgb+d_skeletons"
        frames, size = write_tree(tree, options.files)
        print(describe())
        print(f"{options.files} files, {frames / options.files:.1f} frames each, {size / 1e6:.0f} MB of text")
        for file in tree.iterdir():
            file.read_bytes()
        ours_s, ours_used_s = _ours(tree, root / "cache", options.workers)
        clips = len(open_cache(root / "cache"))
        _print_line(f"prepare, {options.workers} workers", ours_s, options.files)
        print(f"  {clips} clips; opened in {_open_ms(root / 'cache'):.1f} ms")
        if options.ctr_gcn:
            parts = _theirs(options.ctr_gcn.resolve(), root / "work", names(options.files))
            theirs_s, theirs_used_s = sum(time_s for time_s, _ in parts), sum(used_s for _, used_s in parts)
            _print_line("CTR-GCN's three scripts", theirs_s, options.files)
            print("  " + ", ".join(f"{script} {time_s:.1f} s" for script, (time_s, _) in zip(SCRIPTS, parts)))
            print(f"ratio {theirs_s / ours_s:.1f}; of processor time {theirs_used_s / ours_used_s:.1f}")


def _ours(tree: Path, cache: Path, workers: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "training", "prepare", "ntu60", str(tree), "--output", str(cache)]
    return _run([*command, "--workers", str(workers)])


def _theirs(scripts: Path, work: Path, known: list[str]) -> list[tuple[float, float]]:
    """Seconds of each script, by the clock and of the processor.

    Their tables of names, people, cameras and labels are made for the tree.
    """
    (work / "statistics").mkdir(parents=True)
    columns = {"setup": 1, "camera": 5, "performer": 9, "replication": 13, "label": 17}
    tables = {name: [int(row[at : at + 3]) for row in known] for name, at in columns.items()}
    for name, rows in {"skes_available_name": known, **tables}.items():
        (work / "statistics" / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="ascii")
    parts = []
    for script in SCRIPTS:
        parts.append(_run([sys.executable, "-W", "ignore", "-c", RUN_OLD, str(scripts / script)], work))
    shutil.rmtree(work)
    return parts


def _run(command: list[str], folder: Path | None = None) -> tuple[float, float]:
    """Runs a command; returns its seconds by the clock, and of the processor in all its processes."""
    start, processor = time.perf_counter(), os.times()
    code = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.DEVNULL).returncode
    if code:
        raise AppError(f"What is measured must end with exit code 0, but ended with {code}: {command[-1]}.")
    time_s, after = time.perf_counter() - start, os.times()
    used_s = after.children_user + after.children_system - processor.children_user - processor.children_system
    print(f"  processor time {used_s:.1f} s")
    return time_s, used_s


def _open_ms(path: Path) -> float:
    start = time.perf_counter()
    open_cache(path)
    return 1e3 * (time.perf_counter() - start)


def _print_line(name: str, time_s: float, files: int) -> None:
    whole = f"{NTU60_FILES} files would take {time_s / files * NTU60_FILES / 60:.1f} min"
    print(f"{name:26} {time_s:7.1f} s  {files / time_s:7.1f} files/s   {whole}")


if __name__ == "__main__":
    sys.exit(main())
