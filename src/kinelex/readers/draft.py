"""Raw columns together with everything that was understood about them: the step between a file and a `Recording`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kinelex.signal.channel import UNKNOWN, Channel, Sensor, parse_placement
from kinelex.signal.recording import Interval, Recording


@dataclass(frozen=True, eq=False)
class Draft:
    """A recording before units, clock and plausibility were dealt with.

    Args:
        format: the layout it was read as.
        name: how messages call it.
        samples: ``(time, channel)`` in the file's own units.
        channels: one per column.
        sources: the file's name of each column.
        units: unit per sensor; a sensor that is left out is taken as SI.
        unit_sources: who said so: ``"caller"``, ``"header"``, ``"card"`` or ``"format"``.
        times_s: seconds per row, if the file has a clock.
        rate_hz: nominal rate, if the caller or the file states one.
        gravity: whether acc measures gravity; None when it has to be seen in the signal.
        subject, start, intervals: as in `Recording`.
        ignored: columns that were not used.
        notes: what else was concluded or mended.
    """

    format: str
    name: str
    samples: NDArray[np.float32]
    channels: tuple[Channel, ...]
    sources: tuple[str, ...]
    units: Mapping[Sensor, str] = field(default_factory=dict)
    unit_sources: Mapping[Sensor, str] = field(default_factory=dict)
    times_s: NDArray[np.float64] | None = None
    rate_hz: float | None = None
    gravity: bool | None = None
    subject: str | None = None
    start: datetime | None = None
    intervals: tuple[Interval, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def recording(self, *, keep: bool = True) -> Recording:
        """Convert, check and regularize; see `Recording.from_arrays` for what it raises.

        Args:
            keep: False when the draft is not used any more, whose samples are then converted in place.
        """
        recording = Recording.from_arrays(
            self.samples,
            self.channels,
            rate_hz=self.rate_hz,
            times_s=self.times_s,
            units=self.units,
            gravity=self.gravity,
            name=self.name,
            subject=self.subject,
            start=self.start,
            intervals=self.intervals,
            copy=keep,
        )
        if not self.notes:
            return recording
        return replace(recording, quality=replace(recording.quality, notes=(*self.notes, *recording.quality.notes)))


def placed(channels: Iterable[Channel], placement: str | None) -> tuple[Channel, ...]:
    """The channels, with `placement` where their names do not say one."""
    where = parse_placement(placement)
    return tuple(Channel(c.sensor, c.axis, where) if c.placement == UNKNOWN else c for c in channels)
