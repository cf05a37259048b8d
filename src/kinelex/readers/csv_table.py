"""Text tables, read in blocks: any separator, decimal sign and encoding, with errors that name column and line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnreadableFile
from kinelex.readers.blob import Blob, reading
from kinelex.readers.dialect import COMMENTS, HEAD_BYTES, MISSING, Dialect, is_clock, is_number, sniff
from kinelex.readers.table import Clock, Columns, Kind, Rows, Words

_BLOCK_BYTES = 1 << 20
"""Small, because the parser reads 32 blocks ahead."""
_INFINITE = ("inf", "+inf", "-inf", "infinity")
"""Numbers to the parser; `Recording` has its own message for them."""


class CsvTable:
    """A text file of rows; implements `Table`."""

    def __init__(self, blob: Blob) -> None:
        """Look at the file's beginning.

        Raises:
            UnreadableFile: it is missing, empty, has no rows, or is no text.
        """
        with reading(blob):
            head = blob.head(HEAD_BYTES)
        self.blob = blob
        self._dialect = sniff(head, whole=len(head) < HEAD_BYTES, where=str(blob))
        self.names = self._dialect.names
        self.units_row = self._dialect.units_row
        self.rate_hz = self._dialect.rate_hz

    def kind(self, column: int) -> Kind:
        """What most of the column's first cells are; one that differs is a mistake in the file, not a kind."""
        cells = [row[column] for row in self._dialect.rows if row[column] not in MISSING]
        if not cells:
            return "number"
        return Counter(map(_kind_of, cells)).most_common(1)[0][0]

    def first(self, column: int) -> str:
        """The column's first value, as text; empty when there is none near the beginning."""
        return next((row[column] for row in self._dialect.rows if row[column] not in MISSING), "")

    def read(self, values: Sequence[int], clock: int | None = None, texts: Sequence[int] = ()) -> Columns:
        """Load columns by position; see `Table`."""
        clock_kind = "number" if clock is None else self.kind(clock)
        if clock is not None and clock_kind == "text":
            raise self._bad_time(clock)
        types: dict[int, Any] = dict.fromkeys(values, pa.float32()) | dict.fromkeys(texts, pa.string())
        if clock is not None:
            types[clock] = pa.float64() if clock_kind == "number" else pa.string()
        rows, times = Rows(len(values), np.float32), Rows(1, np.float64)
        words = {text: Words() for text in texts}
        broken: list[Any] = []  # rows of another length, comments included
        total = 0
        with reading(self.blob):
            try:
                for batch in self._batches(types, broken, self._dialect):
                    total += batch.num_rows
                    cells = [_numbers(batch.column(f"c{column}")) for column in values]
                    rows.add(cells, batch.num_rows)
                    if clock is not None:
                        times.add([_seconds(batch.column(f"c{clock}"), clock_kind)], batch.num_rows)
                    for text, collected in words.items():
                        coded = batch.column(f"c{text}").dictionary_encode()
                        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
                        collected.add(codes, coded.dictionary.to_pylist())
            except pa.ArrowInvalid as error:
                raise self._explained(error, values, clock if clock_kind == "number" else None, clock) from None
        notes = self._judge(broken, total)
        if not total:
            raise UnreadableFile(f"'{self.blob}' has a header but no rows: it holds no samples")
        ticks = None if clock is None else Clock(times.stacked()[:, 0], clock_kind)
        return Columns(rows.stacked(), ticks, {text: w.coded() for text, w in words.items()}, notes)

    def _batches(self, types: dict[int, Any], broken: list[Any], dialect: Dialect) -> Any:
        def set_aside(row: Any) -> str:
            broken.append(row)
            return "skip"

        # Columns are named by position, because a header may have a name twice. One thread, so that rows are numbered.
        columns = [f"c{i}" for i in range(len(dialect.names))]
        with self.blob.open() as file:
            yield from pacsv.open_csv(
                file,
                read_options=pacsv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    skip_rows=dialect.skip_lines,
                    column_names=columns,
                    encoding=dialect.encoding,
                ),
                parse_options=pacsv.ParseOptions(delimiter=dialect.separator, invalid_row_handler=set_aside),
                convert_options=pacsv.ConvertOptions(
                    column_types={f"c{i}": kind for i, kind in types.items()},
                    include_columns=[f"c{i}" for i in types],
                    null_values=list(MISSING),
                    strings_can_be_null=True,
                    decimal_point=dialect.decimal,
                ),
            )

    def _judge(self, set_aside: list[Any], total: int) -> tuple[str, ...]:
        """A broken last line is what a logger leaves that was cut off; any other that is no comment is an error."""
        broken = [row for row in set_aside if not row.text.lstrip().startswith(COMMENTS)]
        if not broken:
            return ()
        row = broken[0]
        if row.number == self._dialect.skip_lines + total + len(set_aside):
            return (f"the last line has {row.actual_columns} of {row.expected_columns} cells and was left out",)
        raise BadSamples(
            f"'{self.blob}', line {self._line_of(row)}: {row.actual_columns} cells instead of {row.expected_columns}"
            f" ({row.text[:60]!r}): mend or remove the line"
        )

    def _line_of(self, row: Any) -> int:
        """The number of a row in the file; the parser's own leaves out blank lines."""
        with reading(self.blob), self._text() as text:
            lines = (number for number, line in enumerate(text, start=1) if line.rstrip("\r\n") == row.text)
            return next(lines, int(row.number))

    def _explained(
        self, error: Exception, values: Sequence[int], clock: int | None, written_clock: int | None
    ) -> BadSamples | UnreadableFile:
        """The parser's complaint, with the name of the column and the line in the file."""
        wanted = [*values] if clock is None else [clock, *values]
        found = self._first_bad_cell(wanted)
        if found is not None:
            line, column, cell = found
            name = self.names[column] or f"column {column + 1}"
            return BadSamples(
                f"'{self.blob}', line {line}, column '{name}': {cell[:40]!r} is no number: mend the cell, or leave it"
                " empty where a value is missing"
            )
        if written_clock is not None and clock is None:
            return self._bad_time(written_clock)
        return UnreadableFile(f"'{self.blob}' cannot be read as a table: {' '.join(str(error).split())[:200]}")

    def _first_bad_cell(self, columns: Sequence[int]) -> tuple[int, int, str] | None:
        dialect = self._dialect
        with self._text() as text:
            reader = csv.reader(text, delimiter=dialect.separator)
            try:
                for row in reader:
                    if reader.line_num <= dialect.skip_lines or len(row) != len(dialect.names):
                        continue
                    for column in columns:
                        cell = row[column].strip()
                        if not (cell in MISSING or is_number(cell, dialect.decimal) or cell.lower() in _INFINITE):
                            return reader.line_num, column, cell
            except csv.Error:
                return None
        return None

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        encoding = {"utf8": "utf-8-sig"}.get(self._dialect.encoding, self._dialect.encoding)
        with self.blob.open() as file:
            text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
            yield text
            text.detach()

    def _bad_time(self, column: int) -> BadSamples:
        return BadSamples(
            f"'{self.blob}', column '{self.names[column]}': a time such as {self.first(column)[:40]!r} is not"
            " understood; write times as numbers or like 2024-05-31 12:00:00.250, or leave the column out with columns="
            f"{{'{self.names[column]}': 'ignore'}} and pass rate_hz"
        )


