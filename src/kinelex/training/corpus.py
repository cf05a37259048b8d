"""The training signal: every session of every set on the model's grid, in one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.artifact import read_manifest, staged_folder, write_json, write_manifest
from kinelex.datasets.store import StoredDataset
from kinelex.errors import ArtifactError
from kinelex.model.embedding import on_grid

KIND = "corpus"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Track:
    """One placement in one session: a stretch of the array's rows.

    Args:
        dataset: name of its data set.
        session: name of its session.
        subject: who wore the sensors.
        activity: official activity name.
        placement: where the sensors were worn.
        gravity: whether acceleration contains gravity.
        start: its first row.
        steps: its number of rows.
        peak: row, counted from `start`, around which it moves most within a second.
    """

    dataset: str
    session: str
    subject: str
    activity: str
    placement: str
    gravity: bool
    start: int
    steps: int
    peak: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tracks of training signal.

    Args:
        samples: ``(step, 6)`` float32, acc in m/s² and gyro in rad/s; NaN where missing.
        grid_hz: steps per second.
        tracks: what lies where.
    """

    samples: NDArray[np.float32]
    grid_hz: float
    tracks: tuple[Track, ...]

    @cached_property
    def hours(self) -> float:
        """Hours of signal, counting every placement."""
        return sum(track.steps for track in self.tracks) / self.grid_hz / 3600

    def of(self, datasets: Sequence[str]) -> tuple[Track, ...]:
        """The tracks of some data sets."""
        return tuple(track for track in self.tracks if track.dataset in datasets)


def open_corpus(
    datasets: Sequence[StoredDataset],
    grid_hz: float,
    folder: str | Path,
    progress: Callable[[str], None] | None = None,
) -> Corpus:
    """Open the corpus of these data sets, building it first where it is missing, outdated or damaged.

    Args:
        datasets: imported data sets.
        grid_hz: rate of the model's grid.
        folder: where corpora are kept, one folder each.
        progress: called with the name of each set before it is converted.
    """
    content = json.dumps([KIND, VERSION, grid_hz, [[d.name, d.fingerprint] for d in datasets]])
    home = Path(folder) / f"corpus-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    try:
        return _read(home, grid_hz)
    except ArtifactError:
        _build(datasets, grid_hz, home, progress)
        return _read(home, grid_hz)


def _read(home: Path, grid_hz: float) -> Corpus:
    read_manifest(home, KIND, VERSION)
    tracks = tuple(Track(**entry) for entry in json.loads((home / "tracks.json").read_bytes()))
    # Copy-on-write: nothing is ever written, but PyTorch wants memory that could be.
    return Corpus(np.load(home / "samples.npy", mmap_mode="c", allow_pickle=False), grid_hz, tracks)


def _build(
    datasets: Sequence[StoredDataset], grid_hz: float, home: Path, progress: Callable[[str], None] | None
) -> None:
    pieces: list[NDArray[np.float32]] = []
    tracks: list[Track] = []
    start = 0
    for dataset in datasets:
        if progress is not None:
            progress(dataset.name)
        for recording in dataset.sessions():
            for placement in recording.placements:
                grid = on_grid(recording, placement, grid_hz)
                if not np.isfinite(grid[:, :3]).any():
                    continue
                tracks.append(
                    Track(
                        dataset=dataset.name,
                        session=recording.name,
                        subject=recording.subject or "",
                        activity=recording.intervals[0].label,
                        placement=placement,
                        gravity=recording.gravity,
                        start=start,
                        steps=len(grid),
                        peak=_peak(grid, grid_hz),
                    )
                )
                pieces.append(grid)
                start += len(grid)
    with staged_folder(home) as draft:
        np.save(draft / "samples.npy", np.concatenate(pieces), allow_pickle=False)
        write_json(draft / "tracks.json", [asdict(track) for track in tracks])
        fields = {"grid_hz": grid_hz, "datasets": {d.name: d.fingerprint for d in datasets}}
        write_manifest(draft, KIND, VERSION, ["samples.npy", "tracks.json"], fields)


def _peak(grid: NDArray[np.float32], grid_hz: float) -> int:
    change = np.abs(np.diff(np.nan_to_num(grid[:, :3]), axis=0, prepend=np.nan_to_num(grid[:1, :3]))).sum(axis=1)
    second = np.ones(min(len(change), max(1, round(grid_hz))))
    return int(np.convolve(change, second, "same").argmax())
