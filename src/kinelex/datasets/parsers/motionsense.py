"""MotionSense: a folder per activity and trial, in it one table per person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.errors import UnreadableFile
from kinelex.signal.recording import Interval, Recording

_FOLDER = re.compile(r"([a-z]{3})_\d+")
_PERSON = re.compile(r"sub_(\d+)\.csv")
_USER, _GRAVITY, _TURNING = (
    [f"{quantity}.{axis}" for axis in "xyz"] for quantity in ("userAcceleration", "gravity", "rotationRate")
)


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file."""
    for path in sorted(folder.glob("**/*_*/sub_*.csv")):
        trial, person = _FOLDER.fullmatch(path.parent.name), _PERSON.fullmatch(path.name)
        # The set's folders B and C have files of the same names: the same trials again, one sensor at a time.
        again = path.parent.parent.name.startswith(("B_", "C_")) or "__MACOSX" in path.parts
        if trial and person and trial[1] in entry.activities and not again:
            name = f"{trial[0]}_sub{int(person[1]):02}"
            yield Trial(name, path.stem, partial(_read, entry, name, path.stem, trial[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    device = entry.devices[0]
    columns = read_columns(path, only=[*_USER, *_GRAVITY, *_TURNING])
    if not len(columns[_USER[0]]):
        raise UnreadableFile(f"'{path}' has no row below its names")
    acc = stacked(columns, _USER) + stacked(columns, _GRAVITY)
    return [
        measured(
            [Block(device, "acc", acc), Block(device, "gyro", stacked(columns, _TURNING))],
            name=f"{entry.name}/{name}",
            subject=subject,
            intervals=[Interval(0.0, len(acc) / device.rate_hz, entry.activities[code])],
        )
    ]
