"""The files of an example store: Parquet segments that are written once, hashed, and never changed.

A segment holds either examples, with ascending ids, or changes to earlier ones in the order in which they were made.
Any Parquet reader can use it without Kinelex.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kinelex.artifact import write_bytes
from kinelex.errors import CorruptArtifact

Kind = Literal["examples", "changes"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ROWS_AT_MOST = 16_384
"""So that reading a segment takes little memory beside what it is read into: 25 MB at 384 numbers per vector."""

Number = TypeVar("Number", bound=np.number[Any])

_TEXTS = ("label", "subject", "recording")
_WHEN = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Segment:
    """What the manifest knows of one file.

    Args:
        file: its name in the store's folder.
        rows: examples or changes in it.
        last_id: the highest id in it.
        bytes: its size.
        sha256: its hash.
    """

    file: str
    rows: int
    last_id: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of examples after they were added.

    Args:
        deleted: ids of examples that are gone, ascending.
        labels: the newest label of examples that got another one, by id; also of some that were deleted later.
    """

    deleted: NDArray[np.int64]
    labels: Mapping[int, str]


def example_schema(width: int) -> pa.Schema:
    """The columns of a segment of examples whose vectors have `width` numbers."""
    vector = pa.list_(pa.field("element", pa.float32(), nullable=False), width)
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("vector", vector, nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("subject", pa.string()),
            pa.field("recording", pa.string()),
            pa.field("start_s", pa.float64(), nullable=False),
            pa.field("end_s", pa.float64(), nullable=False),
            pa.field("added_at", _WHEN, nullable=False),
        ]
    )


def example_table(
    ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
    labels: list[str],
    subjects: list[str | None],
    recordings: list[str | None],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
) -> pa.Table:
    """Examples as a table, added now; every argument has one row per example."""
    schema = example_schema(vectors.shape[1])
    columns = [
        _numbers(ids, pa.int64()),
        pa.FixedSizeListArray.from_arrays(_numbers(vectors.ravel(), pa.float32()), type=schema.field("vector").type),
        *(_texts(column) for column in (labels, subjects, recordings)),
        *(_numbers(column, pa.float64()) for column in (start_s, end_s)),
        _now(len(ids)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def change_table(ids: NDArray[np.int64], label: str | None) -> pa.Table:
    """Changes as a table, made now: a new label for `ids`, or their deletion where there is none."""
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("label", pa.string()),
            pa.field("changed_at", _WHEN, nullable=False),
        ]
    )
    columns = [_numbers(ids, pa.int64()), _texts([label] * len(ids)), _now(len(ids))]
    return pa.Table.from_arrays(columns, schema=schema)


def write_segment(folder: Path, kind: Kind, number: int, table: pa.Table) -> Segment:
    """Write `table` as a new file; it belongs to the store only once a manifest lists it."""
    sink = pa.BufferOutputStream()
    texts = [name for name in _TEXTS if name in table.column_names]
    # Vectors hardly compress, and everything else is small beside them.
    pq.write_table(table, sink, compression="none", use_dictionary=texts, write_statistics=False)
    content = sink.getvalue().to_pybytes()
    file = f"{kind}-{number:08}.parquet"
    # Hashed before it goes to disk, so that what the disk makes of it is checked as well.
    digest = hashlib.sha256(content).hexdigest()
    write_bytes(folder / file, content)
    last_id = int(ids_of(table).max())
    return Segment(file=file, rows=table.num_rows, last_id=last_id, bytes=len(content), sha256=digest)


def read_segment(folder: Path, segment: Segment, columns: list[str] | None = None) -> pa.Table:
    """Read a file and check every bit of it.

    Args:
        folder: of the store.
        segment: what the manifest says of the file.
        columns: those to read; all when left out.

    Raises:
        CorruptArtifact: it is missing, or not what was written.
    """
    content = checked_bytes(folder, segment)
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            table = file.read(columns)
    except pa.ArrowException as error:
        raise CorruptArtifact(f"'{folder / segment.file}' is no segment of examples ({error})") from None
    if table.num_rows != segment.rows:
        raise CorruptArtifact(f"'{folder / segment.file}' has {table.num_rows} rows instead of {segment.rows}")
    return table


