"""What a window looks like in numbers: the encoder that knows nothing, against which all others are held.

Retrieval on plain statistics does surprisingly well, so an encoder that does not beat it has learned little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones.adaptation import Clips
from kinelex.backbones.clip_encoder import BATCH_CLIPS, ClipEncoder
from kinelex.backbones.contract import ACC_GYRO, InputContract
from kinelex.errors import BadSamples

Floats = NDArray[np.float64]

STATISTICS_CONTRACT = InputContract(
    rate_hz=25.0, channels=ACC_GYRO, missing="masked", gravity="either", needs=("acc", "gyro")
)
"""Hardly anything that a body does is faster than 12 Hz."""

SERIES = (*ACC_GYRO, "acc_norm", "gyro_norm")
"""What is described: every channel, and the length of both vectors, which does not depend on how a device is held."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BANDS_HZ = ((0.25, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, 8.0), (8.0, 12.0))
"""Sway, strides, steps, their harmonics, impacts and tremor."""
MOMENTS = ("mean", "std", "energy", "crossings", "change")
OF_A_SERIES = (
    *MOMENTS, *(f"quantile {q:g}" for q in QUANTILES), *(f"{low:g} to {high:g} Hz" for low, high in BANDS_HZ),
    "entropy",
)  # fmt: skip
PAIRS = ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5))
"""Channels of one sensor whose correlation is told."""
FEATURES = (
    *(f"{series} {name}" for series in SERIES for name in OF_A_SERIES),
    *(f"{SERIES[i]} with {SERIES[j]}" for i, j in PAIRS),
)
"""The name of each feature, in order."""
_NOISE = 1e-4
"""(m/s²)² or (rad/s)²: what is weaker than a cheap sensor's noise is all the same."""


@dataclass(frozen=True, eq=False)
class StatisticsBackbone(ClipEncoder):
    """Standardized statistics of each channel, of both vector lengths, and of how the axes go together.

    A statistic of a sensor that is not there is taken to be average, so that it says neither this nor that.

    Args:
        mean: ``(feature,)`` over the windows it was fitted to.
        std: ``(feature,)``, likewise; above zero.
        name: what it is called.
        trained_on: names of the data sets that those windows are from.
        contract: what it wants to be fed.
    """

    mean: Floats
    std: Floats
    name: str = "statistics"
    trained_on: tuple[str, ...] = ()
    contract: InputContract = STATISTICS_CONTRACT

    @property
    def dim(self) -> int:
        """The number of features."""
        return len(self.mean)

    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> Floats:
        """Clips to standardized features; zero where one is missing."""
        rate_hz = self.contract.rate_hz
        assert rate_hz is not None
        return np.nan_to_num((statistics_of(signal, valid, rate_hz) - self.mean) / self.std)


def fit_statistics(clips: Clips, trained_on: tuple[str, ...] = ()) -> StatisticsBackbone:
    """Find out what is average among windows.

    Args:
        clips: windows of training data as `STATISTICS_CONTRACT` has them, from `adapt_many`.
        trained_on: names of the data sets that they are from.

    Raises:
        BadSamples: no window has usable signal.
    """
    if not len(clips.signal):
        raise BadSamples("no window has usable signal: pass windows of recordings with an accelerometer or gyroscope")
    rate_hz = STATISTICS_CONTRACT.rate_hz
    assert rate_hz is not None
    starts = range(0, len(clips.signal), BATCH_CLIPS)
    parts = [slice(first, first + BATCH_CLIPS) for first in starts]
    found = np.concatenate([statistics_of(clips.signal[part], clips.valid[part], rate_hz) for part in parts])
    known = np.isfinite(found)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, found, 0).sum(axis=0) / count
    std = np.sqrt((np.where(known, found - mean, 0) ** 2).sum(axis=0) / count)
    return StatisticsBackbone(mean, np.where(std > 1e-9, std, 1.0), trained_on=trained_on)


