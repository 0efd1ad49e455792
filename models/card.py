"""The model card: what a model file says of itself.

A model file is complete: an ONNX graph that takes raw joints in meters and a seen-mask, with this card as JSON in
its metadata under the key ``model_card``. Whoever has the file needs no second one.

Graph contract (B is dynamic):

    inputs   joints (B, M, T, V, 3) float32 meters      seen (B, M, T, V) float32, 1 seen, 0 not
    outputs  probabilities (B, K)    joint_attention (B, M, V)    frame_attention (B, M, T)    embedding (B, E)

An absent person or an unseen joint may hold any value, NaN included: the graph masks it.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from skeleton.errors import ModelContractError

METADATA_KEY = "model_card"
ENTER_THRESHOLD, EXIT_THRESHOLD = 0.8, 0.5
"""Where a card says nothing else. A network that knows only its own actions gives a person who merely stands 0.5 to
0.75 for one of them; from 0.8 on it is nearly silent, and real repetitions still reach it (docs/experiments.md)."""
SCHEMA = 1
LARGEST_EMBEDDING = 4096
"""Numbers of a feature center: beyond any hidden layer of ours; it bounds what a card can ask for."""
LARGEST_FEATURE = 1e6
LARGEST_CARD = 16 << 20
"""Characters of the JSON text. One of 120 labels with their centers of features has half a million."""
LARGEST_ATTENTION, NARROWEST_ATTENTION = 1e6, 1e-6
"""Of ``attention_range``: weights of a trained network are near 1, and whoever paints divides by the width."""
INPUTS = {"joints": "joints", "seen": "seen"}
OUTPUTS = {
    "probabilities": "probabilities",
    "joint_attention": "joint_attention",
    "frame_attention": "frame_attention",
    "embedding": "embedding",
}
"""Names of the graph's tensors, written once."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model file says of itself.

    Attributes:
        name: Short name, for people.
        network: Key of ``models.table.NETWORKS``.
        labels: K class names, in the order of ``probabilities``.
        layout: Name of the joint layout it was trained on.
        joints: V joint names, in the order of the graph's V axis.
        frames: T.
        span_s: Seconds that the T frames span, live.
        lag_s: An answer is about what is done so long before its window's end; 0 where that is not said, and then
            the window's middle counts, see ``about_s``.
        persons: M.
        pair_labels: The labels of what two people do together; empty in cards of models that know none.
        temperature: Divides the logits; already inside the graph, recorded here.
        enter_threshold: Smoothed probability at which an action starts.
        exit_threshold: Smoothed probability below which it ends.
        enter_thresholds: The same for single labels, where they differ.
        exit_thresholds: Likewise.
        background: The label that means "no trained action"; empty for a model that has none.
        unknown_score: Smoothed probability of the best class below which nothing is claimed; 0 switches the rule off.
        unknown_distance: Smoothed feature distance above which nothing is claimed; 0 switches the rule off. The
            distance is the Euclidean one from the embedding to the nearest center, divided by ``feature_scale``.
        feature_centers: K rows of E numbers, the mean embedding of each label in training; or none.
        feature_scale: Mean distance of training windows from the center of their own label.
        attention_range: (low, high) of |joint attention| over the training data; fixes the heat scale.
        expects_leveled: Whether y must be measured from a leveled floor.
        trained_on: Data set, protocol, subjects, number of clips.
        results: Measured results, such as {"top1": 0.97, ...}, with the data they were measured on.
        recipe: The settings of the run.
        license: License of the weights, and of the data where it matters.
    """

    name: str
    network: str
    labels: tuple[str, ...]
    layout: str
    joints: tuple[str, ...]
    frames: int
    span_s: float
    lag_s: float = 0.0
    persons: int = 1
    pair_labels: tuple[str, ...] = ()
    temperature: float = 1.0
    enter_threshold: float = ENTER_THRESHOLD
    exit_threshold: float = EXIT_THRESHOLD
    enter_thresholds: dict[str, float] = field(default_factory=dict)
    exit_thresholds: dict[str, float] = field(default_factory=dict)
    background: str = ""
    unknown_score: float = 0.0
    unknown_distance: float = 0.0
    feature_centers: tuple[tuple[float, ...], ...] = ()
    feature_scale: float = 1.0
    attention_range: tuple[float, float] = (0.0, 1.0)
    expects_leveled: bool = False
    trained_on: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    license: str = ""
    schema: int = SCHEMA

    @property
    def actions(self) -> tuple[str, ...]:
        """The labels that mean an action: all but the background."""
        return tuple(label for label in self.labels if label != self.background)

    @property
    def about_s(self) -> float:
        """How long before a window's end that lies which its answer is about, seconds."""
        return self.lag_s or self.span_s / 2

    def thresholds(self, label: str) -> tuple[float, float]:
        """Returns the (enter, exit) thresholds of a label."""
        return (
            self.enter_thresholds.get(label, self.enter_threshold),
            self.exit_thresholds.get(label, self.exit_threshold),
        )

    def to_json(self) -> str:
        """Returns the card as JSON text, keys in the order of the attributes."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, *, file: str) -> ModelCard:
        """Reads a card and checks it.

        Args:
            text: The JSON text from the model's metadata.
            file: Name of the model file, for messages.

        Raises:
            ModelContractError: Not a card, of another schema, or with values that contradict each other.
        """
        try:
            values = json.loads(text)
            json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:  # JSON can spell half a character: "\\ud800"
            raise ModelContractError(
                f"{file}: in the model card, texts must be encodable as UTF-8, found {error.object[error.start]!r}."
            ) from None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise ModelContractError(f"{file} must hold a model card, but its card is not a JSON object.")
        if values.get("schema") != SCHEMA:
            raise ModelContractError(
                f"{file} must have a card of schema {SCHEMA}, found {values.get('schema')!r}.",
                remedy="Export the model again with this version.",
            )
        known = {item.name for item in dataclasses.fields(cls)}
        required = {"name", "network", "labels", "layout", "joints", "frames", "span_s"}
        missing = sorted(required - values.keys())
        if missing:
            raise ModelContractError(f"{file}: the model card lacks {', '.join(missing)}.")
        values = {key: value for key, value in values.items() if key in known}
        problem = _problem(values)
        if problem:
            raise ModelContractError(f"{file}: in the model card, {problem}.")
        for key in ("labels", "joints", "pair_labels", "attention_range"):
            if key in values:
                values[key] = tuple(values[key])
        if "feature_centers" in values:
            values["feature_centers"] = tuple(tuple(center) for center in values["feature_centers"])
        return cls(**values)

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], *, file: str) -> ModelCard:
        """Reads the card out of an ONNX file's metadata; raises ``ModelContractError`` when there is none."""
        if METADATA_KEY not in metadata:
            raise ModelContractError(
                f"{file} must hold a model card in its metadata ('{METADATA_KEY}'), but has none.",
                remedy="Use a model made by 'python -m training export'.",
            )
        return cls.from_json(metadata[METADATA_KEY], file=file)


