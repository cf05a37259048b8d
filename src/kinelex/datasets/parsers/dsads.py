"""DSADS: five minutes of one activity of one person, cut into 60 files, most of which follow one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.errors import UnreadableFile
from kinelex.signal.channel import SENSORS
from kinelex.signal.recording import Interval, Recording

_UNITS = ("torso", "right arm", "left arm", "right leg", "left leg")
"""In the order of the columns; each has acc, gyro and mag."""
_NAMES = [f"{unit} {sensor} {axis}" for unit in _UNITS for sensor in SENSORS for axis in "xyz"]
_ROWS = 125
_NEAR = 12
_JUMP = 2.5
"""How a border between segments is judged, see `_goes_on`."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per activity and person."""
    paths = sorted(folder.glob("**/a[0-9][0-9]/p[0-9]/s[0-9][0-9].txt"))
    for home, segments in groupby(paths, key=lambda path: path.parent):
        code, subject = home.parent.name, home.name
        if code in entry.activities:
            files = tuple(segments)
            name = f"{code}_{subject}"
            yield Trial(name, subject, partial(_read, entry, name, subject, code, files), files)


def _read(entry: CatalogEntry, name: str, subject: str, code: str, files: Sequence[Path]) -> Sequence[Recording]:
    """One recording per stretch of segments that follow one another, named by the first of them."""
    stretches: dict[str, list[NDArray[np.float32]]] = {}
    before, number = None, 0
    for path in files:
        segment = _segment(path)
        follows = int(path.stem[1:]) == number + 1
        if before is None or not follows or not _goes_on(before, segment):
            stretches[path.stem] = []
        next(reversed(stretches.values())).append(segment)
        before, number = segment, int(path.stem[1:])
    return [
        _recording(entry, f"{entry.name}/{name}/{first}", subject, code, np.concatenate(segments))
        for first, segments in stretches.items()
    ]


def _segment(path: Path) -> NDArray[np.float32]:
    segment = stacked(read_columns(path, _NAMES), _NAMES)
    if len(segment) != _ROWS:
        raise UnreadableFile(f"'{path}' has {len(segment)} rows instead of {_ROWS}")
    return segment


def _goes_on(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether the step from one segment to the next is like the steps beside it, over all channels together.

    Within segments one step in a thousand reaches `_JUMP`; nine in ten do between segments that do not touch.
    """
    steps = np.diff(np.concatenate([before[-_NEAR - 1 :], after[: _NEAR + 1]]), axis=0)
    usual = np.sqrt(np.mean(np.delete(steps, _NEAR, axis=0) ** 2, axis=0))
    return bool(np.sqrt(np.mean((steps[_NEAR] / np.maximum(usual, 1e-6)) ** 2)) < _JUMP)


def _recording(entry: CatalogEntry, name: str, subject: str, code: str, values: NDArray[np.float32]) -> Recording:
    blocks = []
    for device in entry.devices:
        for sensor in device.sensors:
            first = _NAMES.index(f"{device.placement} {sensor} x")
            blocks.append(Block(device, sensor, values[:, first : first + 3]))
    whole = Interval(0.0, len(values) / entry.devices[0].rate_hz, entry.activities[code])
    return measured(blocks, name=name, subject=subject, intervals=[whole])
