"""MHEALTH: one text file per person, with three sensor units side by side and a label in every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.card import UNITLESS
from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.errors import UnreadableFile
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording

_NAMES = [str(number) for number in range(1, 25)]
_ACTIVITY = "24"
_FIRST: dict[tuple[str, Sensor], int] = {
    ("chest", "acc"): 1,
    ("left ankle", "acc"): 6,
    ("left ankle", "gyro"): 9,
    ("left ankle", "mag"): 12,
    ("right wrist", "acc"): 15,
    ("right wrist", "gyro"): 18,
    ("right wrist", "mag"): 21,
}
"""The column of the x axis. Columns 4 and 5 are the electrocardiogram."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person."""
    for path in sorted(folder.glob("**/mHealth_subject*.log")):
        subject = path.stem.removeprefix("mHealth_")
        yield Trial(subject, subject, partial(_read, entry, subject, path), (path,))


def _read(entry: CatalogEntry, subject: str, path: Path) -> Sequence[Recording]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    # Copies are around with tabs and with blanks.
    lines = b"\n".join(b" ".join(line.split()) for line in raw.splitlines())
    columns = read_columns(lines, _NAMES, kinds={_ACTIVITY: int}, delimiter=" ", label=str(path))
    blocks = []
    for device in entry.devices:
        for sensor, unit in device.sensors.items():
            if unit not in UNITLESS:
                first = _FIRST[device.placement, sensor]
                axes = [str(first + axis) for axis in range(3)]
                blocks.append(Block(device, sensor, stacked(columns, axes)))
    intervals = labelled(entry, columns[_ACTIVITY])
    return [measured(blocks, name=f"{entry.name}/{subject}", subject=subject, intervals=intervals)]