def verified(card: ModelCard, *, file: str) -> ModelCard:
    """Returns a card that a reader will take as it is.

    Raises:
        ModelContractError: It would be refused, or is larger than any card of ours.
    """
    try:
        text = card.to_json()
    except RecursionError:  # what was measured comes from a file, where lists may lie in lists
        raise ModelContractError(f"{file}: the model card must not be nested deeply.") from None
    if len(text) > LARGEST_CARD:
        raise ModelContractError(f"{file}: the model card must have at most {LARGEST_CARD >> 20} Mi characters.")
    return ModelCard.from_json(text, file=file)


def is_name(text: str) -> bool:
    """Whether a text can be a label, which people read and tables hold: not blank, without control characters."""
    return bool(text.strip()) and not _has_controls(text)


def _has_controls(text: str) -> bool:
    """Whether a text has what no font shows and a table cannot hold; the joiners of many scripts are fine."""
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def _problem(values: dict[str, Any]) -> str:
    """What is wrong with a card's values, or an empty string."""

    def is_names(value: Any) -> bool:
        return (
            isinstance(value, list) and bool(value) and all(isinstance(item, str) and is_name(item) for item in value)
        )

    wanted = {"a text": str, "true or false": bool, "an object": dict}
    kinds = dict.fromkeys(("name", "network", "layout", "license", "background"), "a text")
    kinds |= {"expects_leveled": "true or false"}
    kinds |= dict.fromkeys(("trained_on", "results", "recipe", "enter_thresholds", "exit_thresholds"), "an object")
    for key, kind in kinds.items():
        if key in values and not isinstance(values[key], wanted[kind]):
            return f"{key} must be {kind}, found {type(values[key]).__name__}"
    for key in ("name", "network", "layout"):
        if _has_controls(values[key]):
            return f"{key} must have no control characters, found {values[key]!r}"
    for key in ("labels", "joints"):
        if not is_names(values[key]) or len(set(values[key])) != len(values[key]):
            return f"{key} must be a list of different names of visible characters"
    for key, low, high in (("frames", 2, 1000), ("persons", 1, 2)):
        value = values.get(key, low)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            return f"{key} must be a whole number from {low} to {high}, found {value!r}"
    pairs = values.get("pair_labels", [])
    if not isinstance(pairs, list) or any(label not in values["labels"] for label in pairs):
        return f"pair_labels must be a list of some of its labels, found {pairs!r}"
    if pairs and values.get("persons", 1) < 2:
        return "pair_labels must be empty for a model of one person"
    if values.get("background") in pairs:
        return "the background must not be one of pair_labels"
    for key, low_s, high_s in (("span_s", 0.1, 60.0), ("temperature", 1e-3, 1e3)):
        value = values.get(key, 1.0)
        if not _is_number(value) or not low_s <= value <= high_s:
            return f"{key} must be a number from {low_s} to {high_s}, found {value!r}"
    lag_s = values.get("lag_s", 0.0)
    if not _is_number(lag_s) or not 0 <= lag_s <= values["span_s"]:
        return f"lag_s must be a number of seconds from 0 to span_s, found {lag_s!r}"
    enter, leave = values.get("enter_threshold", ENTER_THRESHOLD), values.get("exit_threshold", EXIT_THRESHOLD)
    if not (_is_number(enter) and _is_number(leave) and 0 <= leave <= enter <= 1):
        return f"thresholds must satisfy 0 <= exit <= enter <= 1, found exit {leave!r}, enter {enter!r}"
    span = values.get("attention_range", [0.0, 1.0])
    if not (
        isinstance(span, list)
        and len(span) == 2
        and all(_is_number(end) and 0 <= end <= LARGEST_ATTENTION for end in span)
        and span[1] - span[0] >= NARROWEST_ATTENTION
    ):
        return (
            f"attention_range must be two increasing numbers from 0 to {LARGEST_ATTENTION:g}, "
            f"at least {NARROWEST_ATTENTION:g} apart, found {span!r}"
        )
    return _problem_of_thresholds(values, enter=enter, leave=leave) or _problem_of_unknown(values)


