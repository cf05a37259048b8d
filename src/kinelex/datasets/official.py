"""Importing the official files of a public data set: trial by trial, in the memory that one shard takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.conversion import REFUSED_SHARE
from kinelex.datasets.getting import missing, raw_folder
from kinelex.datasets.parsers import Trial, trials
from kinelex.datasets.parsers.trial import Recordings
from kinelex.datasets.screening import rests_off_gravity
from kinelex.datasets.shards import SHARD_VALUES, Piece, write_shard
from kinelex.datasets.store import About, StoredDataset, Stream, checksum
from kinelex.datasets.writing import Batch, Progress, Work, store
from kinelex.errors import UnreadableFile, WrongUnit
from kinelex.signal.blocks import columns_by_sensor
from kinelex.signal.recording import Recording

IMPORTER = 1
"""Raise this when the same files would be stored differently: then every set is imported anew."""

REFUSED = "sensor off its scale, left out"

READERS = 2
"""Trials that are read at a time."""

AHEAD_BYTES = 32_000_000
"""Only trials of smaller files are read ahead: a large one may take half of the memory that an import may have."""

SHORTEST_S = 0.25
"""A labelled stretch that is shorter shows nothing, and is left out."""


def import_official(
    entry: CatalogEntry,
    root: str | Path | None = None,
    *,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> StoredDataset:
    """Import the official files of a public data set into the store.

    Every labelled stretch of every recording becomes a session, at its own rate. Importing unchanged files again does
    nothing; after an interruption it goes on where it stopped.

    Args:
        entry: the set, from the catalog.
        root: the folder of all data sets, `data_root` when left out.
        folder: where its official files are; where `get` puts them when left out.
        progress: told about every stage, in trials.

    Returns:
        The stored data set.

    Raises:
        UnreadableFile: the files are not there, or one is damaged.
        BadSamples: a file holds something other than its documentation says.
        WrongUnit: many sensors cannot be in the units that the catalog states.
    """
    tell: Progress = progress or (lambda stage, done, total: None)
    home = raw_folder(entry, root) if folder is None else Path(folder)
    # Part of a set will do where somebody says that this is it; where it should be whole, it must be.
    if folder is None and (lacks := missing(entry, home)):
        raise UnreadableFile(
            f"'{home}' does not hold '{entry.name}': no file like {', '.join(lacks)}; get it with"
            f" kinelex datasets get {entry.name}"
        )
    tell("reading", 0, 1)
    found = list(trials(entry, home))
    # By size and time of each file: hashing tens of gigabytes only to find them unchanged would take longer than this.
    files = sorted({path for trial in found for path in trial.files})
    stats = [(str(path.relative_to(home)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    origin = {
        "file": f"official files of {entry.name}",
        "bytes": sum(size for _, size, _ in stats),
        "sha256": checksum({"files": stats}),
        "catalog_sha256": checksum(entry.model_dump(mode="json")),
        "importer": IMPORTER,
    }
    about = About(
        name=entry.name,
        title=entry.title,
        role=entry.role,
        complete=f"{len(found)} trials of the official files",
        licence=entry.licence,
        cite=entry.cite,
        worn=", ".join(entry.placements),
        declared=tuple(dict.fromkeys(entry.activities.values())),
        people=entry.people or "",
    )
    return store(about, origin, root, partial(_write, entry=entry, found=found, tell=tell), tell)


@dataclass
class _Account:
    """Pieces of one batch, by stream, and what was found on the way."""

    pieces: defaultdict[Stream, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    findings: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    values: int = 0


class _Reader:
    """Reads trials in their order, small ones ahead of their turn, so that no core waits for another.

    Args:
        found: all trials.
    """

    def __init__(self, found: Sequence[Trial]) -> None:
        self._found = found
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="kinelex-reader")
        self._begun: dict[int, Future[Sequence[Recording]]] = {}

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def read(self, number: int) -> Sequence[Recording]:
        """The recordings of a trial; numbers may be left out, but never go back."""
        for ahead in range(number, min(number + READERS, len(self._found))):
            trial = self._found[ahead]
            small = sum(path.stat().st_size for path in trial.files) <= AHEAD_BYTES
            if ahead not in self._begun and (ahead == number or small):
                self._begun[ahead] = self._pool.submit(trial.read)
        return self._begun.pop(number).result()


def _write(work: Work, entry: CatalogEntry, found: Sequence[Trial], tell: Progress) -> tuple[list[Batch], list[str]]:
    batches: list[Batch] = []
    done = 0
    with _Reader(found) as reader:
        while done < len(found):
            tell("writing", done, len(found))
            batch = work.finished(len(batches))
            if batch is None:
                batch = _batch(work, len(batches), entry, found, done, reader, tell)
            batches.append(batch)
            done = batch.done
    tell("writing", done, len(found))
    _refuse_nonsense(entry, batches)
    return batches, _differences(entry, batches)


def _batch(
    work: Work,
    number: int,
    entry: CatalogEntry,
    found: Sequence[Trial],
    done: int,
    reader: _Reader,
    tell: Progress,
) -> Batch:
    """Read trials until a shard is full, and write one shard per stream."""
    account = _Account()
    while done < len(found) and account.values < SHARD_VALUES:
        try:
            recordings = reader.read(done)
            refused = recordings.refused if isinstance(recordings, Recordings) else []
        except WrongUnit as error:  # one trial that nobody can trust must not cost all others; a damaged file is told
            recordings, refused = [], [error]
        account.findings[REFUSED] += [f"{found[done].name}: {error}" for error in refused]
        for recording in recordings:
            _take(account, entry, recording)
        done += 1
        tell("writing", done, len(found))
    findings = {reason: names for reason, names in account.findings.items() if names}
    batch = Batch(findings=findings, done=done)
    for part, (stream, pieces) in enumerate(account.pieces.items()):
        target = work.shard_path(number, part)
        pieces.sort(key=lambda piece: (piece.subject, piece.name))
        batch.sessions += write_shard(target, part, pieces, stream.channels)
        batch.shards.append((target.name, stream))
    return work.finish(number, batch)


def _take(account: _Account, entry: CatalogEntry, recording: Recording) -> None:
    """Cut the labelled stretches out of a recording."""
    name = recording.name.removeprefix(f"{entry.name}/")
    samples, refused = _plausible(recording)
    for placement in refused:
        account.findings[REFUSED].append(f"{name}: {placement} rests where gravity is not 9.81 m/s²")
    measured = np.flatnonzero(~np.isnan(samples).all(axis=0))
    if not len(measured):
        account.findings["no usable value, left out"].append(name)
        return
    stream = Stream(tuple(recording.channels[i] for i in measured), recording.gravity)
    for number, interval in enumerate(recording.intervals):
        first = max(0, round(interval.start_s * recording.rate_hz))
        last = min(len(samples), round(interval.end_s * recording.rate_hz))
        stretch = samples[first:last, measured]
        if last - first < SHORTEST_S * recording.rate_hz:
            account.findings[f"shorter than {SHORTEST_S:g} s, left out"].append(f"{name}/{number:03}")
        elif np.isnan(stretch).all():
            account.findings["no usable value, left out"].append(f"{name}/{number:03}")
        else:
            account.values += stretch.size
            account.pieces[stream].append(
                Piece(
                    name=name if len(recording.intervals) == 1 else f"{name}/{number:03}",
                    subject=recording.subject or "",
                    activity=interval.label,
                    rate_hz=recording.rate_hz,
                    recording=name,
                    start_s=first / recording.rate_hz,
                    samples=stretch.copy(),
                )
            )


def _plausible(recording: Recording) -> tuple[NDArray[np.float32], list[str]]:
    """The samples without the placements whose accelerometer rests where gravity is not; and which those are."""
    samples, refused = recording.samples, []
    if recording.gravity:
        for (sensor, placement), axes in columns_by_sensor(recording.channels).items():
            if sensor == "acc" and len(axes) == 3 and rests_off_gravity(samples[:, axes], recording.rate_hz):
                refused.append(placement)
    if refused:
        samples = samples.copy()
        samples[:, [i for i, channel in enumerate(recording.channels) if channel.placement in refused]] = np.nan
    return samples, refused


def _refuse_nonsense(entry: CatalogEntry, batches: Sequence[Batch]) -> None:
    """When this many sensors cannot be what the catalog says, it is the catalog that is wrong, or the files.

    Raises:
        WrongUnit: more than `REFUSED_SHARE` of the recordings were refused.
    """
    refused = [name for batch in batches for name in batch.findings.get(REFUSED, ())]
    usable = {session.recording for batch in batches for session in batch.sessions}
    if len(refused) > REFUSED_SHARE * (len(refused) + len(usable)):
        raise WrongUnit(
            f"data set '{entry.name}': {len(refused)} of {len(refused) + len(usable)} recordings cannot be what the"
            f" catalog says; the first: {refused[0]}"
        )


def _differences(entry: CatalogEntry, batches: Sequence[Batch]) -> list[str]:
    """What the catalog says and the files do not."""
    sessions = [session for batch in batches for session in batch.sessions]
    subjects = {session.subject for session in sessions}
    notes = []
    if len(subjects) != entry.subjects:
        notes.append(f"{len(subjects)} subjects in the files, {entry.subjects} in the catalog")
    if lacks := sorted(set(entry.activities.values()) - {session.activity for session in sessions}):
        notes.append(f"activities of the catalog without a session: {', '.join(lacks)}")
    return notes
