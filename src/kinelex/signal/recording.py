"""A continuous signal and everything that must be known about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadSamples, TooShort, UnknownChannel, UnknownRate
from kinelex.signal.channel import Channel, Sensor, parse_placement
from kinelex.signal.clock import regularize
from kinelex.signal.quality import Quality, assess
from kinelex.signal.units import to_si
from kinelex.signal.zero_fill import mask_zero_fill

MIN_RATE_HZ = 5.0
MAX_RATE_HZ = 400.0
_QUIET_BIT = np.uint32(0x00400000)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of a recording with one activity, in seconds from the recording's start."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, eq=False)
class Recording:
    """A continuous motion recording in SI units on an even clock.

    Args:
        samples: ``(time, channel)`` float32; m/s² (acc), rad/s (gyro), µT (mag). A missing value is NaN.
        rate_hz: samples per second, 5 to 400.
        channels: one per column, no two alike.
        gravity: whether the accelerometer measures gravity as well (a resting sensor reads 9.81 m/s²).
        name: how messages and results call it, usually the file name.
        subject: who wore it.
        start: when the first sample was taken.
        intervals: annotated activities.
        quality: what was found and mended when it was read.

    Raises:
        BadSamples: wrong shape, no row, or infinite values.
        UnknownRate: a rate that is not between 5 and 400 Hz.
        UnknownChannel: two columns for the same channel.

    Build one from raw columns with `from_arrays`, from a file with `kinelex.read`.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    channels: tuple[Channel, ...]
    gravity: bool = True
    name: str = "recording"
    subject: str | None = None
    start: datetime | None = None
    intervals: tuple[Interval, ...] = ()
    quality: Quality = field(default_factory=Quality)

    def __post_init__(self) -> None:
        samples = np.ascontiguousarray(self.samples, dtype=np.float32)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "intervals", tuple(self.intervals))
        if samples.ndim != 2 or samples.shape[1] != len(self.channels) or not self.channels:
            raise BadSamples(
                f"recording '{self.name}' has samples of shape {samples.shape} for {len(self.channels)} channels:"
                " pass (time, channel) with one column per channel"
            )
        if not len(samples):
            raise BadSamples(f"recording '{self.name}' has no samples")
        if np.isinf(samples).any():
            raise BadSamples(f"recording '{self.name}' has infinite values: mark missing values as NaN")
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise UnknownRate(
                f"recording '{self.name}' is said to have {self.rate_hz:g} Hz: Kinelex reads {MIN_RATE_HZ:g} to"
                f" {MAX_RATE_HZ:g} Hz; check rate_hz and the unit of the timestamps"
            )
        if len(set(self.channels)) != len(self.channels):
            twice = sorted({c.name for c in self.channels if self.channels.count(c) > 1})
            raise UnknownChannel(
                f"recording '{self.name}' has more than one column for {', '.join(twice)}:"
                " give each sensor its own placement"
            )

    @classmethod
    def from_arrays(
        cls,
        samples: ArrayLike,
        channels: Sequence[Channel | str],
        *,
        rate_hz: float | None = None,
        times_s: ArrayLike | None = None,
        units: Mapping[Sensor, str] | None = None,
        gravity: bool | None = None,
        placement: str | None = None,
        name: str = "recording",
        subject: str | None = None,
        start: datetime | None = None,
        intervals: Iterable[Interval] = (),
        copy: bool = True,
    ) -> Recording:
        """Turn raw columns into a recording: units converted and checked, the clock made even, quality noted.

        Args:
            samples: ``(time, channel)`` numbers; NaN where a value is missing.
            channels: one `Channel` or column name (``"acc_x"``) per column.
            rate_hz: nominal rate; may be left out when `times_s` is given.
            times_s: one timestamp per row in seconds, in any order, with gaps or repeats; the first row that is left
                becomes time 0.
            units: unit per sensor: acc ``"m/s^2"``, ``"g"`` or ``"mg"``; gyro ``"rad/s"``, ``"deg/s"`` or ``"mrad/s"``;
                mag ``"uT"``, ``"mT"`` or ``"gauss"``. SI when left out.
            gravity: whether acc measures gravity; looked up in the signal when left out.
            placement: where channels without a placement are worn.
            name, subject, start, intervals: as in `Recording`.
            copy: False gives a float32 array away, to be converted in place: a day of signal is then in memory once.

        Raises:
            BadSamples: not a table of numbers, or no finite value at all.
            UnknownRate: neither `rate_hz` nor `times_s`, or timestamps that give no rate.
            WrongUnit: resting or typical values that cannot be in the claimed unit.
            UnknownChannel, UnknownPlacement: names that are not understood.
        """
        try:
            with np.errstate(invalid="ignore"):  # of a NaN that signals
                table = _quiet(np.asarray(samples, dtype=np.float32))
        except (TypeError, ValueError) as error:
            raise BadSamples(f"recording '{name}' holds something other than numbers: {error}") from None
        parsed = tuple(c if isinstance(c, Channel) else Channel.parse(c, placement) for c in channels)
        if placement is not None:
            where = parse_placement(placement)
            parsed = tuple(Channel(c.sensor, c.axis, where) if c.placement == "unknown" else c for c in parsed)
        if table.ndim != 2 or table.shape[1] != len(parsed):
            raise BadSamples(
                f"recording '{name}' has samples of shape {table.shape} for {len(parsed)} channels:"
                " pass (time, channel) with one column per channel"
            )
        if np.isinf(table).any():
            raise BadSamples(f"recording '{name}' has infinite values: mark missing values as NaN")
        if not np.isfinite(table).any():
            raise BadSamples(f"recording '{name}' has no value at all: every sample is missing")
        even = regularize(table, times_s=times_s, rate_hz=rate_hz, name=name)
        si = even.samples
        if not si.flags.writeable or (copy and np.may_share_memory(si, table)):
            si = si.copy()  # only here: a new clock has made new samples, and a day of them is in memory twice at most
        del table
        si, has_gravity = to_si(si, parsed, even.rate_hz, units=units or {}, gravity=gravity, name=name)
        zero_filled_s = mask_zero_fill(si, parsed, even.rate_hz) if has_gravity else 0.0
        if zero_filled_s and not np.isfinite(si).any():
            raise BadSamples(
                f"recording '{name}' reads exactly zero throughout: its sensor was off, or the file is padding"
            )
        return cls(
            samples=si,
            rate_hz=even.rate_hz,
            channels=parsed,
            gravity=has_gravity,
            name=name,
            subject=subject,
            start=start,
            intervals=tuple(intervals),
            quality=assess(si, even, parsed, gravity=has_gravity, zero_filled_s=zero_filled_s),
        )

    @property
    def duration_s(self) -> float:
        """Length in seconds: samples over rate."""
        return len(self.samples) / self.rate_hz

    @property
    def placements(self) -> tuple[str, ...]:
        """Each placement once, in the order of the columns."""
        return tuple(dict.fromkeys(channel.placement for channel in self.channels))

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Seconds of each sample from the start."""
        return np.arange(len(self.samples)) / self.rate_hz

    def between(self, start_s: float, end_s: float) -> Recording:
        """The part from `start_s` (included) to `end_s` (excluded); intervals are cut to it.

        Raises:
            TooShort: no sample lies between the two times.
        """
        first = max(0, int(np.ceil(start_s * self.rate_hz - 1e-6)))
        last = min(len(self.samples), int(np.ceil(end_s * self.rate_hz - 1e-6)))
        if last <= first:
            raise TooShort(
                f"recording '{self.name}' ({self.duration_s:.1f} s) has no sample between {start_s:g} and {end_s:g} s"
            )
        offset = first / self.rate_hz
        kept = tuple(
            Interval(max(0.0, i.start_s - offset), min(last / self.rate_hz, i.end_s) - offset, i.label)
            for i in self.intervals
            if i.end_s > offset and i.start_s < last / self.rate_hz
        )
        return self._with(samples=self.samples[first:last], intervals=kept)

    def select(self, sensor: Sensor | None = None, placement: str | None = None) -> Recording:
        """Only the channels of one sensor, one placement, or both.

        Raises:
            UnknownChannel: nothing is left.
        """
        where = None if placement is None else parse_placement(placement)
        columns = [
            i
            for i, channel in enumerate(self.channels)
            if sensor in (None, channel.sensor) and where in (None, channel.placement)
        ]
        if not columns:
            has = ", ".join(channel.name for channel in self.channels)
            raise UnknownChannel(f"recording '{self.name}' has no {sensor or 'channel'} at {where}: it has {has}")
        return self._with(samples=self.samples[:, columns], channels=tuple(self.channels[i] for i in columns))

    def _with(self, **changes: Any) -> Recording:
        return replace(self, **changes)


def _quiet(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The table without signaling NaNs, which damaged files hold: whoever converts one would be warned for ever."""
    if table.ndim != 2:
        return table
    for column in range(table.shape[1]):
        missing = np.flatnonzero(np.isnan(table[:, column]))
        bits = np.ascontiguousarray(table[missing, column]).view(np.uint32)
        if not (bits & _QUIET_BIT).all():
            table = table.copy()  # hardly ever, and the caller's own array stays as it is
            table[missing, column] = np.nan
    return table
