"""Every setting of a training run: its default, its meaning, its place in the recipe files.

A run has two kinds of settings, of training (here) and of the network (``models.network.NetworkConfig``). On the
command line and in a recipe they are one flat list; :func:`load` tells them apart. What the data decide (joints,
classes, persons) is no setting.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.card import is_name
from models.network import NetworkConfig
from models.table import NETWORKS
from skeleton import config
from skeleton.config import setting
from skeleton.errors import ConfigError

AUGMENTATIONS = ("online", "paper")
OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("auto", "float32", "bfloat16")
USUAL_BACKGROUND_SHARE = 0.25
"""Of a batch, where there are caches of background and the settings do not say."""
RESTORE = "Put back the file as training wrote it, or train again with other settings."
FROM_DATA = ("joints", "classes", "persons")
"""Fields of the network's config that follow from the data set."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a network is trained.

    Raises:
        ValueError: A number outside its range.
    """

    network: str = setting("csta_cnn", "which network", choices=tuple(NETWORKS))
    epochs: int = setting(60, "times that every clip is shown")
    batch_size: int = setting(32, "windows in a step")
    optimizer: str = setting(
        "adamw",
        "adamw, or sgd with Nesterov's momentum of 0.9, which wants another learning_rate (about 0.05) and "
        "weight_decay (about 0.001)",
        choices=OPTIMIZERS,
    )
    learning_rate: float = setting(2e-3, "highest learning rate")
    weight_decay: float = setting(0.05, "weight decay, as the optimizer counts it")
    warm_up: float = setting(0.1, "share of the steps in which the learning rate rises; then it falls as a cosine")
    label_smoothing: float = setting(0.1, "share of a label that is spread over all classes")
    mixup: float = setting(0.0, "parameter of the Beta distribution that mixes pairs of windows; 0 mixes none")
    gradient_clip: float = setting(1.0, "longest gradient, as a norm over all weights; 0 does not clip")
    average_decay: float = setting(
        0.0, "decay a step of the moving average of the weights that is kept; 0 keeps none"
    )
    patience: int = setting(0, "epochs without a better validation after which a run ends early; 0 never")
    validation_subjects: int = setting(1, "training people who validate instead; 0 trains on all, last epoch counts")
    validation_fold: int = setting(0, "which training people validate, counted from 0 in the order of their numbers")
    keep: str = setting(
        "best",
        "epoch that a run gives: best on the validation people, where there are any, or last; few of them choose by "
        "chance, and a fold must end as the run does that all train",
        choices=("best", "last"),
    )
    leave_out: tuple[str, ...] = setting(
        (),
        "labels that the network is not taught: their clips neither train nor validate, to be unknown actions later",
    )
    augment: str = setting(
        "online",
        "online: every epoch shows other windows, changed as below; paper: eight fixed windows of each clip, four by "
        "temporal random sampling and four by random cropping (smallest_crop), unchanged, in every epoch",
        choices=AUGMENTATIONS,
    )
    leveled: bool = setting(
        False, "turn joints into axes that stand on the floor of their clip; the model then expects them so"
    )
    span_s: float = setting(2.5, "seconds that the frames of a window span in live use")
    span_share: float = setting(0.5, "share of windows that show span_s seconds of a clip instead of all of it")
    sampling_share: float = setting(0.5, "share of the other windows made by temporal random sampling, not cropping")
    smallest_crop: float = setting(0.5, "smallest part of a clip that temporal random cropping leaves")
    rotation_deg: float = setting(17.0, "largest random turn about the vertical, degrees; undone by turn=true")
    tilt_deg: float = setting(0.0, "largest random turn about the horizontal axes, degrees")
    size_change: float = setting(0.1, "largest random change of size, as a share; undone by scale=true")
    build_change: float = setting(
        0.0, "largest random change of width, height and depth, each on its own, as a share"
    )
    arm_turn_deg: float = setting(
        0.0,
        "standard deviation of random turns of arms about the shoulder and of forearms about the elbow, degrees "
        "about each axis",
    )
    noise_m: float = setting(0.0, "standard deviation of noise on every coordinate, meters")
    joint_dropout: float = setting(0.02, "share of joints that are lost for a random part of a window")
    limb_dropout: float = setting(0.0, "share of windows that lose a limb, or both arms, all the time")
    mirror_share: float = setting(0.5, "share of windows that are mirrored, with their labels")
    swap_share: float = setting(
        0.5, "share of windows in which the first and the second person change places; for data of two people"
    )
    background_share: float = setting(
        0.0, "share of each batch that shows no trained action, for a class of its own; 0 trains no such class"
    )
    background_label: str = setting("nothing", "label of that class; one of the data set's labels, or a new one")
    stream_share: float = setting(
        0.0,
        "share of each batch cut out of streams, in which people do clips, go from pose to pose, and stand; it "
        "teaches the background class too, and to speak while an action goes on; 0 cuts none",
    )
    lag_s: float = setting(
        0.5, "a window of a stream is labeled with what is done so long before its end, seconds; at most span_s"
    )
    pause_share: float = setting(
        0.5,
        "share of the background that holds the first or last pose of a training clip; the rest comes from the "
        "caches of --background, and without any all of it holds poses",
    )
    threads: int = setting(2, "threads of the CPU; 0 takes as many as PyTorch thinks right")
    device: str = setting("auto", "where to train", choices=("auto", "cpu", "cuda"))
    data_on_device: str = setting(
        "auto",
        "hold all frames in the device's memory; auto: where they take at most half of what is free on a GPU, or "
        "512 MiB on the CPU",
        choices=("auto", "yes", "no"),
    )
    precision: str = setting(
        "auto",
        "arithmetic of the network in training; auto: bfloat16 where the processor or GPU multiplies it, otherwise "
        "float32; a run keeps what that was where it began",
        choices=PRECISIONS,
    )
    compile: bool = setting(False, "let torch.compile make the network's kernels; needs a compiler (or Triton)")

    def __post_init__(self) -> None:
        shares = (
            "warm_up",
            "label_smoothing",
            "span_share",
            "sampling_share",
            "joint_dropout",
            "limb_dropout",
            "mirror_share",
            "swap_share",
            "pause_share",
        )
        ranges: dict[str, tuple[float, float]] = dict.fromkeys(shares, (0.0, 1.0))
        ranges |= {
            "epochs": (1, 100_000),
            "batch_size": (2, 65_536),
            "learning_rate": (1e-8, 10.0),
            "weight_decay": (0.0, 10.0),
            "mixup": (0.0, 100.0),
            "gradient_clip": (0.0, 1e6),
            "average_decay": (0.0, 0.99999),
            "patience": (0, 100_000),
            "validation_subjects": (0, 10_000),
            "validation_fold": (0, 10_000),
            "span_s": (0.1, 60.0),
            "smallest_crop": (0.01, 1.0),
            "rotation_deg": (0.0, 180.0),
            "tilt_deg": (0.0, 90.0),
            "size_change": (0.0, 0.4),
            "build_change": (0.0, 0.4),
            "arm_turn_deg": (0.0, 90.0),
            "noise_m": (0.0, 1.0),
            "background_share": (0.0, 0.9),
            "stream_share": (0.0, 0.9),
            "lag_s": (0.0, 60.0),
            "threads": (0, 1024),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, found {getattr(self, name)}")
        if self.background_share + self.stream_share > 0.95:
            raise ValueError("background_share and stream_share must leave at least 0.05 of a batch for whole clips")
        if self.lag_s > self.span_s:
            raise ValueError(f"lag_s must be at most span_s, found {self.lag_s} and {self.span_s}")
        if self.stream_share and not self.lag_s:  # the card's 0 says that the answer is about the window's middle
            raise ValueError("lag_s must be above 0 where stream_share is: the very end of a window decides nothing")
        if not is_name(self.background_label):
            raise ValueError("background_label must be a word")
        if self.patience and not self.validation_subjects:
            raise ValueError("patience needs validation_subjects, at least 1: without validation nothing is better")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run; ``shape`` holds the network's, without what the data decide."""

    training: TrainingConfig
    shape: dict[str, Any]

    def network_config(self, *, joints: Sequence[str], classes: int, persons: int) -> NetworkConfig:
        """Returns the network's config for a data set."""
        return NetworkConfig(**self.shape, joints=tuple(joints), classes=classes, persons=persons)

    def flat(self) -> Any:
        """Returns the settings as one dataclass, for ``skeleton.config.save``."""
        return AllSettings(**dataclasses.asdict(self.training), **self.shape)


