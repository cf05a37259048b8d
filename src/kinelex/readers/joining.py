"""Sensors that were logged on clocks of their own, brought onto one of them without inventing data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.clock import GAP_PERIODS, GAP_S, regularize
from kinelex.signal.resampling import resample

_MUCH_FASTER = 1.5


@dataclass(frozen=True, eq=False)
class Stream:
    """The samples of one sensor.

    Args:
        times_s: ``(time,)`` seconds on a clock that all streams share, in any order.
        values: ``(time, axis)``; NaN where missing.
    """

    times_s: NDArray[np.float64]
    values: NDArray[np.float32]


def join(base: Stream, others: Sequence[Stream]) -> NDArray[np.float32]:
    """All streams at the times of `base`, side by side.

    The others are interpolated linearly between two of their own samples. Outside their span and in their gaps (as
    `regularize` defines them) they are missing. A stream that is much faster than `base` is low-pass filtered first.

    Returns:
        ``(time of base, axis of base and of each other)``.
    """
    return np.concatenate([base.values, *(_at(base.times_s, other, base) for other in others)], axis=1)


def _at(times_s: NDArray[np.float64], stream: Stream, base: Stream) -> NDArray[np.float32]:
    known, values = _in_order(stream)
    result = np.full((len(times_s), values.shape[1]), np.nan, dtype=np.float32)
    if len(known) < 2:
        return result
    period, wanted = float(np.median(np.diff(known))), float(np.median(np.diff(_in_order(base)[0])))
    if period * _MUCH_FASTER < wanted:
        even = regularize(values, times_s=known, name="faster sensor")
        values = resample(even.samples, even.rate_hz, 1 / wanted)
        known = known[0] + np.arange(len(values)) * wanted
        period = wanted
    inside = np.flatnonzero((times_s >= known[0]) & (times_s <= known[-1]))
    left = np.clip(np.searchsorted(known, times_s[inside], side="right") - 1, 0, len(known) - 2)
    steps = known[left + 1] - known[left]
    share = ((times_s[inside] - known[left]) / steps).astype(np.float32)[:, None]
    nearest = np.where(share[:, 0] < 0.5, left, left + 1)
    with np.errstate(invalid="ignore"):
        between = values[left] * (1 - share) + values[left + 1] * share
    # A sample that coincides with one of `stream` takes it, whatever is missing beside it.
    exact = np.abs(times_s[inside] - known[nearest]) < 1e-3 * period
    between[exact] = values[nearest[exact]]
    in_gap = (steps > max(GAP_PERIODS * period, GAP_S)) & (np.abs(times_s[inside] - known[nearest]) > 0.5 * period)
    between[in_gap] = np.nan
    result[inside] = between
    return result


def _in_order(stream: Stream) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    timed = np.flatnonzero(np.isfinite(stream.times_s))
    times, first = np.unique(stream.times_s[timed], return_index=True)
    return times, stream.values[timed[first]]
