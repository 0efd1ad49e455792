"""Measures a model file on the people it was not trained on, through the recognizer that the app uses.

Two ways of use give two numbers: ``top1`` of whole clips, each cut to the model's frames as usual; and ``top1_live``
of windows of the model's own seconds, averaged over the clip. How soon the answer is right is measured for both:

- whole, after a share of the clip: the window spans the whole clip, of which only the share has been seen, and the
  graph holds the last pose for the rest. This is how the field measures early recognition; it knows the length.
- live, after a share of the clip: the mean of the windows that have ended by then, as the app would smooth them.
  Before the first window is full, the people hold their first pose before the clip begins. After all of the clip
  this is ``top1_live``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ConfigError
from skeleton.window import Window
from training import protocols
from training.cache import LEFT_OUT, Cache, content, open_cache
from training.clip_windows import SLACK_S, duration_s, live_ends_s, live_window, whole_window
from training.people import of_card
from training.scores import calibration, scores, share, top_k
from training.taught import known_to
from training.wrong_clips import wrong_clips

BATCH = 64
CLIPS_AT_ONCE = 256
"""Clips whose answers are kept for every share of the clip; bounds memory at any size of the test side."""
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
"""Parts of a clip after which the answer is asked for."""
WHOLE_ONLY = (1.0,)
GROUPS = ("subject", "camera", "setup")
"""Columns of a cache's index by which the results are told apart."""
DETAILS = ("confusion", "reliability", "observed", "wrong", *(f"per_{column}" for column in GROUPS))
"""Keys of a result that are long, and about single clips: for a report, not for a model card."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model answers on N clips, after each of S shares of them; the last share is the whole clip.

    Attributes:
        whole: (N, K) probabilities of whole clips.
        live: (N, K) mean probabilities of the windows of each clip.
        whole_right: (S, N) whether the answer for the whole window is right.
        live_right: (S, N) whether the answer of the live windows is right.
    """

    whole: np.ndarray
    live: np.ndarray
    whole_right: np.ndarray
    live_right: np.ndarray


def evaluate(
    model: Path, data: Path, protocol: str, *, provider: str = "cpu", shares: Sequence[float] = SHARES
) -> dict[str, Any]:
    """Returns the results of a model file on the test side of a protocol, ready for JSON.

    Args:
        model: The ONNX file.
        data: The cache.
        protocol: Who tests.
        provider: Where it runs, see ``live.recognizer``.
        shares: After which parts of a clip to ask, rising to 1; ``WHOLE_ONLY`` saves most of the time.

    Raises:
        AppError: A file, cache or protocol that cannot be used, or a model of other classes than the data's.
    """
    everything = open_cache(data)
    recognizer = Recognizer(model, provider=provider)
    card = recognizer.card
    view = known_to(everything, card, model=model)
    test = protocols.split(view, protocol).test
    cache = dataclasses.replace(view, labels=card.labels)  # the same, and perhaps a background behind them
    truth = np.asarray(cache.clips["label"][test])
    answers = answer(recognizer, cache, test, shares)
    subjects = np.asarray(cache.clips["subject"][test])
    attention = card.recipe.get("attention")
    return {
        "dataset": cache.dataset,
        "content": content(everything),
        "protocol": protocol,
        "divisions_in_all": protocols.divisions_in_all(cache, protocol),
        "samples": len(test),
        "subjects": np.unique(subjects).tolist(),
        **scores(truth, answers.whole.argmax(axis=1), cache.labels),
        "top5": top_k(truth, answers.whole, 5),
        "top1_live": share(answers.live_right[-1]),
        **_background(card, truth, answers),
        **_left_out(everything, view, protocol),
        **calibration(truth, answers.whole),
        "observed": _observed(cache, test, answers, shares),
        **{f"per_{column}": _per(column, np.asarray(cache.clips[column][test]), answers) for column in GROUPS},
        "trained_on_tested": trained_on_tested(card.trained_on, cache, protocol, test),
        "wrong": wrong_clips(cache, model, test, answers.whole),
        "span_s": card.span_s,
        "temperature": card.temperature,
        "model": model.name,
        "name": card.name,
        "network": card.network,
        "attention": attention if isinstance(attention, str) else None,
        "seed": card.trained_on.get("seed"),
        "provider": recognizer.provider,
    }


def answer(recognizer: Recognizer, cache: Cache, clips: np.ndarray, shares: Sequence[float]) -> Answers:
    """Asks a model about clips, after each share of them."""
    parts = []
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        block = clips[start : start + CLIPS_AT_ONCE]
        whole, live = _whole(recognizer, cache, block, shares), _live(recognizer, cache, block, shares)
        truth = cache.clips["label"][block]
        parts.append((whole[-1], live[-1], whole.argmax(axis=2) == truth, live.argmax(axis=2) == truth))
    whole, live, whole_right, live_right = zip(*parts)
    return Answers(
        whole=np.concatenate(whole),
        live=np.concatenate(live),
        whole_right=np.concatenate(whole_right, axis=1),
        live_right=np.concatenate(live_right, axis=1),
    )


