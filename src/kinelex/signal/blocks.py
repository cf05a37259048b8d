"""A recording second by second: what tells rest from movement without knowing the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.channel import Channel, Sensor

_MAX_BLOCKS = 2000  # a day is judged by as many seconds, spread evenly
_STILL = 0.05


@dataclass(frozen=True, eq=False)
class Blocks:
    """About one second each, of one three-axis sensor or of several, one after the other.

    Args:
        level: ``(block,)`` length of the mean vector: near gravity, if it is measured, however the body moves.
        spread: ``(block,)`` standard deviation about that mean, over all axes.
        size: ``(block,)`` median length of the vector.
    """

    level: NDArray[np.float64]
    spread: NDArray[np.float64]
    size: NDArray[np.float64]

    @property
    def still(self) -> NDArray[np.bool_]:
        """Which blocks one constant vector explains, in whatever unit: those that vary by less than 5 % of it."""
        return self.spread < _STILL * self.level

    @property
    def constancy(self) -> float:
        """How much of what is measured is constant within a second, 0 to 1; near 1 when gravity rules."""
        return float(np.median(self.level / np.maximum(self.size, 1e-12))) if len(self.level) else 0.0


def blocks_of(samples: NDArray[np.float32], channels: Sequence[Channel], rate_hz: float, sensor: Sensor) -> Blocks:
    """Summarize a sensor by seconds, over every placement where it has all three axes.

    Blocks that are half missing are left out, and so are those of a sensor that is off and reads exactly zero.

    Args:
        samples: ``(time, channel)``.
        channels: one per column.
        rate_hz: samples per second.
        sensor: which one.
    """
    parts = [
        _summary(cut_blocks(samples, rate_hz, axes))
        for (kind, _), axes in columns_by_sensor(channels).items()
        if kind == sensor and len(axes) == 3
    ]
    level, spread, size = (np.concatenate([np.zeros(0), *(part[i] for part in parts)]) for i in range(3))
    return Blocks(level, spread, size)


def columns_by_sensor(channels: Sequence[Channel]) -> dict[tuple[Sensor, str], list[int]]:
    """The columns of each sensor of each placement."""
    columns: dict[tuple[Sensor, str], list[int]] = {}
    for column, channel in enumerate(channels):
        columns.setdefault((channel.sensor, channel.placement), []).append(column)
    return columns


def cut_blocks(samples: NDArray[np.float32], rate_hz: float, axes: Sequence[int]) -> NDArray[np.float64]:
    """Some columns by seconds, ``(block, time, axis)``: all of a short recording, evenly spread ones of a long one."""
    length = min(max(2, round(rate_hz)), len(samples))
    starts = np.arange(len(samples) // length) * length
    if len(starts) > _MAX_BLOCKS:
        starts = starts[np.linspace(0, len(starts) - 1, _MAX_BLOCKS).astype(np.int64)]
    rows = starts[:, None] + np.arange(length)
    return np.asarray(samples[rows[:, :, None], np.asarray(axes)], dtype=np.float64)


def _summary(
    blocks: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    present = np.asarray(np.isfinite(blocks).all(axis=2))
    alive = np.mean(present & (blocks != 0).any(axis=2), axis=1)
    blocks = np.where(present[:, :, None], blocks, np.nan)[np.flatnonzero(alive >= 0.5)]
    if not len(blocks):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    # The functions for missing values take several times as long, and most sessions miss none.
    whole = bool(present.all())
    mean, var, median = (np.mean, np.var, np.median) if whole else (np.nanmean, np.nanvar, np.nanmedian)
    level = np.linalg.norm(mean(blocks, axis=1), axis=1)
    spread = np.sqrt(var(blocks, axis=1).sum(axis=1))
    size = median(np.linalg.norm(blocks, axis=2), axis=1)
    return level, spread, size
