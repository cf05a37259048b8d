"""Batches that mix data sets: which windows, cut where, changed how; all of it a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from kinelex.errors import UsageError
from kinelex.language.vocabulary import Vocabulary
from kinelex.model.config import ModelConfig
from kinelex.model.placements import placement_row
from kinelex.signal import augmentation
from kinelex.training.corpus import Corpus, Track
from kinelex.training.randomness import numpy_generator, torch_generator
from kinelex.training.recipe import Recipe, Sampling
from kinelex.training.text import training_label

SHORTEST = 0.5
"""Windows that are shortened keep at least this share: as short as a recording may be to be recognized at all."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows of one placement each, and what they show.

    Args:
        signal: ``(window, 6, step)`` acc in m/s², gyro in rad/s; 0 where not valid.
        valid: which samples were measured.
        gravity: whether acceleration contains gravity.
        placement: row of the model's placement vectors.
        label: index into the training labels.
    """

    signal: Float[Tensor, "window 6 step"]
    valid: Bool[Tensor, "window 6 step"]
    gravity: Bool[Tensor, " window"]
    placement: Int[Tensor, " window"]
    label: Int[Tensor, " window"]

    def __len__(self) -> int:
        return len(self.label)

    def parts(self, count: int) -> list[Batch]:
        """The same windows in so many equal parts."""
        fields = (self.signal, self.valid, self.gravity, self.placement, self.label)
        return [Batch(*part) for part in zip(*(field.chunk(count) for field in fields), strict=True)]


class Batches:
    """Draws the batch of any step.

    Args:
        corpus: the signal.
        recipe: says which sets, how often, how changed.
        vocabulary: what the official activity names mean.
        device: where the signal is kept and windows are made; all of it goes there.

    Raises:
        UsageError: none of the recipe's sets is in the corpus, or nothing of a group that is to be left out, or nothing
            else.
        UnknownName: a set whose names the vocabulary lists has another one.
    """

    def __init__(
        self, corpus: Corpus, recipe: Recipe, vocabulary: Vocabulary, device: torch.device | str = "cpu"
    ) -> None:
        self.recipe, self.device = recipe, torch.device(device)
        tracks = corpus.of(recipe.train)
        if not tracks:
            raise UsageError(f"the corpus has no session of {', '.join(recipe.train)}")
        self.tracks, labels = _but_for(recipe.without, tracks, vocabulary)
        self.labels: tuple[str, ...] = tuple(sorted({text for text, _ in labels}))
        number = {text: i for i, text in enumerate(self.labels)}
        self._samples = torch.from_numpy(corpus.samples).to(self.device)
        self._label = np.array([number[text] for text, _ in labels])
        self._start = np.array([track.start for track in self.tracks])
        self._steps = np.array([track.steps for track in self.tracks])
        self._gravity = np.array([track.gravity for track in self.tracks])
        self._place = np.array([placement_row(track.placement) for track in self.tracks])
        brief = np.array([kind in recipe.sampling.brief_kinds for _, kind in labels])
        self._peak = np.where(brief, [track.peak for track in self.tracks], -1)
        if recipe.sampling.balance == "groups":
            groups = [vocabulary.group_of(text) for text in self.labels]
            group = np.array([groups.index(groups[k]) for k in self._label])
            self.weights = group_weights(group, recipe.sampling)
        else:
            self.weights = track_weights(self.tracks, self._label, recipe.sampling)
        self._cumulative = np.cumsum(self.weights)

    def at(self, step: int) -> Batch:
        """The batch of a step, the same whenever it is asked for."""
        recipe, model = self.recipe, self.recipe.model
        rng = numpy_generator(recipe.seed, step, "windows")
        count = recipe.batch_windows
        track = np.searchsorted(self._cumulative, rng.random(count) * self._cumulative[-1], side="right")
        stretch = np.exp(rng.uniform(-1, 1, count) * recipe.augmentation.stretch)
        position = rng.random(count)
        told = rng.random(count) < recipe.sampling.known_placement
        length = np.where(rng.random(count) < recipe.augmentation.shorten, rng.uniform(SHORTEST, 1, count), 1.0)
        length = np.round(length * model.window_steps)
        first = self._first_step(track, stretch * length, position)
        signal, valid = cut(
            self._samples,
            self._there(self._start[track]),
            self._there(self._steps[track]),
            self._there(first).float(),
            self._there(stretch).float(),
            model.window_steps,
        )
        ends = torch.arange(model.window_steps, device=self.device) < self._there(length)[:, None]
        valid &= ends[:, None]
        gravity = self._there(self._gravity[track])
        signal, valid, gravity = self._changed(signal, valid, gravity, step, model)
        return Batch(
            signal=signal,
            valid=valid,
            gravity=gravity,
            placement=self._there(np.where(told, self._place[track], 0)),
            label=self._there(self._label[track]),
        )

    def _there(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)

    def _first_step(
        self, track: NDArray[np.int64], needed: NDArray[np.float64], position: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Anywhere in the track; for a brief activity so that its peak is well inside the window."""
        room = np.maximum(self._steps[track] - needed, 0.0)
        peak = self._peak[track]
        low = np.clip(peak - 0.8 * needed, 0.0, room)
        high = np.clip(peak - 0.2 * needed, 0.0, room)
        return np.where(peak >= 0, low + (high - low) * position, room * position)

    def _changed(
        self, signal: Tensor, valid: Tensor, gravity: Tensor, step: int, model: ModelConfig
    ) -> tuple[Tensor, Tensor, Tensor]:
        change = self.recipe.augmentation
        generator = torch_generator(self.recipe.seed, step, "augmentation", self.device)
        signal, valid = augmentation.rotate(signal, valid, generator, share=change.rotation)
        signal = augmentation.slower_rate(signal, generator, grid_hz=model.grid_hz, share=change.slower_rate)
        signal, gravity = augmentation.remove_gravity(
            signal, valid, gravity, generator, grid_hz=model.grid_hz, share=change.remove_gravity
        )
        signal = augmentation.scale(signal, generator, most=change.scale)
        signal = augmentation.jitter(
            signal, generator, share=change.jitter, acc=change.jitter_acc, gyro=change.jitter_gyro
        )
        valid = augmentation.drop_sensor(valid, generator, share=change.drop_sensor)
        valid = augmentation.drop_channels(valid, generator, share=change.drop_channels)
        return signal.masked_fill(~valid, 0.0), valid, gravity


