"""Shoaib 2014: one table per person, five phones side by side, one activity after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording

_SENSORS: dict[Sensor, str] = {"acc": "A", "gyro": "G", "mag": "M"}
_BLOCK = ("time_stamp", *(f"{sensor}{axis}" for sensor, axis in product("ALGM", "xyz")), "")
_MISSPELLED = {"upsatirs": "upstairs"}


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person."""
    for path in sorted(folder.glob("**/Participant_*.csv")):
        yield Trial(path.stem, path.stem, partial(_read, entry, path), (path,))


def _read(entry: CatalogEntry, path: Path) -> Sequence[Recording]:
    # Blocks of columns are in the order of the catalog's devices.
    names = [f"{block} {column}" for block in range(len(entry.devices)) for column in _BLOCK]
    names[-1] = "activity"
    wanted = [name for name in names if name[2:3] in _SENSORS.values()] + ["activity"]
    columns = read_columns(path, names, only=wanted, kinds={"activity": str}, skip_rows=2)
    spelled = [text.strip().lower() for text in columns["activity"].tolist()]
    codes = np.array([_MISSPELLED.get(text, text) for text in spelled], dtype=np.str_)
    recordings = []
    again: Counter[str] = Counter()
    # Activities were recorded apart and put one after the other: the signal does not go on where the label changes.
    for rows in np.split(np.arange(len(codes)), np.flatnonzero(codes[1:] != codes[:-1]) + 1):
        code = str(codes[rows[0]])
        if code not in entry.activities:
            continue
        again[code] += 1
        blocks = [
            Block(device, sensor, stacked(columns, [f"{block} {letter}{axis}" for axis in "xyz"])[rows])
            for block, device in enumerate(entry.devices)
            for sensor, letter in _SENSORS.items()
        ]
        name = f"{entry.name}/{path.stem}/{code}" + (f"_{again[code]}" if again[code] > 1 else "")
        recordings.append(measured(blocks, name=name, subject=path.stem, intervals=labelled(entry, codes[rows])))
    return recordings
