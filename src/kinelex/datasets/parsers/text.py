"""Official text files as arrays: fast, in as much memory as one file takes, and with messages that name the file."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnreadableFile

Columns = dict[str, NDArray[Any]]
MISSING = ("", "NaN", "nan", "NA", "null", "NULL")
BLOCK_BYTES = 16 << 20


def read_columns(
    source: Path | bytes,
    names: Sequence[str] | None = None,
    *,
    only: Collection[str] | None = None,
    kinds: Mapping[str, type] | None = None,
    delimiter: str = ",",
    skip_rows: int = 0,
    label: str | None = None,
) -> Columns:
    """The columns of a text table.

    Args:
        source: a file, or its content after some mending.
        names: of the columns, where the file has no row of names.
        only: the columns wanted; all when left out.
        kinds: what a column holds where it is not decimal numbers: `int` or `str`.
        delimiter: one character.
        skip_rows: rows before the names or numbers.
        label: how messages call it; the path when left out.

    Returns:
        float64 arrays, NaN where missing; int64 or object arrays for columns of another kind.

    Raises:
        UnreadableFile: missing, empty, or no table of these columns.
        BadSamples: something other than numbers among the numbers.
    """
    label = label or (str(source) if isinstance(source, Path) else "table")
    kinds = kinds or {}
    try:
        read = pa_csv.ReadOptions(column_names=names, skip_rows=skip_rows, block_size=BLOCK_BYTES, encoding="latin-1")
        wanted = list(only if only is not None else names or _header(source, skip_rows, delimiter))
        types = {name: _TYPES[kinds.get(name, float)] for name in wanted}
        table = pa_csv.read_csv(
            source if isinstance(source, Path) else io.BytesIO(source),
            read_options=read,
            parse_options=pa_csv.ParseOptions(delimiter=delimiter),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=wanted, null_values=list(MISSING)
            ),
        )
        return _arrays(table, label)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if "conversion error" in str(error).lower():
            raise BadSamples(f"'{label}' holds text where numbers belong: {error}") from None
        raise UnreadableFile(f"'{label}' is not the table that its data set has: {error}") from None
    except OSError as error:
        raise UnreadableFile(f"'{label}' cannot be read: {error}") from None


_TYPES = {float: pa.float64(), int: pa.int64(), str: pa.string()}


def _header(source: Path | bytes, skip_rows: int, delimiter: str) -> list[str]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            lines = [file.readline() for _ in range(skip_rows + 1)]
    else:
        lines = source.split(b"\n", skip_rows + 1)[: skip_rows + 1]
    return [name.strip().strip('"') for name in lines[-1].decode("latin-1").strip().split(delimiter)]


def _arrays(table: pa.Table, label: str) -> Columns:
    found: Columns = {}
    for name in table.schema.names:
        column = table.column(name)
        if pa.types.is_integer(column.type) and column.null_count:
            raise BadSamples(f"'{label}' has rows without {name}")
        found[name] = (
            column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
        )
    return found


def stacked(columns: Columns, names: Sequence[str]) -> NDArray[np.float32]:
    """Some columns side by side, ``(row, column)`` float32."""
    return np.stack([np.asarray(columns[name], dtype=np.float32) for name in names], axis=1)
