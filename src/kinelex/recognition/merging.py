"""Overlapping windows into one answer per instant, and instants into segments.

A recording is cut into *cells* at every window's start and end and at the edges of missing stretches. Inside a cell
the covering windows are always the same, so that one distribution over labels holds for all of it: the mean of the
windows', each weighted by the share of it that was measured. Where nothing was measured there is no answer, whatever
the windows around it say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_LABEL = -1
"""Stands for the label where nothing was measured."""

MIN_MISSING_S = 1.0
"""A stretch without any value is shown as missing from this length on; shorter ones only lower the measured share."""

_ROWS_AT_ONCE = 1 << 20  # a day at 100 Hz is 8.6 million rows: masks of all of them at once would cost as much again


@dataclass(frozen=True, eq=False)
class Cells:
    """A recording cut into stretches of constant evidence.

    Args:
        edges_s: ``(cell + 1,)`` seconds; the first is 0, the last the end of the recording.
        probabilities: ``(cell, label)``; a row of NaN where there is no answer.
        measured: ``(cell,)`` share of the samples that were measured.
        support: ``(cell,)`` largest measured share among the windows that cover the cell.
    """

    edges_s: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    measured: NDArray[np.float64]
    support: NDArray[np.float64]

    @property
    def lengths_s(self) -> NDArray[np.float64]:
        """Seconds of each cell."""
        return np.diff(self.edges_s)

    @property
    def top(self) -> NDArray[np.intp]:
        """``(cell,)`` index of the most probable label, or `NO_LABEL`."""
        absent = np.isnan(self.probabilities[:, 0])
        return np.where(absent, NO_LABEL, np.nan_to_num(self.probabilities, nan=0.0).argmax(axis=1))


@dataclass(frozen=True, slots=True)
class Run:
    """Cells ``first`` to ``last`` (excluded) under one label."""

    first: int
    last: int
    label: int


def cells_of(
    samples: NDArray[np.float32],
    rate_hz: float,
    starts_s: NDArray[np.float64],
    window_s: float,
    probabilities: NDArray[np.floating],
) -> tuple[Cells, NDArray[np.float64]]:
    """Cut a recording into cells, and give each the mean of the windows that cover it.

    Args:
        samples: ``(time, channel)``; NaN where a value is missing.
        rate_hz: rate of the samples.
        starts_s: ``(window,)`` ascending; a window may reach beyond the recording's end.
        window_s: seconds of a window.
        probabilities: ``(window, label)``; a row of NaN for a window without usable signal.

    Returns:
        The cells, and ``(window,)`` the share of each window that was measured.
    """
    duration_s = len(samples) / rate_hz
    counts = _measured_channels(samples)
    missing = _missing_rows(counts, max(1, round(MIN_MISSING_S * rate_hz)))

    ends_s = np.minimum(starts_s + window_s, duration_s)
    edges = np.concatenate([[0.0, duration_s], starts_s, ends_s, missing.ravel() / rate_hz])
    rows = np.unique(np.clip(np.rint(edges * rate_hz), 0, len(samples)).astype(np.int64))
    edges_s = rows / rate_hz
    values = np.add.reduceat(counts, rows[:-1], dtype=np.int64)

    first = np.searchsorted(rows, np.rint(starts_s * rate_hz).astype(np.int64))
    last = np.searchsorted(rows, np.rint(ends_s * rate_hz).astype(np.int64))
    before = np.concatenate([[0], np.cumsum(values)])
    capacity = samples.shape[1] * rate_hz * window_s
    window_measured = np.clip((before[last] - before[first]) / capacity, 0.0, 1.0)

    usable = np.isfinite(probabilities).all(axis=1) & (window_measured > 0)
    weights = np.where(usable, window_measured, 0.0)
    count = len(rows) - 1
    covering = _spread(usable.astype(np.int64)[:, None], first, last, count)[:, 0]
    mixed = _spread(np.nan_to_num(probabilities, nan=0.0) * weights[:, None], first, last, count).clip(min=0.0)
    in_missing = _inside(rows, missing)
    mixed[(covering == 0) | in_missing] = np.nan
    cells = Cells(
        edges_s=edges_s,
        probabilities=mixed / mixed.sum(axis=1, keepdims=True),
        measured=values / (np.diff(rows) * samples.shape[1]),
        support=_largest(weights, first, last, count),
    )
    return cells, window_measured


def merge(cells: Cells, min_segment_s: float) -> list[Run]:
    """Join neighbouring cells of equal top label; what is too short to be seen joins the better of its neighbours.

    A window cannot resolve what is much shorter than itself, so a run shorter than `min_segment_s` takes the label of
    the neighbouring run that its own probabilities favor. Runs never cross a stretch without signal, so that a run may
    stay shorter where it has no neighbour.
    """
    lengths = cells.lengths_s
    runs = _runs(cells.top)
    kept: list[Run] = []
    for position, run in enumerate(runs):
        if kept and kept[-1].label == run.label:
            run = Run(kept.pop().first, run.last, run.label)
        follows = runs[position + 1].label if position + 1 < len(runs) else NO_LABEL
        precedes = kept[-1].label if kept else NO_LABEL
        neighbours = [label for label in (precedes, follows) if label != NO_LABEL]
        # Rounded, because three seconds of 0.1-s samples are not exactly three seconds.
        if run.label != NO_LABEL and neighbours and round(lengths[run.first : run.last].sum(), 6) < min_segment_s:
            mass = lengths[run.first : run.last] @ cells.probabilities[run.first : run.last]
            run = Run(run.first, run.last, max(neighbours, key=lambda label: mass[label]))
            if run.label == precedes:
                run = Run(kept.pop().first, run.last, run.label)
            else:
                # The next turn of the loop joins it to the run that it now resembles.
                kept.append(run)
                continue
        kept.append(run)
    return kept


def _runs(labels: NDArray[np.intp]) -> list[Run]:
    starts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])
    ends = np.concatenate([starts[1:], [len(labels)]])
    return [Run(int(first), int(last), int(labels[first])) for first, last in zip(starts, ends, strict=True)]


def _measured_channels(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """``(time,)`` how many channels have a value."""
    counts = np.empty(len(samples), dtype=np.int16)
    for first in range(0, len(samples), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        counts[part] = np.isfinite(samples[part]).sum(axis=1)
    return counts


def _missing_rows(counts: NDArray[np.int16], min_rows: int) -> NDArray[np.int64]:
    """``(span, 2)`` first row and row after the last of each long stretch without any value."""
    steps = np.diff((counts == 0).astype(np.int8), prepend=0, append=0)
    spans = np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)
    return spans[spans[:, 1] - spans[:, 0] >= min_rows]


def _inside(rows: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the stretches between `rows` lie inside a span."""
    before = np.searchsorted(spans[:, 0], rows[:-1], side="right") - 1
    found = before >= 0
    found[found] = rows[:-1][found] < spans[before[found], 1]
    return found


def _spread(
    values: NDArray[np.generic], first: NDArray[np.intp], last: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """Sum the rows of windows over the cells that they cover: steps up at the first cell, down after the last."""
    steps = np.zeros((count + 1, values.shape[1]))
    np.add.at(steps, first, values)
    np.subtract.at(steps, last, values)
    return np.asarray(steps.cumsum(axis=0)[:-1])


def _largest(
    weights: NDArray[np.float64], first: NDArray[np.intp], last: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """The largest weight among the windows that cover each cell."""
    largest = np.zeros(count)
    for weight, start, end in zip(weights, first, last, strict=True):
        np.maximum(largest[start:end], weight, out=largest[start:end])
    return largest
