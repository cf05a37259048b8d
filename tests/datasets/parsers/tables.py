"""Converted tables of the real files, for comparison, and how those of a lower rate were made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal


def sessions(recordings_dir: Path, name: str, wanted: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The rows of each session that a set's table has of those wanted."""
    path = recordings_dir / "sessions" / f"{name}.parquet"
    return dict(list(pd.read_parquet(path, filters=[("session", "in", list(wanted))]).groupby("session")))


def columns(rows: pd.DataFrame, prefix: str) -> NDArray[np.float64]:
    """``(time, 3)`` of one sensor."""
    return rows[[f"{prefix}_{axis}" for axis in "xyz"]].to_numpy(dtype=np.float64)


def low_passed(samples: NDArray[np.floating], ratio: int) -> NDArray[np.float64]:
    """After the filter that stands before every thinning to one in `ratio`."""
    return np.asarray(signal.filtfilt(signal.firwin(30 * ratio + 1, 0.8 / ratio), 1.0, samples, axis=0))


def at_times(
    times_s: NDArray[np.float64], known_s: NDArray[np.float64], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Linear interpolation of every column."""
    return np.stack([np.interp(times_s, known_s, column) for column in values.T], axis=1)
