"""HAPT: one text file per sensor and experiment, and one list of labels for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.decimals import read_decimals
from kinelex.datasets.parsers.text import read_columns
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"acc_(exp\d+)_(user\d+)\.txt")
_LABEL_COLUMNS = ("experiment", "user", "code", "first", "last")


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per experiment."""
    for raw in sorted(folder.glob("**/RawData")):
        labels = _labels(raw / "labels.txt")
        for acc in sorted(raw.glob("acc_exp*_user*.txt")):
            if match := _NAME.fullmatch(acc.name):
                gyro = acc.with_name(acc.name.replace("acc_", "gyro_", 1))
                name = f"{match[1]}_{match[2]}"
                mine = labels[labels[:, 0] == int(match[1].removeprefix("exp"))]
                yield Trial(name, match[2], partial(_read, entry, name, match[2], acc, gyro, mine), (acc, gyro))


def _labels(path: Path) -> NDArray[np.int64]:
    columns = read_columns(path, _LABEL_COLUMNS, kinds=dict.fromkeys(_LABEL_COLUMNS, int), delimiter=" ")
    return np.stack([np.asarray(columns[name], dtype=np.int64) for name in _LABEL_COLUMNS], axis=1)


def _read(
    entry: CatalogEntry, name: str, subject: str, acc: Path, gyro: Path, labels: NDArray[np.int64]
) -> Sequence[Recording]:
    device = entry.devices[0]
    values = [read_decimals(path, columns=3) for path in (acc, gyro)]
    if len(values[0]) != len(values[1]):
        raise UnreadableFile(f"'{acc}' has {len(values[0])} rows and '{gyro}' {len(values[1])}: one is incomplete")
    for _, _, code, first, last in labels.tolist():
        if str(code) not in entry.activities or not 1 <= first <= last <= len(values[0]):
            raise BadSamples(
                f"'{acc.with_name('labels.txt')}' says activity {code} from row {first} to {last}, but '{acc}' has"
                f" {len(values[0])} rows, and activities are {', '.join(entry.activities)}"
            )
    return [
        measured(
            [Block(device, "acc", values[0]), Block(device, "gyro", values[1])],
            name=f"{entry.name}/{name}",
            subject=subject,
            # Samples are counted from one, and the last one belongs to the stretch.
            intervals=[
                Interval((first - 1) / device.rate_hz, last / device.rate_hz, entry.activities[str(code)])
                for _, _, code, first, last in labels.tolist()
            ],
        )
    ]
