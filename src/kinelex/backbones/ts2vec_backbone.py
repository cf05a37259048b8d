"""TS2Vec as a backbone, and its training on windows without labels."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinelex.backbones.adaptation import Clips
from kinelex.backbones.clip_encoder import ClipEncoder
from kinelex.backbones.contract import InputContract
from kinelex.backbones.ts2vec import TS2VEC_CONTRACT, TS2Vec, TS2VecConfig, hierarchical_loss
from kinelex.errors import BadSamples
from kinelex.training.randomness import numpy_generator, seed_of, torch_generator


@dataclass(frozen=True, eq=False)
class TS2VecBackbone(ClipEncoder):
    """A window's vector is the maximum over the vectors of its measured samples (section 3.1 of the paper).

    A sensor that is not there reads what is average in training; a sample of which nothing was measured is hidden from
    the network, as those are that training masks.

    Args:
        network: the encoder.
        config: its shape and how it was trained.
        mean: ``(channel,)`` over the training windows.
        std: ``(channel,)``, likewise; above zero.
        name: what it is called.
        trained_on: names of the data sets that it saw.
        contract: what it wants to be fed.
    """

    network: TS2Vec
    config: TS2VecConfig
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    name: str = "ts2vec"
    trained_on: tuple[str, ...] = ()
    contract: InputContract = TS2VEC_CONTRACT

    @property
    def dim(self) -> int:
        """As configured."""
        return self.config.dim

    @torch.inference_mode()
    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Clips to the greatest of the vectors of their samples."""
        seen = torch.from_numpy(valid.any(axis=1))
        vectors = self.network(standardized(signal, valid, self.mean, self.std), seen)
        return np.asarray(vectors.masked_fill(~seen[:, :, None], -torch.inf).amax(dim=1).numpy(), dtype=np.float32)


def standardized(
    signal: NDArray[np.float32], valid: NDArray[np.bool_], mean: NDArray[np.float32], std: NDArray[np.float32]
) -> Tensor:
    """Channels in units of their spread in training; zero where nothing was measured."""
    return torch.from_numpy(np.where(valid, (signal - mean[:, None]) / std[:, None], np.float32(0)))


def fit_ts2vec(
    clips: Clips,
    config: TS2VecConfig | None = None,
    *,
    trained_on: tuple[str, ...] = (),
    progress: Callable[[int, float], None] | None = None,
) -> TS2VecBackbone:
    """Train TS2Vec on windows without labels; the same windows and seed give the same weights.

    The weights are the average over all steps, as published.

    Args:
        clips: windows as `TS2VEC_CONTRACT` has them, from `adapt_many`.
        config: the network and its training.
        trained_on: names of the data sets that the windows are from.
        progress: called with the number of each step and its loss.

    Raises:
        BadSamples: fewer than two windows with usable signal, or windows of fewer than two samples.
    """
    config = config or TS2VecConfig()
    if len(clips.signal) < 2 or clips.signal.shape[2] < 2:
        raise BadSamples(
            f"TS2Vec learns by telling windows apart, and there are {len(clips.signal)} with usable signal, of"
            f" {clips.signal.shape[2]} samples: pass at least two of two"
        )
    mean, std = _level_and_spread(clips)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(config.seed, 0, "weights"))
        network = TS2Vec(clips.signal.shape[1], config)
    average = deepcopy(network)
    signal, seen = standardized(clips.signal, clips.valid, mean, std), torch.from_numpy(clips.valid.any(axis=1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate)
    for step in range(config.steps):
        rows = numpy_generator(config.seed, step, "batch").permutation(len(signal))[: config.batch]
        loss = _loss(network, signal[rows], seen[rows], config, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for kept, now in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(now, 1 / (step + 2))  # the first weights count as one step
        if progress is not None:
            progress(step, float(loss.detach()))
    average.eval().requires_grad_(False)
    return TS2VecBackbone(average, config, mean, std, trained_on=trained_on)


def _loss(network: TS2Vec, signal: Tensor, seen: Tensor, config: TS2VecConfig, step: int) -> Tensor:
    """The contrast of two crops of the same windows, each masked by itself, where they overlap (section 2.3)."""
    first, begin, end, last = overlapping_crops(signal.shape[2], config.seed, step)
    views = []
    for number, (left, right) in enumerate([(first, end), (begin, last)]):
        random = torch_generator(config.seed, step, f"view {number}")
        shown = torch.rand(len(signal), right - left, generator=random) >= config.masked
        vectors = network(signal[:, :, left:right], seen[:, left:right] & shown)
        kept = torch.rand(vectors.shape, generator=random) >= config.dropout
        vectors = vectors * kept / (1 - config.dropout)
        views.append(vectors[:, begin - left : end - left])
    return hierarchical_loss(*views)


def overlapping_crops(steps: int, seed: int, step: int) -> tuple[int, int, int, int]:
    """Four places in order: one crop goes from the first to the third, the other from the second to the fourth.

    What they share has at least two samples.
    """
    random = numpy_generator(seed, step, "crops")
    shared = int(random.integers(2, steps + 1))
    begin = int(random.integers(0, steps - shared + 1))
    end = begin + shared
    return int(random.integers(0, begin + 1)), begin, end, int(random.integers(end, steps + 1))


def _level_and_spread(clips: Clips) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of every channel over what was measured; 0 and 1 where nothing was."""
    count = np.maximum(clips.valid.sum(axis=(0, 2)), 1)
    mean = np.where(clips.valid, clips.signal, 0).sum(axis=(0, 2), dtype=np.float64) / count
    away = np.where(clips.valid, clips.signal - mean[:, None], 0)
    std = np.sqrt((away**2).sum(axis=(0, 2), dtype=np.float64) / count)
    return mean.astype(np.float32), np.where(std > 1e-6, std, 1.0).astype(np.float32)
