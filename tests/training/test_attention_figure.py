"""Figure 4 shows a model's own weights: of joints on its card's scale, of frames on that of their window."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure, SubFigure

from live.recognizer import Recognizer
from skeleton.errors import RecordingError, TrainingDataError
from skeleton.formats.table import write_recording
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2_19
from skeleton.recording import Recording
from training import attention_figure, clip
from training.__main__ import main
from training.attention_figure import LARGEST_JOINT, SMALLEST_JOINT, cache_rows, draw, key_frames, recording_row
from training.cache import Cache


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return Recognizer(model, provider="cpu")


def texts(part: Figure | SubFigure) -> str:
    own = [text.get_text() for text in part.texts]
    inner = [text.get_text() for axes in part.axes for text in (*axes.texts, *axes.get_xticklabels())]
    return "\n".join([*own, *inner])


def sizes(axes) -> np.ndarray:
    (dots,) = (item for item in axes.collections if isinstance(item, PathCollection))
    return np.sort(dots.get_sizes())


def expected_sizes(weights: np.ndarray, low: float, high: float) -> np.ndarray:
    levels = np.clip((np.abs(weights) - low) / (high - low), 0, 1)
    return np.sort(SMALLEST_JOINT + levels * (LARGEST_JOINT - SMALLEST_JOINT))


def test_key_frames_are_the_heaviest_of_equal_parts() -> None:
    weights = np.array([0.1, 0.9, 0.2, 0.3, 0.3, 0.8, 0.0, 0.1, 0.2, 0.7])
    assert key_frames(weights, 3).tolist() == [1, 5, 9]
    assert key_frames(weights, 10).tolist() == list(range(10))
    assert key_frames(weights, 1).tolist() == [1]


def borders(axes) -> tuple[float, tuple[float, ...]]:
    """Width and color of a panel's border."""
    (width,) = {spine.get_linewidth() for spine in axes.spines.values()}
    (color,) = {tuple(spine.get_edgecolor()) for spine in axes.spines.values()}
    return width, color


def test_joints_are_sized_on_the_cards_scale_and_frames_bordered_on_their_windows(
    recognizer: Recognizer, cache: Cache
) -> None:
    rows = cache_rows(cache, [5, 50], recognizer.card)
    figure = draw(recognizer, rows, frames=4)
    low, high = recognizer.card.attention_range
    for part, answer in zip(figure.subfigs, recognizer.recognize([row.window for row in rows])):
        assert len(part.axes) == 4
        temporal = np.abs(answer.frame_attention[0])
        least, greatest = float(temporal.min()), float(temporal.max())
        frames = key_frames(temporal, 4)
        for axes, frame in zip(part.axes, frames):
            np.testing.assert_allclose(sizes(axes), expected_sizes(answer.joint_attention[0], low, high), rtol=1e-5)
            weight = float(temporal[frame])
            level = (weight - least) / (greatest - least)
            expected = attention_figure.THINNEST_BORDER + level * attention_figure.WIDEST_BORDER
            assert borders(axes)[0] == pytest.approx(expected, rel=1e-4)
            assert f"|t| {weight:.3f}" in texts(part)
            (bones,) = (item for item in axes.collections if isinstance(item, LineCollection))
            assert len(bones.get_segments()) == len(KINECT_V2_19.bones)
        assert {f"{least:.3f}", f"{greatest:.3f}"} <= {text.get_text() for text in part.texts}
    assert f"{low:.3f}" in texts(figure.subfigs[-1]) and f"{high:.3f}" in texts(figure.subfigs[-1])


def test_the_borders_of_a_window_go_from_the_thinnest_to_the_widest(recognizer: Recognizer, cache: Cache) -> None:
    (row,) = cache_rows(cache, [5], recognizer.card)
    (answer,) = recognizer.recognize([row.window])
    temporal = np.abs(answer.frame_attention[0])
    panels = draw(recognizer, [row], frames=recognizer.card.frames).subfigs[0].axes
    least, greatest = borders(panels[int(temporal.argmin())]), borders(panels[int(temporal.argmax())])
    thinnest, widest = attention_figure.THINNEST_BORDER, attention_figure.WIDEST_BORDER
    assert (least[0], greatest[0]) == pytest.approx((thinnest, thinnest + widest))
    assert (least[1], greatest[1]) == (attention_figure.HEAT(0.0), attention_figure.HEAT(1.0))


def test_a_row_says_what_it_is_and_what_was_recognized(recognizer: Recognizer, cache: Cache) -> None:
    rows = cache_rows(cache, [0, 5], recognizer.card)  # person 1 trained the model, person 2 did not
    shown = texts(draw(recognizer, rows, frames=2).subfigs[0]), texts(draw(recognizer, rows[1:], frames=2).subfigs[0])
    assert "raise left (person 1, who trained it)" in shown[0] and "person 2)" in shown[1]
    assert all("recognized as" in text for text in shown)


def test_a_model_without_attention_says_that_it_weighs_nothing(weak_model: Path, cache: Cache) -> None:
    weak = Recognizer(weak_model, provider="cpu")
    row, legend = draw(weak, cache_rows(cache, [5], weak.card), frames=2).subfigs
    assert "does not weigh joints and frames" in texts(legend)
    assert {borders(axes)[0] for axes in row.axes} == {attention_figure.THINNEST_BORDER} and "1.000" in texts(row)


