"""UCI-HAR: windows that overlap by half, a row each, in one file per sensor and axis; here joined again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal.recording import Recording

_WINDOW = 128
_HALF = 64
_DISPUTED = 0


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person; how the windows hang together shows when it is read."""
    for first in sorted(folder.glob("**/Inertial Signals/total_acc_x_*.txt")):
        home, part = first.parent.parent, first.stem.rpartition("_")[2]
        index = home / f"subject_{part}.txt", home / f"y_{part}.txt"
        people, codes = map(_codes, index)
        if len(people) != len(codes):
            raise UnreadableFile(f"'{home}' has {len(people)} rows of people and {len(codes)} of activities")
        files = tuple(
            first.with_name(f"{sensor}_{axis}_{part}.txt") for sensor in ("total_acc", "body_gyro") for axis in "xyz"
        )
        for person in np.unique(people).tolist():
            name = f"user{person:02}"
            read = partial(_read, entry, name, files, np.flatnonzero(people == person), codes)
            yield Trial(name, name, read, (*files, *index))


def _codes(path: Path) -> NDArray[np.int64]:
    return np.asarray(read_columns(path, ["code"], kinds={"code": int})["code"], dtype=np.int64)


def _read(
    entry: CatalogEntry, name: str, files: tuple[Path, ...], rows: NDArray[np.intp], codes: NDArray[np.int64]
) -> Sequence[Recording]:
    windows = np.stack([_windows(path, rows, len(codes)) for path in files], axis=2)
    goes_on = (windows[1:, :_HALF] == windows[:-1, _HALF:]).all(axis=(1, 2)) & (np.diff(rows) == 1)
    recordings = []
    for number, piece in enumerate(np.split(np.arange(len(rows)), np.flatnonzero(~goes_on) + 1), start=1):
        values = np.concatenate([*windows[piece, :_HALF], windows[piece[-1], _HALF:]])
        # A half of two windows is known where both say the same.
        before, after = codes[rows[np.append(piece[0], piece)]], codes[rows[np.append(piece, piece[-1])]]
        halves = np.where(before == after, after, _DISPUTED)
        recordings.append(
            measured(
                [Block(entry.devices[0], "acc", values[:, :3]), Block(entry.devices[0], "gyro", values[:, 3:])],
                name=f"{entry.name}/{name}/{number:02}",
                subject=name,
                intervals=labelled(entry, np.repeat(halves, _HALF)),
            )
        )
    return recordings


def _windows(path: Path, rows: NDArray[np.intp], count: int) -> NDArray[np.float32]:
    """Some rows of a file of `count` windows, ``(row, time)``."""
    first, end = int(rows[0]), int(rows[-1]) + 1
    try:
        with path.open("rb") as file:
            lines = list(islice(file, first, end))
            there = first + len(lines) + sum(1 for _ in file)
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    if there != count:
        raise UnreadableFile(f"'{path}' has {there} windows, y and subject have {count} rows")
    text = [lines[row - first].split() for row in rows.tolist()]
    if bad := [int(row) + 1 for row, words in zip(rows, text, strict=True) if len(words) != _WINDOW]:
        raise UnreadableFile(f"'{path}' has a row {bad[0]} that is no window of {_WINDOW} values")
    try:
        return np.array(text, dtype=np.float32)
    except ValueError as error:
        raise BadSamples(f"'{path}' holds something other than numbers: {error}") from None
