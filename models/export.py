"""Writes a network as a model file, and does not believe the file until it has answered like the network.

The graph is written to a temporary file, opened again in ONNX Runtime and compared with torch on real windows; only
then does it take its place. A conversion that went wrong leaves no file behind.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors
from torch import Tensor, nn

from models.card import INPUTS, METADATA_KEY, OUTPUTS, ModelCard, verified
from skeleton.errors import ModelContractError
from skeleton.replacing import replacing

TOLERANCE = 1e-4
"""Largest difference between torch and ONNX Runtime, in any number of any output."""
FEWEST_WINDOWS = 32
LARGEST_BYTES = 10_000_000
LARGEST_BATCH = 1024
LOST_SHARE = 0.3
"""Share of the joints that the check takes away, frame by frame; half as many go away for the whole window."""
_RUNTIME_ERRORS = tuple(
    getattr(runtime_errors, name)
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
)


@dataclass(frozen=True, slots=True, eq=False)
class CheckWindows:
    """Real windows on which file and network must agree.

    Attributes:
        joints: (N, M, T, V, 3) float32 meters; any value where unseen.
        seen: (N, M, T, V) bool or 0 and 1.
    """

    joints: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written and how well it agrees.

    Attributes:
        path: The model file.
        size_bytes: Its size.
        parameters: Learned numbers in the network.
        windows: Windows compared, each alone and in a batch.
        differences: Largest absolute difference from torch, by output name.
    """

    path: Path
    size_bytes: int
    parameters: int
    windows: int
    differences: dict[str, float]

    def __str__(self) -> str:
        worst = max(self.differences.values())
        return (
            f"{self.path}: {self.size_bytes / 1e6:.1f} MB, {self.parameters} parameters; "
            f"{self.windows} windows differ from torch by at most {worst:.1e}"
        )


def export(network: nn.Module, card: ModelCard, path: Path, windows: CheckWindows) -> ExportReport:
    """Writes ``network`` with its ``card`` to ``path``, if the written file answers like the network.

    The network is copied, so its device and mode stay as they are.

    Args:
        network: One of ``models.table``; its ``config`` must fit the card.
        card: What the file says of itself; its temperature goes into the graph.
        path: The model file; replaced only by a file that passed.
        windows: At least 32 windows of real data. Each is also tried with joints lost and with a person absent.

    Raises:
        ModelContractError: The card, the windows and the network do not fit each other, or the file does not agree
            with the network. No file is left, and an older one stays as it was.
        OSError: The folder cannot be written to.
    """
    _require_fit(network, card, path)
    _require_windows(windows, card, path)  # before the conversion, which takes seconds
    return place(_to_onnx(_reference(network, card), card, path), network, card, path, windows)


