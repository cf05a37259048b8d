"""What the signal itself says about a window: the physical features by which a gate decides whom to trust.

Five kinds, in this order: how the channels move together, how much each moves, how fast it changes, how often it
changes its sign, and how far calm and lively moments lie apart. A sample that was not measured counts for nothing, and
a feature that too few samples are left for is missing (NaN), never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnknownRate

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SensorChoice = Literal["mean", "first"]

LOCAL_S = 0.5
"""Seconds over which the local variance is taken: the published 10 samples at 20 Hz."""

_STILL = 1e-8
"""Added to the product of two standard deviations: channels that do not vary have the correlation zero."""
_ONE_BY_ONE = "window sensor channel sample -> (window sensor) channel sample"
_BACK = "(window sensor) feature -> window sensor feature"
_BLOCK_VALUES = 2_000_000
"""Samples that are looked at together; bounds the memory."""


def physical_features(
    signal: NDArray[np.floating],
    valid: Mask | None = None,
    *,
    rate_hz: float,
    sensors: int = 1,
    several: SensorChoice = "mean",
) -> Floats:
    """The features of many windows, C (C - 1) / 2 + 4 C of them for the C channels of a sensor; see `feature_names`.

    With T samples x of a channel, all of them measured:

    * correlation of two channels: covariance / (s s' + 1e-8), with s the standard deviations;
    * variance over the window; this, covariances and standard deviations are the unbiased ones (T - 1);
    * change: mean of abs(x[t+1] - x[t]). The paper calls it the mean absolute deviation, and describes the difference;
    * crossings: share of steps at which the sign changes, of the signal as it is, with its mean; a zero is a sign of
      its own;
    * range: largest minus smallest variance over stretches of `LOCAL_S`, at every sample.

    Samples that are missing are left out: a correlation is over samples that both channels have, change and crossings
    over steps between two samples that are there, local variances over stretches without a gap. Change and crossings
    are per sample, so that windows are only comparable at one rate.

    Args:
        signal: ``(window, channel, sample)`` in SI units; anything where not valid.
        valid: which samples were measured, likewise; those that are finite when left out.
        rate_hz: samples per second.
        sensors: the channels are those of so many sensors, one sensor after another, each with the same axes.
        several: what is made of several sensors. ``"mean"``: each feature is the mean over the sensors that have it;
            ``"first"``: the first sensor whose first channel is not zero at the very first sample of the first window,
            for all windows, as the public code has it.

    Returns:
        ``(window, feature)``; NaN where a feature cannot be computed.

    Raises:
        BadSamples: shapes that do not match, no channel, channels that are no multiple of `sensors`, or a valid sample
            that is no number.
        UnknownRate: the rate is no number above zero.

    Source: MoRA (arXiv 2605.08117), appendix C, with the definitions of its public code.

    >>> still = np.full((1, 3, 40), 9.81)
    >>> physical_features(still, rate_hz=20.0).round(6).tolist()[0][:6]
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    samples, there = _checked(signal, valid, sensors)
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise UnknownRate(f"features of windows at {rate_hz} samples per second: pass a rate_hz above zero")
    local = max(2, round(LOCAL_S * rate_hz))
    if several == "first":
        chosen = _first_sensor(samples, there)
        samples, there = samples[:, chosen : chosen + 1], there[:, chosen : chosen + 1]
    windows, count, channels, steps = samples.shape
    result = np.empty((windows, channels * (channels - 1) // 2 + 4 * channels))
    block = max(1, _BLOCK_VALUES // max(1, count * channels * steps))
    for start in range(0, windows, block):
        part = slice(start, start + block)
        table = _features(rearrange(samples[part], _ONE_BY_ONE), rearrange(there[part], _ONE_BY_ONE), local)
        result[part] = _mean_of_present(rearrange(table, _BACK, sensor=count))
    return result


def feature_names(channels: Sequence[str]) -> tuple[str, ...]:
    """What each feature is, in order.

    Args:
        channels: names of the channels of one sensor.

    >>> feature_names(["x", "y"])[:3]
    ('correlation of x and y', 'variance of x', 'variance of y')
    """
    pairs = [f"correlation of {one} and {other}" for one, other in combinations(channels, 2)]
    kinds = ("variance", "change", "crossings", "range of local variance")
    return (*pairs, *(f"{kind} of {channel}" for kind in kinds for channel in channels))


def _checked(signal: NDArray[np.floating], valid: Mask | None, sensors: int) -> tuple[NDArray[np.floating], Mask]:
    """Samples, and which of them are there, ``(window, sensor, channel, sample)`` each."""
    samples = np.asarray(signal)
    if samples.ndim != 3 or sensors < 1 or not samples.shape[1] or samples.shape[1] % sensors:
        raise BadSamples(
            f"features need a signal (window, channel, sample), with the channels of {sensors} sensors one after"
            f" another, not {samples.shape}"
        )
    there = np.isfinite(samples) if valid is None else np.asarray(valid)
    if there.shape != samples.shape or there.dtype != np.bool_:
        raise BadSamples(
            f"features need a mask like the signal {samples.shape}, of booleans, not {there.shape} of {there.dtype}"
        )
    if (there & ~np.isfinite(samples)).any():
        raise BadSamples("features: a sample that is said to be measured is no finite number: mark it as missing")
    shape = (len(samples), sensors, samples.shape[1] // sensors, samples.shape[2])
    return samples.reshape(shape), there.reshape(shape)


def _first_sensor(samples: NDArray[np.floating], there: Mask) -> int:
    """The first sensor that is not zero at the first sample of the first window; the very first where all are."""
    if not samples.shape[0] or not samples.shape[3]:
        return 0
    return int(np.argmax(there[0, :, 0, 0] & (samples[0, :, 0, 0] != 0)))


def _features(samples: NDArray[np.floating], there: Mask, local: int) -> Floats:
    """The features of one sensor, ``(window, feature)``."""
    signal, present = np.where(there, samples, 0.0).astype(np.float64), there.astype(np.float64)
    mean = signal.sum(axis=2) / np.maximum(present.sum(axis=2), 1)
    centered = (signal - mean[:, :, None]) * present  # sums of squares about zero would lose what gravity hides
    steps = there[:, :, 1:] & there[:, :, :-1]
    before, after = signal[:, :, :-1], signal[:, :, 1:]
    return np.concatenate(
        [
            _correlations(centered, present),
            _variance(present.sum(axis=2), centered.sum(axis=2), (centered**2).sum(axis=2)),
            _mean_where(np.abs(after - before), steps),
            _mean_where((np.sign(after) != np.sign(before)).astype(np.float64), steps),
            _range_of_local_variance(centered, present, local),
        ],
        axis=1,
    )


def _correlations(centered: Floats, present: Floats) -> Floats:
    """Of every two channels over the samples that both have, ``(window, pair)``."""
    across = present.swapaxes(1, 2)
    count = present @ across
    total, square = centered @ across, centered**2 @ across  # of a channel, over the samples that the other has too
    product = centered @ centered.swapaxes(1, 2)
    several = np.maximum(count, 2)
    covariance = (product - total * total.swapaxes(1, 2) / several) / (several - 1)
    deviation = np.sqrt(_variance(count, total, square))
    correlation = np.where(count > 1, covariance / (deviation * deviation.swapaxes(1, 2) + _STILL), np.nan)
    one, other = np.triu_indices(centered.shape[1], k=1)
    return np.asarray(correlation[:, one, other])


def _range_of_local_variance(centered: Floats, present: Floats, local: int) -> Floats:
    """Largest minus smallest variance over stretches of so many samples without a gap, ``(window, channel)``."""
    if centered.shape[2] < local:
        return np.full(centered.shape[:2], np.nan)
    count, total, square = (_moving_sum(part, local) for part in (present, centered, centered**2))
    variance, whole = _variance(count, total, square), count == local
    highest = np.where(whole, variance, -np.inf).max(axis=2)
    lowest = np.where(whole, variance, np.inf).min(axis=2)
    return np.where(whole.any(axis=2), highest - lowest, np.nan)


def _moving_sum(values: Floats, length: int) -> Floats:
    """Sums over every stretch of so many samples."""
    sums = np.cumsum(np.pad(values, ((0, 0), (0, 0), (1, 0))), axis=2)
    return np.asarray(sums[:, :, length:] - sums[:, :, :-length])


def _variance(count: Floats, total: Floats, square: Floats) -> Floats:
    """Unbiased variance from sums; NaN with fewer than two samples."""
    several = np.maximum(count, 2)
    return np.where(count > 1, np.maximum(square - total**2 / several, 0.0) / (several - 1), np.nan)


def _mean_where(values: Floats, there: Mask) -> Floats:
    """Mean along the last axis over what is there; NaN where nothing is."""
    count = there.sum(axis=-1)
    return np.where(count > 0, (values * there).sum(axis=-1) / np.maximum(count, 1), np.nan)


def _mean_of_present(table: Floats) -> Floats:
    """``(window, sensor, feature)``: the mean over the sensors that have a feature; NaN where none has it."""
    there = ~np.isnan(table)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, table, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