def test_a_recording_of_a_clip_gives_the_window_of_the_clip(
    recognizer: Recognizer, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "clip.npz"
    clip.write(cache, [7], file)
    of_file, of_cache = recording_row(file, recognizer.card), cache_rows(cache, [7], recognizer.card)[0]
    assert of_file.span_s == pytest.approx(of_cache.span_s)
    shift = of_file.window.joints[0, 0, 0] - of_cache.window.joints[0, 0, 0]  # the recording stands on a floor
    np.testing.assert_allclose(of_file.window.joints, of_cache.window.joints + shift, atol=1e-4)
    part = recording_row(file, recognizer.card, start_s=0.2, end_s=0.6)
    assert part.span_s == pytest.approx(0.4)
    assert not np.allclose(part.window.joints, of_file.window.joints)


def test_a_recording_in_which_nobody_is_seen_at_the_moments_is_one_sentence(
    recognizer: Recognizer, cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "passer-by.npz"
    made = clip.write(cache, [7], file)
    times_s = 20 * made.times_s  # somebody passes for a moment, within a minute
    frames = [
        BodyFrame(index=frame.index, time_s=float(time_s), bodies=frame.bodies if frame.index == 3 else ())
        for frame, time_s in zip(made.frames, times_s)
    ]
    write_recording(Recording(info=made.info, times_s=times_s, frames=frames), file, overwrite=True)
    with pytest.raises(RecordingError, match=r"passer-by\.npz must show somebody at one of the model's 30 moments"):
        recording_row(file, recognizer.card)
    assert recording_row(file, recognizer.card, start_s=float(times_s[2]), end_s=float(times_s[4])).window.seen.any()


def test_a_clip_in_which_nobody_is_seen_is_one_sentence(recognizer: Recognizer, cache: Cache) -> None:
    empty = dataclasses.replace(cache, state=np.zeros_like(cache.state))
    with pytest.raises(TrainingDataError, match=r"30 moments, but clip 3 .* shows nobody"):
        cache_rows(empty, [3], recognizer.card)


def test_unseen_joints_and_their_bones_are_not_drawn(recognizer: Recognizer, cache: Cache) -> None:
    row = cache_rows(cache, [5], recognizer.card)[0]
    seen = row.window.seen.copy()
    wrist = KINECT_V2_19.index("WristLeft")
    seen[:, :, wrist] = False
    hidden = dataclasses.replace(row, window=dataclasses.replace(row.window, seen=seen))
    axes = draw(recognizer, [hidden], frames=1).subfigs[0].axes[0]
    (bones,) = (item for item in axes.collections if isinstance(item, LineCollection))
    assert len(sizes(axes)) == len(KINECT_V2_19) - 1
    assert len(bones.get_segments()) == sum(wrist not in bone for bone in KINECT_V2_19.bones)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_command_draws_clips_and_recordings_together(
    suffix: str, start: bytes, model: Path, synthetic: Path, cache: Cache, tmp_path: Path
) -> None:
    recording, output = tmp_path / "$a$.mcap", tmp_path / f"figure{suffix}"
    clip.write(cache, [1], recording)
    arguments = ["attention", str(model), "--data", str(synthetic), "--index", "5", "50"]
    assert main([*arguments, "--recording", str(recording), "--frames", "3", "--output", str(output)]) == 0
    assert output.read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["$a$.mcap", output.name]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param("--output a.png", "Say which clips", id="nothing to draw"),
        pytest.param("--index 3 --output a.png", "--data CACHE", id="no cache"),
        pytest.param("--data {data} --index 60 --output a.png", "clips 0 to 59", id="no such clip"),
        pytest.param("--data {data} --index 1 --output a.gif", "written as .png", id="unknown kind"),
        pytest.param("--data {data} --index 1 --frames 31 --output a.png", "from 1 to 30", id="too many frames"),
        pytest.param("--recording none.mcap --output a.png", "none.mcap", id="no recording"),
        pytest.param("--recording {clip} --start 90 --output a.png", "has nobody in the part", id="past the end"),
        pytest.param(
            "--recording {clip} --start 1 --end 0 --output a.png", "has nobody", id="an end before the start"
        ),
        pytest.param("--recording {clip} --end inf --output a.png", "--end must be seconds", id="without an end"),
        pytest.param("--recording {clip} --start nan --output a.png", "found nan", id="a start that is no number"),
        pytest.param("--recording {clip} --start -5 --end 1e4 --output a.png", "found -5", id="before the start"),
        pytest.param("--data {data} --index 0 --start 1 --output a.png", "go with --recording", id="start of a clip"),
        pytest.param(
            "--data {data} --recording {clip} --output a.png", "goes with --index", id="a cache for nothing"
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    arguments: str,
    sentence: str,
    model: Path,
    synthetic: Path,
    cache: Cache,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = tmp_path_factory.mktemp("recording") / "clip.npz"
    clip.write(cache, [1], recording)
    monkeypatch.chdir(tmp_path)
    assert main(["attention", str(model), *arguments.format(data=synthetic, clip=recording).split()]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and sentence in captured.err
    assert not list(tmp_path.iterdir())