def _kind_of(cell: str) -> Kind:
    if is_clock(cell):
        return "datetime" if "-" in cell[:6] else "time of day"
    return "number" if is_number(cell) else "text"


def _numbers(cells: Any) -> NDArray[Any]:
    """A column of floats, NaN where there is none.

    Read from pyarrow's buffers, because its own conversions import pandas, which takes long.
    """
    present, values = cells.buffers()
    if not len(cells):
        return np.empty(0, np.float64)
    part = slice(cells.offset, cells.offset + len(cells))
    numbers = np.frombuffer(values, np.float32 if cells.type == pa.float32() else np.float64)[part]
    if cells.null_count:
        bits = np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")[part]
        numbers = np.where(bits == 1, numbers, numbers.dtype.type(np.nan))
    return numbers


def _seconds(cells: Any, kind: Kind) -> NDArray[np.float64]:
    if kind == "number":
        numbers: NDArray[np.float64] = _numbers(cells)
        return numbers
    if kind == "time of day":
        cells = pc.binary_join_element_wise("1970-01-01 ", pc.utf8_trim_whitespace(cells), "")
    else:
        cells = pc.utf8_trim_whitespace(cells)
    # A comma before the fraction is allowed by ISO 8601 but not by the parser.
    cells = pc.replace_substring(cells, ",", ".")
    zoned = pc.match_substring_regex(cells, r"(Z|[+-]\d\d:?\d\d)$")
    zone = "UTC" if pc.any(zoned).as_py() else None
    whole = cells.cast(pa.timestamp("ns", tz=zone)).cast(pa.int64())
    filled: NDArray[np.float64] = whole.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64) * 1e-9
    filled[whole.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return filled
