"""A time column into seconds: which unit it counts in, and when the recording began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UnknownRate
from kinelex.readers.table import Clock
from kinelex.signal.clock import MAX_CLOCK_HZ, MIN_CLOCK_HZ

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_EPOCH_S = (6.3e8, 4.1e9)
"""1990 to 2100: numbers in this range, in some unit, are dates; no recording lasts 20 years."""
_DAY_S = 86_400.0
_SAMPLE = 200_000
"""Rows from the beginning by which a column is judged; half an hour at 100 Hz."""
_COARSE = 3.0
"""Rows per distinct timestamp from which a clock is too coarse to order them."""


@dataclass(frozen=True)
class Times:
    """Seconds of each row.

    Args:
        seconds: ``(row,)``, from any origin; None when the column only counts rows.
        start: when the earliest row was taken, if the clock says so.
        notes: what was concluded about the column.
    """

    seconds: NDArray[np.float64] | None
    start: datetime | None
    notes: tuple[str, ...] = ()


def to_seconds(
    clock: Clock, *, column: str, unit_s: float | None, rate_hz: float | None, where: str, spread: bool = True
) -> Times:
    """Find the unit of a time column and convert it.

    A unit in the column's name decides. Otherwise it is the unit in which the first value is a date between 1990 and
    2100, or else the one in which rows follow each other at 5 to 400 Hz: only one of s, ms, µs, ns can be.
    A column that counts rows (0, 1, 2, …) says nothing about time and is set aside when `rate_hz` is known. Rows that
    share a timestamp because the clock is coarse (whole seconds, say) are spread evenly up to the next one.

    Args:
        clock: the column's values; their array is converted in place.
        column: its name, for messages.
        unit_s: seconds per unit, when the name says so.
        rate_hz: the rate the caller gave.
        where: the file, for messages.
        spread: whether rows may share a timestamp only because the clock is coarse.

    Raises:
        UnknownRate: no unit gives a rate between 5 and 400 Hz.
    """
    values = clock.values
    if clock.kind == "time of day":
        values = values + _DAY_S * np.cumsum(np.diff(values, prepend=values[:1]) < -_DAY_S / 2)
    head = values[:_SAMPLE]
    timed = head[np.isfinite(head)]
    if clock.kind != "number":
        unit_s = 1.0
    elif unit_s is None:
        step = _step(timed)
        if step is not None and rate_hz is not None and _counts_rows(timed):
            return Times(None, None, (f"'{column}' only counts rows: rate_hz={rate_hz:g} was used instead",))
        unit_s = 1.0 if step is None else _guess_unit(timed, step, rate_hz)
        if unit_s is None:
            rates = ", ".join(f"{1 / (float(step or 1) * scale):.4g} Hz in {unit}" for unit, scale in UNITS_S.items())
            raise UnknownRate(
                f"'{where}', column '{column}' advances by {step:g} per row, which is {rates}: Kinelex reads"
                f" {MIN_CLOCK_HZ:g} to {MAX_CLOCK_HZ:g} Hz; pass rate_hz if it only counts rows, or name its unit in"
                " the header, like 'time (ms)'"
            )
    # Epoch nanoseconds need all 53 bits of a float: take the origin away before scaling.
    origin = float(np.fmin.reduce(values)) if len(values) else 0.0
    seconds = values
    seconds -= origin
    seconds *= unit_s
    start = _date(origin * unit_s) if clock.kind != "time of day" else None
    even = _spread(seconds) if spread and _is_coarse(seconds[:_SAMPLE]) else None
    if even is None:
        return Times(seconds, start)
    return Times(even, start, (f"'{column}' is coarse: rows that share a timestamp were spread evenly",))


def epoch_start(first: float, unit_s: float | None) -> datetime | None:
    """The date that a time column's first value stands for, when it is one."""
    scales = UNITS_S.values() if unit_s is None else (unit_s,)
    return next((date for scale in scales if (date := _date(first * scale))), None)


def _date(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if _EPOCH_S[0] <= seconds <= _EPOCH_S[1] else None


def _step(timed: NDArray[np.float64]) -> float | None:
    """The time from row to row, in the column's unit; rows that share a timestamp count as rows."""
    steps = np.diff(timed)
    forward = steps[steps > 0]
    if not len(forward):
        return None
    typical = float(np.median(forward))
    advancing = np.minimum(forward, 10 * typical).sum()  # a pause of hours is no step
    return typical if len(forward) * _COARSE > len(steps) else float(advancing / len(steps))


def _counts_rows(timed: NDArray[np.float64]) -> bool:
    return bool(np.all(np.diff(timed) == 1.0)) and timed[0] in (0.0, 1.0)


def _guess_unit(timed: NDArray[np.float64], step: float, rate_hz: float | None) -> float | None:
    for scale in UNITS_S.values():
        if _EPOCH_S[0] <= timed[0] * scale <= _EPOCH_S[1]:
            return scale
    rates = {scale: 1 / (step * scale) for scale in UNITS_S.values()}
    if rate_hz is not None:
        scale = min(rates, key=lambda s: abs(np.log(rates[s] / rate_hz)))
        return scale if abs(np.log(rates[scale] / rate_hz)) < np.log(30) else None
    # A tenth of leeway at both ends: 5 Hz with a slow clock is still 5 Hz.
    return next((s for s, rate in rates.items() if MIN_CLOCK_HZ * 0.9 <= rate <= MAX_CLOCK_HZ * 1.1), None)


def _is_coarse(seconds: NDArray[np.float64]) -> bool:
    distinct = 1 + int(np.count_nonzero(np.diff(seconds) > 0))
    return distinct > 1 and len(seconds) >= _COARSE * distinct


def _spread(seconds: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows that share a timestamp, evenly placed between it and the next; None when their order is not certain."""
    if not np.isfinite(seconds).all() or (np.diff(seconds) < 0).any():
        return None
    firsts = np.flatnonzero(np.concatenate(([True], np.diff(seconds) > 0)))
    counts = np.diff(np.append(firsts, len(seconds)))
    spans = np.diff(seconds[firsts])
    tick = float(np.median(spans))
    spans = np.minimum(np.append(spans, tick), tick)  # a pause is no span to fill
    place = np.arange(len(seconds)) - np.repeat(firsts, counts)
    full = float(np.median(counts))
    # The first and the last tick may be cut by the recording's ends: their rows keep the usual distance.
    counts_used = counts.astype(np.float64)
    counts_used[0], counts_used[-1] = max(counts[0], full), max(counts[-1], full)
    late = np.zeros(len(counts))
    late[0] = counts_used[0] - counts[0]  # a first tick that began before the recording: its rows are its last ones
    within: NDArray[np.float64] = (place + np.repeat(late, counts)) * np.repeat(spans / counts_used, counts)
    return seconds + within
