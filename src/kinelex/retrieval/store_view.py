"""What a store held at one moment: every live example, in memory, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinelex.errors import CorruptArtifact
from kinelex.retrieval.segments import (
    Changes,
    ids_of,
    read_changes,
    read_segment,
    seconds_of,
    texts_of,
    times_of,
    vectors_of,
)
from kinelex.retrieval.store_manifest import Manifest

Rows = dict[str, NDArray[Any]]
"""The columns of some examples, by their names in `View`."""


@dataclass(frozen=True, eq=False)
class View:
    """Live examples by ascending id; arrays cannot be written to.

    Args:
        ids: (example,).
        vectors: (example, number).
        labels: (example,).
        subjects: (example,), empty where nobody said.
        recordings: (example,), empty where nobody said.
        start_s: (example,), NaN where nobody said.
        end_s: (example,), NaN where nobody said.
        added_at: (example,), in UTC.
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    labels: NDArray[np.str_]
    subjects: NDArray[np.str_]
    recordings: NDArray[np.str_]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    added_at: NDArray[np.datetime64]

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)


def load(folder: Path, manifest: Manifest, known: tuple[Manifest, View] | None = None) -> View:
    """Read the examples that a manifest describes.

    Args:
        folder: of the store.
        manifest: its state.
        known: an earlier state with what it held; files that hold nothing newer are not read again.

    Raises:
        CorruptArtifact: a file is missing, not what was written, or does not fit to the others.
    """
    changes = read_changes(folder, manifest.changes)
    # There is no room to have all vectors twice: they go to their place as they are read.
    vectors = np.empty((manifest.live, manifest.encoder.width), np.float32)
    parts, filled = [_nothing()], 0
    for part in _parts(folder, manifest, changes, known):
        here = vectors[filled : filled + len(part["ids"])]
        if len(here) < len(part["ids"]):
            break
        here[:] = part.pop("vectors")
        filled += len(here)
        parts.append(part)
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ids = rows["ids"]
    if len(ids) != manifest.live or np.any(np.diff(ids) <= 0) or ids.max(initial=-1) >= manifest.next_id:
        raise CorruptArtifact(f"the segments in '{folder}' do not fit to each other: go back to a snapshot")
    return View(vectors=vectors, **{**rows, "labels": _relabeled(ids, rows["labels"], changes)})


def _nothing() -> Rows:
    """No rows, in columns of the right kind, for where there is nothing else."""
    kinds: dict[str, Any] = {"ids": np.int64, "start_s": np.float64, "end_s": np.float64, "added_at": "datetime64[us]"}
    names = [field.name for field in fields(View) if field.name != "vectors"]
    return {name: np.empty(0, kinds.get(name, np.str_)) for name in names}


def _parts(folder: Path, manifest: Manifest, changes: Changes, known: tuple[Manifest, View] | None) -> Iterator[Rows]:
    """Live examples, ids ascending: those that are known, then those of each file that may hold others."""
    new_from = 0
    # Otherwise changes that are not known were folded into the examples, or this is another store by now.
    if known is not None and known[0].history[-1] in manifest.history:
        new_from = known[0].next_id
        yield _chosen({field.name: getattr(known[1], field.name) for field in fields(View)}, 0, changes)
    for segment in manifest.examples:
        if segment.last_id >= new_from:
            yield _chosen(_columns(read_segment(folder, segment)), new_from, changes)


def _columns(table: pa.Table) -> Rows:
    return {
        "ids": ids_of(table),
        "vectors": vectors_of(table),
        "labels": texts_of(table, "label"),
        "subjects": texts_of(table, "subject"),
        "recordings": texts_of(table, "recording"),
        "start_s": seconds_of(table, "start_s"),
        "end_s": seconds_of(table, "end_s"),
        "added_at": times_of(table, "added_at"),
    }


def _chosen(rows: Rows, new_from: int, changes: Changes) -> Rows:
    """Rows that are not deleted, from an id on; not copied where these are all."""
    chosen = (rows["ids"] >= new_from) & ~np.isin(rows["ids"], changes.deleted)
    return rows if chosen.all() else {name: column[chosen] for name, column in rows.items()}


def _relabeled(ids: NDArray[np.int64], labels: NDArray[np.str_], changes: Changes) -> NDArray[np.str_]:
    found = np.flatnonzero(np.isin(ids, np.fromiter(changes.labels, np.int64, len(changes.labels))))
    if not len(found):
        return labels
    new = np.array([changes.labels[int(id_)] for id_ in ids[found]], np.str_)
    # A wider text does not fit into an array of narrower ones.
    relabeled = labels.astype(np.promote_types(labels.dtype, new.dtype))
    relabeled[found] = new
    return relabeled
