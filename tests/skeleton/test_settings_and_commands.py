"""Settings from defaults, file and flags; and how every command line ends."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from skeleton import config
from skeleton.command_line import HTML, require_folder, run
from skeleton.config import setting
from skeleton.errors import ConfigError, RecordingError
from skeleton.replacing import MAKE_ROOM, replacing, replacing_folder

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sample:
    count: int = setting(3, "How many.")
    rate: float = setting(0.5, "How often, per second.")
    mode: str = setting("fast", "How.", choices=("fast", "slow"))
    is_on: bool = setting(True, "Whether at all.")
    sizes: tuple[int, ...] = setting((1, 2), "How large.")
    names: tuple[str, ...] = setting((), "Of whom.")

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count must not be negative")


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("count = 5\nrate = 2\nsizes = [4, 5, 6]\n")
    found = config.load(Sample, file=file, assignments=["count=7", "mode=slow", "is_on = false"])
    assert found == Sample(count=7, rate=2.0, mode="slow", is_on=False, sizes=(4, 5, 6))
    assert isinstance(found.rate, float)
    assert config.load(Sample) == Sample()


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = Sample(count=9, rate=1e-7, mode="slow", is_on=False, sizes=())
    config.save(settings, tmp_path / "a.toml")
    assert config.load(Sample, file=tmp_path / "a.toml") == settings


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("count", "key=value, found 'count'"),
        ("size=1", "there is no setting 'size'. Known: count, rate, mode, is_on, sizes, names."),
        ("count=1.5", "'count' must be a whole number, found 1.5"),
        ("count=true", "'count' must be a whole number, found True"),
        ("rate=often", "'rate' must be a number, found 'often'"),
        ("is_on=yes", "'is_on' must be true or false, found 'yes'"),
        ("mode=3", "'mode' must be a text, found 3"),
        ("mode=loud", "'mode' must be one of fast, slow, found 'loud'"),
        ("sizes=[1, 'a']", "'sizes' must be a list, such as [1, 2], found [1, 'a']"),
        ("sizes=8,8,8", "'sizes' must be a list, such as [1, 2], found '8,8,8'"),
        ("names=a", "'names' must be a list, such as [\"one\", \"two\"], found 'a'"),
        ("count=-1", "count must not be negative"),
    ],
)
def test_a_wrong_setting_is_one_sentence(assignment: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(Sample, assignments=[assignment])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"count = ", "is not valid TOML"), (b"\xff\xfe", "is not valid TOML"), (b"#" * (1 << 21), "larger than 1 MiB")],
    ids=["cut off", "not text", "too large"],  # the content as a name would be too long for Windows' environment
)
def test_a_file_that_is_no_settings_file_is_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        config.load(Sample, file=file)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(Sample, file=tmp_path / "missing.toml")


def test_the_help_says_name_default_and_choices() -> None:
    lines = config.describe(Sample).splitlines()
    assert lines[0] == "  count = 3: How many."
    assert lines[2] == "  mode = 'fast': How. [fast, slow]"


def failing(error: BaseException) -> object:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RecordingError("It ends early.", remedy="Record again."), "It ends early. Record again."),
        (FileNotFoundError(2, "No such file or directory", "a.npz"), "a.npz: No such file or directory."),
        (MemoryError(), "The computer's memory is not enough for this input."),
        (KeyboardInterrupt(), "Interrupted."),
    ],
)
def test_a_user_error_is_one_sentence_and_code_1(
    error: BaseException, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(failing(error), is_verbose=False) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert run(failing(error), is_verbose=True) == 1  # type: ignore[arg-type]
    assert f"{type(error).__name__}" in capsys.readouterr().err


def test_a_programming_mistake_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0, is_verbose=False)


def test_the_commands_own_code_is_returned() -> None:
    assert run(lambda: None, is_verbose=False) == 0
    assert run(lambda: 1, is_verbose=False) == 1


PRINTING = """
import sys
from skeleton.command_line import HTML, require_folder, run

sys.exit(run(lambda: print("x" * int(sys.argv[1])), is_verbose=False))
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("length", [10, 100_000])  # what fits into a buffer fails only when the program ends
def test_a_result_sent_to_a_full_disk_is_one_sentence(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", PRINTING, str(length)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"No space left on device. {MAKE_ROOM}\n")


@pytest.mark.skipif(os.name == "nt", reason="a pipe nobody reads is another error there")
@pytest.mark.parametrize("length", [10, 100_000])
def test_a_reader_who_has_seen_enough_hears_nothing(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        command = [sys.executable, "-c", PRINTING, str(length)]
        done = subprocess.run(command, stdout=nobody, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_full_disk_says_what_helps(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "a.npz")
    assert run(failing(full), is_verbose=False) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"error: a.npz: No space left on device. {MAKE_ROOM}\n"


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # the second in the C locale
def test_a_name_that_the_terminal_cannot_show_is_no_error(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding="ascii", errors=errors, write_through=True)
    monkeypatch.setattr(sys, "stdout", output)
    assert run(lambda: print("\u65e5\udcff.csv: 3 frames"), is_verbose=False) == 0
    assert written.getvalue().rstrip() == b"\\u65e5\\udcff.csv: 3 frames"


def test_a_package_that_only_training_needs_is_named_where_it_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    assert run(command, is_verbose=False) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: The Python package 'torch' must be installed") and error.count("\n") == 1
    assert "pip install -r requirements.txt" in error


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with replacing_folder(path) as temporary:
        (temporary / "a.txt").write_text("a")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["a.txt"] and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), "folder", id="while writing"),
        pytest.param(OSError(errno.EACCES, "Permission denied", "/other/file"), "/other/file", id="of another file"),
    ],
)
def test_a_folder_that_cannot_be_written_leaves_nothing_and_is_named(
    tmp_path: Path, error: OSError, named: str
) -> None:
    with pytest.raises(OSError, match=error.strerror) as failed, replacing_folder(tmp_path / "folder"):
        raise error
    assert str(failed.value.filename).endswith(named) and not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_file_does_not_take_the_place_of_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a device or a pipe") as caught, replacing(pipe):
        raise AssertionError("nothing may be written")
    assert caught.value.filename == str(pipe) and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", ["model.onnx", "cache.json", "report"])
def test_an_output_of_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.html or \.htm"):
        require_folder(tmp_path / name, endings=HTML)
    require_folder(tmp_path / "Report.HTML", endings=HTML)
