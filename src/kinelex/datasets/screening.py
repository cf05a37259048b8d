"""Sensors off their scale: in some trials of UMAFall, an ankle or chest sensor at rest reads a quarter of gravity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.gravity import STANDARD_GRAVITY

STILL_STD = 0.25
"""A second whose every axis varies less than this, in m/s², is one of rest."""
POSSIBLE = (0.5, 1.6)
"""What a resting sensor may read, in units of gravity; cheap sensors are off by up to a fifth."""


def rests_off_gravity(acc: NDArray[np.float32], rate_hz: float) -> bool:
    """Whether an accelerometer rests, for a second or more, at what gravity cannot be.

    A recording is judged by its typical second elsewhere; here any second is enough, since such a sensor is often right
    again later in the same session.

    Args:
        acc: ``(time, axis)`` in m/s², gravity included, three axes.
        rate_hz: samples per second.
    """
    length = max(2, round(rate_hz))
    seconds = acc[: len(acc) // length * length].reshape(-1, length, acc.shape[1])
    still = seconds.std(axis=1).max(axis=1) < STILL_STD  # a second with missing values is NaN, so not still
    level = np.linalg.norm(seconds[still].mean(axis=1), axis=1) / STANDARD_GRAVITY
    return bool(((level < POSSIBLE[0]) | (level > POSSIBLE[1])).any())
