"""Neighbors by the signal itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import InputContract, adapt
from kinelex.backbones.contract import ACC_GYRO
from kinelex.backbones.physical import FEATURE_RATE_HZ
from kinelex.evaluation.label_budget import quotas
from kinelex.evaluation.retrieval.finders import Finder, Rows
from kinelex.evaluation.retrieval.targets import Target
from kinelex.retrieval.neighbors import Neighbors
from kinelex.retrieval.raw_measures import Measure, RawSignalConfig
from kinelex.retrieval.raw_signal import RawSignalIndex
from kinelex.retrieval.wavelets import STATISTICS
from kinelex.signal.windows import samples_in
from kinelex.training.randomness import numpy_generator

DTW_EXAMPLES = 200
"""Among how many labeled windows dynamic time warping looks; evenly drawn from the classes."""

_BANDS = 4
_CONTRACT = InputContract(
    rate_hz=FEATURE_RATE_HZ, channels=ACC_GYRO, missing="masked", gravity="either", needs=("acc", "gyro")
)


@dataclass(frozen=True, eq=False)
class RawSignal:
    """The samples of a data set's windows.

    Args:
        values: ``(window, channel, sample)``, the six channels of each placement at 20 Hz.
        valid: likewise, which were measured.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]

    @classmethod
    def of(cls, target: Target) -> RawSignal:
        """Every channel that some window has."""
        places = sorted({place for recording, _ in target.requests for place in recording.placements})
        width = len(ACC_GYRO)
        shape = (len(target), width * len(places), samples_in(target.window_s, FEATURE_RATE_HZ))
        values, valid = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        first = 0
        for recording, starts_s in target.requests:
            for place in recording.placements:
                clips = adapt(recording.select(placement=place), starts_s, target.window_s, _CONTRACT)
                at = slice(width * places.index(place), width * (places.index(place) + 1))
                values[first + clips.owner, at], valid[first + clips.owner, at] = clips.signal, clips.valid
            first += len(starts_s)
        some = valid.any(axis=(0, 2))
        return cls(values[:, some], valid[:, some])

    def finder(self, measure: Measure, labeled: Rows, truth: Rows, seed: int) -> Finder:
        """Compares the samples of a window with those of every example, or of some with ``dtw``.

        Args:
            measure: how.
            labeled: windows that are remembered.
            truth: ``(window,)`` class numbers, by which examples are drawn evenly.
            seed: of what is drawn.

        Raises:
            TooShort: windows are too short for wavelets.
            MissingDependency: the package of the measure is not installed.
        """
        ids = _drawn(labeled, truth, DTW_EXAMPLES, seed) if measure == "dtw" else labeled
        index = RawSignalIndex(ids, self.values[ids], self.valid[ids], RawSignalConfig(measure=measure))
        channels, samples = self.values.shape[1:]
        numbers = channels * (_BANDS * len(STATISTICS) if measure == "wavelet" else samples)

        def search(rows: Rows, k: int) -> Neighbors:
            return index.search(self.values[rows], k, self.valid[rows])

        return Finder(ids, numbers, search, compares_all=True)


def _drawn(labeled: Rows, truth: Rows, most: int, seed: int) -> Rows:
    """At most so many of the labeled windows, evenly from the classes, ascending."""
    order = labeled[numpy_generator(seed, 0, "examples for dynamic time warping").permutation(len(labeled))]
    present, count = np.unique(truth[order], return_counts=True)
    quota = quotas(count, most)
    return np.sort(
        np.concatenate([order[truth[order] == number][:some] for number, some in zip(present, quota, strict=True)])
    )
