"""Uneven timestamps onto an even clock, without inventing signal where there was none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadSamples, UnknownRate

GAP_PERIODS = 3.0
"""A pause longer than this many nominal periods, and longer than `GAP_S`, is a gap."""
GAP_S = 0.1
MIN_CLOCK_HZ = 5.0
MAX_CLOCK_HZ = 400.0
_EVEN = 0.1  # timestamps within a tenth of a period of an even grid are even: millisecond rounding is not jitter
_SNAP_NOMINAL = 0.03
_SNAP_INTEGER = 0.005
_MISMATCH = 0.2
_GRID_PER_ROW = 50
_SMALL_GRID = 200_000  # a grid up to this size is never too large, however few rows fill it
_CHUNK = 1 << 18
_SCALES = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


@dataclass(frozen=True, eq=False)
class Regularized:
    """Samples on an even clock, and what had to be done to get there.

    Args:
        samples: ``(time, channel)`` float32; NaN in gaps and where a value was missing.
        rate_hz: samples per second of the even grid.
        gaps: pauses in seconds from the start: from the last sample before to the first one after.
        duplicates: rows that repeated a timestamp; they were averaged into one.
        backward: steps back in time in the order of the rows; the rows were sorted.
        untimed: rows without a timestamp; they were dropped.
        jitter_s: how much the interval between neighbors varies, root mean square, gaps left out.
        rate_measured_hz: what the timestamps say; None when there were none.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    gaps: tuple[tuple[float, float], ...] = ()
    duplicates: int = 0
    backward: int = 0
    untimed: int = 0
    jitter_s: float = 0.0
    rate_measured_hz: float | None = None


def regularize(
    samples: ArrayLike, *, times_s: ArrayLike | None = None, rate_hz: float | None = None, name: str = "recording"
) -> Regularized:
    """Put samples on an even clock.

    Rows are sorted by time and rows of one timestamp averaged, so that the order of the rows does not matter. The rate
    is that of the timestamps (a mean that leaves gaps and lost samples out), set to `rate_hz` or to a whole number
    where that is nearly the same. Values are interpolated linearly between neighbors; where there is a gap
    (longer than `GAP_PERIODS` periods and `GAP_S`) they are missing. A missing value stays missing in place of its own
    sample and nowhere else. Timestamps that are even already leave the samples untouched and not copied.

    Args:
        samples: ``(time, channel)`` numbers, NaN where missing.
        times_s: one timestamp per row, in seconds, from any origin, in any order.
        rate_hz: the nominal rate; needed when there are no timestamps.
        name: what messages call the recording.

    Raises:
        UnknownRate: no timestamps and no rate, timestamps in another unit than seconds, a rate outside 5 to 400 Hz, or
            one that is more than 20 % off `rate_hz`.
        BadSamples: timestamps of the wrong number or kind, or so far apart that the grid would be almost empty.
    """
    table = np.asarray(samples, dtype=np.float32)
    if table.ndim != 2 or not len(table):
        raise BadSamples(f"recording '{name}' has samples of shape {table.shape}: pass (time, channel) with rows")
    if rate_hz is not None and not MIN_CLOCK_HZ <= rate_hz <= MAX_CLOCK_HZ:
        raise UnknownRate(
            f"recording '{name}' is said to have {rate_hz:g} Hz: Kinelex reads {MIN_CLOCK_HZ:g} to {MAX_CLOCK_HZ:g} Hz;"
            " check rate_hz, or resample it first"
        )
    if times_s is None:
        if rate_hz is None:
            raise UnknownRate(f"recording '{name}' has no sampling rate: pass rate_hz=50, or timestamps")
        return Regularized(table, float(rate_hz))
    times = _numbers(times_s, len(table), name)
    table, times, untimed, backward, duplicates = _in_order(table, times, name)
    if len(times) < 2:
        if rate_hz is None:
            raise UnknownRate(f"recording '{name}' has a single timestamp, which gives no rate: pass rate_hz=50")
        return Regularized(table, float(rate_hz), duplicates=duplicates, backward=backward, untimed=untimed)
    measured, jitter_s, gap_rows = _measure(times)
    _check_rate(measured, rate_hz, duplicates, times, name)
    gaps = tuple((float(times[i] - times[0]), float(times[i + 1] - times[0])) for i in gap_rows)
    even = None if gaps else _even_rate(times, rate_hz)
    if even is not None:
        grid_rate, grid = even, table
    else:
        grid_rate = _snapped(measured, rate_hz)
        grid = _interpolate(table, times, grid_rate, gap_rows, name)
    return Regularized(grid, grid_rate, gaps, duplicates, backward, untimed, jitter_s, measured)


