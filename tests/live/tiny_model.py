"""A small ONNX model that keeps the graph contract: a linear classifier on the masked joints."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.card import METADATA_KEY, ModelCard
from skeleton.layout import KINECT_V2

CARD = ModelCard(
    name="tiny",
    network="linear",
    labels=("nothing", "right hand up", "nothing else"),
    layout="kinect-v2",
    joints=KINECT_V2.joints,
    frames=6,
    span_s=0.5,
    enter_threshold=0.7,
    exit_threshold=0.4,
)


def hand_weights(card: ModelCard, *, gain: float = 40.0) -> np.ndarray:
    """(M, T, V, 3, K): class 1 wins while the right hand is above the right shoulder, on the window's average.

    Otherwise the other two share the probability, and neither reaches its threshold.
    """
    weights = np.zeros((card.persons, card.frames, len(card.joints), 3, len(card.labels)), dtype=np.float32)
    for joint, sign in (("HandRight", 1), ("ShoulderRight", -1)):
        weights[0, :, card.joints.index(joint), 1, 1] = sign * gain / card.frames
    return weights


def random_weights(card: ModelCard, *, seed: int = 0) -> np.ndarray:
    """(M, T, V, 3, K): every number matters, so that no two windows give the same answer."""
    shape = (card.persons, card.frames, len(card.joints), 3, len(card.labels))
    return np.random.default_rng(seed).normal(scale=1 / np.sqrt(np.prod(shape[:4])), size=shape).astype(np.float32)


def build(card: ModelCard = CARD, *, weights: np.ndarray | None = None) -> onnx.ModelProto:
    """Returns the model with its card in the metadata."""
    weights = hand_weights(card) if weights is None else weights
    m, t, v, k = card.persons, card.frames, len(card.joints), len(card.labels)

    def constant(name: str, value: Any) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(value), name)

    def tensor(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    node = helper.make_node
    nodes = [
        node("Greater", ["seen", "half"], ["is_seen"]),
        node("Unsqueeze", ["is_seen", "last"], ["is_seen_xyz"]),
        node("Where", ["is_seen_xyz", "joints", "zero"], ["masked"]),
        node("Reshape", ["masked", "flat"], ["numbers"]),
        node("MatMul", ["numbers", "weights"], ["embedding"]),
        node("Softmax", ["embedding"], ["probabilities"], axis=-1),
        node("ReduceMean", ["seen", "axis_t"], ["joint_attention"], keepdims=0),
        node("ReduceMean", ["seen", "axis_v"], ["frame_attention"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [tensor("joints", "B", m, t, v, 3), tensor("seen", "B", m, t, v)],
        [
            tensor("probabilities", "B", k),
            tensor("joint_attention", "B", m, v),
            tensor("frame_attention", "B", m, t),
            tensor("embedding", "B", k),
        ],
        [
            constant("half", np.float32(0.5)),
            constant("zero", np.float32(0)),
            constant("last", np.int64([4])),
            constant("flat", np.int64([0, m * t * v * 3])),
            constant("axis_t", np.int64([2])),
            constant("axis_v", np.int64([3])),
            constant("weights", weights.reshape(m * t * v * 3, k)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    put_card(model, card.to_json())
    return model


def put_card(model: onnx.ModelProto, text: str) -> None:
    """Replaces the card's text in the metadata."""
    del model.metadata_props[:]
    helper.set_model_props(model, {METADATA_KEY: text})


def write(path: Path, card: ModelCard = CARD, *, weights: np.ndarray | None = None, **changes: Any) -> Path:
    """Writes the model, its card with ``changes``, and returns ``path``."""
    onnx.save(build(dataclasses.replace(card, **changes), weights=weights), path)
    return path
