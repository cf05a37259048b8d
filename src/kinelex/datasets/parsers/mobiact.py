"""MobiAct: a file per trial with all sensors on one clock, and beside every row what was done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.signal.recording import Recording

# The first part may also be a scenario, which is no activity: only the label column counts.
_NAME = re.compile(r"([A-Z]{3})_(\d+)_(\d+)_annotated\.csv")
_ACC, _GYRO = ("acc_x", "acc_y", "acc_z"), ("gyro_x", "gyro_y", "gyro_z")


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per annotated file; people are called as in MobiFall, whose people they are."""
    for path in sorted(folder.glob("**/*_annotated.csv")):
        if match := _NAME.fullmatch(path.name):
            name, subject = f"{match[1]}_{match[2]}_{match[3]}", f"sub{match[2]}"
            yield Trial(name, subject, partial(_read, entry, name, subject, path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, path: Path) -> Sequence[Recording]:
    device = entry.devices[0]
    columns = read_columns(path, only=("rel_time", *_ACC, *_GYRO, "label"), kinds={"label": str})
    codes = np.char.strip(columns["label"].astype(str))
    return [
        measured(
            [Block(device, "acc", stacked(columns, _ACC)), Block(device, "gyro", stacked(columns, _GYRO))],
            name=f"{entry.name}/{name}",
            subject=subject,
            times_s=columns["rel_time"],
            intervals=labelled(entry, codes, times_s=columns["rel_time"]),
        )
    ]
