"""Raw windows made ready to be compared: what is missing, and what to put in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadSamples

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RawWindows:
    """Windows ready to be compared.

    Args:
        values: ``(window, channel, sample)``, gaps of channels that count bridged, zeros in those that do not.
        present: ``(window, channel)``, whether a channel counts.
        valid: ``(window, channel, sample)``, false where nothing was measured, and in channels that do not count.
    """

    values: Floats
    present: Bools
    valid: Bools

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: slice | NDArray[Any]) -> RawWindows:
        """Some of them."""
        return RawWindows(self.values[rows], self.present[rows], self.valid[rows])


def prepared(signal: ArrayLike, valid: ArrayLike | None, least_present: float) -> RawWindows:
    """Bridge small gaps by straight lines, and leave out channels that have too few samples.

    Args:
        signal: ``(window, channel, sample)``; NaN is missing.
        valid: likewise; false is missing too.
        least_present: share of its samples that a channel must have.

    Raises:
        BadSamples: no table of windows, or a mask of another shape.
    """
    values = np.array(signal, dtype=np.float64)
    if values.ndim != 3 or not values.shape[2]:
        raise BadSamples(f"raw windows are a table (window, channel, sample), not of shape {values.shape}")
    measured = np.isfinite(values)
    if valid is not None:
        mask = np.asarray(valid, dtype=np.bool_)
        if mask.shape != values.shape:
            raise BadSamples(
                f"the mask {mask.shape} does not fit the windows {values.shape}: give one of the same shape"
            )
        measured &= mask
    present = measured.mean(axis=2) >= least_present
    measured &= present[..., None]
    values[~measured] = 0
    time = np.arange(values.shape[2])
    for window, channel in np.argwhere(present & ~measured.all(axis=2)):
        there = measured[window, channel]
        values[window, channel] = np.interp(time, time[there], values[window, channel, there])
    return RawWindows(values, present, measured)


def centered(windows: RawWindows) -> Floats:
    """Each channel around its mean, zeros where nothing was measured, and all zeros if it is flat."""
    count = np.maximum(windows.valid.sum(axis=2, keepdims=True), 1)
    values = np.where(windows.valid, windows.values, 0)
    # What rounding leaves of a flat series is no signal.
    noise = 1e-12 * np.abs(values).max(axis=2, keepdims=True)
    centered = np.where(windows.valid, values - values.sum(axis=2, keepdims=True) / count, 0)
    return np.where(np.abs(centered).max(axis=2, keepdims=True) > noise, centered, 0)
