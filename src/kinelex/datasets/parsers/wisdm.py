"""WISDM 2019: a text file per person, device and sensor, in which every activity is a block with times of its own."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Recordings, Trial, joined, labelled
from kinelex.errors import UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording

_NAME = re.compile(r"data_(\d+)_(accel|gyro)_(phone|watch)\.txt")
_SENSORS: dict[str, Sensor] = {"accel": "acc", "gyro": "gyro"}
_DEVICES = ("phone", "watch")
"""In the order of the catalog's devices."""

_PAUSE_S = 60.0
_STEP_BACK_S = 1.0
"""Rows that are a little out of order are put in order; farther back, the clock has started anew."""
_FEWEST_ROWS = 20
_NEIGHBORS = 21
_OFF_PACE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """What one sensor recorded of one activity without a long pause."""

    code: str
    stream: Stream

    def overlap_s(self, other: _Stretch) -> float:
        """How long both recorded the same activity; not above 0 when they did not."""
        mine, theirs = self.stream.times_s, other.stream.times_s
        if self.code != other.code:
            return 0.0
        return float(min(mine.max(), theirs.max()) - max(mine.min(), theirs.min()))


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person, on phone and watch."""
    for raw in sorted(folder.glob("**/raw")):
        files: defaultdict[str, dict[tuple[str, Sensor], Path]] = defaultdict(dict)
        for path in sorted(raw.glob("*/*/data_*.txt")):
            if match := _NAME.fullmatch(path.name):
                files[match[1]][match[3], _SENSORS[match[2]]] = path
        for subject, mine in sorted(files.items()):
            yield Trial(subject, subject, partial(_read, entry, subject, mine), tuple(mine.values()))


def _read(entry: CatalogEntry, subject: str, files: dict[tuple[str, Sensor], Path]) -> Sequence[Recording]:
    readings: list[Callable[[], Recording]] = []
    for kind, device in zip(_DEVICES, entry.devices, strict=True):
        acc, gyro = (list(_stretches(files.get((kind, sensor)))) for sensor in ("acc", "gyro"))
        parts: list[tuple[str, dict[Sensor, Stream]]] = []
        for stretch in acc:
            streams: dict[Sensor, Stream] = {"acc": stretch.stream}
            beside = max(gyro, key=stretch.overlap_s, default=None)
            if beside and stretch.overlap_s(beside) > 0:
                gyro.remove(beside)
                streams["gyro"] = beside.stream
            parts.append((stretch.code, streams))
        parts += [(stretch.code, {"gyro": stretch.stream}) for stretch in gyro]
        again: Counter[str] = Counter()
        for code, streams in parts:
            again[code] += 1
            base = next(iter(streams.values()))
            readings.append(
                partial(
                    joined,
                    device,
                    streams,
                    name=f"{entry.name}/{subject}/{kind}_{code}" + (f"_{again[code]}" if again[code] > 1 else ""),
                    subject=subject,
                    intervals=labelled(entry, np.full(len(base.times_s), code), times_s=base.times_s),
                )
            )
    return Recordings(readings)


def _stretches(path: Path | None) -> Iterator[_Stretch]:
    """The file cut where the activity changes and where time jumps; nothing where there is no file."""
    if path is None:
        return
    try:
        lines = path.read_bytes().replace(b";", b"")
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    names = ("subject", "code", "time", "x", "y", "z")
    columns = read_columns(lines, names, kinds={"subject": str, "code": str, "time": int}, label=str(path))
    codes, times, values = columns["code"].astype(np.str_), columns["time"], stacked(columns, "xyz")
    new = _first_of_repeated(codes, times, values)
    kept = new[_at_the_usual_pace(times[new])]
    codes, times, values = codes[kept], times[kept], values[kept]
    steps_s = np.diff(times) / 1e9
    cut = (codes[1:] != codes[:-1]) | (steps_s > _PAUSE_S) | (steps_s < -_STEP_BACK_S)
    for rows in np.split(np.arange(len(times)), np.flatnonzero(cut) + 1):
        if len(rows) >= _FEWEST_ROWS:
            yield _Stretch(str(codes[rows[0]]), Stream(times[rows] / 1e9, values[rows]))


def _first_of_repeated(
    codes: NDArray[np.str_], times: NDArray[np.int64], values: NDArray[np.float32]
) -> NDArray[np.intp]:
    """The rows without those that a file holds a second time, value by value."""
    keys = (np.unique(codes, return_inverse=True)[1], times, *values.T)
    order = np.lexsort(keys)
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    return np.sort(order[np.concatenate(([True], ~same))])


def _at_the_usual_pace(times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows are left without the seconds for which a sensor runs several times as fast, before it settles."""
    steps = np.diff(times, append=times[-1:]).astype(np.float64)
    pace: NDArray[np.float64] = median_filter(steps, _NEIGHBORS, mode="nearest") / np.median(steps)
    return (pace < _OFF_PACE) & (pace > 1 / _OFF_PACE)
