"""Windows as a live model sees them: cut out of streams in which people do clips, go from pose to pose, and stand.

A window of a stream holds the end of one thing and the beginning of another, and whoever learns single clips alone
answers when an action is over. Here the label is what the person does ``lag_s`` before the window's end, and the
background where that is nothing. So a network learns to speak while the action goes on, and the live decision knows
of which moment it speaks.

An epoch has streams of its own. What tells real clips from the ways and the standing that lie between them must not
be how a sensor trembles: those get noise too, of a strength that is drawn for each person, and so does every window.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calibration.leveling import level
from skeleton.errors import TrainingDataError
from training import batches
from training.batches import Frames, Ragged, Shelf
from training.config import TrainingConfig
from training.stream_motion import Motion
from training.stream_person import Performer, StreamConfig

RATE_HZ = 30.0
TRANSITION_S, PAUSE_S, PAUSE_SHARE, LEAD_S = (0.4, 1.5), (0.5, 4.0), 0.6, 1.0
"""More kinds of ways and of standing than streams for measuring have."""
MOST_CLIPS = 2000
"""Clips in the streams of an epoch, over all people: some three hours, and a second or two to make them."""
STILL_SHARE = 0.3
"""Share of the windows whose label is the background; the other classes are shown alike."""
SPAN_CHANGE = 0.1
"""Windows are up to this share shorter or longer: people are slower or faster."""
NOISE_M = 0.004
"""Largest deviation of the noise, meters; on a person who stands a Kinect v2 trembles by 0.3 to 3 mm."""


class StreamWindows:
    """Draws windows out of streams of the clips that train.

    Args:
        shelf: The training data.
        indices: The clips that train.
        background: Index of the background class.
        config: The settings.
        frames: T.
        seed: What the streams follow from, with the epoch's number.

    Raises:
        TrainingDataError: No clip shows one person alone, or joints must be leveled and a person has several floors.
    """

    def __init__(
        self, *, shelf: Shelf, indices: np.ndarray, background: int, config: TrainingConfig, frames: int, seed: int
    ) -> None:
        self._shelf, self._background, self._config = shelf, background, config
        self._frames, self._seed = frames, seed
        self._indices = indices[shelf.cache.clips["persons"][indices] <= 1]
        if not len(self._indices):
            raise TrainingDataError(
                f"Streams need clips of one person, but {shelf.cache.path} has none that train.",
                remedy="Use stream_share=0.",
            )
        self.ratio = config.stream_share / (1 - config.stream_share - config.background_share)

    def begin(self, epoch: int) -> None:
        """Makes the streams of an epoch."""
        subjects = self._shelf.cache.clips["subject"][self._indices]
        people = np.unique(subjects)
        parts = [
            self._performed(self._indices[subjects == person], int(person), epoch, most=-(-MOST_CLIPS // len(people)))
            for person in people
        ]
        counts = np.array([len(motion) for motion, _ in parts])
        labels = np.concatenate([labels for _, labels in parts])
        self._last = np.repeat(counts.cumsum() - 1, counts)  # of the person's stream, for each row
        self._first = np.repeat(counts.cumsum() - counts, counts)
        self._rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._labels = labels
        self._times_s = np.concatenate([np.arange(count) / RATE_HZ for count in counts])
        self._source = self._source_of([motion for motion, _ in parts])

    def draw(
        self, count: int, *, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns joints (count, M, T, V, 3), seen (count, M, T, V) and labels (count,)."""
        rows = self._moments(count, random)
        span_s = self._config.span_s * random.uniform(1 - SPAN_CHANGE, 1 + SPAN_CHANGE, count)
        end = rows + self._config.lag_s * RATE_HZ
        first = np.maximum(np.floor(end - span_s * RATE_HZ).astype(np.int64), self._first[rows])
        length = int(np.ceil(span_s.max() * RATE_HZ)) + 2
        frames = np.minimum(length, self._last[rows] - first + 1)
        offset = np.arange(length)
        every = first[:, None] + np.minimum(offset, frames[:, None] - 1)
        times_s = np.where(offset < frames[:, None], self._times_s[every], np.inf)
        wanted_s = (end - self._first[rows])[:, None] / RATE_HZ - span_s[:, None] * np.linspace(1, 0, self._frames)
        labels = self._labels[rows]
        arrays = (first, frames, times_s, labels)
        clips = Ragged(self._source, *(torch.from_numpy(array).to(self._shelf.device) for array in arrays))
        joints, seen = batches.resample(clips, torch.from_numpy(wanted_s).to(self._shelf.device))
        return _noisy(joints, seen, generator), seen, clips.labels

    def _moments(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count,) rows, each class shown alike but for the background."""
        shown = [int(self._labels[rows[0]]) for rows in self._rows]
        actions = max(1, sum(label != self._background for label in shown))
        weights = [STILL_SHARE if label == self._background else (1 - STILL_SHARE) / actions for label in shown]
        chosen = random.choice(len(shown), count, p=np.array(weights) / sum(weights))
        return np.array([self._rows[place][int(random.integers(len(self._rows[place])))] for place in chosen])

    def _performed(self, clips: np.ndarray, person: int, epoch: int, *, most: int) -> tuple[Motion, np.ndarray]:
        """One person's stream, and (F,) what is done in each of its frames."""
        cache = self._shelf.cache
        random = np.random.default_rng((self._seed, epoch, person & 0xFFFFFFFF))
        config = StreamConfig(
            transition_s=TRANSITION_S,
            pause_s=PAUSE_S,
            pause_share=PAUSE_SHARE,
            lead_s=LEAD_S,
            noise_m=float(random.uniform(0, NOISE_M)),
            rate_hz=RATE_HZ,
            clips=most,
        )
        motion, spans = Performer(cache, clips, config, random, aside_m=0.0).perform()
        labels = np.full(len(motion), self._background)
        for first, last, label in spans:
            labels[first : last + 1] = cache.labels.index(label)
        return self._leveled(motion, clips), labels

    def _leveled(self, motion: Motion, clips: np.ndarray) -> Motion:
        if not self._shelf.is_leveled:
            return motion
        floors = {self._shelf.cache.floor(int(index)) for index in clips}
        floor = floors.pop()
        if floors or floor is None:
            raise TrainingDataError(
                f"Streams of leveled joints need one floor a person, but {self._shelf.cache.path} has several.",
                remedy="Use stream_share=0 or leveled=false.",
            )
        return Motion(level(motion.joints, floor).astype(np.float32), motion.seen)

    def _source_of(self, motions: list[Motion]) -> Frames:
        """The frames of all streams, one after another, on the device; only the first of M people is there."""
        count, persons = sum(map(len, motions)), self._shelf.cache.persons
        joints = np.zeros((count, persons, *motions[0].joints.shape[1:]), dtype=np.float32)
        seen = np.zeros(joints.shape[:-1], dtype=bool)
        joints[:, 0] = np.concatenate([motion.joints for motion in motions])
        seen[:, 0] = np.concatenate([motion.seen for motion in motions])
        device = self._shelf.device
        return batches.frames_of(
            torch.from_numpy(joints).to(device),
            torch.from_numpy(seen).to(device),
            torch.from_numpy(self._times_s).to(device),
        )


def _noisy(joints: Tensor, seen: Tensor, generator: torch.Generator) -> Tensor:
    """Joints with noise of a strength drawn for each window; what is not seen stays 0."""
    strength = NOISE_M * torch.rand((len(joints), 1, 1, 1, 1), generator=generator, device=joints.device)
    noise = torch.randn(joints.shape, generator=generator, device=joints.device)
    return (joints + strength * noise) * seen[..., None]
