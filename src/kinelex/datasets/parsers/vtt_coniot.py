"""VTT-ConIoT: a file per person and task, with three sensor units side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.signal.channel import AXES, Sensor
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"activity_(\d+)_(user_\d+)_combined\.csv")
_UNITS = ("trousers", "back", "hand")
"""As the columns are called, in the order of the catalog's devices."""
_COLUMNS: dict[Sensor, str] = {"acc": "A{}_g", "gyro": "G{}_dps", "mag": "M{}_uT"}


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person and task."""
    for path in sorted(folder.glob("**/activity_*_user_*_combined.csv")):
        if (match := _NAME.fullmatch(path.name)) and match[1] in entry.activities:
            name = path.stem.removesuffix("_combined")
            yield Trial(name, match[2], partial(_read, entry, name, match[2], match[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    names = {
        (unit, sensor): [f"{unit}_{column.format(axis)}" for axis in AXES]
        for unit in _UNITS
        for sensor, column in _COLUMNS.items()
    }
    columns = read_columns(path, only=[name for axes in names.values() for name in axes])
    values = {key: stacked(columns, axes) for key, axes in names.items()}
    for unit in _UNITS:
        values[unit, "acc"] = _in_g(values[unit, "acc"])
    units = dict(zip(_UNITS, entry.devices, strict=True))
    whole = Interval(0.0, len(values["back", "acc"]) / entry.devices[0].rate_hz, entry.activities[code])
    return [
        measured(
            [Block(units[unit], sensor, block) for (unit, sensor), block in values.items()],
            name=f"{entry.name}/{name}",
            subject=subject,
            intervals=[whole],
        )
    ]


def _in_g(acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """In whole g: columns named g are said to hold half g, and over a minute of work gravity prevails."""
    level = np.linalg.norm(acc, axis=1)
    level = level[np.isfinite(level)]
    return acc * np.float32(0.5 if len(level) and np.median(level) > 1.5 else 1.0)
