"""Which recordings lie in a folder of one's own, what they show and whom: by folders and names, or by a table.

Without a table the recording ``wave/anna_3.mcap`` shows anna waving, her take 3; where the names of a person's files
of a label do not end in numbers that all differ, the files count from 1 in their order ("2" before "10"). With
``labels.csv`` in the folder, each of its lines is a part of a recording::

    file,label,subject,start,end
    monday/long.mcap,wave,anna,2.5,6
    monday/long.mcap,bow,anna,7,9.25
    ben.csv,wave,ben,,

``start`` and ``end`` are times from the first frame of the file, in seconds or as the app shows them (1:02.5); empty
is its beginning, and its end. A frame at ``end`` belongs to what follows, unless it is the last one of the file.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import math
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.card import is_name
from skeleton.errors import TrainingDataError
from skeleton.formats.table import FORMATS
from training.datasets.archive import MOST_MEMBERS
from training.people import spelled

TABLE = "labels.csv"
COLUMNS = ("file", "label", "subject", "start", "end")
LARGEST_TABLE = 16 << 20
LONGEST_TEXT = 200
"""Characters of a label or a person's name."""
SUFFIXES = tuple(dict.fromkeys(suffix for row in FORMATS.values() for suffix in row.suffixes))
_SEPARATOR = re.compile(r"sep=.", re.IGNORECASE)
_NAME = re.compile(r"(?P<subject>.+)_(?P<take>[^_]+)")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Part:
    """A recording, or a part of one.

    Attributes:
        file: Path within the folder, "/" between folders.
        label: What it shows.
        subject: Who shows it: a name or a number.
        start_s: Where it begins, seconds from the first frame of the file.
        end_s: Where it ends; infinite for the end of the file.
        take: Which of the takes of this label by this person, by its name; None where they are to be counted.
    """

    file: str
    label: str
    subject: str
    start_s: float = 0.0
    end_s: float = math.inf
    take: int | None = None


def parts_of(root: Path) -> list[Part]:
    """Returns the parts that a folder holds, in the order of its table or of the names.

    Raises:
        TrainingDataError: No folder, an empty one, a name or a line that does not say what must be known, a path that
            leads out of the folder, a label with control characters, or two spellings of one label or person.
    """
    if not root.is_dir():
        raise TrainingDataError(f"One's own recordings must lie in a folder, but {root} is none.")
    table = root / TABLE
    parts = list(_from_table(root, table) if table.is_file() else _from_names(root))
    bad = next((part.label for part in parts if not is_name(part.label)), None)
    if bad is not None:  # the card of a model must name it
        raise TrainingDataError(
            f"A label must have no control characters, but {root} has {bad!r}.", remedy="Rename it."
        )
    _check_spelling(root, "label", (part.label for part in parts))
    _check_spelling(root, "person", (part.subject for part in parts))
    return parts


def numbered(subjects: Iterable[str]) -> dict[str, int]:
    """Returns a number for each person: their own where all are numbers, else from 1 in the order of the alphabet."""
    names = sorted(set(subjects))
    if all(name.isdecimal() and len(name) < 10 for name in names):
        return {name: int(name) for name in names}
    return {name: number for number, name in enumerate(names, start=1)}


def _from_names(root: Path) -> list[Part]:
    """The recordings in the order of their names, each with its take."""
    named = list(_named(root))
    takes: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for part, take in named:
        takes[part.label, part.subject][part.file] = take
    numbers = {key: _takes(files) for key, files in takes.items()}
    return [dataclasses.replace(part, take=numbers[part.label, part.subject][part.file]) for part, _ in named]


def _takes(files: dict[str, str]) -> dict[str, int]:
    """The take of each file of a person and a label: the number its name ends in, or its place among them."""
    numbers = {file: int(take) for file, take in files.items() if take.isdecimal() and len(take) < 10}
    if len(numbers) == len(files) == len(set(numbers.values())):
        return numbers
    return {file: place for place, file in enumerate(sorted(files, key=_in_order), start=1)}


def _in_order(name: str) -> list[tuple[int, str]]:
    """What to sort names by so that "2" comes before "10"."""
    parts = _DIGITS.split(name)
    return [(int(part) if part.isdecimal() else 0, part) for part in parts]


def _named(root: Path) -> Iterator[tuple[Part, str]]:
    """Every recording in the folders of labels, with what its name ends in."""
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    loose = next((entry for entry in sorted(root.iterdir()) if _is_recording(entry)), None)
    if loose is not None:
        raise TrainingDataError(
            f"A recording must lie in a folder named like its label, but {loose} does not.",
            remedy=f"Move it into one, or write a {TABLE}.",
        )
    if not folders:
        raise TrainingDataError(f"{root} must hold a folder for each label, or a {TABLE}, but holds neither.")
    for folder in folders:
        files = sorted(entry for entry in folder.iterdir() if _is_recording(entry))
        if not files:
            raise TrainingDataError(
                f"The folder of a label must hold recordings ({', '.join(SUFFIXES)}), but {folder} holds none.",
                remedy="Record something into it, or delete it.",
            )
        for file in files:
            match = _NAME.fullmatch(file.stem)
            if match is None:
                raise TrainingDataError(
                    f"A recording's name must say who is in it, as in 'anna_1{file.suffix}', but {file} does not.",
                    remedy=f"Rename it, or write a {TABLE}.",
                )
            _check_file(root, str(root), f"{folder.name}/{file.name}")
            yield Part(f"{folder.name}/{file.name}", _text(folder.name), _text(match["subject"])), match["take"]


