"""USC-HAD: a folder per person, one MATLAB file per trial."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.matlab import read_matrix
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.signal.recording import Interval, Recording

_FOLDER = re.compile(r"Subject(\d+)")
_NAME = re.compile(r"a(\d+)t(\d+)\.mat")


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file."""
    for path in sorted(folder.glob("**/Subject*/a*t*.mat")):
        person, trial = _FOLDER.fullmatch(path.parent.name), _NAME.fullmatch(path.name)
        # What a file says of itself is misspelled in some and wrong in others; its name is right in all.
        if person and trial and trial[1] in entry.activities:
            name, subject = f"s{int(person[1]):02}_a{int(trial[1]):02}_t{trial[2]}", f"subject{person[1]}"
            yield Trial(name, subject, partial(_read, entry, name, subject, trial[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    device = entry.devices[0]
    values = read_matrix(path, "sensor_readings", columns=6)
    return [
        measured(
            [Block(device, "acc", values[:, :3]), Block(device, "gyro", values[:, 3:])],
            name=f"{entry.name}/{name}",
            subject=subject,
            intervals=[Interval(0.0, len(values) / device.rate_hz, entry.activities[code])],
        )
    ]
