"""Settings as one dataclass: its defaults, its file, its flags and its help are the same thing written once.

A settings class is a frozen dataclass whose fields are int, float, bool, str or a tuple of those, each with a
``help`` text made by :func:`setting`. ``load`` fills it from a TOML file and ``key=value`` assignments.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from skeleton.errors import ConfigError
from skeleton.replacing import replacing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = TypeVar("Settings")
LARGEST_FILE = 1 << 20
"""Bytes. A settings file is a page of text; anything larger is not one."""
NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
EXAMPLES: dict[type, list[Any]] = {int: [1, 2], float: [0.5, 1.0], bool: [True, False], str: ["one", "two"]}


def setting(default: Any, help: str, *, choices: Sequence[str] = ()) -> Any:
    """Declares one field: its default, what it does (with unit), and the values it may take."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": tuple(choices)})


def load(kind: type[Settings], *, file: Path | None = None, assignments: Sequence[str] = ()) -> Settings:
    """Returns settings from defaults, then ``file`` (TOML), then ``assignments`` ("key=value"), later ones winning.

    Raises:
        ConfigError: An unknown key, a value of the wrong type, or a file that cannot be read.
    """
    values: dict[str, Any] = {}
    if file is not None:
        for key, value in _read(file).items():
            values[key] = _typed(kind, key, value, where=str(file))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set takes key=value, found '{assignment}'.")
        values[key.strip()] = _typed(kind, key.strip(), _parsed(text.strip()), where="--set")
    try:
        return kind(**values)
    except ValueError as error:  # a range check in the dataclass's __post_init__
        raise ConfigError(f"The settings do not work together: {error}.") from None


def save(settings: Any, file: Path) -> None:
    """Writes settings as TOML so that ``load`` gives them back, all or nothing."""
    with replacing(file) as temporary:
        temporary.write_text(tomli_w.dumps(dataclasses.asdict(settings)), encoding="utf-8")


def describe(kind: type) -> str:
    """Returns one line per setting: name, default, help and choices; for ``--help`` and the docs."""
    lines = []
    for field in dataclasses.fields(kind):
        choices = field.metadata.get("choices")
        suffix = f" [{', '.join(choices)}]" if choices else ""
        lines.append(f"  {field.name} = {field.default!r}: {field.metadata.get('help', '')}{suffix}")
    return "\n".join(lines)


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{file} is larger than {LARGEST_FILE >> 20} MiB and cannot be a settings file.")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None


def _parsed(text: str) -> Any:
    """A value as TOML would read it; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _typed(kind: type, key: str, value: Any, *, where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if key not in fields:
        raise ConfigError(f"{where}: there is no setting '{key}'.", remedy=f"Known: {', '.join(fields)}.")
    wanted = typing.get_type_hints(kind)[key]
    if not _fits(value, wanted):
        raise ConfigError(f"{where}: '{key}' must be {_named(wanted, fields[key].default)}, found {value!r}.")
    choices = fields[key].metadata.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{where}: '{key}' must be one of {', '.join(choices)}, found '{value}'.")
    if wanted is float:
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _named(wanted: Any, default: Any) -> str:
    """A type as people say it; a list by an example, the default unless that is empty."""
    if typing.get_origin(wanted) is tuple:
        return f"a list, such as {json.dumps(default or EXAMPLES[typing.get_args(wanted)[0]])}"
    return NAMES.get(wanted, str(wanted))


def _fits(value: Any, wanted: Any) -> bool:
    origin = typing.get_origin(wanted)
    if origin is tuple:
        inner = [item for item in typing.get_args(wanted) if item is not Ellipsis]
        if not isinstance(value, (list, tuple)):
            return False
        if typing.get_args(wanted)[-1] is Ellipsis:
            return all(_fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(wanted))
    if wanted is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)
