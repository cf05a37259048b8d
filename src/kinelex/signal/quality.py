"""What was found in a recording, and mended, when it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.blocks import blocks_of, columns_by_sensor
from kinelex.signal.channel import UNKNOWN, Channel
from kinelex.signal.clock import Regularized
from kinelex.signal.gravity import STANDARD_GRAVITY

_ANY_MISSING = 0.001
_MUCH_JITTER = 0.1  # of a period
_STILL_MS2 = 0.3
_OFF_GRAVITY = 1.5  # m/s²
_LOW_FIELD_UT, _HIGH_FIELD_UT = 10.0, 200.0
_RANGE_FROM = {"acc": 17.0, "gyro": 4.0, "mag": 400.0}
"""The smallest measuring ranges there are (2 g, 250 deg/s), a little lowered: below, no extreme is the end of one."""
_MOVES = {"acc": 1.0, "gyro": 0.3, "mag": 5.0}
"""By how much another axis of the sensor has to vary within a second before one that does not vary is stuck."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known about how well a recording was recorded.

    Args:
        rate_measured_hz: samples per second by the timestamps; None without timestamps.
        jitter_s: variation of the interval between timestamps, root mean square.
        duplicates: rows that repeated a timestamp.
        backward: steps back in time between rows.
        untimed: rows without a timestamp.
        gaps: pauses, from and to, in seconds from the start.
        missing_share: share of all values that are missing, gaps included.
        missing_channels: channels without a single value.
        clipped: channels that reach the end of their range, with the share of samples there.
        stuck: channels that stand still while the sensor's other axes move.
        resting_acc: median |acc| in m/s² over still seconds; None when there are none.
        zero_filled_s: seconds of exact zeros that stood for missing values, and are missing now.
        notes: anything else worth knowing, in words.
    """

    rate_measured_hz: float | None = None
    jitter_s: float = 0.0
    duplicates: int = 0
    backward: int = 0
    untimed: int = 0
    gaps: tuple[tuple[float, float], ...] = ()
    missing_share: float = 0.0
    missing_channels: tuple[str, ...] = ()
    clipped: tuple[tuple[str, float], ...] = ()
    stuck: tuple[str, ...] = ()
    resting_acc: float | None = None
    zero_filled_s: float = 0.0
    notes: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """What a person should know, one sentence each; empty when nothing is wrong."""
        found: list[str] = []
        if self.gaps:
            longest = max(end - start for start, end in self.gaps)
            total = sum(end - start for start, end in self.gaps)
            found.append(
                f"{_count(len(self.gaps), 'gap')} of {total:.4g} s in all (the longest {longest:.4g} s):"
                " nothing is recognized inside"
            )
        if self.missing_share > _ANY_MISSING:
            found.append(f"{_percent(self.missing_share)} of the values are missing")
        if self.missing_channels:
            found.append(f"no value at all in {', '.join(self.missing_channels)}")
        if self.zero_filled_s > 0:
            found.append(f"all channels read exactly zero for {self.zero_filled_s:.4g} s, which was taken as missing")
        if self.duplicates:
            found.append(f"{_count(self.duplicates, 'row')} repeated a timestamp and were averaged")
        if self.backward:
            found.append(f"timestamps went back {_count(self.backward, 'time')}; the rows were sorted")
        if self.untimed:
            found.append(f"{_count(self.untimed, 'row')} without a timestamp were dropped")
        if self.rate_measured_hz and self.jitter_s * self.rate_measured_hz > _MUCH_JITTER:
            found.append(
                f"intervals between samples vary by {1000 * self.jitter_s:.1f} ms around"
                f" {1000 / self.rate_measured_hz:.1f} ms; the samples were interpolated onto an even clock"
            )
        for channel, share in self.clipped:
            found.append(f"{channel} is at the end of its range in {_percent(share)} of its samples")
        if self.stuck:
            found.append(f"{', '.join(self.stuck)} stands still while the other axes move: a broken or unused axis")
        return found + list(self.notes)


def assess(
    samples: NDArray[np.float32],
    regularized: Regularized,
    channels: Sequence[Channel],
    *,
    gravity: bool,
    zero_filled_s: float = 0.0,
) -> Quality:
    """Look a recording over.

    Args:
        samples: ``(time, channel)`` in SI units.
        regularized: what making the clock even has found.
        channels: one per column.
        gravity: whether acc measures gravity.
        zero_filled_s: what `mask_zero_fill` took out.
    """
    rate_hz = regularized.rate_hz
    missing = [int(np.count_nonzero(np.isnan(samples[:, column]))) for column in range(samples.shape[1])]
    seconds = blocks_of(samples, channels, rate_hz, "acc")
    still = seconds.size[seconds.spread < _STILL_MS2]
    resting = float(np.median(still)) if len(still) else None
    return Quality(
        rate_measured_hz=regularized.rate_measured_hz,
        jitter_s=regularized.jitter_s,
        duplicates=regularized.duplicates,
        backward=regularized.backward,
        untimed=regularized.untimed,
        gaps=regularized.gaps,
        missing_share=sum(missing) / samples.size,
        missing_channels=tuple(
            channel.name for channel, count in zip(channels, missing, strict=True) if count == len(samples)
        ),
        clipped=_clipped(samples, channels),
        stuck=_stuck(samples, channels, rate_hz),
        resting_acc=resting,
        zero_filled_s=zero_filled_s,
        notes=tuple(_notes(samples, channels, resting, gravity)),
    )


def _clipped(samples: NDArray[np.float32], channels: Sequence[Channel]) -> tuple[tuple[str, float], ...]:
    """Channels whose largest or smallest value repeats itself in neighboring samples, beyond the smallest ranges."""
    clipped = []
    for column, channel in enumerate(channels):
        values = samples[:, column]
        present = np.count_nonzero(~np.isnan(values))
        at_end = 0
        for extreme in (float(np.fmax.reduce(values)), float(np.fmin.reduce(values))):
            if not abs(extreme) >= _RANGE_FROM[channel.sensor]:
                continue
            there = np.abs(values - np.float32(extreme)) <= 1e-4 * abs(extreme)
            if np.count_nonzero(there[1:] & there[:-1]) and np.count_nonzero(there) >= 3:
                at_end += int(np.count_nonzero(there))
        if at_end:
            clipped.append((channel.name, at_end / present))
    return tuple(clipped)


def _stuck(samples: NDArray[np.float32], channels: Sequence[Channel], rate_hz: float) -> tuple[str, ...]:
    """Channels that are constant in most of the seconds in which another axis of their sensor moves."""
    length = max(2, round(rate_hz))
    count = len(samples) // length
    if count < 1:
        return ()
    ranges = np.empty((count, len(channels)), dtype=np.float32)
    for column in range(len(channels)):
        blocks = samples[: count * length, column].reshape(count, length)
        ranges[:, column] = np.fmax.reduce(blocks, axis=1) - np.fmin.reduce(blocks, axis=1)  # NaN when all missing
    stuck = []
    siblings = columns_by_sensor(channels)
    for column, channel in enumerate(channels):
        others = [other for other in siblings[channel.sensor, channel.placement] if other != column]
        if not others:
            continue
        moving = (ranges[:, others] > _MOVES[channel.sensor]).any(axis=1) & ~np.isnan(ranges[:, column])
        if moving.any() and np.mean(ranges[moving, column] == 0) > 0.5:
            stuck.append(channel.name)
    return tuple(stuck)


def _notes(
    samples: NDArray[np.float32], channels: Sequence[Channel], resting: float | None, gravity: bool
) -> Iterator[str]:
    if resting is not None and gravity and abs(resting - STANDARD_GRAVITY) > _OFF_GRAVITY:
        yield f"at rest acc reads {resting:.2f} m/s² instead of 9.81: it is badly calibrated or partly broken"
    step = max(1, len(samples) // 400_000)
    for (sensor, placement), axes in columns_by_sensor(channels).items():
        if sensor != "mag" or len(axes) != 3:
            continue
        field = np.linalg.norm(samples[::step, axes], axis=1)
        field = field[np.isfinite(field)]
        if len(field) and not _LOW_FIELD_UT <= float(np.median(field)) <= _HIGH_FIELD_UT:
            where = "" if placement == UNKNOWN else f" at {placement}"
            yield (
                f"the magnetometer{where} reads {float(np.median(field)):.4g} µT; the Earth's field is 25 to 65 µT:"
                " check its unit"
            )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"
