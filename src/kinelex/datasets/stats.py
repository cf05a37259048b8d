"""What an imported data set looks like in figures: who did what for how long, and how strongly it moves and rests.

Sessions are read one after the other and only sums are kept, so a set may be far larger than memory. How long |acc| was
how large is counted in narrow bins; percentiles are right to `BIN_MS2`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.store import Session, StoredDataset, Stream
from kinelex.signal.blocks import blocks_of
from kinelex.signal.channel import SENSORS, Channel, Sensor
from kinelex.signal.recording import Recording

BIN_MS2 = 0.02
LARGEST_MS2 = 400.0
"""Beyond every range of a worn sensor; what is larger counts as this."""
STILL_MS2 = 0.3
"""A second whose acceleration varies by less, over all axes, is one of rest."""
EXCERPT_S = 4.0
BRIEF_S = 20.0
"""In a session up to this long an excerpt is cut around its strongest movement, or a fall would not be in it."""
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

Progress = Callable[[int, int], None]
"""Called with samples read and samples in all."""


class Magnitudes:
    """How long |acc| was how large.

    Attributes:
        seconds: ``(bin,)`` time in each bin of `BIN_MS2` from 0 to `LARGEST_MS2`.
    """

    def __init__(self) -> None:
        self.seconds: NDArray[np.float64] = np.zeros(round(LARGEST_MS2 / BIN_MS2))

    def add(self, values: NDArray[np.floating], seconds_each: float) -> None:
        """Count values in m/s²; NaN is no value."""
        bins = np.minimum(values[np.isfinite(values)] / BIN_MS2, len(self.seconds) - 1).astype(np.int64)
        if len(bins):
            counts = np.bincount(bins)
            self.seconds[: len(counts)] += counts * seconds_each

    @property
    def total_s(self) -> float:
        """Seconds counted."""
        return float(self.seconds.sum())

    def percentile(self, percent: float) -> float:
        """The |acc| in m/s² that is not exceeded in this share of the time; NaN when nothing was counted."""
        if not self.total_s:
            return float("nan")
        until = np.cumsum(self.seconds)
        target = percent / 100 * until[-1]
        at = min(int(np.searchsorted(until, target)), len(until) - 1)
        before = until[at] - self.seconds[at]
        within = (target - before) / self.seconds[at] if self.seconds[at] else 0.0
        return float((at + within) * BIN_MS2)


@dataclass
class Worn:
    """The sensors of one placement.

    Args:
        placement: where.
        gravity: whether acc measures gravity; None where that differs between streams.
        overall: |acc| in all samples that have three axes.
        resting: length of the mean acceleration of each second of rest.
        sessions: how many sessions have each sensor.
        values: how many values each sensor could have given in them.
        missing: how many of these it did not give.
    """

    placement: str
    gravity: bool | None
    overall: Magnitudes = field(default_factory=Magnitudes)
    resting: Magnitudes = field(default_factory=Magnitudes)
    sessions: Counter[Sensor] = field(default_factory=Counter)
    values: Counter[Sensor] = field(default_factory=Counter)
    missing: Counter[Sensor] = field(default_factory=Counter)

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """Those that gave any value."""
        return tuple(sensor for sensor in SENSORS if self.sessions[sensor])

    def missing_share(self, sensor: Sensor) -> float:
        """Share of a sensor's values that are missing in the sessions that have it."""
        return self.missing[sensor] / self.values[sensor] if self.values[sensor] else 0.0


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A few seconds of one activity at one placement.

    Args:
        session: which session they are from.
        rate_hz: samples per second.
        axes: which axes were measured.
        samples: ``(time, axis)`` m/s².
    """

    session: str
    rate_hz: float
    axes: tuple[str, ...]
    samples: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, eq=False)
class DatasetStats:
    """Figures of a data set.

    Args:
        dataset: the set.
        seconds: of each activity by each subject; activities as the set declares them, then others.
        sessions: how many each activity has.
        worn: its placements.
        excerpts: by activity and placement; none where no acceleration was measured.
    """

    dataset: StoredDataset
    seconds: Mapping[str, Mapping[str, float]]
    sessions: Mapping[str, int]
    worn: tuple[Worn, ...]
    excerpts: Mapping[tuple[str, str], Excerpt]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, so that person2 comes before person10."""
        return tuple(sorted(self.dataset.subjects, key=_natural))

    @property
    def hours_per_subject(self) -> dict[str, float]:
        """Hours of each subject."""
        return {name: sum(by.get(name, 0.0) for by in self.seconds.values()) / 3600 for name in self.subjects}

    @property
    def lengths_s(self) -> NDArray[np.float64]:
        """``(session,)`` seconds."""
        return np.array([session.duration_s for session in self.dataset.index])

    @property
    def rates_hz(self) -> NDArray[np.float64]:
        """``(session,)`` samples per second."""
        return np.array([session.rate_hz for session in self.dataset.index])

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values; a figure that cannot be is null."""
        hours = list(self.hours_per_subject.values())
        total = sum(sum(by.values()) for by in self.seconds.values())
        lengths = self.lengths_s
        return {
            "name": self.dataset.name,
            "fingerprint": self.dataset.fingerprint,
            "subjects": len(self.subjects),
            "sessions": len(self.dataset.index),
            "hours": round(total / 3600, 4),
            "hours_per_subject": _spread(hours),
            "session_s": _spread(lengths),
            "rates_hz": {f"{rate:g}": count for rate, count in sorted(Counter(self.rates_hz.tolist()).items())},
            "activities": {
                name: {
                    "seconds": round(sum(by.values()), 3),
                    "share": round(sum(by.values()) / total, 5),
                    "subjects": len(by),
                    "sessions": self.sessions[name],
                }
                for name, by in self.seconds.items()
            },
            "placements": {worn.placement: _worn_json(worn) for worn in self.worn},
        }


def measure(dataset: StoredDataset, progress: Progress | None = None) -> DatasetStats:
    """Read every session of a data set once.

    Args:
        dataset: an imported data set.
        progress: told how far it is.

    Raises:
        CorruptArtifact: a shard is missing or damaged.
    """
    worn = {placement: Worn(placement, _gravity_at(dataset, placement)) for placement in dataset.placements}
    seconds: dict[str, dict[str, float]] = {name: {} for name in dataset.about.declared}
    sessions: Counter[str] = Counter()
    excerpts: dict[tuple[str, str], Excerpt] = {}
    rows, done = sum(session.rows for session in dataset.index), 0
    for session, recording in zip(dataset.index, dataset.sessions(), strict=True):
        people = seconds.setdefault(session.activity, {})
        people[session.subject] = people.get(session.subject, 0.0) + session.duration_s
        sessions[session.activity] += 1
        _count_missing(dataset.streams[dataset.shards[session.shard][1]], recording, worn)
        for placement in recording.placements:
            _count_acc(recording, session, worn[placement], excerpts)
        done += session.rows
        if progress is not None:
            progress(done, rows)
    return DatasetStats(
        dataset=dataset,
        seconds={name: people for name, people in seconds.items() if people},
        sessions=sessions,
        worn=tuple(worn.values()),
        excerpts=excerpts,
    )


def _gravity_at(dataset: StoredDataset, placement: str) -> bool | None:
    found = {s.gravity for s in dataset.streams if any(channel.placement == placement for channel in s.channels)}
    return found.pop() if len(found) == 1 else None


def _count_missing(stream: Stream, recording: Recording, worn: Mapping[str, Worn]) -> None:
    """Count what a session's sensors could have given; axes without any value were left out of the recording."""
    rows = len(recording.samples)
    given = dict(zip(recording.channels, np.isfinite(recording.samples).sum(axis=0).tolist(), strict=True))
    there = {(channel.sensor, channel.placement) for channel in recording.channels}
    for sensor, placement in there:
        worn[placement].sessions[sensor] += 1
    for channel in stream.channels:
        if (channel.sensor, channel.placement) in there:
            worn[channel.placement].values[channel.sensor] += rows
            worn[channel.placement].missing[channel.sensor] += rows - given.get(channel, 0)