def checked_bytes(folder: Path, segment: Segment) -> bytes:
    """The content of a segment's file.

    Raises:
        CorruptArtifact: it is missing, or not what was written.
    """
    path = folder / segment.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptArtifact(
            f"'{path}' cannot be read ({error.strerror}): go back to a snapshot of the store"
        ) from None
    if len(content) != segment.bytes or hashlib.sha256(content).hexdigest() != segment.sha256:
        raise CorruptArtifact(f"'{path}' is not the file that was written: go back to a snapshot of the store")
    return content


def read_changes(folder: Path, segments: Iterable[Segment]) -> Changes:
    """Read all changes, in the order in which they were made.

    Raises:
        CorruptArtifact: a file is missing, or not what was written.
    """
    deleted: set[int] = set()
    labels: dict[int, str] = {}
    for segment in segments:
        table = read_segment(folder, segment, ["id", "label"])
        for id_, label in zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True):
            if label is None:
                deleted.add(id_)
            else:
                labels[id_] = label
    return Changes(np.array(sorted(deleted), np.int64), labels)


def folded(table: pa.Table, changes: Changes) -> pa.Table:
    """Examples after changes: without those that were deleted, and with their newest labels."""
    ids = ids_of(table)
    if np.isin(ids, np.fromiter(changes.labels, np.int64, len(changes.labels))).any():
        old = table.column("label").to_pylist()
        labels = [changes.labels.get(int(id_), label) for id_, label in zip(ids, old, strict=True)]
        at = table.column_names.index("label")
        table = table.set_column(at, table.schema.field(at), _texts(labels))
    return table.take(_numbers(np.flatnonzero(~np.isin(ids, changes.deleted)), pa.int64()))


def ids_of(table: pa.Table) -> NDArray[np.int64]:
    """The ids of some examples, or of those that were changed."""
    return _values(table.column("id").combine_chunks(), np.int64)


def vectors_of(table: pa.Table) -> NDArray[np.float32]:
    """The vectors of some examples, (example, number)."""
    vectors = table.column("vector").combine_chunks()
    return _values(vectors.flatten(), np.float32).reshape(table.num_rows, vectors.type.list_size)


def texts_of(table: pa.Table, name: str) -> NDArray[np.str_]:
    """A column of text, empty where there is none."""
    return np.array([text or "" for text in table.column(name).to_pylist()], np.str_)


def seconds_of(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column of seconds."""
    return _values(table.column(name).combine_chunks(), np.float64)


def times_of(table: pa.Table, name: str) -> NDArray[np.datetime64]:
    """A column of moments, in UTC."""
    return _values(table.column(name).combine_chunks(), np.int64).view("datetime64[us]")


# Bytes go to and from Arrow as they are: `pa.array` and `to_numpy` import pandas, and whoever stores a first example,
# or finds one again, would wait for that longer than for all the rest.


def _values(array: pa.Array, type_: type[Number]) -> NDArray[Number]:
    bytes_each = np.dtype(type_).itemsize
    content = array.buffers()[1] if len(array) else b""
    return np.frombuffer(content, type_, len(array), array.offset * bytes_each if len(array) else 0)


def _numbers(values: NDArray[Any], type_: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _texts(values: Sequence[str | None]) -> pa.Array:
    encoded = [(value or "").encode() for value in values]
    ends = np.cumsum([0, *(len(text) for text in encoded)]).astype(np.int32)
    known = np.packbits([value is not None for value in values], bitorder="little")
    buffers = [pa.py_buffer(part) for part in (known, ends, b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _now(rows: int) -> pa.Array:
    return _numbers(np.full(rows, np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")), _WHEN)
