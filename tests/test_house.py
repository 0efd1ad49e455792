"""The plan of the house: which room may import which, and that the repository speaks of the product alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("skeleton", "calibration", "models", "live", "training", "app")
STANDARD = sys.stdlib_module_names | {"__future__", "tomllib"}  # in the library from 3.11 on; guarded before

MAY_IMPORT: dict[str, set[str]] = {
    "skeleton": {"numpy", "mcap", "zstandard", "lz4", "tomli", "tomli_w"},
    "calibration": {"numpy", "skeleton", "cv2"},
    "models": {"numpy", "skeleton", "torch", "onnx", "onnxscript", "onnxruntime"},
    "live": {"numpy", "skeleton", "calibration", "models.card", "onnxruntime", "cv2"},
    "training": {"numpy", "skeleton", "calibration", "models", "live"}
    | {"torch", "onnx", "tensorboard", "tqdm", "tomli_w", "matplotlib"},
    "app": {"numpy", "skeleton", "calibration", "live", "models.card", "PyQt5", "cv2", "onnxruntime"},
    "run_app.py": {"app"},
}
"""What each room may import beside the standard library and itself. Nobody imports app or training."""

MAY_ALSO_IMPORT = {"calibration/__main__.py": {"live.sources"}}
"""A command line stands on top of the house, whatever room it is in: nobody imports it (see decision 0007)."""

ONLY_IN = {
    "pykinect2": "live/sources/kinect_v2_binding.py",
    "comtypes": "live/sources/kinect_v2_binding.py",
    "onnxruntime": ("models/export.py", "live/", "app/main.py"),
}


def imports(file: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def covers(allowed: str, module: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


def room_files() -> list[tuple[str, Path]]:
    files = [(room, file) for room in ROOMS for file in sorted((REPOSITORY / room).rglob("*.py"))]
    return [*files, ("run_app.py", REPOSITORY / "run_app.py")]


@pytest.mark.parametrize("room", [*ROOMS, "run_app.py"])
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    wrong = []
    for owner, file in room_files():
        if owner != room:
            continue
        place = file.relative_to(REPOSITORY).as_posix()
        for module in imports(file):
            top = module.partition(".")[0]
            if top in STANDARD or top == room:
                continue
            if top in ONLY_IN:
                if not place.startswith(ONLY_IN[top]):
                    wrong.append(f"{place} imports {module}")
            elif not any(covers(it, module) for it in MAY_IMPORT[room] | MAY_ALSO_IMPORT.get(place, set())):
                wrong.append(f"{place} imports {module}")
    assert not wrong, wrong


def test_the_model_card_needs_neither_torch_nor_onnx() -> None:
    assert not {m for m in imports(REPOSITORY / "models/card.py") if m.startswith(("torch", "onnx"))}


@pytest.mark.parametrize("module", ["app.main", "live.pipeline", "skeleton.formats.table", "calibration.color_map"])
def test_importing_it_never_imports_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted(m for m in ('torch', 'onnx', 'tqdm') if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_no_load_path_unpickles() -> None:
    wrong = []
    for _, file in room_files():
        text = file.read_text(encoding="utf-8")
        names = imports(file)
        # The name of pickle's error may be needed to catch it; its loader never is.
        if names & {"marshal", "shelve", "dill", "joblib"} or "pickle.load" in text or "allow_pickle=True" in text:
            wrong.append(str(file))
        if text.count("torch.load(") != text.count("weights_only=True"):
            wrong.append(str(file))
    assert not wrong


def test_every_file_says_what_it_is() -> None:
    silent = [str(f) for _, f in room_files() if not ast.get_docstring(ast.parse(f.read_text(encoding="utf-8")))]
    assert not silent


def test_the_readme_names_every_source_file() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    names = Counter(file.name for _, file in room_files() if file.name != "__init__.py")
    named = Counter(re.findall(r"\w+\.py", readme))
    missing = [f"{name} ({named[name]} of {count})" for name, count in names.items() if named[name] < count]
    assert not missing, f"the tree in README.md lacks {missing}"
