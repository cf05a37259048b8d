"""KU-HAR: a folder per activity, a file per trial, in which either sensor has a column of times of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import Columns, read_columns, stacked
from kinelex.datasets.parsers.trial import Trial, joined
from kinelex.errors import UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"(\d+)_[A-Z]_\d+\.csv")
_SENSORS: tuple[Sensor, ...] = ("acc", "gyro")
_COLUMNS = tuple(f"{sensor}_{column}" for sensor in _SENSORS for column in ("time", "x", "y", "z"))


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file."""
    for path in sorted(folder.glob("**/[0-9]*.*/*.csv")):
        # Beside the raw files there may be the same trials, trimmed.
        code, trimmed = path.parent.name.partition(".")[0], path.parent.parent.name.startswith("2.")
        if (match := _NAME.fullmatch(path.name)) and code in entry.activities and not trimmed:
            yield Trial(path.stem, match[1], partial(_read, entry, path, match[1], code), (path,))


def _read(entry: CatalogEntry, path: Path, subject: str, code: str) -> Sequence[Recording]:
    columns = read_columns(path, _COLUMNS)
    streams: dict[Sensor, Stream] = {sensor: _stream(columns, sensor) for sensor in _SENSORS}
    times_s = streams["acc"].times_s
    if len(times_s) < 2:
        raise UnreadableFile(f"'{path}' has no accelerometer samples with times")
    whole = Interval(0.0, float(np.ptp(times_s)), entry.activities[code])
    name = f"{entry.name}/{path.stem}"
    return [joined(entry.devices[0], streams, name=name, subject=subject, intervals=[whole])]


def _stream(columns: Columns, sensor: Sensor) -> Stream:
    """Without the rows that only the other sensor has: they are blank, or filled up with zeros."""
    times_s = columns[f"{sensor}_time"]
    filled = (times_s == 0) & (np.arange(len(times_s)) > 0)
    rows = np.flatnonzero(np.isfinite(times_s) & ~filled)
    return Stream(times_s[rows], stacked(columns, [f"{sensor}_{axis}" for axis in "xyz"])[rows])
