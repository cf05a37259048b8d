"""Zeros that stand for missing values, made missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.channel import Channel

SHORTEST_S = 0.2


def mask_zero_fill(samples: NDArray[np.float32], channels: Sequence[Channel], rate_hz: float) -> float:
    """Make rows missing, in place, in which a whole recording reads exactly zero for `SHORTEST_S` or longer.

    An accelerometer that measures gravity never does that: not at rest, and a fall is neither that long nor that exact.
    But files are padded like this (the official files of DSADS end some segments so), and a model would learn the
    padding. Call it only for recordings whose acc measures gravity.

    Args:
        samples: ``(time, channel)``; changed in place. Values that are missing already count as zero.
        channels: one per column; without all three axes of some accelerometer nothing is done.
        rate_hz: samples per second.

    Returns:
        Seconds that were made missing.
    """
    axes = [(c.placement, c.axis) for c in channels if c.sensor == "acc"]
    if not any(sum(other == placement for other, _ in axes) == 3 for placement, _ in axes):
        return 0.0
    empty = np.ones(len(samples), dtype=bool)
    known = np.zeros(len(samples), dtype=bool)
    for column in range(samples.shape[1]):
        values = samples[:, column]
        empty &= (values == 0) | np.isnan(values)
        known |= values == 0
        if not empty.any():
            return 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], empty, [False]]).astype(np.int8)))
    filled = 0
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end - first >= SHORTEST_S * rate_hz:
            samples[first:end] = np.nan
            filled += int(np.count_nonzero(known[first:end]))
    return filled / rate_hz