def _is_recording(entry: Path) -> bool:
    """Whether it has the name of one; a link that leads nowhere too, which is refused later and not passed over."""
    is_meant = entry.is_file() or _leads_nowhere(entry)
    return entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".") and is_meant


def _from_table(root: Path, table: Path) -> Iterator[Part]:
    if table.stat().st_size > LARGEST_TABLE:
        raise TrainingDataError(f"The table {table} must have at most {LARGEST_TABLE >> 20} MiB, but is larger.")
    text = _decoded(table.read_bytes()) + "\n"  # so that a quote that nothing closes has a line end in its cell
    lines = io.StringIO(text, newline="")
    first, header = 1, lines.readline()
    while header and (not header.strip() or _SEPARATOR.fullmatch(header.strip())):  # "sep=;" is a word to Excel
        first, header = first + 1, lines.readline()
    delimiter = max(",;\t", key=header.count)  # Excel writes what the country's settings say
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    missing = [column for column in COLUMNS[:3] if column not in names]
    if missing:
        raise TrainingDataError(
            f"The first line of {table} must name the columns {', '.join(COLUMNS)}, but {missing[0]} is missing."
        )
    twice = [column for column in COLUMNS if names.count(column) > 1]
    if twice:
        raise TrainingDataError(f"The first line of {table} must name each column once, but has {twice[0]} twice.")
    count, number = 0, first + 1
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            where = f"{table}, line {number}"
            if any("\n" in cell or "\r" in cell for cell in cells):  # the lines up to the next quote are in the cell
                raise TrainingDataError(
                    f"{where}: a quote must be closed on its line, but one is not.", remedy="Close it, or delete it."
                )
            if any(cell.strip() for cell in cells[len(names) :]):
                raise TrainingDataError(
                    f"{where}: a line must have at most {len(names)} cells like the first one, found {len(cells)}.",
                    remedy='Put what has a comma in it into quotes ("1,5"), or write a point.',
                )
            if any(cell.strip() for cell in cells):
                count += 1
                yield _row(root, where, dict(zip(names, cells)))
            if count > MOST_MEMBERS:
                raise TrainingDataError(f"The table {table} must have at most {MOST_MEMBERS} lines, but has more.")
            number = first + 1 + reader.line_num
    except csv.Error as error:
        raise TrainingDataError(f"{table}, line {number}: a line must be one of CSV, but is not: {error}.") from None
    if not count:
        raise TrainingDataError(f"The table {table} must name recordings, but has only its first line.")


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # Excel on Windows


def _row(root: Path, where: str, row: dict[str, str]) -> Part:
    label, subject = _text(row.get("label", "")), _text(row.get("subject", ""))
    for column, text in (("label", label), ("subject", subject)):
        if not text or len(text) > LONGEST_TEXT:
            found = "nothing" if not text else f"{len(text)} characters"
            raise TrainingDataError(f"{where}: the column {column} must say who or what it shows, found {found}.")
    start_s = _seconds(where, "start", row.get("start", ""), empty=0.0)
    end_s = _seconds(where, "end", row.get("end", ""), empty=math.inf)
    if end_s <= start_s:
        raise TrainingDataError(f"{where}: a part must end after it starts, found {start_s:g} s to {end_s:g} s.")
    return Part(_inside(root, where, row.get("file", "").strip()), label, subject, start_s, end_s)


def _seconds(where: str, column: str, text: str, *, empty: float) -> float:
    text = text.strip()
    if not text:
        return empty
    value = 0.0
    for part in text.replace(",", ".").split(":"):
        try:
            number = float(part)
        except ValueError:
            number = math.nan
        value = 60 * value + number if number >= 0 else math.nan
    if not (math.isfinite(value) and value >= 0):
        raise TrainingDataError(
            f"{where}: the {column} must be a time from the first frame, such as 62.5 or 1:02.5, found '{text[:40]}'."
        )
    return value


def _inside(root: Path, where: str, name: str) -> str:
    """The path within the folder of a file that is there."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not name or path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise TrainingDataError(f"{where}: a file must lie within the folder of the table, found '{name[:200]}'.")
    _check_file(root, where, str(path))
    return str(path)


def _check_file(root: Path, where: str, name: str) -> None:
    """Refuses a file that is not there, or that a link leads out of the folder to."""
    file = root / name
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
        raise TrainingDataError(
            f"{where}: a recording must lie within the folder, but '{name[:200]}' leads out of it by a link.",
            remedy="Copy the recording to the link's place.",
        )
    if _leads_nowhere(file):
        raise TrainingDataError(
            f"{where}: a recording must be a file, but '{name[:200]}' is a link that leads nowhere."
        )
    if not file.is_file():
        raise TrainingDataError(f"{where}: there is no file '{name[:200]}' in {root}.")


def _leads_nowhere(file: Path) -> bool:
    return file.is_symlink() and not file.exists()


def _text(text: str) -> str:
    """One way to write a name: macOS takes the letters of file names apart (é is e and an accent)."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _check_spelling(root: Path, what: str, texts: Iterable[str]) -> None:
    spelling: dict[str, str] = {}
    for text in texts:
        known = spelling.setdefault(spelled(text), text)
        if known != text:
            raise TrainingDataError(
                f"Every {what} must be spelled in one way, but {root} has '{known}' and '{text}'.",
                remedy="Rename the one that is wrong.",
            )
