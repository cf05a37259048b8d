"""Parquet tables, read in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnreadableFile
from kinelex.readers.blob import Blob, reading
from kinelex.readers.table import Clock, Columns, Kind, Rows, Words

MAGIC = b"PAR1"
_BATCH_ROWS = 1 << 17
_STEPS_PER_S = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class ParquetTable:
    """A Parquet file; implements `Table`."""

    units_row: tuple[str, ...] = ()
    rate_hz: float | None = None

    def __init__(self, blob: Blob) -> None:
        """Read the file's footer.

        Raises:
            UnreadableFile: it is missing, truncated, damaged, or has no rows.
        """
        self.blob = blob
        with reading(blob), blob.open() as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            self._schema = parquet.schema_arrow
            rows = parquet.metadata.num_rows
        self.names = tuple(self._schema.names)
        if not rows or not self.names:
            raise UnreadableFile(f"'{blob}' has {len(self.names)} columns but no rows: it holds no samples")

    def kind(self, column: int) -> Kind:
        """What the column holds, by its type."""
        kind = self._schema.types[column]
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return "number"
        if "string" in str(kind):  # plain, large, or a view
            return "text"
        if pa.types.is_timestamp(kind):
            return "datetime"
        return "time of day" if pa.types.is_time(kind) or pa.types.is_duration(kind) else "other"

    def first(self, column: int) -> str:
        """The column's first value, as text; empty when it is missing."""
        with reading(self.blob):
            for batch in self._batches([column], rows=64):
                values = batch.column(0).to_pylist()
                return next((str(value) for value in values if value is not None), "")
        return ""

    def read(self, values: Sequence[int], clock: int | None = None, texts: Sequence[int] = ()) -> Columns:
        """Load columns by position; see `Table`."""
        wanted = [*dict.fromkeys([*values, *texts, *([] if clock is None else [clock])])]
        rows, times = Rows(len(values), np.float32), Rows(1, np.float64)
        words = {text: Words() for text in texts}
        clock_kind = "number" if clock is None else self.kind(clock)
        done = 0
        with reading(self.blob):
            for batch in self._batches(wanted):
                cells = [self._numbers(batch.column(wanted.index(column)), column, done) for column in values]
                rows.add(cells, batch.num_rows)
                if clock is not None:
                    times.add([self._ticks(batch.column(wanted.index(clock)), clock, done)], batch.num_rows)
                for text, collected in words.items():
                    collected.add(*_coded(batch.column(wanted.index(text))))
                done += batch.num_rows
        clock_kind = "number" if clock_kind in ("text", "other") else clock_kind
        ticks = None if clock is None else Clock(times.stacked()[:, 0], clock_kind)
        coded = {text: collected.coded() for text, collected in words.items()}
        return Columns(rows.stacked(), ticks, coded)

    def _batches(self, columns: Sequence[int], rows: int = _BATCH_ROWS) -> Any:
        with self.blob.open() as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            names = [self.names[column] for column in columns]
            for batch in parquet.iter_batches(batch_size=rows, columns=names, use_threads=False):
                yield batch.select(names)

    def _numbers(self, cells: Any, column: int, row: int) -> NDArray[np.float32]:
        numbers: NDArray[np.float32] = self._cast(cells, column, row, pa.float32())
        return numbers

    def _ticks(self, cells: Any, column: int, row: int) -> NDArray[np.float64]:
        kind = cells.type
        if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
            whole = cells.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
            ticks: NDArray[np.float64] = self._cast(whole, column, row, pa.float64())
            return ticks / _STEPS_PER_S[kind.unit]
        ticks = self._cast(cells, column, row, pa.float64())
        return ticks

    def _cast(self, cells: Any, column: int, row: int, kind: Any) -> Any:
        if pa.types.is_dictionary(cells.type):
            cells = cells.dictionary_decode()
        try:
            return cells.cast(kind, safe=False).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            for offset, cell in enumerate(cells.to_pylist()):
                if not _is_numeric(cell):
                    raise BadSamples(
                        f"'{self.blob}', row {row + offset + 1}, column '{self.names[column]}': {str(cell)[:40]!r} is"
                        " no number: mend the cell, or leave it empty where a value is missing"
                    ) from None
            raise


def _is_numeric(cell: Any) -> bool:
    if cell is None:
        return True
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _coded(cells: Any) -> tuple[NDArray[np.int32], list[str]]:
    coded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
    codes = coded.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), ["" if word is None else str(word) for word in coded.dictionary.to_pylist()]
