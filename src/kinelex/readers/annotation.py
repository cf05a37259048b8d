"""Labels that stand beside each row, or at single moments, into intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.readers.table import Coded
from kinelex.signal.clock import GAP_PERIODS, GAP_S
from kinelex.signal.recording import Interval


def intervals_of(labels: Coded, seconds: NDArray[np.float64] | None, rate_hz: float | None) -> tuple[Interval, ...]:
    """Runs of rows with the same label, as intervals from the earliest row.

    A run ends where the label changes, at a row without a label, and at a gap in the timestamps: nobody said what
    was done while nothing was recorded.

    Args:
        labels: one code per row.
        seconds: one time per row, from any origin, in any order; None when rows are evenly `rate_hz` apart.
        rate_hz: used when there are no times.
    """
    codes = labels.codes
    if seconds is None:
        if not rate_hz:
            return ()
        times = np.arange(len(codes)) / rate_hz
    else:
        timed = np.isfinite(seconds)
        order = np.argsort(seconds[timed], kind="stable")
        codes, times = codes[timed][order], seconds[timed][order]
    if not len(times):
        return ()
    times = times - times[0]
    steps = np.diff(times)
    forward = steps[steps > 0]
    period = float(np.median(forward)) if len(forward) else 0.0
    after_gap = steps > max(GAP_PERIODS * period, GAP_S)
    firsts = np.flatnonzero(np.concatenate(([True], (np.diff(codes) != 0) | after_gap)))
    lasts = np.append(firsts[1:] - 1, len(codes) - 1)
    found = []
    for first, last in zip(firsts, lasts, strict=True):
        if codes[first] < 0:
            continue
        end = float(times[last]) + period
        if last + 1 < len(times):
            end = min(end, float(times[last + 1]))
        found.append(Interval(float(times[first]), end, labels.words[codes[first]]))
    return tuple(found)


def intervals_from(moments_s: Sequence[float], texts: Sequence[str], end_s: float) -> tuple[Interval, ...]:
    """Labels entered at moments: each holds until the next one, the last until `end_s`."""
    entries = sorted((max(0.0, moment), text.strip()) for moment, text in zip(moments_s, texts, strict=True))
    ends = [*(moment for moment, _ in entries[1:]), end_s][: len(entries)]
    return tuple(
        Interval(moment, min(end, end_s), text)
        for (moment, text), end in zip(entries, ends, strict=True)
        if text and min(end, end_s) > moment
    )
