"""One line that installs and runs the app, and one that installs and passes the tests.

    python bootstrap.py run      installs the app into .venv and starts it
    python bootstrap.py test     installs everything into .venv and runs the tests

Standard library only. A virtual environment that is already active is used as it is; otherwise ``.venv`` beside
this file is made. On Debian and Ubuntu Qt needs a few system libraries: as root they are installed with apt-get,
otherwise the one command that does it is printed. Anything after ``run`` or ``test`` goes to the app or to pytest;
the app finds files from where you are, pytest from this folder.
"""

# Python 3.6 must be able to read this file, so that it can say which one is needed: annotations of newer ones stand
# in quotes, and the app's own modules are imported after that.

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 10), (3, 13)
REQUIREMENTS = {"run": "requirements-app.txt", "test": "requirements-dev.txt"}
TEST_PACKAGES = {"Xvfb": "xvfb", "xdotool": "xdotool", "readelf": "binutils"}
"""Programs that the app's tests use, and the Debian package of each."""


def main(arguments: "list[str]") -> int:
    if not arguments or arguments[0] not in REQUIREMENTS:
        print(__doc__)
        return 2
    try:
        return install_and_start(arguments[0], arguments[1:])
    except KeyboardInterrupt:
        return complain("Interrupted.")


def install_and_start(task: str, rest: "list[str]") -> int:
    """Installs what ``task`` needs, hands ``rest`` on to the app or to pytest, and returns the exit code."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = ".".join(map(str, sys.version_info[:3]))
        return complain(f"Python 3.10 to 3.13 is needed, this is {found}.")
    python = environment()
    if python is None:
        return 1
    if not install(python, HERE / REQUIREMENTS[task]):
        return complain("The packages could not be installed; pip's message stands above.")
    install_system_libraries(task)
    if task == "run":  # where the user is: the files of the command line are meant from there
        return subprocess.run([python, str(HERE / "run_app.py"), *rest], check=False).returncode
    return subprocess.run([python, "-m", "pytest", *rest], cwd=HERE, check=False).returncode


def complain(sentence: str, remedy: str = "") -> int:
    print(f"error: {sentence} {remedy}".rstrip(), file=sys.stderr)
    return 1


def environment() -> "str | None":
    """Returns the Python of the active virtual environment, or of .venv beside this file, made if need be.

    None when there is none: it was said why.
    """
    if sys.prefix != sys.base_prefix:
        return sys.executable
    folder = HERE / ".venv"
    if os.path.lexists(folder) and not folder.is_dir():
        complain(f"'{folder}' must be a folder, but is none.", "Move it away.")
        return None
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    if not has_pip(python):
        print(f"Making a virtual environment in {folder}", file=sys.stderr)
        if subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False).returncode:
            shutil.rmtree(folder, ignore_errors=True)
            complain(
                "Python could not make a virtual environment.", "On Debian and Ubuntu: apt-get install python3-venv"
            )
            return None
    return python


def has_pip(python: str) -> bool:
    """Whether a Python is there, runs and has pip; one whose folder was moved or half made does not."""
    try:
        return not subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode
    except OSError:
        return False


def install(python: str, requirements: Path) -> bool:
    """Installs ``requirements``; says so, because a first installation takes minutes."""
    print(f"Installing {requirements.name} (the first time this takes some minutes)", file=sys.stderr)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    return subprocess.run(command, check=False).returncode == 0


def install_system_libraries(task: str) -> None:
    """Installs what Qt wants from Debian's packages, or prints the command; the app checks again by itself."""
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return
    from app import preflight

    packages = missing_packages(task)
    if not packages:
        return
    if os.geteuid() != 0:
        print(f"System libraries are missing here: {preflight.install_command(packages)}", file=sys.stderr)
        return
    print(f"Installing system libraries: {' '.join(packages)}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)


def missing_packages(task: str) -> "list[str]":
    """Returns the Debian packages that ``task`` needs and this machine lacks."""
    from app import preflight

    display = preflight.find_display()
    packages = preflight.missing_libraries("xcb" if task == "test" else display.platform or "offscreen")
    if not any(Path("/usr/share/fonts").rglob("*.[ot]tf")):
        packages.append(preflight.FONT_PACKAGE)
    if task == "test":
        packages += [package for program, package in TEST_PACKAGES.items() if shutil.which(program) is None]
    return packages


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
