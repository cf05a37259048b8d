"""A trial, and how its raw numbers become recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.card import UNITLESS
from kinelex.datasets.catalog import CatalogEntry, Device
from kinelex.errors import DataError, WrongUnit
from kinelex.readers.annotation import intervals_of
from kinelex.readers.joining import Stream, join
from kinelex.readers.table import Coded
from kinelex.signal.channel import AXES, Channel, Sensor
from kinelex.signal.recording import Interval, Recording


@dataclass(frozen=True, slots=True)
class Trial:
    """What was recorded in one go: by one person, on as many devices as they wore.

    Args:
        name: unique in its set, and the same whenever the set is parsed.
        subject: who wore the sensors.
        read: reads it: one recording per clock, named ``SET/TRIAL`` or ``SET/TRIAL/DEVICE``, with the official names of
            its activities as intervals.
        files: what it is read from.
    """

    name: str
    subject: str
    read: Callable[[], Sequence[Recording]]
    files: tuple[Path, ...] = ()


class Recordings(list[Recording]):
    """What was read of a trial device by device, so that one bad device does not lose the others.

    Args:
        readings: one per device; each makes its recording.

    Attributes:
        refused: why devices are not among the recordings.

    Raises:
        DataError: no device is usable; what the first one was refused for.
    """

    def __init__(self, readings: Iterable[Callable[[], Recording]]) -> None:
        super().__init__()
        self.refused: list[DataError] = []
        for reading in readings:
            try:
                self.append(reading())
            except DataError as error:
                self.refused.append(error)
        if self.refused and not self:
            raise self.refused[0]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Three axes of one sensor of one device.

    Args:
        device: from the catalog, which knows unit, placement and gravity.
        sensor: which of its sensors.
        values: ``(time, 3)`` as published, NaN where missing.
    """

    device: Device
    sensor: Sensor
    values: NDArray[np.floating]


def measured(
    blocks: Iterable[Block],
    *,
    name: str,
    subject: str,
    rate_hz: float | None = None,
    times_s: NDArray[np.float64] | None = None,
    intervals: Iterable[Interval] = (),
) -> Recording:
    """The recording of sensors that share a clock, in SI units on an even clock; sensors without a unit are left out.

    Args:
        blocks: side by side, all of the same length; sensors of one kind have one unit.
        name: of the recording.
        subject: who wore them.
        rate_hz: samples per second; without it and without timestamps, what the catalog says of the first device.
        times_s: ``(time,)`` seconds of each row; the first row that is left becomes time 0.
        intervals: what was done, by its official name, in seconds from the first row.

    Raises:
        WrongUnit: what is measured cannot be in the catalog's unit, or no sensor has a unit.
        UnknownRate, BadSamples: what `Recording.from_arrays` refuses.
    """
    usable = [block for block in blocks if block.device.sensors[block.sensor] not in UNITLESS]
    if not usable:
        raise WrongUnit(f"recording '{name}' cannot be in SI units: its values were published without a unit")
    if rate_hz is None and times_s is None:
        rate_hz = usable[0].device.rate_hz
    return Recording.from_arrays(
        np.concatenate([block.values for block in usable], axis=1),
        channels=[Channel(block.sensor, axis, block.device.placement) for block in usable for axis in AXES],
        rate_hz=rate_hz,
        times_s=times_s,
        units={block.sensor: block.device.sensors[block.sensor] for block in usable},
        gravity=usable[0].device.gravity,
        name=name,
        subject=subject,
        intervals=tuple(intervals),
        copy=False,
    )


def joined(
    device: Device,
    streams: Mapping[Sensor, Stream],
    *,
    name: str,
    subject: str,
    intervals: Iterable[Interval] = (),
) -> Recording:
    """The recording of a device whose sensors have timestamps of their own, on the clock of the first one.

    Args:
        device: from the catalog.
        streams: each sensor's samples; times in seconds on a clock that all share.
        name, subject: as in `measured`.
        intervals: in seconds from the first sample of the first sensor.

    Raises:
        WrongUnit, UnknownRate, BadSamples: as in `measured`.
    """
    base, *others = streams.values()
    values = join(base, others)
    blocks = [Block(device, sensor, values[:, 3 * i : 3 * i + 3]) for i, sensor in enumerate(streams)]
    return measured(blocks, name=name, subject=subject, times_s=base.times_s, intervals=intervals)


def labelled(
    entry: CatalogEntry, codes: NDArray[np.generic], *, times_s: NDArray[np.float64] | None = None
) -> tuple[Interval, ...]:
    """Official codes beside each row into intervals of official names; codes that the catalog does not list are none.

    Args:
        entry: knows the codes.
        codes: ``(time,)`` of numbers or texts; compared as the text of the number.
        times_s: ``(time,)`` seconds of each row; evenly at the rate of the entry's first device when left out.
    """
    found, index = np.unique(codes, return_inverse=True)
    known = [str(code) in entry.activities for code in found.tolist()]
    words = [entry.activities[str(code)] for code, listed in zip(found.tolist(), known, strict=True) if listed]
    number = np.where(known, np.cumsum(known) - 1, -1)
    coded = Coded(number[index].astype(np.int64), tuple(words))
    return intervals_of(coded, times_s, None if times_s is not None else entry.devices[0].rate_hz)
