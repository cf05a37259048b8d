"""The slow part of acceleration, and what is vertical and what is horizontal once it is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UsageError

STANDARD_GRAVITY = 9.80665
"""m/s²; what a resting accelerometer reads."""

_MIN_GRAVITY = 1.0  # m/s²; a weaker slow part points nowhere in particular


def estimate_gravity(acc: NDArray[np.float32], rate_hz: float, cutoff_hz: float = 0.25) -> NDArray[np.float32]:
    """The part of acceleration that changes slowly: gravity in the sensor's frame, when the sensor measures it.

    A critically damped two-pole low-pass runs forward and backward, so that nothing is shifted in time. Its kernel is
    nowhere negative, so it never overshoots, and dividing by the kernel's weight over the samples that are there
    handles both ends of the recording and missing stretches.

    Args:
        acc: ``(time, 3)`` m/s², NaN where missing.
        rate_hz: samples per second.
        cutoff_hz: where the power of a vibration is halved; steps come at 2 Hz, changes of posture below 0.5 Hz.

    Returns:
        ``(time, 3)`` m/s²; missing where `acc` is.

    Raises:
        BadSamples: not three columns.
        UsageError: a cutoff that is not between zero and half the rate.
    """
    if acc.ndim != 2 or acc.shape[1] != 3:
        raise BadSamples(f"gravity needs the three axes of one accelerometer: pass (time, 3), not {acc.shape}")
    if not 0 < cutoff_hz < rate_hz / 2:
        raise UsageError(f"a cutoff of {cutoff_hz:g} Hz cannot be at {rate_hz:g} Hz: pass one below {rate_hz / 2:g} Hz")
    # Four equal poles pass 1 / (1 + (f / pole)²)² of the amplitude; at the cutoff that is to be 1 / √2.
    pole_hz = cutoff_hz / np.sqrt(2**0.25 - 1)
    keep = float(np.exp(-2 * np.pi * pole_hz / rate_hz))
    slow = np.empty(acc.shape, dtype=np.float32)
    weight: NDArray[np.float64] | None = None
    for axis in range(3):
        missing = ~np.isfinite(acc[:, axis])
        if weight is None or missing.any():
            weight = _smooth((~missing).astype(np.float64), keep)
        values = _smooth(np.where(missing, 0.0, acc[:, axis]).astype(np.float64), keep)
        slow[:, axis] = np.where(missing, np.nan, values / np.maximum(weight, 1e-12))
        if missing.any():
            weight = None
    return slow


def _smooth(values: NDArray[np.float64], keep: float) -> NDArray[np.float64]:
    from scipy.signal import lfilter  # takes longer to import than most recordings to recognize

    numerator, denominator = [(1 - keep) ** 2], [1.0, -2 * keep, keep**2]
    forward = lfilter(numerator, denominator, values)
    return np.asarray(lfilter(numerator, denominator, forward[::-1])[::-1], dtype=np.float64)


def split_by_gravity(
    acc: NDArray[np.float32], gravity: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Movement along gravity and across it, whatever way the device is turned.

    Args:
        acc: ``(time, 3)`` m/s² with gravity in it.
        gravity: ``(time, 3)`` m/s², from `estimate_gravity`.

    Returns:
        Vertical ``(time,)``: acceleration along the upward direction without gravity, signed. Horizontal ``(time,)``:
        the length of what remains, never negative. Missing where an input is, or where gravity is too weak to point.
    """
    length = np.linalg.norm(gravity, axis=1, keepdims=True)
    up = gravity / np.where(length < _MIN_GRAVITY, np.nan, length)
    movement = acc - gravity
    vertical = (movement * up).sum(axis=1)
    horizontal = np.linalg.norm(movement - vertical[:, None] * up, axis=1)
    return vertical.astype(np.float32), horizontal.astype(np.float32)
