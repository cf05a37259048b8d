"""Verifying an imported data set: that it is what was written, and that its splits are honest."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.parquet as pq

from kinelex.datasets.splits import load_split, saved_splits
from kinelex.datasets.store import StoredDataset
from kinelex.errors import CorruptArtifact


@dataclass(frozen=True, slots=True)
class Checked:
    """How much was checked, all of it right."""

    shards: int
    sessions: int
    splits: int


def check(dataset: StoredDataset) -> Checked:
    """Check the hash of every shard, that every row belongs to one session, and every split that is kept.

    Raises:
        CorruptArtifact: something is missing, was changed, or a split has somebody on two sides.
    """
    dataset.verify()
    for number, (file, _) in enumerate(dataset.shards):
        end = 0
        for session in (session for session in dataset.index if session.shard == number):
            if session.start != end:
                raise CorruptArtifact(f"session '{session.name}' of '{dataset.name}' does not begin where one ended")
            end += session.rows
        with pq.ParquetFile(dataset.folder / file) as shard:
            rows = shard.metadata.num_rows
        if rows != end:
            raise CorruptArtifact(f"'{dataset.folder / file}' has {rows} rows, its sessions have {end}")
    splits = saved_splits(dataset)
    for name in splits:
        load_split(dataset, name)
    return Checked(len(dataset.shards), len(dataset.index), len(splits))