def _count_acc(recording: Recording, session: Session, worn: Worn, excerpts: dict[tuple[str, str], Excerpt]) -> None:
    columns = [i for i, c in enumerate(recording.channels) if (c.sensor, c.placement) == ("acc", worn.placement)]
    if not columns:
        return
    acc = recording.samples[:, columns]
    if len(columns) == 3:
        worn.overall.add(np.linalg.norm(acc, axis=1), 1 / recording.rate_hz)
        _count_rest(acc, [recording.channels[i] for i in columns], recording.rate_hz, worn.resting)
    key = (session.activity, worn.placement)
    so_far = excerpts[key].duration_s if key in excerpts else 0.0
    # The first session that is long enough; until then, the longest.
    if so_far < min(EXCERPT_S - 1 / recording.rate_hz, session.duration_s):
        axes = tuple(recording.channels[i].axis for i in columns)
        excerpts[key] = Excerpt(session.name, recording.rate_hz, axes, _cut(acc, recording.rate_hz))


def _count_rest(acc: NDArray[np.float32], channels: Sequence[Channel], rate_hz: float, resting: Magnitudes) -> None:
    rows = round(1000 * rate_hz)  # of a longer stretch not every second would be looked at
    for first in range(0, len(acc), rows):
        part = acc[first : first + rows]
        blocks = blocks_of(part, channels, rate_hz, "acc")
        resting.add(blocks.level[blocks.spread < STILL_MS2], min(max(2, round(rate_hz)), len(part)) / rate_hz)


def _cut(acc: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """The middle of a long session; of a short one, what surrounds its strongest movement."""
    rows = min(len(acc), round(EXCERPT_S * rate_hz))
    middle = len(acc) // 2
    if len(acc) <= BRIEF_S * rate_hz:
        change = np.abs(np.diff(np.nan_to_num(acc), axis=0)).sum(axis=1)
        second = np.ones(max(1, min(len(change), round(rate_hz))))
        middle = int(np.convolve(change, second, "same").argmax()) if len(change) else 0
    first = min(max(0, middle - rows // 2), len(acc) - rows)
    return acc[first : first + rows].copy()


def _worn_json(worn: Worn) -> dict[str, Any]:
    overall, resting = worn.overall, worn.resting
    return {
        "gravity": worn.gravity,
        "sessions": {sensor: worn.sessions[sensor] for sensor in worn.sensors},
        "missing": {sensor: round(worn.missing_share(sensor), 6) for sensor in worn.sensors},
        "acc_ms2": {str(p): _figure(overall.percentile(p)) for p in PERCENTILES},
        "acc_at_rest_ms2": {str(p): _figure(resting.percentile(p)) for p in PERCENTILES},
        "rest_share": round(resting.total_s / overall.total_s, 4) if overall.total_s else None,
    }


def _spread(values: Any) -> dict[str, float]:
    return {
        "min": round(float(np.min(values)), 4),
        "median": round(float(np.median(values)), 4),
        "max": round(float(np.max(values)), 4),
    }


def _figure(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 3)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which numbers inside names count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