def _but_for(
    without: Sequence[str], tracks: Sequence[Track], vocabulary: Vocabulary
) -> tuple[tuple[Track, ...], list[tuple[str, str]]]:
    """The tracks that are not of these label groups, and the text and kind of each one's label."""
    labels = [training_label(vocabulary, track.dataset, track.activity) for track in tracks]
    groups = [vocabulary.group_of(text) for text, _ in labels] if without else []
    if unknown := sorted(set(without) - set(groups)):
        raise UsageError(f"nothing of {', '.join(unknown)} to leave out: there is {', '.join(sorted(set(groups)))}")
    kept = [i for i in range(len(tracks)) if not without or groups[i] not in without]
    if not kept:
        raise UsageError(f"without {', '.join(without)} nothing is left to train on")
    return tuple(tracks[i] for i in kept), [labels[i] for i in kept]


def track_weights(tracks: Sequence[Track], label: NDArray[np.int64], sampling: Sampling) -> NDArray[np.float64]:
    """Probability of each track: sets by hours to a power, labels within a set likewise, tracks by length.

    Temperature sampling as for languages of unequal size (Conneau & Lample 2019, section 3.1).
    """
    dataset = np.array([track.dataset for track in tracks])
    steps = np.array([track.steps for track in tracks], dtype=np.float64)
    weights = np.zeros(len(tracks))
    for name in np.unique(dataset):
        here = dataset == name
        share = steps[here].sum() ** sampling.dataset_power * sampling.weights.get(str(name), 1.0)
        numbers = np.unique(label[here])
        per_label = np.array([steps[here & (label == n)].sum() for n in numbers])
        tempered = per_label**sampling.label_power
        for n, total, part in zip(numbers, per_label, tempered / tempered.sum(), strict=True):
            these = here & (label == n)
            weights[these] = share * part * steps[these] / total
    return np.asarray(weights / weights.sum())


def group_weights(group: NDArray[np.int64], sampling: Sampling) -> NDArray[np.float64]:
    """Probability of each track: label groups by the number of their tracks to a power, tracks of a group alike.

    Source: the published recipe: group-balanced sampling with capped oversampling, and its temperature variant.

    Args:
        group: number of each track's label group.
        sampling: the power, and how much oftener than another a track may be drawn.
    """
    _, place, count = np.unique(group, return_inverse=True, return_counts=True)
    per_track = count.astype(np.float64) ** (sampling.group_power - 1)
    per_track = np.minimum(per_track, sampling.group_cap * per_track.min())
    weights = per_track[place]
    return np.asarray(weights / weights.sum())


def cut(
    samples: Float[Tensor, "row 6"],
    start: Int[Tensor, " window"],
    steps: Int[Tensor, " window"],
    first: Float[Tensor, " window"],
    stretch: Float[Tensor, " window"],
    window_steps: int,
) -> tuple[Float[Tensor, "window 6 step"], Bool[Tensor, "window 6 step"]]:
    """Windows at any place and tempo, linearly between samples; beyond a track's end nothing is valid.

    Args:
        samples: all rows of the corpus.
        start: first row of each window's track.
        steps: rows of that track.
        first: where in the track the window begins, in steps.
        stretch: steps of the track per step of the window.
        window_steps: length of the windows.
    """
    at = first[:, None] + torch.arange(window_steps, device=samples.device) * stretch[:, None]
    left = at.floor()
    part = (at - left)[..., None]
    left = left.long()
    inside = (left >= 0) & (left + (part[..., 0] > 0) < steps[:, None])
    row = start[:, None] + left.clamp(min=0)
    row = torch.minimum(row, start[:, None] + steps[:, None] - 1)
    following = torch.minimum(row + 1, start[:, None] + steps[:, None] - 1)
    here, there = samples[row], samples[following]
    # A sample on the grid must not become missing because the next one is.
    between = torch.where(part > 0, (1 - part) * here + part * there, here)
    signal = between.transpose(1, 2)
    valid = torch.isfinite(signal) & inside[:, None]
    return torch.where(valid, signal, 0.0), valid
