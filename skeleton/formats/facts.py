"""The facts about a recording as plain text values, for the formats that keep all of them (.mcap, .npz).

Every value is a string; lists and the layout are JSON. What comes from a file is checked: a number of values, their
kind, and a video's name, which may never lead out of the recording's folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skeleton.errors import RecordingError
from skeleton.layout import LAYOUTS, Layout
from skeleton.recording import COLOR_MAP_TERMS, RecordingInfo

MOST_JOINTS = 256


def facts_of(info: RecordingInfo, path: Path) -> dict[str, str]:
    """Returns the facts to write into the recording ``path``; the color video only where it lies beside it."""
    layout = info.layout
    shape = {
        "name": layout.name,
        "joints": layout.joints,
        "bones": layout.bones,
        "mirror": layout.mirror,
        "measured": layout.measured,
    }
    facts = {
        "layout": json.dumps(shape),
        "rate_hz": repr(float(info.rate_hz)),
        "sensor_id": info.sensor_id,
        "created": info.created,
        "labels": json.dumps(info.labels, ensure_ascii=False),
    }
    if info.color_map is not None:
        facts["color_map"] = json.dumps([float(value) for value in info.color_map])
    if info.floor is not None:
        facts["floor"] = json.dumps([float(value) for value in info.floor])
    if has_video_beside(info, path) and info.color_video is not None:
        facts["color_video"] = info.color_video.name
    return facts


def has_video_beside(info: RecordingInfo, path: Path) -> bool:
    """Whether the color video lies in the folder of ``path``, so that its name alone finds it again."""
    return info.color_video is not None and info.color_video.resolve().parent == path.resolve().parent


def info_from(facts: Mapping[str, str], *, format_name: str, path: Path, is_complete: bool = True) -> RecordingInfo:
    """Returns the facts that a file holds.

    Raises:
        RecordingError: A fact is missing or is not what it must be.
    """
    name = "layout"
    try:
        layout = _layout(json.loads(facts[name]))
        name = "rate_hz"
        rate_hz = _numbers([float(facts[name])], 1)[0]
        if rate_hz <= 0:
            raise ValueError("not a rate")
        name = "labels"
        labels = json.loads(facts.get(name, "{}"))
        if not isinstance(labels, dict):
            raise ValueError("not labels")
        name = "color_map"
        color_map = _numbers(json.loads(facts[name]), COLOR_MAP_TERMS) if name in facts else None
        name = "floor"
        floor = _numbers(json.loads(facts[name]), 4) if name in facts else None
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise RecordingError(
            f"The recording {path} must say its {name}, but holds nothing that can be read."
        ) from None
    return RecordingInfo(
        format=format_name,
        path=path,
        layout=layout,
        rate_hz=rate_hz,
        sensor_id=facts.get("sensor_id", ""),
        color_map=color_map,
        floor=floor,  # type: ignore[arg-type]
        color_video=_video(facts.get("color_video", ""), path),
        created=facts.get("created", ""),
        labels={str(key): str(value) for key, value in labels.items()},
        is_complete=is_complete,
    )


def _layout(shape: dict[str, Any]) -> Layout:
    joints = tuple(str(joint) for joint in shape["joints"])
    if not 1 <= len(joints) <= MOST_JOINTS:
        raise ValueError("not a layout")
    layout = Layout(
        name=str(shape["name"]),
        joints=joints,
        bones=_pairs(shape["bones"]),
        mirror=_pairs(shape["mirror"]),
        measured=tuple(bool(flag) for flag in shape["measured"]),
    )
    known = LAYOUTS.get(layout.name)
    return known if known == layout else layout


def _pairs(values: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(first), int(second)) for first, second in values[: MOST_JOINTS * MOST_JOINTS])


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{count} numbers expected")
    return numbers


def _video(name: str, path: Path) -> Path | None:
    """The video with this name beside the recording; None for a name that leads elsewhere, or no such file."""
    if not name or name in (".", "..") or set(name) & set("/\\:\0"):
        return None
    video = path.parent / name
    return video if video.is_file() else None