def place(data: bytes, network: nn.Module, card: ModelCard, path: Path, windows: CheckWindows) -> ExportReport:
    """Puts the bytes of a model file at ``path`` if they answer like ``network``; see ``export``."""
    if len(data) > LARGEST_BYTES:
        raise ModelContractError(
            f"{path} must stay below {LARGEST_BYTES / 1e6:.0f} MB, but the network takes {len(data) / 1e6:.1f} MB.",
            remedy="Train a network with fewer channels or hidden units.",
        )
    _require_windows(windows, card, path)
    joints, seen = _trials(windows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
        differences = _compare(temporary, _reference(network, card), card, path, joints, seen)
    count = sum(parameter.numel() for parameter in network.parameters())
    return ExportReport(path, len(data), count, len(joints), differences)


class _Graph(nn.Module):
    """A network as the graph contract has it: probabilities instead of logits, outputs in the contract's order."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, joints: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        output = self.network(joints, seen)
        named = {
            "probabilities": torch.softmax(output.logits / self.temperature, dim=1),
            "joint_attention": output.joint_attention,
            "frame_attention": output.frame_attention,
            "embedding": output.embedding,
        }
        return tuple(named[name] for name in OUTPUTS)


def _reference(network: nn.Module, card: ModelCard) -> _Graph:
    return _Graph(copy.deepcopy(network).cpu().requires_grad_(False), card.temperature).eval()


def _require_fit(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Refuses a card that no reader would take, or that speaks of another network."""
    verified(card, file=path.name)
    config = network.config
    pairs = {
        "classes": (len(card.labels), config.classes),
        "joints": (tuple(card.joints), tuple(config.joints)),
        "frames": (card.frames, config.frames),
        "persons": (card.persons, config.persons),
    }
    for name, (said, built) in pairs.items():
        if said != built:
            raise ModelContractError(f"{path.name}: the card says {name} {said!r}, but the network has {built!r}.")


def _require_windows(windows: CheckWindows, card: ModelCard, path: Path) -> None:
    shape = (card.persons, card.frames, len(card.joints))
    if windows.joints.shape[1:] != (*shape, 3) or windows.seen.shape != windows.joints.shape[:-1]:
        raise ModelContractError(
            f"{path.name}: windows for the check must be (N, {', '.join(map(str, shape))}, 3), "
            f"found joints {windows.joints.shape} and seen {windows.seen.shape}."
        )
    if len(windows.joints) < FEWEST_WINDOWS:
        raise ModelContractError(
            f"{path.name}: the check needs at least {FEWEST_WINDOWS} windows, found {len(windows.joints)}."
        )


def _trials(windows: CheckWindows) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints and seen of the windows as given, then with joints lost, then with a person absent.

    Every unseen place holds NaN, or in every second window a number that looks like a joint: a graph that forgets
    the mask but spots NaN must not pass either.
    """
    given = np.asarray(windows.seen) > 0.5
    random = np.random.default_rng(0)
    # Single holes, and joints lost for the whole window.
    kept = (random.random(given.shape) >= LOST_SHARE) & (random.random(given[:, :, :1].shape) >= LOST_SHARE / 2)
    absent = given.copy()
    absent[np.arange(len(absent)), np.arange(len(absent)) % given.shape[1]] = False
    seen = np.concatenate((given, given & kept, absent))
    joints = np.tile(np.asarray(windows.joints, dtype=np.float32), (3, 1, 1, 1, 1))
    junk = random.normal((0.0, 0.0, 2.5), 1.0, joints.shape).astype(np.float32)
    junk[::2] = np.nan
    return np.where(seen[..., None], joints, junk), seen.astype(np.float32)


def _to_onnx(graph: _Graph, card: ModelCard, path: Path) -> bytes:
    """Returns the bytes of the model file."""
    shape = (2, card.persons, card.frames, len(card.joints))  # a batch of one would be taken for a constant
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                (torch.rand(*shape, 3), torch.ones(shape)),
                dynamo=True,
                input_names=list(INPUTS.values()),
                output_names=list(OUTPUTS.values()),
                dynamic_shapes={"joints": {0: batch}, "seen": {0: batch}},
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelContractError(f"{path.name}: the network cannot be written as a graph: {reason}.") from error
    if program is None:  # only without dynamo
        raise TypeError("torch.onnx.export returned no program")
    model = program.model_proto
    _forget_sources(model)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    return model.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the exporter says about itself; what it says about the network is heard."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")  # "torchvision is not installed"
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
            # Both inputs share one batch axis, which is meant.
            warnings.filterwarnings("ignore", message="# The axis name: batch will not be used", category=UserWarning)
            yield
    finally:
        log.setLevel(level)


def _forget_sources(model: onnx.ModelProto) -> None:
    """Removes the exporter's notes: stack traces with the paths of the machine that trained, on every node."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _compare(
    file: Path, reference: _Graph, card: ModelCard, path: Path, joints: np.ndarray, seen: np.ndarray
) -> dict[str, float]:
    """Returns the largest differences of ``file`` from torch by output name; raises where one is too large."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings about a bad graph would hide the sentence that refuses it
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        _require_contract(session, card, path)
        whole = _run(session, joints, seen)
        singly = [_run(session, joints[i : i + 1], seen[i : i + 1]) for i in range(len(joints))]
    except _RUNTIME_ERRORS as error:
        reason = str(error).strip().splitlines()[0].replace(str(file), path.name)
        raise ModelContractError(f"{path.name}: ONNX Runtime refuses the graph: {reason}") from error
    with torch.no_grad():
        expected = dict(zip(OUTPUTS, reference(torch.from_numpy(joints), torch.from_numpy(seen))))

    answers = {name: (whole[name], np.concatenate([one[name] for one in singly])) for name in OUTPUTS}
    differences = {}
    for name, value in expected.items():
        differences[name] = max(_difference(answer, value.numpy()) for answer in answers[name])
        if not differences[name] <= TOLERANCE:  # NaN is not <= anything
            raise ModelContractError(
                f"{path.name}: the graph must give what torch gives to {TOLERANCE:g}, "
                f"but its {name} differ by {differences[name]:.3g}."
            )
    best = expected["probabilities"].numpy().argmax(axis=1)
    if any(np.any(answer.argmax(axis=1) != best) for answer in answers["probabilities"]):
        raise ModelContractError(f"{path.name}: the graph and torch choose different classes.")
    given = len(joints) // 3
    if max(np.ptp(whole[name][:given], axis=0).max() for name in ("probabilities", "embedding")) <= 10 * TOLERANCE:
        # A graph that was traced to a constant would pass the comparison with a network that is one.
        raise ModelContractError(f"{path.name}: the network gives the same answer to every window of the check.")
    return differences


def _require_contract(session: onnxruntime.InferenceSession, card: ModelCard, path: Path) -> None:
    """Refuses a file whose inputs, outputs or card are not what was meant."""
    inputs = {item.name: item.shape for item in session.get_inputs()}
    outputs = [item.name for item in session.get_outputs()]
    shape = [card.persons, card.frames, len(card.joints)]
    if list(inputs) != list(INPUTS.values()) or outputs != list(OUTPUTS.values()):
        raise ModelContractError(f"{path.name}: the graph has inputs {list(inputs)} and outputs {outputs}.")
    if inputs[INPUTS["joints"]][1:] != [*shape, 3] or inputs[INPUTS["seen"]][1:] != shape:
        raise ModelContractError(f"{path.name}: the graph's inputs have shapes {inputs}.")
    if any(not isinstance(sizes[0], str) for sizes in inputs.values()):
        raise ModelContractError(f"{path.name}: the graph takes batches of one size only.")
    metadata = session.get_modelmeta().custom_metadata_map
    if ModelCard.from_metadata(metadata, file=path.name).to_json() != card.to_json():
        raise ModelContractError(f"{path.name}: the card in the file is not the card that was given.")


def _run(session: onnxruntime.InferenceSession, joints: np.ndarray, seen: np.ndarray) -> dict[str, np.ndarray]:
    values = session.run(list(OUTPUTS.values()), {INPUTS["joints"]: joints, INPUTS["seen"]: seen})
    return dict(zip(OUTPUTS, values))


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
