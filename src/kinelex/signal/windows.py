"""A recording into windows, and windows into patches: lengths in seconds, at any rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import TooShort, UsageError

_TOLERANCE = 1e-6
"""Seconds by which a duration may miss a length and still count as that long."""


def windows_of(
    duration_s: float,
    window_s: float,
    hop_s: float | None = None,
    *,
    keep_tail: bool = True,
    name: str = "recording",
) -> NDArray[np.float64]:
    """Lay windows over a recording of any length from half a window up.

    Args:
        duration_s: length of the recording.
        window_s: length of a window.
        hop_s: distance between window starts; a window's length when left out.
        keep_tail: whether a rest that no window covers, and that is at least half a window long, gets one more window,
            which reaches over the end.
        name: what messages call the recording.

    Returns:
        ``(window,)`` seconds from the recording's start, ascending, never empty.

    Raises:
        TooShort: the recording is shorter than half a window.
        UsageError: a length that is not positive.

    >>> windows_of(14.0, 6.0)
    array([0., 6.])
    >>> windows_of(16.0, 6.0)
    array([ 0.,  6., 12.])
    """
    hop = window_s if hop_s is None else hop_s
    if not (np.isfinite(window_s) and np.isfinite(hop) and window_s > 0 and hop > 0):
        raise UsageError(f"windows of {window_s:g} s every {hop:g} s cannot be: both must be above zero")
    if duration_s < window_s / 2 - _TOLERANCE:
        raise TooShort(
            f"recording '{name}' lasts {duration_s:.2f} s, less than half a window of {window_s:g} s:"
            " record longer, or use shorter windows"
        )
    whole = int(np.floor((duration_s - window_s + _TOLERANCE) / hop)) + 1 if duration_s >= window_s - _TOLERANCE else 0
    starts = [i * hop for i in range(whole)]
    if not whole:
        starts = [0.0]
    elif keep_tail:
        # With overlapping windows the next start may lie long before the end; what counts is what nobody has covered.
        covered_s = starts[-1] + window_s
        following_s = whole * hop
        if duration_s - following_s >= window_s / 2 - _TOLERANCE and duration_s - covered_s > _TOLERANCE:
            starts.append(following_s)
    return np.array(starts, dtype=np.float64)


def cut(samples: NDArray[np.float32], rate_hz: float, starts_s: ArrayLike, window_s: float) -> NDArray[np.float32]:
    """Cut windows of equal length; what lies outside the recording is missing.

    Args:
        samples: ``(time, channel)``.
        rate_hz: samples per second.
        starts_s: ``(window,)`` seconds; each is moved to the nearest sample.
        window_s: length; every window gets the nearest whole number of samples, at least one.

    Returns:
        ``(window, time, channel)``, NaN before the start and after the end.
    """
    starts = np.asarray(starts_s, dtype=np.float64).reshape(-1)
    length = samples_in(window_s, rate_hz)
    rows = np.floor(starts * rate_hz + 0.5).astype(np.int64)[:, None] + np.arange(length)
    inside = (rows >= 0) & (rows < len(samples))
    windows = np.asarray(samples[np.clip(rows, 0, len(samples) - 1)], dtype=np.float32)
    windows[~inside] = np.nan
    return windows


def samples_in(length_s: float, rate_hz: float) -> int:
    """The whole number of samples nearest to a length in seconds, at least one."""
    return max(1, int(np.floor(length_s * rate_hz + 0.5)))


def patches_of(
    windows: NDArray[np.float32], rate_hz: float, patch_s: float, hop_s: float | None = None
) -> NDArray[np.float32]:
    """Cut windows into patches, without copying: each patch is a view of its window.

    Args:
        windows: ``(window, time, channel)``, or ``(time, channel)`` of one window.
        rate_hz: samples per second.
        patch_s: length of a patch; the nearest whole number of samples is taken.
        hop_s: distance between patches; a patch's length when left out.

    Returns:
        ``(window, patch, time, channel)``, or ``(patch, time, channel)``, read-only. What remains after the last
        whole patch is left out.

    Raises:
        TooShort: the windows are shorter than a patch.
        UsageError: a length that is not positive.
    """
    hop = patch_s if hop_s is None else hop_s
    if not (np.isfinite(patch_s) and np.isfinite(hop) and patch_s > 0 and hop > 0):
        raise UsageError(f"patches of {patch_s:g} s every {hop:g} s cannot be: both must be above zero")
    length, step = samples_in(patch_s, rate_hz), samples_in(hop, rate_hz)
    if windows.shape[-2] < length:
        raise TooShort(
            f"a window of {windows.shape[-2] / rate_hz:.2f} s holds no patch of {patch_s:g} s: use longer windows"
        )
    patches = np.lib.stride_tricks.sliding_window_view(windows, length, axis=-2)[..., ::step, :, :]
    return np.swapaxes(patches, -1, -2)
