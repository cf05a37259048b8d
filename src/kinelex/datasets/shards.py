"""Shards: which sessions go into which file, and how they are written there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kinelex.artifact import staged
from kinelex.datasets.conversion import Converter
from kinelex.datasets.store import Session
from kinelex.datasets.tidy import KEYS, Run, TidyTable
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


def write_shard(
    target: Path, number: int, runs: Sequence[Run], table: TidyTable, converter: Converter
) -> tuple[list[Session], dict[str, list[str]]]:
    """Read sessions from a table, convert them, and write them to one shard, a row group per subject.

    Args:
        target: the file.
        number: the shard's number.
        runs: its sessions, one subject after the other.
        table: where they are read from.
        converter: what turns them into stored samples.

    Returns:
        The sessions as stored, and those that were mended or left out, by reason.

    Raises:
        BadSamples: a session was not sampled at the card's rate.
        WrongUnit: values that cannot be in the unit that the card claims.
    """
    schema = _schema(converter.channels)
    raw = table.read(runs, converter.columns)
    converter.start()
    sessions: list[Session] = []
    row = 0
    with (
        staged(target) as draft,
        pq.ParquetWriter(draft, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for _, members in groupby(range(len(runs)), key=lambda i: runs[i].subject):
            kept: list[Session] = []
            blocks: list[NDArray[np.float32]] = []
            for i in members:
                block = converter.convert(runs[i], *raw[i])
                if block is not None:
                    kept.append(_session(runs[i], block, converter.channels, number, row))
                    blocks.append(block)
                    row += len(block)
            if kept:
                group = _row_group(kept, np.concatenate(blocks), schema)
                writer.write_table(group, row_group_size=len(group))
                sessions += kept
        findings = converter.finish()
    return sessions, findings


def _schema(channels: Sequence[Channel]) -> pa.Schema:
    keys = [(key, pa.dictionary(pa.int32(), pa.string())) for key in KEYS]
    return pa.schema(keys + [(channel.name, pa.float32()) for channel in channels])


def _session(run: Run, block: NDArray[np.float32], channels: Sequence[Channel], number: int, start: int) -> Session:
    measured = np.flatnonzero(~np.isnan(block).all(axis=0)).tolist()
    placements = dict.fromkeys(channels[i].placement for i in measured)
    return Session(run.session, run.subject, run.activity, len(block), number, start, tuple(placements))


def _row_group(sessions: Sequence[Session], samples: NDArray[np.float32], schema: pa.Schema) -> pa.Table:
    rows = [session.rows for session in sessions]
    keys = []
    for words in zip(*((session.name, session.subject, session.activity) for session in sessions), strict=True):
        known = {word: code for code, word in enumerate(dict.fromkeys(words))}
        codes = np.repeat(np.array([known[word] for word in words], dtype=np.int32), rows)
        keys.append(pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(known), type=pa.string())))
    columns = [pa.array(np.ascontiguousarray(samples[:, i])) for i in range(samples.shape[1])]
    return pa.Table.from_arrays([*keys, *columns], schema=schema)