def _problem_of_thresholds(values: dict[str, Any], *, enter: float, leave: float) -> str:
    """What is wrong with the background's label or with thresholds of single labels, or an empty string."""
    labels, background = values["labels"], values.get("background", "")
    if background and (background not in labels or len(labels) < 2):
        return f"background must be one of at least two labels, found {background!r}"
    enters, leaves = values.get("enter_thresholds", {}), values.get("exit_thresholds", {})
    for label in {**enters, **leaves}:
        high, low = enters.get(label, enter), leaves.get(label, leave)
        if label not in labels:
            return f"thresholds must be of its labels, found {label!r}"
        if not (_is_number(high) and _is_number(low) and 0 <= low <= high <= 1):
            return f"thresholds of {label!r} must satisfy 0 <= exit <= enter <= 1, found exit {low!r}, enter {high!r}"
    return ""


def _problem_of_unknown(values: dict[str, Any]) -> str:
    """What is wrong with the unknown rule, or an empty string."""
    for key, low, high, default in (
        ("unknown_score", 0.0, 1.0, 0.0),
        ("unknown_distance", 0.0, 1e6, 0.0),
        ("feature_scale", 1e-9, LARGEST_FEATURE, 1.0),
    ):
        value = values.get(key, default)
        if not _is_number(value) or not low <= value <= high:
            return f"{key} must be a number from {low} to {high}, found {value!r}"
    centers, wanted = values.get("feature_centers", []), len(values["labels"])
    if not isinstance(centers, list) or len(centers) not in (0, wanted):
        return f"feature_centers must be a list with one center for each of its {wanted} labels"
    sizes = {len(center) if isinstance(center, list) else 0 for center in centers}
    if centers and (len(sizes) > 1 or not 1 <= min(sizes) <= LARGEST_EMBEDDING):
        return f"feature_centers must be lists of the same size, from 1 to {LARGEST_EMBEDDING} numbers"
    if not all(_is_number(value) and abs(value) <= LARGEST_FEATURE for center in centers for value in center):
        return f"feature_centers must hold numbers from -{LARGEST_FEATURE:g} to {LARGEST_FEATURE:g}"
    if values.get("unknown_distance", 0) and not centers:
        return "unknown_distance needs feature_centers to measure from"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
