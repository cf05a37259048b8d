"""HARTH: one file per person with both sensors, a code beside every row and the time as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.errors import BadSamples
from kinelex.signal.recording import Recording

_NAME = re.compile(r"S\d{3}\.csv")
_SENSORS = ("back", "thigh")
"""As the columns are called, in the order of the catalog's devices."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person."""
    for path in sorted(folder.glob("**/S*.csv")):
        if _NAME.fullmatch(path.name):
            yield Trial(path.stem, path.stem, partial(_read, entry, path), (path,))


def _read(entry: CatalogEntry, path: Path) -> Sequence[Recording]:
    axes = {sensor: [f"{sensor}_{axis}" for axis in "xyz"] for sensor in _SENSORS}
    # By name: some files have a column of row numbers, in a place of its own.
    wanted = ("timestamp", *axes["back"], *axes["thigh"], "label")
    columns = read_columns(path, only=wanted, kinds={"timestamp": str, "label": int})
    try:
        clock = columns["timestamp"].astype("datetime64[ns]")
    except ValueError as error:
        raise BadSamples(f"'{path}' has a time that is none: {error}") from None
    # One person was stored at another rate, and all files have gaps: only the timestamps know.
    times_s = (clock - clock[0]) / np.timedelta64(1, "s")
    devices = zip(_SENSORS, entry.devices, strict=True)
    return [
        measured(
            [Block(device, "acc", stacked(columns, axes[sensor])) for sensor, device in devices],
            name=f"{entry.name}/{path.stem}",
            subject=path.stem,
            times_s=times_s,
            intervals=labelled(entry, columns["label"], times_s=times_s),
        )
    ]
