"""UniMiB SHAR: windows around peaks, all in one matrix, and what each shows in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry, Device
from kinelex.datasets.parsers.matlab import read_matrix
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.errors import UnreadableFile
from kinelex.signal.recording import Interval, Recording

_MOVEMENTS = 9
"""So many codes are everyday movements; the falls come after, and count from one in files of their own."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per window."""
    homes = {path.parent for kind in ("acc", "adl", "fall") for path in folder.glob(f"**/{kind}_data.mat")}
    for home in sorted(homes):
        # What acc holds, adl and fall hold once more.
        kinds = ("acc",) if (home / "acc_data.mat").is_file() else ("adl", "fall")
        for kind in kinds:
            if (home / f"{kind}_data.mat").is_file():
                yield from _windows_of(entry, home, kind)


def _windows_of(entry: CatalogEntry, home: Path, kind: str) -> Iterator[Trial]:
    path = home / f"{kind}_labels.mat"
    labels = read_matrix(path, f"{kind}_labels").astype(np.int64)
    rows = len(labels)
    if labels.shape[1] == 2 and not rows % 3:
        # The first release has a row for each axis, all three with the same label, and does not number the trials.
        labels = np.column_stack([labels[::3], np.zeros(rows // 3, dtype=np.int64)])
    elif labels.shape[1] != 3:
        raise UnreadableFile(f"'{path}' is {rows} by {labels.shape[1]}: it should name activity, person and trial")
    windows = _Windows(home / f"{kind}_data.mat", f"{kind}_data", rows, len(labels))
    labels[:, 0] += _MOVEMENTS if kind == "fall" else 0
    trials_each = {code: int(labels[labels[:, 0] == code, 2].max()) for code in np.unique(labels[:, 0]).tolist()}
    seen: Counter[tuple[int, int]] = Counter()
    for row, (code, person, trial) in enumerate(labels.tolist()):
        if str(code) not in entry.activities:
            raise UnreadableFile(f"'{path}' names an activity {code} in row {row + 1}, which the set does not have")
        device = _pocket(entry, trial, trials_each[code])
        what = f"adl{code:02}" if code <= _MOVEMENTS else f"fall{code - _MOVEMENTS:02}"
        subject = f"s{person:02}"
        name = f"{what}_{subject}_{seen[code, person]:03}"
        seen[code, person] += 1
        read = partial(_read, entry.name, name, subject, entry.activities[str(code)], device, windows, row)
        yield Trial(name, subject, read, (windows.path, path))


def _pocket(entry: CatalogEntry, trial: int, trials_each: int) -> Device:
    """Half of the trials were done with the phone in the right pocket, then the others in the left one."""
    right, left, either = entry.devices
    if not trial:
        return either
    return right if trial <= (1 if trials_each <= 2 else 3) else left


class _Windows:
    """All windows of a file, read once, when the first of them is wanted.

    Args:
        path: the file.
        variable: the matrix in it.
        rows: how many rows have a label.
        count: how many windows these are.
    """

    def __init__(self, path: Path, variable: str, rows: int, count: int) -> None:
        self.path, self._variable, self._rows, self._count = path, variable, rows, count

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """``(window, time, axis)``."""
        matrix = read_matrix(self.path, self._variable)
        if len(matrix) != self._rows or matrix.size % (3 * self._count):
            raise UnreadableFile(
                f"'{self.path}' is {matrix.shape[0]} by {matrix.shape[1]}: it should hold {self._rows} rows, as many as"
                " have labels, of three axes"
            )
        # Axis after axis, be it within a row or, in the first release, row after row.
        return matrix.astype(np.float32).reshape(self._count, 3, -1).transpose(0, 2, 1)


def _read(
    set_name: str, name: str, subject: str, activity: str, device: Device, windows: _Windows, row: int
) -> Sequence[Recording]:
    values = windows.values[row]
    return [
        measured(
            [Block(device, "acc", values)],
            name=f"{set_name}/{name}",
            subject=subject,
            intervals=[Interval(0.0, len(values) / device.rate_hz, activity)],
        )
    ]
