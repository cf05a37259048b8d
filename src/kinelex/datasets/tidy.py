"""A tidy table on disk, read in bounded memory: which sessions it holds, and the samples of any of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kinelex.artifact import staged
from kinelex.errors import BadSamples, UnreadableFile

KEYS = ("session", "subject", "activity")
PLACEMENT = "placement"
TIME = "t"
BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Run:
    """One session of a tidy table: consecutive rows with one subject and one activity.

    Args:
        session: its name, unique in the table.
        subject: who wore the sensors.
        activity: the official name of what was done.
        placement: what the table's placement column says, or nothing.
        start: its first row.
        rows: how many rows it has.
    """

    session: str
    subject: str
    activity: str
    placement: str
    start: int
    rows: int


def csv_to_parquet(path: Path, target: Path, columns: Sequence[str]) -> None:
    """Turn a tidy CSV into Parquet once, block by block, so that sessions can be read in any order.

    Args:
        path: the CSV file.
        target: where the Parquet file goes.
        columns: the sensor columns; others, except keys, placement and time, are left behind.

    Raises:
        UnreadableFile: missing, empty or not CSV.
        BadSamples: a sensor column holds something other than numbers.
    """
    try:
        with pa_csv.open_csv(path) as peek:
            names = peek.schema.names
        types = dict.fromkeys((*KEYS, PLACEMENT), pa.string()) | {TIME: pa.float64()}
        types |= dict.fromkeys(columns, pa.float32())
        options = pa_csv.ConvertOptions(column_types=types, include_columns=[n for n in names if n in types])
        with (
            pa_csv.open_csv(path, convert_options=options) as reader,
            staged(target) as draft,
            pq.ParquetWriter(draft, reader.schema, compression="zstd") as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
    except pa.ArrowInvalid as error:
        if "conversion error" in str(error).lower():
            raise BadSamples(f"'{path}' holds text where numbers belong: {error}") from None
        raise UnreadableFile(f"'{path}' is no readable CSV table: {error}") from None
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error}") from None


def csv_columns(path: Path) -> tuple[str, ...]:
    """The column names of a CSV file.

    Raises:
        UnreadableFile: missing, empty or not CSV.
    """
    try:
        with pa_csv.open_csv(path) as reader:
            return tuple(reader.schema.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableFile(f"'{path}' is no readable CSV table: {error}") from None


class TidyTable:
    """A tidy Parquet file: keys, time and sensor columns, the rows of a session together and in order.

    Args:
        path: the Parquet file.
        label: how messages call it; the path when left out.

    Raises:
        UnreadableFile: missing, empty, truncated or no Parquet file.
        BadSamples: no row, or the columns session, subject, activity or t are missing.
    """

    def __init__(self, path: Path, label: str | None = None) -> None:
        self.label = label or str(path)
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"'{self.label}' is no readable Parquet table: {error}") from None
        metadata = self._file.metadata
        self.rows: int = metadata.num_rows
        sizes = (metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        self._group_starts = [0, *accumulate(sizes)]
        schema = self._file.schema_arrow
        self.columns: tuple[str, ...] = tuple(schema.names)
        if lacks := [name for name in (*KEYS, TIME) if name not in self.columns]:
            raise BadSamples(
                f"'{self.label}' has no column {', '.join(lacks)}: a tidy table needs {', '.join(KEYS)}, t"
            )
        if not self.rows:
            raise BadSamples(f"'{self.label}' has no rows")
        self._numeric = {
            field.name for field in schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        }

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def runs(self) -> list[Run]:
        """Every session, in the order of the table.

        Raises:
            BadSamples: a key is missing in some row, or the rows of a session are not together or disagree.
            UnreadableFile: the file breaks off or is damaged.
        """
        keys = [*KEYS, *([PLACEMENT] if PLACEMENT in self.columns else [])]
        starts: list[int] = []
        values: list[tuple[str, ...]] = []
        for row, batch in self._batches(keys, range(len(self._group_starts) - 1)):
            columns = [self._words(batch.column(i), key, row) for i, key in enumerate(keys)]
            changed = np.zeros(len(batch), dtype=bool)
            changed[:1] = True
            for codes, _ in columns:
                changed[1:] |= codes[1:] != codes[:-1]
            for first in np.flatnonzero(changed).tolist():
                value = tuple(words[codes[first]] for codes, words in columns)
                if not values or values[-1] != value:
                    starts.append(row + first)
                    values.append(value)
        self._check_together(values)
        ends = [*starts[1:], self.rows]
        return [
            Run(v[0], v[1], v[2], v[3] if len(v) > 3 else "", start, end - start)
            for v, start, end in zip(values, starts, ends, strict=True)
        ]

    def read(
        self, runs: Sequence[Run], columns: Sequence[str]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float32]]]:
        """The samples of some sessions, in one pass over the parts of the file that hold them.

        Args:
            runs: sessions of this table, in any order.
            columns: the sensor columns wanted.

        Returns:
            Per session, in the order of `runs`: times ``(time,)`` in seconds and samples ``(time, channel)``, NaN where
            the table has no value.

        Raises:
            BadSamples: a column is not numeric.
            UnreadableFile: the file breaks off or is damaged.
        """
        if texts := [name for name in (TIME, *columns) if name not in self._numeric]:
            raise BadSamples(f"'{self.label}' holds something other than numbers in {', '.join(texts)}")
        found = [(np.empty(run.rows), np.empty((run.rows, len(columns)), dtype=np.float32)) for run in runs]
        order = sorted(range(len(runs)), key=lambda i: runs[i].start)
        ends = [runs[i].start + runs[i].rows for i in order]
        groups = [
            group
            for group, (first, last) in enumerate(pairwise(self._group_starts))
            if (at := bisect_left(ends, first + 1)) < len(order) and runs[order[at]].start < last
        ]
        for row, batch in self._batches([TIME, *columns], groups):
            times = _numbers(batch.column(0), np.float64)
            block = np.empty((len(batch), len(columns)), dtype=np.float32)
            for i in range(len(columns)):
                block[:, i] = _numbers(batch.column(i + 1), np.float32)
            at = bisect_left(ends, row + 1)
            while at < len(order) and (run := runs[order[at]]).start < row + len(batch):
                first, last = max(run.start, row), min(run.start + run.rows, row + len(batch))
                into, out = slice(first - run.start, last - run.start), slice(first - row, last - row)
                found[order[at]][0][into] = times[out]
                found[order[at]][1][into] = block[out]
                at += 1
        return found

    def _batches(self, columns: Sequence[str], groups: Sequence[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
        try:
            for group in groups:
                row = self._group_starts[group]
                for batch in self._file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns)):
                    # The file's order of columns wins over the order that was asked for.
                    yield row, batch.select(list(columns))
                    row += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"'{self.label}' is damaged: {error}") from None

    def _words(self, column: pa.Array, key: str, row: int) -> tuple[NDArray[np.int64], list[str]]:
        """Codes per row and the text of each code."""
        text = column.cast(pa.string())
        if key == PLACEMENT:
            text = text.fill_null("")
        coded = text.dictionary_encode()
        words = coded.dictionary.to_pylist()
        missing = text.null_count > 0 or (key != PLACEMENT and any(not word.strip() for word in words))
        if missing:
            blank = next(i for i, word in enumerate(text.to_pylist()) if word is None or not word.strip())
            raise BadSamples(f"'{self.label}' has no {key} in row {row + blank}: every row needs one")
        return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), words

    def _check_together(self, values: list[tuple[str, ...]]) -> None:
        seen: dict[str, tuple[str, ...]] = {}
        for value in values:
            if (before := seen.setdefault(value[0], value)) is value:
                continue
            if before == value:
                raise BadSamples(
                    f"session '{value[0]}' of '{self.label}' is in more than one place: sort rows by session and t"
                )
            raise BadSamples(
                f"session '{value[0]}' of '{self.label}' has more than one subject, activity or placement"
                f" ({', '.join(before[1:])} and {', '.join(value[1:])}): give each stretch its own session"
            )


def _numbers(column: pa.Array, dtype: type[np.floating]) -> NDArray[np.floating]:
    return column.to_numpy(zero_copy_only=False).astype(dtype, copy=False)  # type: ignore[no-any-return]