def statistics_of(signal: NDArray[np.float32], valid: NDArray[np.bool_], rate_hz: float) -> Floats:
    """The features of clips, not standardized.

    Args:
        signal: ``(clip, 6, step)`` acc in m/s², gyro in rad/s.
        valid: alike, which samples were measured.
        rate_hz: samples per second.

    Returns:
        ``(clip, feature)`` in the order of `FEATURES`; NaN where fewer than two samples were measured.
    """
    series, known = _with_norms(signal.astype(np.float64), valid)
    count = known.sum(axis=2)
    enough = count >= 2
    count = np.maximum(count, 1)
    mean = np.where(known, series, 0).sum(axis=2) / count
    centered = np.where(known, series - mean[:, :, None], 0)
    of_series = np.concatenate([
        _moments(series, centered, known, mean, count, rate_hz),
        _quantiles(series, known),
        _spectrum(centered, count, rate_hz),
    ], axis=2)  # fmt: skip
    of_series[~enough] = np.nan
    return np.concatenate([of_series.reshape(len(signal), -1), _correlations(centered, known)], axis=1)


def _with_norms(signal: Floats, valid: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    sensors = slice(0, 3), slice(3, 6)
    norms = np.stack([np.linalg.norm(signal[:, rows], axis=1) for rows in sensors], axis=1)
    whole = np.stack([valid[:, rows].all(axis=1) for rows in sensors], axis=1)
    return np.concatenate([signal, norms], axis=1), np.concatenate([valid, whole], axis=1)


def _moments(
    series: Floats, centered: Floats, known: NDArray[np.bool_], mean: Floats, count: NDArray[np.int64], rate_hz: float
) -> Floats:
    """``(clip, series, 5)`` in the order of `MOMENTS`: energy is the mean square; crossings and change, per second."""
    std = np.sqrt((centered**2).sum(axis=2) / count)
    energy = np.where(known, series**2, 0).sum(axis=2) / count
    both = known[:, :, 1:] & known[:, :, :-1]
    pairs = np.maximum(both.sum(axis=2), 1)
    crossings = (both & (np.signbit(centered[:, :, 1:]) != np.signbit(centered[:, :, :-1]))).sum(axis=2) / pairs
    change = np.where(both, np.abs(np.diff(centered, axis=2)), 0).sum(axis=2) / pairs
    return np.stack(
        [
            mean,
            np.log(std**2 + _NOISE) / 2,
            np.log(energy + _NOISE),
            crossings * rate_hz,
            np.log(change * rate_hz + 0.1),
        ],
        axis=2,
    )


def _quantiles(series: Floats, known: NDArray[np.bool_]) -> Floats:
    """``(clip, series, quantile)`` by linear interpolation between the measured samples."""
    ordered = np.sort(np.where(known, series, np.inf), axis=2)
    last = np.maximum(known.sum(axis=2) - 1, 0)[:, :, None]
    places = last * np.asarray(QUANTILES)
    below = np.floor(places).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=2)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=2)
    low, high = (np.where(np.isfinite(part), part, 0.0) for part in (low, high))
    return np.asarray(low + (places - below) * (high - low))


def _spectrum(centered: Floats, count: NDArray[np.int64], rate_hz: float) -> Floats:
    """``(clip, series, band + 1)``: log power by band, and how evenly power is spread over frequencies, 0 to 1."""
    steps = centered.shape[2]
    window = np.hanning(steps + 2)[1:-1]
    # Missing samples count as the mean; the rest is scaled up as if they had been like it.
    power = np.abs(np.fft.rfft(centered * window, axis=2)) ** 2 * (steps / count)[:, :, None]
    power *= 2 / (steps * (window**2).sum())
    frequency = np.fft.rfftfreq(steps, 1 / rate_hz)
    bands = [power[:, :, (frequency >= low) & (frequency < high)].sum(axis=2) for low, high in BANDS_HZ]
    share = power[:, :, 1:] + 1e-12
    share = share / share.sum(axis=2, keepdims=True) if share.shape[2] else share
    evenness = -(share * np.log(share)).sum(axis=2) / np.log(max(share.shape[2], 2))
    return np.concatenate([np.log(np.stack(bands, axis=2) + _NOISE), evenness[:, :, None]], axis=2)


def _correlations(centered: Floats, known: NDArray[np.bool_]) -> Floats:
    """``(clip, pair)``; zero where one of both does not change, NaN where they were not measured together."""
    columns = []
    for first, second in PAIRS:
        both = known[:, first] & known[:, second]
        a, b = (np.where(both, centered[:, i], 0) for i in (first, second))
        size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        cosine = (a * b).sum(axis=1) / np.where(size > 1e-9, size, np.inf)
        columns.append(np.where(both.sum(axis=1) >= 2, cosine, np.nan))
    return np.stack(columns, axis=1)
