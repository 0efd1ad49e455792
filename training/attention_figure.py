"""Draws which joints and frames a model weighs, like the paper's figure 4, for clips of a cache and for recordings.

One row a clip. Its window is divided into as many equal parts as there are key frames, and of each part the frame
with the highest weight is drawn: so the course of the action shows, and its most important frame is always there.
Joints grow and redden with |s|, on the scale of the model's card, the same for every clip; a weight beyond it is
drawn as its end. The card has no scale of |t|, so the borders of the frames go from the least to the greatest |t| of
their own window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from calibration.leveling import floor_of
from live.recognizer import Recognizer
from live.view import Recognition
from models.card import ModelCard
from skeleton.errors import ConfigError, RecordingError, TrainingDataError
from skeleton.formats.table import open_recording
from skeleton.layout import Layout
from skeleton.recording import body_track
from skeleton.replacing import replacing
from skeleton.window import Window, cut
from training.cache import Cache, open_cache
from training.clip_windows import duration_s, leveled, whole_window
from training.figures import FAINT, INK, STYLE, saved, shortened
from training.people import of_card

KINDS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
HEAT = LinearSegmentedColormap.from_list("heat", ["#c3c9d1", "#f3b48a", "#e2562f", "#9d0f1f"])
"""From the gray of the bones to the paper's red; lightness falls evenly, so it reads the same in gray."""
SMALLEST_JOINT, LARGEST_JOINT = 6.0, 70.0
"""Areas of a joint, square points."""
THINNEST_BORDER, WIDEST_BORDER = 0.8, 5.0
PANEL_WIDTH, PANEL_HEIGHT, TITLE_HEIGHT, BORDERS_HEIGHT, LEGEND_HEIGHT = 1.45, 2.05, 0.3, 0.42, 0.75
TIME_HEIGHT = 0.3
"""Inches; the last one is the part of a panel's height that its time and weight take."""
ROW_HEIGHT = TITLE_HEIGHT + PANEL_HEIGHT + BORDERS_HEIGHT
BORDER_STEPS = 3
MARGIN_M = 0.12
LEGEND_STEPS = 6
MOST_CLIPS = 24
"""Rows of one figure; beyond this nobody can look at it."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One clip in the figure.

    Attributes:
        name: What it is, for people.
        window: What the model saw.
        span_s: Seconds that the window shows.
        bones: Pairs of the model's joints.
    """

    name: str
    window: Window
    span_s: float
    bones: tuple[tuple[int, int], ...]


