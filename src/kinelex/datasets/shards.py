"""Shards: which sessions go into which file, and how they are written there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kinelex.artifact import staged
from kinelex.datasets.store import Session
from kinelex.datasets.tidy import KEYS, Run
from kinelex.signal.channel import Channel

SHARD_ROWS = 2_000_000
SHARD_VALUES = 12_000_000


def plan_shards(runs: Sequence[Run], channels: int) -> Iterator[list[Run]]:
    """Pack sessions, in the given order, into shards of whole sessions.

    A shard has at most two million rows and twelve million values, so that one fits into memory several times over;
    a longer session gets a shard of its own.
    """
    limit = min(SHARD_ROWS, SHARD_VALUES // max(1, channels))
    shard: list[Run] = []
    rows = 0
    for run in runs:
        if shard and rows + run.rows > limit:
            yield shard
            shard, rows = [], 0
        shard.append(run)
        rows += run.rows
    if shard:
        yield shard


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A session on its way into a shard.

    Args:
        name, subject, activity, rate_hz, recording, start_s: as in `Session`.
        samples: ``(time, channel)``, one column per channel of the stream, SI, on an even clock.
    """

    name: str
    subject: str
    activity: str
    rate_hz: float
    recording: str
    start_s: float
    samples: NDArray[np.float32]


def write_shard(target: Path, number: int, pieces: Iterable[Piece], channels: Sequence[Channel]) -> list[Session]:
    """Write sessions to one shard, a row group per subject.

    Args:
        target: the file.
        number: the shard's number.
        pieces: one subject after the other; taken from an iterator, a subject's are in memory at a time.
        channels: of the stream.

    Returns:
        The sessions as stored.
    """
    schema = _schema(channels)
    sessions: list[Session] = []
    row = 0
    with (
        staged(target) as draft,
        pq.ParquetWriter(draft, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for _, members in groupby(pieces, key=lambda piece: piece.subject):
            kept: list[Session] = []
            blocks: list[NDArray[np.float32]] = []
            for piece in members:
                kept.append(_session(piece, channels, number, row))
                blocks.append(piece.samples)
                row += len(piece.samples)
            group = _row_group(kept, np.concatenate(blocks), schema)
            writer.write_table(group, row_group_size=len(group))
            sessions += kept
    return sessions


def _schema(channels: Sequence[Channel]) -> pa.Schema:
    keys = [(key, pa.dictionary(pa.int32(), pa.string())) for key in KEYS]
    return pa.schema(keys + [(channel.name, pa.float32()) for channel in channels])


def _session(piece: Piece, channels: Sequence[Channel], number: int, start: int) -> Session:
    measured = np.flatnonzero(~np.isnan(piece.samples).all(axis=0)).tolist()
    return Session(
        name=piece.name,
        subject=piece.subject,
        activity=piece.activity,
        rows=len(piece.samples),
        rate_hz=piece.rate_hz,
        shard=number,
        start=start,
        placements=tuple(dict.fromkeys(channels[i].placement for i in measured)),
        recording=piece.recording,
        start_s=piece.start_s,
    )


def _row_group(sessions: Sequence[Session], samples: NDArray[np.float32], schema: pa.Schema) -> pa.Table:
    rows = [session.rows for session in sessions]
    keys = []
    for words in zip(*((session.name, session.subject, session.activity) for session in sessions), strict=True):
        known = {word: code for code, word in enumerate(dict.fromkeys(words))}
        codes = np.repeat(np.array([known[word] for word in words], dtype=np.int32), rows)
        keys.append(pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(known), type=pa.string())))
    columns = [pa.array(np.ascontiguousarray(samples[:, i])) for i in range(samples.shape[1])]
    return pa.Table.from_arrays([*keys, *columns], schema=schema)