def load(*, file: Path | None = None, assignments: Sequence[str] = ()) -> Settings:
    """Returns the settings from defaults, then a recipe (TOML), then ``key=value`` assignments.

    Raises:
        ConfigError: An unknown key, a wrong type or range, or a file that cannot be read.
    """
    values = dataclasses.asdict(config.load(AllSettings, file=file, assignments=assignments))
    training = {field.name: values.pop(field.name) for field in dataclasses.fields(TrainingConfig)}
    return Settings(training=TrainingConfig(**training), shape=values)


def kept(file: Path, digest: str | None) -> Settings:
    """Returns the settings that a run folder keeps.

    Its arithmetic was settled when it was made. A file that does not say which is older than the question, and all
    of them were float32 then.

    Args:
        file: The run's config.toml.
        digest: What :func:`digest_of` said when it was written; None if the run is of an older version.

    Raises:
        ConfigError: As :func:`load`; also for a file that was changed since.
    """
    if digest is not None and file.is_file() and digest_of(file) != digest:
        raise ConfigError(f"{file} must hold the settings that training began with, but has changed.", remedy=RESTORE)
    try:
        settings = load(file=file)
    except ConfigError as error:
        raise ConfigError(error.message, remedy=error.remedy or RESTORE) from None
    if settings.training.precision != "auto":
        return settings
    return dataclasses.replace(settings, training=dataclasses.replace(settings.training, precision="float32"))


def digest_of(file: Path) -> str:
    """Returns a number for a settings file as it stands, whatever its line ends: git may change them."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def with_background(settings: Settings) -> Settings:
    """Returns settings that give the background class a share of each batch, where they give it none."""
    if settings.training.background_share:  # streams alone do not show what the caches hold
        return settings
    training = dataclasses.replace(settings.training, background_share=USUAL_BACKGROUND_SHARE)
    return dataclasses.replace(settings, training=training)


def describe() -> str:
    """Returns one line per setting, for ``--help`` and the docs."""
    return config.describe(AllSettings)


def _check(settings: Any) -> None:
    values = dataclasses.asdict(settings)
    TrainingConfig(**{field.name: values.pop(field.name) for field in dataclasses.fields(TrainingConfig)})
    NetworkConfig(**values)


def _merged() -> type:
    hints = {field.name: field for field in dataclasses.fields(TrainingConfig)}
    hints |= {field.name: field for field in dataclasses.fields(NetworkConfig) if field.name not in FROM_DATA}
    fields = [
        (name, field.type, dataclasses.field(default=field.default, metadata=field.metadata))
        for name, field in hints.items()
    ]
    merged = dataclasses.make_dataclass("AllSettings", fields, frozen=True, namespace={"__post_init__": _check})
    merged.__module__ = __name__  # so that the types of its fields, written as text, are looked up here
    return merged


AllSettings = _merged()
"""The settings of training and of the network as one flat list."""
