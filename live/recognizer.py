"""Windows of all bodies in, probabilities and attention out: one batched run of an ONNX file.

    recognizer = Recognizer("models/pretrained/exercises.onnx")
    for recognition in recognizer.recognize(windows): ...

A recognizer belongs to the thread that made it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from live import runtime
from live.cores import keep_to, pair_of_cores
from live.model_file import damaged, read_model
from live.view import ModelInfo, Recognition
from models.card import INPUTS, OUTPUTS, ModelCard
from skeleton.errors import ModelContractError, ModelLoadError
from skeleton.window import Window

LOGGER = logging.getLogger(__name__)
PROVIDERS = ("auto", "cuda", "cpu")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_REMEDY = "Install an NVIDIA driver, CUDA 12 and cuDNN 9, or choose --provider cpu."
ABSENT = -1
"""Tracking id of a person who is not there."""
MOST_JOINTS = 256
"""No skeleton has more; a card that says so would make the warm-up ask for all of the memory."""
SUM_TOLERANCE = 1e-3
"""How far probabilities may be from summing to one: float32 softmax is off by 1e-6."""


class Recognizer:
    """A loaded model.

    Attributes:
        card: What the file says of itself.
        file: Its name, for people.
        provider: "CUDA" or "CPU": where the session really runs, asked of the session after it was made.
        warning: A sentence when CUDA was tried and failed, otherwise None.
    """

    def __init__(self, path: str | Path, *, provider: str = "auto", cores: Sequence[int] = ()) -> None:
        """Loads, checks and warms up a model file.

        Args:
            path: The ONNX file.
            provider: "auto" tries CUDA and falls back to the CPU with a warning; "cuda" insists; "cpu" does not try.
            cores: Numbers of the cores that a run on the CPU is divided among: the calling thread's, then one for
                each thread that helps it, which is kept there. Without, the calling thread runs it alone.

        Raises:
            ModelLoadError: Not a model file, the runtime refuses it, or CUDA was insisted on and is not available.
            ModelContractError: A model that does not keep the contract of ``models.card``.
        """
        if provider not in PROVIDERS:
            raise ValueError(f"provider must be one of {', '.join(PROVIDERS)}, found '{provider}'")
        path = Path(path)
        data = read_model(path)
        self._runtime = _load_runtime()
        self.file = path.name
        self.warning: str | None = None
        self._session = self._start(data, provider=provider, cores=cores)
        self.provider = "CUDA" if CUDA in self._session.get_providers() else "CPU"
        try:
            self.card = ModelCard.from_metadata(self._session.get_modelmeta().custom_metadata_map, file=self.file)
            self._shapes = self._output_shapes()
            self._check_signature()
        except UnicodeDecodeError:  # the runtime hands out the card and the graph's names as they stand in the file
            raise damaged(path) from None
        try:
            self._warm_up()
        except ModelContractError as error:  # a card that cannot carry out the graph shows in the first run alone
            if provider != "auto" or self.provider != "CUDA":
                raise
            self._warn(f"CUDA cannot be used: {error.message}")
            self._session, self.provider = self._session_on([CPU], data, cores=cores), "CPU"
            self._warm_up()

    @property
    def info(self) -> ModelInfo:
        """The model as a window shows it."""
        return ModelInfo(card=self.card, file=self.file, provider=self.provider)

    def recognize(self, windows: Sequence[Window]) -> list[Recognition]:
        """Recognizes all windows in one run.

        A window may hold fewer persons than the model takes; the places left are absent.

        Returns:
            One recognition a window, in the same order.

        Raises:
            ModelContractError: The model answered with something that is not a distribution.
            ValueError: A window of the wrong size.
        """
        if not windows:
            return []
        joints, seen = self._batch(windows)
        answers = self._run(joints, seen)
        for answer in answers.values():
            answer.setflags(write=False)  # and so is each row of it
        return [
            Recognition(
                body_ids=window.body_ids + (ABSENT,) * (self.card.persons - len(window.body_ids)),
                end_s=window.end_s,
                **{name: answer[row] for name, answer in answers.items()},
            )
            for row, window in enumerate(windows)
        ]

    def _batch(self, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
        card = self.card
        shape = (card.persons, card.frames, len(card.joints))
        joints = np.zeros((len(windows), *shape, 3), dtype=np.float32)
        seen = np.zeros((len(windows), *shape), dtype=np.float32)
        for row, window in enumerate(windows):
            persons = len(window.body_ids)
            if persons > card.persons or window.joints.shape[1:3] != shape[1:]:
                raise ValueError(f"a window of shape {window.seen.shape} does not fit a model of {shape}")
            joints[row, :persons], seen[row, :persons] = window.joints, window.seen
        return joints, seen

    def _run(self, joints: np.ndarray, seen: np.ndarray) -> dict[str, np.ndarray]:
        names = list(OUTPUTS)
        feed = {INPUTS["joints"]: joints, INPUTS["seen"]: seen}
        try:
            values = self._session.run([OUTPUTS[name] for name in names], feed)
        except _errors(self._runtime) as error:
            raise ModelContractError(
                f"The model '{self.file}' failed while running: {_first_line(error)}."
            ) from error
        answers = dict(zip(names, values))
        self._check_answers(answers, batch=len(joints))
        return answers

    def _check_answers(self, answers: dict[str, np.ndarray], *, batch: int) -> None:
        for name, wanted in self._shapes.items():
            found = answers[name].shape
            if (
                found[0] != batch
                or len(found) != len(wanted)
                or any(want not in (None, got) for want, got in zip(wanted[1:], found[1:]))
            ):
                raise ModelContractError(f"'{self.file}': output '{name}' must be {_shape(wanted)}, found {found}.")
        if not np.isfinite(np.concatenate([answer.ravel() for answer in answers.values()])).all():
            raise ModelContractError(f"The model '{self.file}' must answer with finite numbers, but some are not.")
        for row in answers["probabilities"].tolist():
            if abs(sum(row) - 1) > SUM_TOLERANCE or min(row) < 0:
                raise ModelContractError(
                    f"The model '{self.file}' must answer with probabilities that sum to 1, found {sum(row):.3g}."
                )

    def _output_shapes(self) -> dict[str, tuple[int | None, ...]]:
        card = self.card
        return {
            "probabilities": (None, len(card.labels)),
            "joint_attention": (None, card.persons, len(card.joints)),
            "frame_attention": (None, card.persons, card.frames),
            "embedding": (None, len(card.feature_centers[0]) if card.feature_centers else None),
        }

    def _check_signature(self) -> None:
        """Compares the graph's inputs and outputs with the card's contract."""
        card = self.card
        if len(card.joints) > MOST_JOINTS:
            raise ModelContractError(
                f"'{self.file}' must take at most {MOST_JOINTS} joints, its card names {len(card.joints)}."
            )
        seen = (None, card.persons, card.frames, len(card.joints))
        inputs = {INPUTS["joints"]: (*seen, 3), INPUTS["seen"]: seen}
        outputs = {OUTPUTS[name]: shape for name, shape in self._shapes.items()}
        self._compare("input", inputs, self._session.get_inputs())
        self._compare("output", outputs, self._session.get_outputs())
        if any(isinstance(item.shape[0], int) for item in self._session.get_inputs()):
            raise ModelContractError(f"'{self.file}': the batch axis of the inputs must be dynamic, but it is fixed.")

    def _compare(self, what: str, wanted: dict[str, tuple[int | None, ...]], found: Sequence[Any]) -> None:
        if {item.name for item in found} != set(wanted):
            raise ModelContractError(
                f"'{self.file}' must have the {what}s {', '.join(wanted)}, "
                f"found {', '.join(item.name for item in found[:6]) or 'none'}."
            )
        for item in found:
            shape = wanted[item.name]
            is_fitting = len(item.shape) == len(shape) and all(
                want is None or not isinstance(got, int) or want == got for want, got in zip(shape, item.shape)
            )
            if item.type != "tensor(float)" or not is_fitting:
                raise ModelContractError(
                    f"'{self.file}': {what} '{item.name}' must be float32 {_shape(shape)}, as the card says, "
                    f"found {item.type} {tuple(item.shape)}."
                )

    def _start(self, data: bytes, *, provider: str, cores: Sequence[int]) -> Any:
        if provider != "cpu":
            try:
                return self._start_cuda(data)
            except ModelLoadError as error:
                if provider == "cuda":
                    raise
                self._warn(error.message)
        return self._session_on([CPU], data, cores=cores)

    def _warn(self, sentence: str) -> None:
        self.warning = f"{sentence} Recognition runs on the CPU; --provider cpu does so without asking."
        LOGGER.warning(self.warning)

    def _start_cuda(self, data: bytes) -> Any:
        failed = "CUDA cannot be used"
        if CUDA not in self._runtime.get_available_providers():
            raise ModelLoadError(f"{failed}: this ONNX Runtime was built without it.", remedy=CUDA_REMEDY)
        missing = runtime.preload_cuda(self._runtime)  # not fatal by itself: they may be found another way
        session = self._session_on([CUDA, CPU], data)
        if CUDA not in session.get_providers():
            reason = missing or "it found no graphics card that it can drive"
            raise ModelLoadError(f"{failed}: {reason}.", remedy=CUDA_REMEDY)
        return session

    def _session_on(self, providers: list[str], data: bytes, *, cores: Sequence[int] = ()) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = max(1, len(cores))
        options.inter_op_num_threads = 1
        # A helper that has to be woken for each operation helps nothing, and one that spins between two runs burns a
        # whole core for nothing: it spins within a run only.
        helpers = cores[1:]
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if helpers else "0")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if helpers:
            numbers = ";".join(str(core + 1) for core in helpers)  # ONNX Runtime counts them from 1
            options.add_session_config_entry("session.intra_op_thread_affinities", numbers)
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = runtime.SEVERITY_FATAL
        try:
            with runtime.quiet(self._runtime):
                # Its own fall-back to the CPU prints and says nothing to the program: ours is in _start.
                return self._runtime.InferenceSession(data, options, providers=providers, enable_fallback=0)
        except _errors(self._runtime) as error:
            if CUDA in providers:
                raise ModelLoadError(f"CUDA cannot be used: {_first_line(error)}.", remedy=CUDA_REMEDY) from error
            raise ModelLoadError(f"ONNX Runtime cannot load '{self.file}': {_first_line(error)}.") from error

    def _warm_up(self) -> None:
        """Runs a batch of one and of two: the first run of each size is slow, and an untrue graph shows here."""
        card = self.card
        generator = np.random.default_rng(0)
        for batch in (1, 2):
            shape = (batch, card.persons, card.frames, len(card.joints))
            joints = generator.normal(size=(*shape, 3)).astype(np.float32)
            self._run(joints, np.ones(shape, dtype=np.float32))


def load_for_this_thread(path: str | Path, *, provider: str = "auto") -> Recognizer:
    """Loads a model that the calling thread is going to run live; on two cores the thread keeps to one from now on.

    Takes and raises what :class:`Recognizer` does.
    """
    both = pair_of_cores()
    recognizer = Recognizer(path, provider=provider, cores=both)
    if both and recognizer.provider == "CPU":
        keep_to(both[0])
    return recognizer


def _load_runtime() -> ModuleType:
    try:
        return runtime.load()
    except ImportError as error:
        raise ModelLoadError(
            f"ONNX Runtime must be installed, but cannot be imported: {_first_line(error)}.",
            remedy="Install the packages of requirements-app.txt.",
        ) from error


def _errors(module: ModuleType) -> tuple[type[Exception], ...]:
    """Everything ONNX Runtime raises: its own exceptions share no base but ``Exception``."""
    state = module.capi.onnxruntime_pybind11_state
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError)


def _first_line(error: Exception) -> str:
    """The gist of a foreign message: one line, without its codes, at most 200 characters."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text).rstrip(". ")[:200]


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
