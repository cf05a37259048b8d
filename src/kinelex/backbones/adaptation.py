"""Any recording as the input that an encoder was made for: the only place where rates, units and channels meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.backbones.contract import InputContract
from kinelex.errors import UsageError
from kinelex.signal.gravity import estimate_gravity
from kinelex.signal.recording import Recording
from kinelex.signal.resampling import resample
from kinelex.signal.windows import cut, samples_in

_STRETCH_S = 1800.0
"""Recordings are resampled in stretches of about this length, so that a day costs no more memory than half an hour."""
_REACH = 18.0
"""Samples, of the slower of two rates, beyond which the resampling filter sees nothing."""
_GRAVITY_REACH_S = 12.0
"""Seconds beyond which the estimate of gravity hardly sees anything."""
_TOGETHER = 512
"""Samples of a recording within which one coincides with one of the encoder's, or nearly so."""


@dataclass(frozen=True, eq=False)
class Clips:
    """What goes into an encoder: one clip or several for every window and placement with usable signal.

    Args:
        signal: ``(clip, channel, step)`` float32 in the encoder's units; what stands where nothing was measured, its
            contract says.
        valid: ``(clip, channel, step)``, which samples were measured.
        owner: ``(clip,)``, the number of the window that each belongs to.
        weight: ``(clip,)``, how many of its samples were measured.
        windows: how many windows there are; one may be without any clip.
    """

    signal: NDArray[np.float32]
    valid: NDArray[np.bool_]
    owner: NDArray[np.int64]
    weight: NDArray[np.float64]
    windows: int

    def pooled(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(clip, dim)`` to ``(window, dim)``: means, weighted by what was measured; NaN where there is no clip."""
        sums = np.zeros((self.windows, rows.shape[1]))
        np.add.at(sums, self.owner, self.weight[:, None] * rows.astype(np.float64))
        total = np.bincount(self.owner, weights=self.weight, minlength=self.windows)[:, None]
        with np.errstate(invalid="ignore"):  # 0/0 is NaN: nothing was seen
            return (sums / total).astype(np.float32)


def adapt(recording: Recording, starts_s: ArrayLike, window_s: float, contract: InputContract) -> Clips:
    """Windows of a recording as an encoder wants them.

    Every placement that the contract uses gives clips of its own. What a window is does not depend on which others are
    asked for: all are cut from the same grid.

    Args:
        recording: any rate, any channels.
        starts_s: ``(window,)`` seconds at which the windows begin; what lies outside the recording is missing.
        window_s: their length in seconds.
        contract: what the encoder wants.

    Raises:
        UsageError: windows without length, or starts that are no numbers.
    """
    starts = np.asarray(starts_s, dtype=np.float64).reshape(-1)
    if not (np.isfinite(window_s) and window_s > 0 and np.isfinite(starts).all()):
        raise UsageError(f"windows of {window_s:g} s must have a length, and finite starts, to be embedded")
    parts = [_clips(recording, place, starts, window_s, contract) for place in contract.worn(recording)]
    return _joined(parts, len(starts))


def adapt_many(
    requests: Sequence[tuple[Recording, NDArray[np.float64]]], window_s: float, contract: InputContract
) -> Clips:
    """Windows of several recordings, each with its starts in seconds, numbered in this order; see `adapt`.

    Raises:
        UsageError: no recording, or as in `adapt`.
    """
    if not requests:
        raise UsageError("no recording to take windows from: pass at least one")
    parts, before = [], 0
    for recording, starts_s in requests:
        clips = adapt(recording, starts_s, window_s, contract)
        parts.append(Clips(clips.signal, clips.valid, clips.owner + before, clips.weight, clips.windows))
        before += clips.windows
    return _joined(parts, before)


def clip_starts(steps: int, clip_steps: int) -> NDArray[np.int64]:
    """Where the fewest clips begin that cover all steps, evenly spread; one at 0 where the steps are fewer.

    >>> clip_starts(150, 60).tolist(), clip_starts(40, 60).tolist()
    ([0, 45, 90], [0])
    """
    count = -(-steps // clip_steps)
    return np.round(np.linspace(0, max(0, steps - clip_steps), count)).astype(np.int64)


def _clips(
    recording: Recording, placement: str, starts: NDArray[np.float64], window_s: float, contract: InputContract
) -> Clips:
    """The clips of one placement."""
    steps = contract.clip_steps if contract.rate_hz is None else samples_in(window_s, contract.rate_hz)
    assert steps is not None
    windows = np.full((len(starts), len(contract.channels), steps), np.nan, np.float32)
    for numbers, part in _cuts(recording, placement, starts, window_s, contract, steps):
        windows[numbers] = part
    enough = _seen(windows, contract).mean(axis=1) >= contract.min_measured - 1e-9
    numbers = np.flatnonzero(enough)
    clips = _fitted(windows[numbers], contract)  # (window, clip, channel, step)
    owner = np.repeat(numbers, clips.shape[1])
    flat = clips.reshape(-1, *clips.shape[2:])
    seen = _seen(flat, contract)
    # Of a window of which half was measured, some clips may hold little of it.
    kept = seen.sum(axis=1) >= contract.min_measured * min(steps, flat.shape[2]) - 1e-9
    flat, weight = flat[kept], seen[kept].sum(axis=1).astype(np.float64)
    valid = np.isfinite(flat)
    units = [
        {"acc": contract.acc_unit, "gyro": contract.gyro_unit}.get(n.split("_")[0], 1.0) for n in contract.channels
    ]
    signal = _filled(flat, valid) if contract.missing == "filled" else np.where(valid, flat, np.float32(0))
    inside = np.asarray(signal / np.asarray(units)[:, None], dtype=np.float32)
    return Clips(inside, valid, owner[kept], weight, len(starts))


def _seen(signal: NDArray[np.float32], contract: InputContract) -> NDArray[np.bool_]:
    """``(..., step)``: at which steps one of the sensors that are needed was measured."""
    rows = [i for i, name in enumerate(contract.channels) if name.split("_")[0] in contract.needs]
    return np.asarray(np.isfinite(signal[:, rows]).any(axis=1))


def _fitted(windows: NDArray[np.float32], contract: InputContract) -> NDArray[np.float32]:
    """``(window, channel, step)`` to ``(window, clip, channel, step)``."""
    steps, most = windows.shape[2], contract.clip_steps
    if most is None or steps == most:
        return windows[:, None]
    if steps > most:
        return np.stack([windows[:, :, at : at + most] for at in clip_starts(steps, most)], axis=1)
    if contract.shorter == "wrapped":
        return np.asarray(windows[:, None, :, np.arange(most) % steps])
    if contract.shorter == "masked":
        before = ((0, 0), (0, 0), (most - steps, 0))
        return np.pad(windows, before, constant_values=np.nan)[:, None]
    return windows[:, None]


def _filled(signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Gaps bridged by straight lines, both ends held, and zeros where a channel has no value at all."""
    filled = np.where(valid, signal, np.float32(0))
    gappy = valid.any(axis=2) & ~valid.all(axis=2)
    steps = np.arange(signal.shape[2])
    for clip, channel in np.argwhere(gappy):
        known = valid[clip, channel]
        filled[clip, channel] = np.interp(steps, steps[known], signal[clip, channel, known])
    return filled


def _cuts(
    recording: Recording,
    placement: str,
    starts: NDArray[np.float64],
    window_s: float,
    contract: InputContract,
    steps: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Numbers of windows with their ``(window, channel, step)`` in SI, resampled stretch by stretch."""
    columns = [
        (contract.channels.index(f"{channel.sensor}_{channel.axis}"), i)
        for i, channel in enumerate(recording.channels)
        if channel.placement == placement and f"{channel.sensor}_{channel.axis}" in contract.channels
    ]
    if not columns:
        return
    grid_hz = contract.grid_hz(window_s)
    margin_s = float(np.ceil(_REACH / min(recording.rate_hz, grid_hz)))
    if _removes_gravity(recording, contract):
        margin_s += _GRAVITY_REACH_S
    # Every so many samples those of both rates coincide: every stretch begins there, so that all have one grid.
    together = Fraction(grid_hz / recording.rate_hz).limit_denominator(_TOGETHER).denominator
    order = np.argsort(starts, kind="stable")
    at = 0
    while at < len(order):
        first_s = float(starts[order[at]])
        until = at + int(np.searchsorted(starts[order[at:]], first_s + _STRETCH_S))
        last_s = float(starts[order[until - 1]]) + window_s
        low = int(max(0.0, first_s - margin_s) * recording.rate_hz / together) * together
        high = min(len(recording.samples), int(np.ceil((last_s + margin_s) * recording.rate_hz)))
        numbers = order[at:until]
        at = until
        if high <= low:
            continue
        stretch = np.full((high - low, len(contract.channels)), np.nan, np.float32)
        stretch[:, [row for row, _ in columns]] = recording.samples[low:high, [i for _, i in columns]]
        grid = resample(stretch, recording.rate_hz, grid_hz)
        if _removes_gravity(recording, contract):
            grid = _without_gravity(grid, grid_hz, contract)
        windows = cut(grid, grid_hz, starts[numbers] - low / recording.rate_hz, steps / grid_hz)
        yield numbers, np.swapaxes(windows, 1, 2)


def _removes_gravity(recording: Recording, contract: InputContract) -> bool:
    return contract.gravity == "removed" and recording.gravity and "acc" in contract.sensors


def _without_gravity(grid: NDArray[np.float32], grid_hz: float, contract: InputContract) -> NDArray[np.float32]:
    rows = [i for i, name in enumerate(contract.channels) if name.startswith("acc_")]
    acc = np.full((len(grid), 3), np.nan, np.float32)
    acc[:, : len(rows)] = grid[:, rows]  # each axis is smoothed by itself
    still = grid.copy()
    still[:, rows] = (acc - estimate_gravity(acc, grid_hz))[:, : len(rows)]
    return still


def _joined(parts: Sequence[Clips], windows: int) -> Clips:
    return Clips(
        signal=np.concatenate([part.signal for part in parts]),
        valid=np.concatenate([part.valid for part in parts]),
        owner=np.concatenate([part.owner for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        windows=windows,
    )
