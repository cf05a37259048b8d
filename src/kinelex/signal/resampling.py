"""Another rate for the same signal, without aliases, and without signal where there was none."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UsageError

_CROSSINGS = 16  # of the kernel, on each side, counted at the lower of both rates
_BETA = 5.65  # of the Kaiser window: 60 dB
_CUTOFF = 0.89  # of the lower Nyquist frequency: flat up to 0.78 of it, 60 dB down from 1.0 on
_MAX_APART = 5000
_DENOMINATORS = (64, 512, 5000)  # the last drifts by less than half a sample in a day at 100 Hz
_DRIFT = 0.003  # samples of the slower rate that the end of a recording may be off for the sake of a simpler ratio


def resample(samples: NDArray[np.float32], rate_hz: float, to_hz: float) -> NDArray[np.float32]:
    """Resample every channel with a linear-phase low-pass below the lower of both Nyquist frequencies.

    The first sample stays at time 0. Missing stretches are bridged by a straight line for the filter's sake and are
    missing again afterwards; both ends are continued point-symmetrically, so that neither makes the filter ring.

    Args:
        samples: ``(time, channel)``, NaN where missing.
        rate_hz: samples per second of `samples`.
        to_hz: samples per second wanted; any ratio.

    Returns:
        ``(time', channel)`` float32, where ``time'`` is ``time * to_hz / rate_hz``, rounded up; `samples` itself when
        both rates are equal.

    Raises:
        UsageError: a rate that is not above zero, or rates more than 5000 times apart.
        BadSamples: not a table.
    """
    if not (np.isfinite(rate_hz) and np.isfinite(to_hz) and rate_hz > 0 and to_hz > 0):
        raise UsageError(f"cannot resample from {rate_hz:g} to {to_hz:g} Hz: both rates must be above zero")
    if samples.ndim != 2 or not len(samples):
        raise BadSamples(f"cannot resample an array of shape {samples.shape}: pass (time, channel) with rows")
    if not 1 / _MAX_APART <= to_hz / rate_hz <= _MAX_APART:
        raise UsageError(f"cannot resample from {rate_hz:g} to {to_hz:g} Hz: the rates are too far apart")
    up, down = _ratio(to_hz / rate_hz, len(samples))
    if up == down:
        return samples
    resampled = np.empty((-(-len(samples) * up // down), samples.shape[1]), dtype=np.float32)
    nearest = np.minimum((np.arange(len(resampled)) * down + up // 2) // up, len(samples) - 1)
    for column in range(samples.shape[1]):
        values = np.asarray(samples[:, column], dtype=np.float32)
        missing = np.isnan(values)
        if missing.all():
            resampled[:, column] = np.nan
            continue
        if missing.any():
            rows = np.arange(len(values))
            values = np.interp(rows, rows[~missing], values[~missing]).astype(np.float32)
        _filter(values, up, down, resampled[:, column])
        if missing.any():
            resampled[missing[nearest], column] = np.nan
    return resampled


def _ratio(exact: float, rows: int) -> tuple[int, int]:
    """The simplest fraction that keeps time to the end of the recording: there is one kernel per numerator."""
    for denominator in _DENOMINATORS:
        ratio = Fraction(exact).limit_denominator(denominator)
        if abs(float(ratio) - exact) / max(exact, 1.0) * rows <= _DRIFT:
            break
    return ratio.numerator, ratio.denominator


def _filter(values: NDArray[np.float32], up: int, down: int, filtered: NDArray[np.float32]) -> None:
    """Write the values at every ``down / up``-th sample into `filtered`."""
    kernels = _kernels(up, down)
    reach = kernels.shape[1] // 2
    padded = np.concatenate([_continued(values[::-1], reach)[::-1], values, _continued(values, reach)])
    # Row i holds the samples around sample i. Every `up`-th output lies alike between its neighbors, `down` rows on.
    around = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[1])
    for first in range(min(up, len(filtered))):
        row, phase = divmod(first * down, up)
        alike = filtered[first::up]
        alike[:] = np.einsum("ij,j->i", around[row::down][: len(alike)], kernels[phase])


@lru_cache(maxsize=16)
def _kernels(up: int, down: int) -> NDArray[np.float32]:
    """``(phase, sample)``: Kaiser-windowed sincs around a point that lies ``phase / up`` after the middle sample."""
    slower = min(1.0, up / down)
    reach = math.ceil(_CROSSINGS / slower) + 1
    distance = np.arange(-reach, reach + 1) - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance * slower / _CROSSINGS) ** 2, 0, None)
    kernels = np.sinc(_CUTOFF * slower * distance) * np.where(inside > 0, np.i0(_BETA * np.sqrt(inside)), 0.0)
    # Each sums to one, so that a constant, such as gravity at rest, comes out exactly as it went in.
    kernels /= kernels.sum(axis=1, keepdims=True)
    return np.asarray(kernels, dtype=np.float32)


def _continued(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """What follows the last value, point-symmetrically to what is before it; held where the signal is too short."""
    back = values[-2 : -count - 2 : -1] if len(values) > 1 else values[:0]
    continued = 2 * values[-1] - back
    last = continued[-1] if len(continued) else values[-1]
    return np.concatenate([continued, np.full(count - len(continued), last, dtype=np.float32)])
