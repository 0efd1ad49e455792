"""What is installed, against the pins: every line of ours is understood, and each condition means what pip means."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from app import packages as packages_module
from app.packages import packages


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    return tmp_path / "requirements.txt"


def names(file: Path) -> list[str]:
    return [package.name for package in packages(file)]


@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_every_pin_of_the_app_is_understood_on_every_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_module.sys, "platform", system)
    found = {package.name: package for package in packages()}
    assert {"numpy", "PyQt5", "mcap"} <= found.keys()
    assert ("pykinect2" in found) == ("comtypes" in found) == (system == "win32")
    assert all(package.pinned[0].isdigit() for package in found.values())


def test_a_package_that_is_there_has_its_version_and_one_that_is_not_has_none(requirements: Path) -> None:
    requirements.write_text("# comment\n\nnumpy==0.0.1\nno-such-package-anywhere==1.2  # why\n")
    there, missing = packages(requirements)
    assert there == ("numpy", "0.0.1", metadata.version("numpy"))
    assert missing == ("no-such-package-anywhere", "1.2", "")


@pytest.mark.parametrize(
    ("condition", "version", "system", "applies"),
    [
        ('sys_platform == "win32"', (3, 11), "win32", True),
        ('sys_platform == "win32"', (3, 11), "linux", False),
        ('sys_platform != "darwin"', (3, 11), "linux", True),
        ('sys_platform != "darwin"', (3, 11), "darwin", False),
        ('python_version < "3.11"', (3, 10), "linux", True),
        ('python_version < "3.11"', (3, 11), "linux", False),
        ('python_version < "3.11"', (3, 9), "linux", True),  # as numbers: as texts 3.9 is the larger
        ('python_version >= "3.12"', (3, 13), "linux", True),
    ],
)
def test_a_condition_means_what_pip_means(
    condition: str,
    version: tuple[int, int],
    system: str,
    applies: bool,
    requirements: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages_module.sys, "platform", system)
    monkeypatch.setattr(packages_module.sys, "version_info", (*version, 0))
    requirements.write_text(f"some-package==1.0; {condition}\n")
    assert names(requirements) == (["some-package"] if applies else [])


def test_another_package_with_the_same_modules_counts(requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != "onnxruntime-directml":
            raise metadata.PackageNotFoundError(name)
        return "1.20.0"

    monkeypatch.setattr(metadata, "version", version)
    requirements.write_text("onnxruntime-gpu==1.23.2\n")
    assert packages(requirements) == [("onnxruntime-directml", "1.23.2", "1.20.0")]


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "-r other.txt", 'numpy==2; extra == "x"'])
def test_a_line_that_is_no_pin_is_not_passed_over(line: str, requirements: Path) -> None:
    requirements.write_text(line + "\n")
    with pytest.raises(ValueError, match=r"must hold pins|must be on"):
        packages(requirements)


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; before = set(sys.modules); import app.check; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in run.stdout.split()}
    assert tops <= sys.stdlib_module_names | {"app", "skeleton"}