def _numbers(times_s: ArrayLike, rows: int, name: str) -> NDArray[np.float64]:
    try:
        times = np.asarray(times_s, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSamples(f"recording '{name}' has timestamps that are no numbers of seconds: {error}") from None
    if times.shape != (rows,):
        raise BadSamples(f"recording '{name}' has timestamps of shape {times.shape} for {rows} rows: pass one per row")
    return times


def _in_order(
    table: NDArray[np.float32], times: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float32], NDArray[np.float64], int, int, int]:
    """Rows sorted by time, one per timestamp; and the numbers of untimed rows, backward steps and repeated rows."""
    timed = np.isfinite(times)
    untimed = len(times) - int(np.count_nonzero(timed))
    if untimed == len(times):
        raise BadSamples(f"recording '{name}' has no timestamp that is a number: leave them out and pass rate_hz=50")
    if untimed:
        table, times = table[timed], times[timed]
    backward = sum(int(np.count_nonzero(steps < 0)) for steps in _steps(times))
    if backward:
        order = np.argsort(times, kind="stable")
        table, times = table[order], times[order]
    duplicates = sum(int(np.count_nonzero(steps == 0)) for steps in _steps(times))
    if duplicates:
        firsts = np.flatnonzero(np.diff(times, prepend=-np.inf) > 0)
        table, times = _averaged(table, firsts), times[firsts]
    return table, times, untimed, backward, duplicates


