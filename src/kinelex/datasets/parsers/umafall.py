"""UMAFall: one file per trial, in which the rows of a phone and of four sensor tags are mixed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry, Device
from kinelex.datasets.parsers.text import Columns, read_columns, stacked
from kinelex.datasets.parsers.trial import Recordings, Trial, joined
from kinelex.errors import UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"UMAFall_(Subject_\d+)_(?:ADL|Fall)_(\w+)_\d+_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.csv")
# As the header of every file says which node is worn where: address; ID; place; model.
_WORN = re.compile(rb"^%[\w:]+; *(\d+); *([A-Z]+) *;", re.MULTILINE)
_FIRST_ROW = re.compile(rb"^\d", re.MULTILINE)
_COLUMNS = ("stamp", "sample", "x", "y", "z", "type", "node")
_KINDS = dict.fromkeys(("stamp", "sample", "type", "node"), int)
_SENSORS: tuple[Sensor, ...] = ("acc", "gyro", "mag")
_LATE_S = 0.1
"""Nine tenths of the samples arrive within 0.04 s of their time; where they do not, some were lost on the way."""
_PACKET_S = 0.01
"""A tag's sensors are sent together and stamped one after the other, a few milliseconds apart."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file: person and trial number alone occur twice."""
    for path in sorted(folder.glob("**/UMAFall_Subject_*.csv")):
        if (match := _NAME.fullmatch(path.name)) and match[2] in entry.activities:
            name, subject = path.stem.removeprefix("UMAFall_"), match[1].lower()
            yield Trial(name, subject, partial(_read, entry, name, subject, match[2], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    first = _FIRST_ROW.search(raw)
    worn = {found[2].decode().lower(): int(found[1]) for found in _WORN.finditer(raw, 0, first.start() if first else 0)}
    if not first or not worn:
        raise UnreadableFile(f"'{path}' has no rows after a header that says which sensor is worn where")
    rows = read_columns(raw[first.start() :], _COLUMNS, kinds=_KINDS, delimiter=";", label=str(path))
    readings = []
    for device in entry.devices:
        place = device.placement.replace(" ", "")
        mine = rows["node"] == worn.get(place, -1)
        streams = {
            sensor: _stream(rows, which)
            for kind, sensor in enumerate(_SENSORS)
            if sensor in device.sensors and (which := mine & (rows["type"] == kind)).any()
        }
        if streams:
            title = f"{entry.name}/{name}/{place}"
            readings.append(partial(_recording, device, streams, title, subject, entry.activities[code]))
    if not readings:
        raise UnreadableFile(f"'{path}' has no row of a sensor that its header names")
    return Recordings(readings)


def _stream(rows: Columns, which: NDArray[np.bool_]) -> Stream:
    times_s = _clock(rows["sample"][which].astype(np.float64), rows["stamp"][which] / 1e3)
    return Stream(times_s, stacked({axis: rows[axis][which] for axis in "xyz"}, "xyz"))


def _clock(numbers: NDArray[np.float64], stamps_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The even clock of a sensor: its samples are numbered, and a stamp is when one was received, maybe in a burst."""
    if not np.ptp(numbers):
        return stamps_s
    centered = numbers - numbers.mean()
    clock = stamps_s.mean() + centered * (centered @ stamps_s) / (centered @ centered)
    return clock if np.quantile(np.abs(clock - stamps_s), 0.9) < _LATE_S else stamps_s


def _recording(device: Device, streams: dict[Sensor, Stream], name: str, subject: str, activity: str) -> Recording:
    base, *others = streams.values()
    together = [base, *(Stream(_in_packets(other.times_s, base.times_s), other.values) for other in others)]
    whole = Interval(0.0, float(np.ptp(base.times_s)), activity)
    streams = dict(zip(streams, together, strict=True))
    return joined(device, streams, name=name, subject=subject, intervals=[whole])


def _in_packets(times_s: NDArray[np.float64], packets_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times moved onto those of the packets, so that no value is interpolated or lost at an end."""
    packets_s = np.sort(packets_s)
    nearest = packets_s[np.searchsorted((packets_s[1:] + packets_s[:-1]) / 2, times_s)]
    return np.where(np.abs(nearest - times_s) < _PACKET_S, nearest, times_s)
