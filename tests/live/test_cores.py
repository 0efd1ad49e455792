"""Where there are two cores: who keeps to which, and that a divided run gives the same answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from app.main import _make_pipeline
from app.options import PRETRAINED
from app.session import Choice
from live import cores
from live.pipeline import Pipeline
from live.recognizer import CPU, CUDA, Recognizer, load_for_this_thread
from live.sources.table import SourceOptions
from skeleton.window import Window
from tests.live import tiny_model

PATIENCE_S = 20.0
linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no thread is kept to a core on this system")


@pytest.mark.parametrize(
    ("usable", "found"), [({0, 1}, (0, 1)), ({5, 3}, (3, 5)), ({0}, ()), ({0, 1, 2}, ()), (set(range(8)), ())]
)
def test_two_cores_are_divided_and_no_other_number(
    usable: set[int], found: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    assert cores.pair_of_cores() == found


def test_a_system_that_keeps_no_thread_to_a_core_divides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores.pair_of_cores() == ()


@linux
def test_a_sandbox_that_forbids_it_divides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    assert cores.pair_of_cores() == ()


class Loaded(NamedTuple):
    """What a thread that loaded a model may use, and what each thread may that came with the model."""

    own: set[int]
    helpers: list[set[int]]


def loaded(load: Callable[[], Recognizer]) -> Loaded:
    """Loads in a thread of its own, as the app does."""
    found: list[Loaded] = []

    def work() -> None:
        before = set(os.listdir("/proc/self/task"))
        recognizer = load()
        helpers = set(os.listdir("/proc/self/task")) - before
        until_s = time.monotonic() + PATIENCE_S
        while True:  # a helper keeps to its core from when it first runs, and others may hold the computer until then
            cores_of = [os.sched_getaffinity(int(number)) for number in helpers]
            if all(len(usable) == 1 for usable in cores_of) or time.monotonic() > until_s:
                break
            time.sleep(0.01)
        found.append(Loaded(os.sched_getaffinity(0), cores_of))
        del recognizer  # its threads end with it

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """A computer of two cores: the first two of this one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        pytest.skip("this computer has one core")
    monkeypatch.setattr("live.recognizer.pair_of_cores", lambda: tuple(usable[:2]))
    return usable[0], usable[1]


@linux
def test_the_thread_that_loads_keeps_to_the_first_core_and_its_helper_to_the_second(
    tmp_path: Path, two_cores: tuple[int, int]
) -> None:
    model = tiny_model.write(tmp_path / "m.onnx")
    first, second = two_cores
    before = os.sched_getaffinity(0)
    app = _make_pipeline(
        tmp_path / "log.txt", Choice(kind="demo", source=SourceOptions(), model=model, provider="cpu")
    )
    assert isinstance(app, Pipeline) and app._recognition is not None
    for load in (partial(load_for_this_thread, model, provider="cpu"), app._recognition._load):
        assert loaded(load) == Loaded({first}, [{second}])
    assert os.sched_getaffinity(0) == before


@linux
def test_where_there_are_not_two_cores_nothing_is_kept_and_nobody_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.recognizer.pair_of_cores", lambda: ())
    model = tiny_model.write(tmp_path / "m.onnx")
    assert loaded(partial(load_for_this_thread, model, provider="cpu")) == Loaded(os.sched_getaffinity(0), [])


class Card:
    """A session that runs on the CPU and says that it is a graphics card's."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]


@linux
def test_a_graphics_card_needs_no_core(
    tmp_path: Path, two_cores: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recognizer, "_start_cuda", lambda self, data: Card(self._session_on([CPU], data)))
    model = tiny_model.write(tmp_path / "m.onnx")
    assert loaded(partial(load_for_this_thread, model)) == Loaded(os.sched_getaffinity(0), [])


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
