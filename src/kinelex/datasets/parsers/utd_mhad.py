"""UTD-MHAD, inertial part: one MATLAB file per action, person and trial, from a sensor that was moved in between."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.matlab import read_matrix
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"a(\d+)_(s\d+)_t\d+_inertial\.mat")
_FIRST_ON_THIGH = 22
"""From this action on, the sensor was on the thigh."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file."""
    for path in sorted(folder.glob("**/a*_s*_t*_inertial.mat")):
        if (match := _NAME.fullmatch(path.name)) and match[1] in entry.activities:
            name = path.stem.removesuffix("_inertial")
            yield Trial(name, match[2], partial(_read, entry, name, match[2], match[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    on_wrist, on_thigh = entry.devices
    device = on_thigh if int(code) >= _FIRST_ON_THIGH else on_wrist
    values = read_matrix(path, "d_iner", columns=6)
    return [
        measured(
            [Block(device, "acc", values[:, :3]), Block(device, "gyro", values[:, 3:])],
            name=f"{entry.name}/{name}",
            subject=subject,
            intervals=[Interval(0.0, len(values) / device.rate_hz, entry.activities[code])],
        )
    ]
