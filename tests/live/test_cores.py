"""Where there are two cores: who keeps to which, and that a divided run gives the same answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.options import PRETRAINED
from live import cores
from live.recognizer import Recognizer, load_for_this_thread
from skeleton.window import Window
from tests.live import tiny_model

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no thread is kept to a core on this system")


@pytest.mark.parametrize(
    ("usable", "found"), [({0, 1}, (0, 1)), ({5, 3}, (3, 5)), ({0}, ()), ({0, 1, 2}, ()), (set(range(8)), ())]
)
def test_two_cores_are_divided_and_no_other_number(
    usable: set[int], found: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
    assert cores.pair_of_cores() == found


def test_a_system_that_keeps_no_thread_to_a_core_divides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores.pair_of_cores() == ()


def in_a_thread(work: Callable[[], None]) -> set[int]:
    """Returns the cores that a thread may use after its work."""
    seen: list[set[int]] = []
    thread = threading.Thread(target=lambda: (work(), seen.append(os.sched_getaffinity(0))))
    thread.start()
    thread.join()
    return seen[0]


@linux
def test_the_thread_that_loads_keeps_to_one_core_and_no_other_thread_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model.write(tmp_path / "m.onnx")
    before = os.sched_getaffinity(0)
    first = min(before)
    monkeypatch.setattr("live.recognizer.pair_of_cores", lambda: (first, max(before)))
    assert in_a_thread(lambda: load_for_this_thread(model, provider="cpu")) == {first}
    assert os.sched_getaffinity(0) == before
    monkeypatch.setattr("live.recognizer.pair_of_cores", lambda: ())
    assert in_a_thread(lambda: load_for_this_thread(model, provider="cpu")) == before


@linux
def test_a_core_that_does_not_exist_is_no_error() -> None:
    before = os.sched_getaffinity(0)
    assert in_a_thread(lambda: cores.keep_to(4096)) == before


def test_a_divided_run_gives_the_same_answers_to_the_last_bit() -> None:
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    alone = Recognizer(PRETRAINED, provider="cpu")
    divided = Recognizer(PRETRAINED, provider="cpu", cores=(usable[0], usable[-1]))
    generator = np.random.default_rng(3)
    shape = (1, alone.card.frames, len(alone.card.joints))
    windows = [
        Window((number,), 1.0, generator.normal(size=(*shape, 3)).astype(np.float32), generator.random(shape) > 0.1)
        for number in range(6)
    ]
    for one, other in zip(alone.recognize(windows), divided.recognize(windows)):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.joint_attention, other.joint_attention)