def _whole(recognizer: Recognizer, cache: Cache, clips: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """(S, N, K) probabilities of the window of the whole clip, after each share of it."""
    card = recognizer.card
    result = np.zeros((len(shares), len(clips), len(card.labels)))
    windows = (
        ((number, row), whole_window(cache, int(clip), card, share=part))
        for row, clip in enumerate(clips)
        for number, part in enumerate(shares)
    )
    for place, probabilities in _recognized(recognizer, windows):
        result[place] = probabilities
    return result


def _live(recognizer: Recognizer, cache: Cache, clips: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """(S, N, K) mean probabilities of the live windows that have ended by each share of a clip."""
    card = recognizer.card
    total = np.zeros((len(shares), len(clips), len(card.labels)))
    count = np.zeros((len(shares), len(clips), 1))

    def windows() -> Iterator[tuple[tuple[slice, int], Window]]:
        for row, clip in enumerate(clips):
            index = int(clip)
            for end_s, counts_for in _live_moments(duration_s(cache, index), card.span_s, shares):
                yield (counts_for, row), live_window(cache, index, card, end_s=end_s)

    for place, probabilities in _recognized(recognizer, windows()):
        total[place] += probabilities
        count[place] += 1
    return total / count


def _live_moments(length_s: float, span_s: float, shares: Sequence[float]) -> Iterator[tuple[float, slice]]:
    """Yields when live windows of a clip end, each with the shares whose answer it is part of."""
    moments = np.asarray(shares) * length_s
    ends = live_ends_s(length_s, span_s)
    for end_s in ends:
        yield float(end_s), slice(int(np.searchsorted(moments, end_s - SLACK_S)), len(shares))
    for number in np.flatnonzero(moments < ends[0] - SLACK_S):
        yield float(moments[number]), slice(int(number), int(number) + 1)


def _recognized(recognizer: Recognizer, windows: Iterable[tuple[Key, Window]]) -> Iterator[tuple[Key, np.ndarray]]:
    """Yields the probabilities (K,) of every window under its key."""
    for batch in _batched(windows):
        for (key, _), found in zip(batch, recognizer.recognize([window for _, window in batch])):
            yield key, found.probabilities


def _batched(items: Iterable[tuple[Key, Window]]) -> Iterator[list[tuple[Key, Window]]]:
    batch: list[tuple[Key, Window]] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _background(card: ModelCard, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
    """How often clips of actions were taken for background: such an answer counts as a wrong one above."""
    if not card.background:
        return {}
    label = card.labels.index(card.background)
    return {
        "background": {
            "label": card.background,
            "meaning": "share of the clips of actions that got this answer, a wrong one in top1 and all others",
            "answers": share(answers.whole[truth != label].argmax(axis=1) == label),
            "answers_live": share(answers.live[truth != label].argmax(axis=1) == label),
        }
    }


def _left_out(everything: Cache, view: Cache, protocol: str) -> dict[str, Any]:
    """Which labels the model was not taught, and how many test clips of theirs are not counted."""
    if view is everything:
        return {}
    tested = protocols.split(everything, protocol).test
    labels = [label for label in everything.labels if label not in view.labels]
    return {"left_out": {"labels": labels, "clips": int((view.clips["label"][tested] == LEFT_OUT).sum())}}


def _observed(cache: Cache, clips: np.ndarray, answers: Answers, shares: Sequence[float]) -> list[dict[str, Any]]:
    """How often the answer is right after each share of the clips, and how many frames that is on average."""
    tracks = [cache.track(int(clip))[0] for clip in clips]
    rows = []
    for number, part in enumerate(shares):
        frames = [max(1, int(np.searchsorted(times, part * times[-1] + SLACK_S, side="right"))) for times in tracks]
        rows.append(
            {
                "share": part,
                "frames": round(float(np.mean(frames)), 1),
                "seconds": round(float(np.mean([part * times[-1] for times in tracks])), 2),
                "top1": share(answers.whole_right[number]),
                "top1_live": share(answers.live_right[number]),
            }
        )
    return rows


def _per(column: str, numbers: np.ndarray, answers: Answers) -> list[dict[str, Any]]:
    """How often the answer is right for each person, camera or set-up of the test side."""
    return [
        {
            column: int(number),
            "samples": int((numbers == number).sum()),
            "top1": share(answers.whole_right[-1][numbers == number]),
            "top1_live": share(answers.live_right[-1][numbers == number]),
        }
        for number in np.unique(numbers)
    ]


def trained_on_tested(trained_on: dict[str, Any], cache: Cache, protocol: str, clips: np.ndarray) -> list[int]:
    """Returns the people of the test side whom the card lists as training people: then the numbers mean little.

    Whoever was in the background counts too. Nobody does where the model was trained by this very protocol and that
    has people on both sides by its definition, such as a cross-view one. By another protocol of that kind those count
    whose test clips are on the training side of the card's protocol.

    Args:
        trained_on: Of the card, which may be a stranger's and hold anything.
        cache: The data that are tested on.
        protocol: Who tests.
        clips: Indices of the clips that are tested on.
    """
    subjects = np.asarray(cache.clips["subject"][clips])
    trainers = of_card(trained_on, "subjects", cache)
    tested = set(subjects.tolist())
    if protocols.find(protocol)[0].shares_people:
        if (trained_on.get("dataset"), trained_on.get("protocol")) == (cache.dataset, protocol):
            return []
        trainers &= set(subjects[_may_have_trained(trained_on, cache)[clips]].tolist())
    background = trained_on.get("background")
    sets = background.get("datasets") if isinstance(background, dict) else None
    for shown in sets if isinstance(sets, list) else ():
        if isinstance(shown, dict):
            trainers |= of_card(shown, "subjects", cache)
    return sorted(tested & trainers)


def _may_have_trained(trained_on: dict[str, Any], cache: Cache) -> np.ndarray:
    """(clips,) bool: what a person who trained by the card's protocol may have shown; all of it where none is known.

    A protocol that divides people takes all clips that it looks at of a person: whose they are, the card says.
    """
    name = trained_on.get("protocol")
    try:
        kind, number = protocols.find(name if isinstance(name, str) else "")
    except ConfigError:
        return np.ones(len(cache), dtype=bool)
    is_train, is_test = kind.sides(cache.clips, number)
    return is_train if kind.shares_people else is_train | is_test
