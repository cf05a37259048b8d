"""What a file of rows gives to the readers, whether it is CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kinelex.readers.blob import Blob

Kind = Literal["number", "text", "datetime", "time of day", "other"]
Number = TypeVar("Number", np.float32, np.float64)

_BLOCK_BYTES = 40 << 20
"""More than the 32 MiB up to which the C library may keep freed memory."""


@dataclass(frozen=True)
class Clock:
    """A time column as it stands in the file.

    Args:
        values: one number per row; NaN where it is missing. Of a ``"datetime"`` they are seconds since 1970, of a
            ``"time of day"`` seconds since midnight, of a ``"number"`` whatever unit the file uses.
        kind: how the file writes it.
    """

    values: NDArray[np.float64]
    kind: Kind


@dataclass(frozen=True)
class Coded:
    """A column of words: `codes` index `words`, and -1 is a missing one."""

    codes: NDArray[np.int32]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Some columns of a table.

    Args:
        values: ``(row, column)``; NaN where a value is missing.
        clock: the time column, if one was asked for.
        texts: the columns of words, by position.
        notes: what was mended while reading.
    """

    values: NDArray[np.float32]
    clock: Clock | None
    texts: dict[int, Coded]
    notes: tuple[str, ...] = ()


class Table(Protocol):
    """A file of named columns."""

    blob: Blob
    names: tuple[str, ...]
    units_row: tuple[str, ...]
    """A second header line with units, one per column; empty when there is none."""
    rate_hz: float | None
    """A rate that the file states by itself."""

    def kind(self, column: int) -> Kind:
        """What the column holds."""

    def first(self, column: int) -> str:
        """The column's first value, as text; empty when there is none."""

    def read(self, values: Sequence[int], clock: int | None = None, texts: Sequence[int] = ()) -> Columns:
        """Load columns by position.

        Raises:
            BadSamples: a cell of `values` or `clock` is no number; the message says which.
            UnreadableFile: the file is damaged.
        """


class Rows(Generic[Number]):
    """Collects batches of rows; `stacked` gives them as one array and lets the batches go meanwhile.

    Batches are gathered in blocks that the allocator takes straight from the system, and gives straight back: with
    many small ones, a day of signal would stay in memory twice.

    Args:
        width: numbers per row.
        dtype: their type.
    """

    def __init__(self, width: int, dtype: type[Number]) -> None:
        self._width = width
        self._dtype: type[Number] = dtype
        self._capacity = max(1, _BLOCK_BYTES // (max(1, width) * np.dtype(dtype).itemsize))
        self._blocks: list[NDArray[Number]] = []
        self._filled = 0  # rows of the last block

    def add(self, rows: Iterable[NDArray[Number]], count: int) -> None:
        """Append `count` rows, given column by column."""
        columns = list(rows)
        done = 0
        while done < count:
            if not self._blocks or self._filled == self._capacity:
                self._blocks.append(np.empty((self._capacity, self._width), dtype=self._dtype))
                self._filled = 0
            part = min(count - done, self._capacity - self._filled)
            for place, column in enumerate(columns):
                self._blocks[-1][self._filled : self._filled + part, place] = column[done : done + part]
            self._filled += part
            done += part

    def stacked(self) -> NDArray[Number]:
        """All rows, ``(row, width)``; the collection is empty afterwards."""
        length = max(0, len(self._blocks) - 1) * self._capacity + self._filled
        table = np.empty((length, self._width), dtype=self._dtype)
        while self._blocks:
            block = self._blocks.pop()
            first = len(self._blocks) * self._capacity
            table[first:length] = block[: length - first]
            length = first
        return table


class Words:
    """Collects batches of a text column as codes, so that a label repeated a million times is stored once."""

    def __init__(self) -> None:
        self._codes: list[NDArray[np.int32]] = []
        self._known: dict[str, int] = {}

    def add(self, codes: NDArray[np.int32], words: Sequence[str]) -> None:
        """Append one batch: indices into `words`, -1 for a missing one. Blank words count as missing."""
        places = [self._known.setdefault(w.strip(), len(self._known)) if w.strip() else -1 for w in words]
        self._codes.append(np.array([*places, -1], dtype=np.int32)[codes])

    def coded(self) -> Coded:
        """The whole column."""
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, dtype=np.int32)
        return Coded(codes, tuple(self._known))