def _averaged(table: NDArray[np.float32], firsts: NDArray[np.intp]) -> NDArray[np.float32]:
    """The mean of each run of rows that begins at one of `firsts`, over the values that are there."""
    means = table[firsts]
    lengths = np.diff(np.append(firsts, len(table)))
    # Few timestamps repeat, so only their rows are summed.
    runs = np.flatnonzero(lengths > 1)
    rows = np.repeat(firsts[runs], lengths[runs]) + _counting(lengths[runs])
    values = table[rows].astype(np.float64)
    present = np.isfinite(values)
    starts = np.concatenate(([0], np.cumsum(lengths[runs])[:-1]))
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    counts = np.add.reduceat(present.astype(np.int64), starts, axis=0)
    means[runs] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _counting(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """0, 1, … up to each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)


def _measure(times: NDArray[np.float64]) -> tuple[float, float, NDArray[np.intp]]:
    """The rate, its jitter, and the rows after which there is a gap."""
    period = float(np.median(np.diff(times[: 4 * _CHUNK])))
    running, single = _Steps(), _Steps()
    for steps in _steps(times):
        # Fewer than one sample in 100 ms is all gaps; the caller refuses such a rate.
        steps = steps[steps <= max(GAP_PERIODS * period, GAP_S, period)]
        # A step of nearly two periods is a lost sample; a shorter one is jitter.
        periods = np.maximum(np.floor(steps / period + 0.25), 1.0)
        running.add(steps, len(steps))
        single.add(steps[periods == 1], float(periods.sum()))
    if single.sum_s < 0.5 * running.sum_s:
        # Timestamps come in bursts: most steps are tiny, most time passes in the others, and their median says nothing.
        single = running
    period = running.sum_s / single.periods
    limit_s = max(GAP_PERIODS * period, GAP_S) * (1 + 1e-6)
    found = [np.flatnonzero(steps > limit_s) + i * _CHUNK for i, steps in enumerate(_steps(times))]
    return 1.0 / period, single.deviation_from(period), np.concatenate(found)


def _steps(times: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The intervals between neighbors, some at a time: a day has millions."""
    for first in range(0, len(times) - 1, _CHUNK):
        yield np.diff(times[first : first + _CHUNK + 1])


class _Steps:
    """Sums over intervals, from which their mean and deviation follow."""

    def __init__(self) -> None:
        self.count, self.periods, self.sum_s, self.sum_s2 = 0, 0.0, 0.0, 0.0

    def add(self, steps: NDArray[np.float64], periods: float) -> None:
        self.count += len(steps)
        self.periods += periods
        self.sum_s += float(steps.sum())
        self.sum_s2 += float(steps @ steps)

    def deviation_from(self, period: float) -> float:
        mean, mean_square = self.sum_s / self.count, self.sum_s2 / self.count
        return float(np.sqrt(max(mean_square - 2 * period * mean + period**2, 0.0)))


def _check_rate(measured: float, nominal: float | None, duplicates: int, times: NDArray[np.float64], name: str) -> None:
    if duplicates > len(times):
        rows_hz = measured * (len(times) + duplicates) / len(times)
        raise UnknownRate(
            f"recording '{name}' has timestamps too coarse to order its rows ({duplicates} of {len(times) + duplicates}"
            f" repeat another): leave them out and pass rate_hz={rows_hz:.0f} or what the sensor was set to"
        )
    if measured < MIN_CLOCK_HZ:
        for unit, scale in _SCALES.items():
            if MIN_CLOCK_HZ <= measured * scale <= MAX_CLOCK_HZ:
                raise UnknownRate(
                    f"recording '{name}' has timestamps {1 / measured:g} apart, which look like {unit}, not seconds:"
                    f" divide them by {scale:g} (that gives {measured * scale:.4g} Hz)"
                )
    if not MIN_CLOCK_HZ * (1 - _SNAP_NOMINAL) <= measured <= MAX_CLOCK_HZ * (1 + _SNAP_NOMINAL):
        raise UnknownRate(
            f"recording '{name}' has timestamps {1 / measured:.3g} s apart, which is {measured:.4g} Hz: Kinelex reads"
            f" {MIN_CLOCK_HZ:g} to {MAX_CLOCK_HZ:g} Hz; check that the timestamps are in seconds"
        )
    if nominal is not None and abs(measured - nominal) > _MISMATCH * nominal:
        raise UnknownRate(
            f"recording '{name}' has timestamps at {measured:.4g} Hz, but rate_hz={nominal:g} was given: leave one out"
        )


def _even_rate(times: NDArray[np.float64], nominal: float | None) -> float | None:
    """The rate of timestamps that are even already, or None."""
    last = len(times) - 1
    span = float(times[-1] - times[0])
    measured = last / span
    for rate in (_snapped(measured, nominal), _within_limits(measured)):
        worst = 0.0
        for first in range(0, len(times), _CHUNK):
            part = times[first : first + _CHUNK] - times[0]
            worst = max(worst, float(np.abs(part * rate - np.arange(first, first + len(part))).max()))
        if worst <= _EVEN:
            return rate
    return None


def _snapped(measured: float, nominal: float | None) -> float:
    """The nominal rate, or else a whole number, where the measured rate is near it."""
    if nominal is not None and abs(measured - nominal) <= _SNAP_NOMINAL * nominal:
        return float(nominal)
    whole = float(round(measured))
    return _within_limits(whole if abs(measured - whole) <= _SNAP_INTEGER * whole else measured)


def _within_limits(measured: float) -> float:
    """The rate, where a clock that runs a little slow or fast has left the limits by that little."""
    return min(max(measured, MIN_CLOCK_HZ), MAX_CLOCK_HZ)


def _interpolate(
    table: NDArray[np.float32], times: NDArray[np.float64], rate: float, gap_rows: NDArray[np.intp], name: str
) -> NDArray[np.float32]:
    """Linear interpolation of every channel onto an even grid from the first timestamp to the last."""
    span = float(times[-1] - times[0])
    length = int(np.floor(span * rate + 1e-3)) + 1
    if length > max(_GRID_PER_ROW * len(times), _SMALL_GRID):
        longest = float(np.diff(times).max())
        raise BadSamples(
            f"recording '{name}' has {len(times)} rows over {span / 3600:.1f} hours at {rate:.4g} Hz: almost all"
            f" of it is gaps (the longest lasts {longest / 3600:.1f} hours): split it there, or check the timestamps"
        )
    is_gap = np.zeros(len(times), dtype=bool)
    is_gap[gap_rows] = True
    grid = np.empty((length, table.shape[1]), dtype=np.float32)
    for first in range(0, length, _CHUNK):
        at = times[0] + np.arange(first, min(first + _CHUNK, length)) / rate
        left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
        step = times[left + 1] - times[left]
        share = np.clip((at - times[left]) / step, 0.0, 1.0)
        nearest = np.where(share < 0.5, left, left + 1)
        weight = share.astype(np.float32)[:, None]
        with np.errstate(invalid="ignore"):
            part = table[left] * (1 - weight) + table[left + 1] * weight
        # Beside a missing value the nearest sample stands, so that one missing sample costs one sample and no more.
        lost = np.isnan(part)
        part[lost] = table[nearest][lost]
        in_gap = is_gap[left] & (np.abs(at - times[nearest]) * rate > 0.5 + 1e-6)
        at_edge = is_gap[left] & ~in_gap
        part[at_edge] = table[nearest[at_edge]]
        part[in_gap] = np.nan
        grid[first : first + len(part)] = part
    return grid