def write(
    model: Path,
    output: Path,
    *,
    data: Path | None = None,
    indices: Sequence[int] = (),
    recordings: Sequence[Path] = (),
    start_s: float | None = None,
    end_s: float | None = None,
    frames: int = 6,
) -> int:
    """Draws clips of a cache, then recordings, into a file, and returns how many.

    Args:
        model: The ONNX file.
        output: .png, .svg or .pdf.
        data: The cache of the clips.
        indices: Clips of the cache.
        recordings: Files in any recording format; of each the bodies that are seen longest.
        start_s: Where in a recording the window begins, seconds from its first frame; by default at the beginning.
        end_s: Where it ends; by default at the end.
        frames: Key frames of a row.

    Raises:
        AppError: A file that cannot be used, a clip that is not there, or a picture of an unknown kind.
    """
    if output.suffix.lower() not in KINDS:
        raise ConfigError(f"A figure is written as {', '.join(KINDS)}, but the name given is {output}.")
    recognizer = Recognizer(model, provider="cpu")
    card = recognizer.card
    if not 1 <= frames <= card.frames:
        raise ConfigError(f"--frames must be from 1 to {card.frames}, the frames of a window, found {frames}.")
    for flag, value in (("--start", start_s), ("--end", end_s)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{flag} must be seconds from the first frame of a recording, found {value:g}.")
    if len(indices) + len(recordings) > MOST_CLIPS:
        raise ConfigError(f"A figure shows at most {MOST_CLIPS} clips, found {len(indices) + len(recordings)}.")
    rows = cache_rows(open_cache(data), indices, card) if data else []
    rows += [recording_row(file, card, start_s=start_s, end_s=end_s) for file in recordings]
    image = saved(draw(recognizer, rows, frames=frames), KINDS[output.suffix.lower()], dpi=150)
    with replacing(output) as file:
        file.write_bytes(image)
    return len(rows)


def cache_rows(cache: Cache, indices: Sequence[int], card: ModelCard) -> list[Row]:
    """Returns whole clips of a cache as rows.

    Raises:
        TrainingDataError: A clip that is not there, or in which nobody is seen at the model's moments.
        ModelContractError: The cache lacks joints that the model needs.
    """
    trainers = of_card(card.trained_on, "subjects", cache)
    bones = _bones(cache.layout, card)
    rows = []
    for index in indices:
        if not 0 <= index < len(cache):
            raise TrainingDataError(f"{cache.path} has clips 0 to {len(cache) - 1}, but clip {index} was asked for.")
        clip = cache.clips[index]
        trained = ", who trained it" if int(clip["subject"]) in trainers else ""
        name = f"clip {index}: {shortened(cache.labels[clip['label']])} (person {clip['subject']}{trained})"
        window = whole_window(cache, index, card)
        if not window.seen.any():
            raise TrainingDataError(
                f"Somebody must be seen at one of the model's {card.frames} moments, but clip {index} of "
                f"{cache.path} shows nobody then."
            )
        rows.append(Row(name, window, duration_s(cache, index), bones))
    return rows


def recording_row(file: Path, card: ModelCard, *, start_s: float | None = None, end_s: float | None = None) -> Row:
    """Returns a recording, or a part of it, as a row.

    Raises:
        RecordingError: It cannot be read, has nobody in that part, or nobody at the model's moments.
        ModelContractError: It lacks joints that the model needs.
    """
    recording = open_recording(file)
    order = recording.info.layout.select(card.joints)
    first_s = float(recording.times_s[0]) if len(recording.times_s) else 0.0
    begin_s = first_s + (start_s or 0.0)
    finish_s = first_s + (recording.duration_s if end_s is None else end_s)
    seen_frames: dict[int, int] = {}
    for time_s, frame in zip(recording.times_s, recording.frames):
        for body in frame.bodies if begin_s <= time_s <= finish_s else ():
            seen_frames[body.tracking_id] = seen_frames.get(body.tracking_id, 0) + 1
    if not seen_frames or finish_s <= begin_s:
        raise RecordingError(f"{file} must show somebody for a while, but has nobody in the part that was asked for.")
    bodies = sorted(seen_frames, key=lambda key: -seen_frames[key])[: card.persons]
    joints = np.zeros((len(bodies), card.frames, len(order), 3), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for person, key in enumerate(bodies):
        times_s, positions, is_seen = body_track(recording, key)
        if card.expects_leveled:
            floor = floor_of(recording)
            positions = leveled(positions, None if floor is None else floor.plane, what=str(file))
        joints[person], seen[person] = cut(
            times_s, positions[:, order], is_seen[:, order], start_s=begin_s, end_s=finish_s, frame_count=card.frames
        )
    if not seen.any():
        raise RecordingError(
            f"{file} must show somebody at one of the model's {card.frames} moments of {finish_s - begin_s:g} s, but "
            "nobody is seen then.",
            remedy="Name a shorter part with --start and --end.",
        )
    window = Window(body_ids=tuple(bodies), end_s=finish_s, joints=joints, seen=seen)
    return Row(shortened(file.name), window, finish_s - begin_s, _bones(recording.info.layout, card))


def draw(recognizer: Recognizer, rows: Sequence[Row], *, frames: int) -> Figure:
    """Returns the figure of some rows: what the model answers, its key frames, and the legend."""
    answers = recognizer.recognize([row.window for row in rows])
    heights = [ROW_HEIGHT] * len(rows) + [LEGEND_HEIGHT]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(PANEL_WIDTH * frames + 0.4, sum(heights)))
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, row, answer in zip(parts, rows, answers):
            _draw_row(part, row, answer, recognizer.card, frames)
        _draw_legend(parts[-1], recognizer.card)
        return figure


def key_frames(weights: np.ndarray, count: int) -> np.ndarray:
    """Returns which of T frames to draw: of each of ``count`` equal parts the one with the highest weight."""
    edges = np.linspace(0, len(weights), count + 1).round().astype(int)
    return np.array([start + int(np.argmax(weights[start:end])) for start, end in itertools.pairwise(edges)])


def _draw_row(part: SubFigure, row: Row, answer: Recognition, card: ModelCard, frames: int) -> None:
    is_there = row.window.seen.any(axis=(1, 2))  # (M,)
    people = np.flatnonzero(is_there)
    temporal = np.abs(answer.frame_attention[people]).mean(axis=0)  # (T,), the mean of those who are there
    best = int(answer.probabilities.argmax())
    title = f"{row.name}: recognized as {shortened(card.labels[best])}, {100 * answer.probabilities[best]:.0f} %"
    part.text(0.02, 0.97, title, va="top", ha="left", fontsize=9, weight="bold")
    top, bottom = 1 - TITLE_HEIGHT / ROW_HEIGHT, (BORDERS_HEIGHT + TIME_HEIGHT) / ROW_HEIGHT
    panels = part.subplots(
        1,
        frames,
        squeeze=False,
        gridspec_kw={"left": 0.02, "right": 0.98, "top": top, "bottom": bottom, "wspace": 0.12},
    )
    span = (float(temporal.min()), float(temporal.max()))
    points = row.window.joints[row.window.seen]
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    size = points.max(axis=0) - points.min(axis=0)
    shape = PANEL_HEIGHT * 0.84 / PANEL_WIDTH
    half = max(size[0] / 2, size[1] / 2 / shape) + MARGIN_M
    for axes, frame in zip(panels[0], key_frames(temporal, frames)):
        axes.set(xlim=(center[0] - half, center[0] + half), ylim=(center[1] - half * shape, center[1] + half * shape))
        axes.set(xticks=(), yticks=(), aspect="equal")
        for person in people:
            _draw_body(axes, row, int(person), int(frame), np.abs(answer.joint_attention[person]), card)
        color, width = _border(float(temporal[frame]), span)
        for spine in axes.spines.values():
            spine.set(visible=True, color=color, linewidth=width)
        time_s = row.span_s * frame / (card.frames - 1)
        axes.text(0, -0.07, f"{time_s:.1f} s", transform=axes.transAxes, va="top", fontsize=8, color="#666666")
        axes.text(1, -0.07, f"|t| {temporal[frame]:.3f}", transform=axes.transAxes, va="top", ha="right", fontsize=8)
    _draw_borders(part, span, width=PANEL_WIDTH * frames + 0.4)


def _draw_borders(part: SubFigure, span: tuple[float, float], *, width: float) -> None:
    """What the borders of a row mean; ``width`` is that of the row in inches."""
    middle = BORDERS_HEIGHT / 2 / ROW_HEIGHT
    part.text(0.02, middle, "frames of this window, |t|:", va="center", ha="left", fontsize=8, color=INK)
    side, step, start = 0.2, 0.72, 1.6 + 0.02 * width  # inches
    steps = BORDER_STEPS if span[1] > span[0] else 1
    for number, weight in enumerate(np.linspace(*span, steps).tolist()):
        color, line_width = _border(weight, span)
        left, right = start + step * number, start + step * number + side + 0.08
        place = (left / width, middle - side / 2 / ROW_HEIGHT)
        box = Rectangle(place, side / width, side / ROW_HEIGHT, transform=part.transSubfigure, fill=False)
        box.set(edgecolor=color, linewidth=line_width)
        part.add_artist(box)
        part.text(right / width, middle, f"{weight:.3f}", va="center", ha="left", fontsize=8, color=INK)


def _border(weight: float, span: tuple[float, float]) -> tuple[tuple[float, float, float, float], float]:
    """The color and the width of a frame's border by its |t|, on the range of its window."""
    level = float(_levels(weight, span))
    return HEAT(level), THINNEST_BORDER + level * WIDEST_BORDER


def _draw_body(axes: Axes, row: Row, person: int, frame: int, weights: np.ndarray, card: ModelCard) -> None:
    joints, seen = row.window.joints[person, frame], row.window.seen[person, frame]
    bones = [(joints[a, :2], joints[b, :2]) for a, b in row.bones if seen[a] and seen[b]]
    axes.add_collection(LineCollection(bones, colors="#8d96a3", linewidths=1.3, zorder=1))
    levels = _levels(weights, card.attention_range)
    order = np.argsort(levels)  # the most important on top
    order = order[seen[order]]
    _dots(axes, joints[order, 0], joints[order, 1], levels[order])


def _draw_legend(part: SubFigure, card: ModelCard) -> None:
    low, high = card.attention_range
    axes = part.add_axes((0.06, 0.52, 0.42, 0.3))
    values = np.linspace(low, high, LEGEND_STEPS)
    _dots(axes, values, np.zeros(LEGEND_STEPS), _levels(values, card.attention_range))
    pad = 0.08 * (high - low)
    axes.set(xlim=(low - pad, high + pad), ylim=(-1, 1), yticks=())
    axes.set_xticks(values, [f"{value:.3f}" for value in values], fontsize=8)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0)
    kind = card.recipe.get("attention")
    missing = {"none": "joints and frames", "s": "frames", "t": "joints"}.get(str(kind))
    text = "Absolute weights: joints |s| by size and color, on the model's\n"
    text += "own scale, the same for all clips; frames |t| by border, from\n"
    text += "the least to the greatest of their own window."
    if missing:
        text += f" This model does not weigh {missing}: their weight is 1."
    part.text(0.52, 0.67, text, va="center", ha="left", fontsize=8, color=INK)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, levels: np.ndarray) -> None:
    area = SMALLEST_JOINT + levels * (LARGEST_JOINT - SMALLEST_JOINT)
    axes.scatter(x, y, s=area, c=HEAT(levels), edgecolors="white", linewidths=0.5, zorder=2)


def _levels(weights: np.ndarray | float, span: tuple[float, float]) -> np.ndarray:
    """Where weights lie from 0 to 1 in a range; 0 in one that is a single number, where all weigh the same."""
    low, high = span
    return np.clip((np.asarray(weights) - low) / max(high - low, np.finfo(np.float32).tiny), 0.0, 1.0)


def _bones(layout: Layout, card: ModelCard) -> tuple[tuple[int, int], ...]:
    layout.select(card.joints)  # says so where one is missing
    return layout.subset("model", card.joints).bones
