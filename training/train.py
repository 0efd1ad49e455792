"""Starts a run, or takes one up again, and brings it to a model file.

The same seed gives the same weights on the same machine. Every epoch draws its random numbers from the seed and its
own number, so a run that was interrupted and resumed ends like one that was not.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from models.export import LARGEST_BYTES
from models.network import MOST_PERSONS
from models.table import build
from skeleton.errors import AppError, ConfigError, TrainingDataError
from skeleton.replacing import is_full
from training import arithmetic, protocols
from training.background import label_of, labels_with, open_sources, sources_of
from training.batches import require_floors
from training.cache import Cache, open_cache
from training.config import Settings, TrainingConfig
from training.export import model_of
from training.locks import locked
from training.loop import Training
from training.processes import Processes, joined
from training.run import MODEL, Run, open_data, open_run, split_of, start
from training.taught import taught
from training.windows import clip_share


def train(
    *,
    data: Path,
    protocol: str,
    output: Path,
    settings: Settings,
    seed: int = 0,
    command: str = "",
    is_exported: bool = True,
    background: Sequence[Path] = (),
) -> Run:
    """Starts a run and trains it to its end.

    Args:
        data: The cache.
        protocol: Who trains; see ``training.protocols``.
        output: The run folder to make.
        settings: All settings.
        seed: What all randomness follows from.
        command: The command line, kept in the run folder.
        is_exported: Whether the model file is written at the end.
        background: Caches whose clips show the background class; the settings say its share of a batch.

    Raises:
        AppError: Data, protocol, settings or folder that cannot be used; or Ctrl-C, after which every finished epoch
            is saved.
    """
    with joined(settings.training.device) as processes:
        return train_in(
            processes,
            data=data,
            protocol=protocol,
            output=output,
            settings=settings,
            seed=seed,
            command=command,
            is_exported=is_exported,
            background=background,
        )


def train_in(
    processes: Processes,
    *,
    data: Path,
    protocol: str,
    output: Path,
    settings: Settings,
    seed: int,
    command: str,
    is_exported: bool,
    background: Sequence[Path] = (),
) -> Run:
    """Does what :func:`train` does, in processes that have joined already."""
    settings = arithmetic.settled(settings, processes.device)
    cache = taught(open_cache(data), settings.training)
    split = split_of(cache, protocol, settings.training)
    _require_able(settings.training, cache, split, processes)
    if is_exported:
        _require_exportable(settings, cache)
    sources = open_sources(background, cache, protocol, split, settings.training)

    def begin() -> Run:
        return start(
            output,
            settings=settings,
            cache=cache,
            protocol=protocol,
            split=split,
            seed=seed,
            command=command,
            background=sources,
        )

    run = processes.first(begin) or open_run(output)
    is_ours = False
    try:
        with _alone(run.path, processes):
            is_ours = True
            Training(run, cache, split, processes, background=sources).run_epochs()
            if is_exported and processes.is_first:
                _write_model(run, data)
    finally:
        # It has learned nothing, and would be in the way; unless another process has resumed it in the meantime.
        if is_ours and processes.is_first and run.is_new:
            shutil.rmtree(run.path, ignore_errors=True)
    return run


def resume(path: Path, *, data: Path | None = None, is_exported: bool = True) -> Run:
    """Continues an interrupted run to its end; a finished one gets its model file where it has none.

    Args:
        path: The run folder.
        data: The cache, where it is no longer where the run found it.
        is_exported: Whether the model file is written at the end.

    Raises:
        AppError: As :func:`train`; also no run, one that another process trains, a damaged checkpoint, or other data
            than it began with.
    """
    with joined(open_run(path).settings.training.device) as processes:
        return resume_in(processes, path, data=data, is_exported=is_exported)


def resume_in(processes: Processes, path: Path, *, data: Path | None, is_exported: bool) -> Run:
    """Does what :func:`resume` does, in processes that have joined already."""
    run = open_run(path)
    cache, split = open_data(run, data)
    _require_able(run.settings.training, cache, split, processes)
    sources = sources_of(run.facts, cache, split, run.settings.training)
    with _alone(path, processes):
        training = Training(run, cache, split, processes, background=sources)
        if not run.is_new:
            training.restore(run.load("last"))
        training.run_epochs()
        if is_exported and processes.is_first:
            _write_model(run, cache.path)
    return run


@contextmanager
def _alone(path: Path, processes: Processes) -> Iterator[None]:
    """Keeps other trainings away from a run folder."""
    with ExitStack() as stack:
        processes.first(lambda: stack.enter_context(locked(path)))
        yield


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Says of a disk that is full how the training in a folder goes on; one or several seeds."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or not folder.is_dir():
            raise
        raise AppError(
            f"{error.filename}: {error.strerror}; every finished epoch is saved.",
            remedy=f"Make room; then continue with: python -m training train --resume {shlex.quote(str(folder))}",
        ) from None


def _write_model(run: Run, data: Path) -> None:
    """Writes the model file of a finished run into its folder."""
    try:
        model_of(run, data)
    except KeyboardInterrupt:
        raise AppError(
            f"Interrupted; all epochs are saved, but not {run.path / MODEL}.",
            remedy=f"Continue with: python -m training train --resume {shlex.quote(str(run.path))}",
        ) from None


def _require_able(config: TrainingConfig, cache: Cache, split: protocols.Split, processes: Processes) -> None:
    """Raises an error where these processes or data cannot do what is asked, before a folder is made."""
    arithmetic.require(config, processes.device)
    if cache.persons > MOST_PERSONS:
        raise TrainingDataError(
            f"A network takes at most {MOST_PERSONS} people, but the clips of {cache.path} show up to "
            f"{cache.persons}.",
            remedy=f"Prepare the data set again with --set persons={MOST_PERSONS}.",
        )
    if config.leveled:
        require_floors(cache)
    actions = max(1, int(config.batch_size * clip_share(config)))
    smallest = min(actions, len(split.train))
    if smallest < processes.count:
        raise ConfigError(
            f"Every process needs a window in each step, but {processes.count} processes share {smallest}.",
            remedy="Start fewer, or set a larger batch_size.",
        )


def _require_exportable(settings: Settings, cache: Cache) -> None:
    """Raises an error for a network whose model file would be refused once it is trained."""
    labels = labels_with(cache.labels, label_of(settings.training))
    shape = settings.network_config(joints=cache.layout.joints, classes=len(labels), persons=cache.persons)
    network = build(settings.training.network, shape)
    size = sum(weights.numel() * weights.element_size() for weights in network.parameters())
    if size > LARGEST_BYTES:
        raise ConfigError(
            f"A model file must stay below {LARGEST_BYTES / 1e6:.0f} MB, but this network's weights alone take "
            f"{size / 1e6:.1f} MB.",
            remedy="Set fewer channels, interpolated_joints or hidden units.",
        )
