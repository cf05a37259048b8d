"""Exports of the Sensor Logger phone app: a folder (or zip) with one CSV per sensor, one of those, or a combined CSV.

What the files hold, by the app's published unit and coordinate references, checked against iPhone recordings:

* ``Accelerometer`` is motion without gravity, m/s², on both platforms. ``Gravity`` is m/s² as well.
* ``TotalAcceleration`` (Android) is motion plus gravity, m/s².
* ``AccelerometerUncalibrated`` is motion plus gravity: in g on iOS, in m/s² on Android.
* ``Gyroscope`` is rad/s with the same sense of rotation everywhere; ``Magnetometer`` is µT.
* On iOS all accelerations have the opposite sign of a physical accelerometer: a phone that lies face up reads z = -1 g,
  where specific force is +9.81 m/s². With the setting "Standardise Units & Frames" (``standardisation`` in
  ``Metadata.csv``) iOS writes what Android writes.

In four iPhone recordings ``AccelerometerUncalibrated`` · 9.80665 - ``Accelerometer`` is a vector of 9.80 to 9.81 m/s²
(median) that hardly changes its length, and their sum is none: both have the same sign, and both are turned around.

Sensors have clocks of their own, which share an origin. Everything is brought to the accelerometer's samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np

from kinelex.errors import UnknownChannel, UnreadableFile
from kinelex.readers import export_files
from kinelex.readers.annotation import intervals_from, intervals_of
from kinelex.readers.blob import Blob
from kinelex.readers.column_name import role_of
from kinelex.readers.csv_table import CsvTable
from kinelex.readers.draft import Draft
from kinelex.readers.export_files import CLOCK, Phone
from kinelex.readers.joining import Stream, join
from kinelex.readers.request import Request
from kinelex.readers.table import Table
from kinelex.signal.channel import AXES, UNKNOWN, Channel, Sensor
from kinelex.signal.recording import Interval

_GRAVITY_IN_G = 3.0
"""A resting accelerometer reads 1 in g and 9.8 in m/s²; this lies between the two."""
_OTHERS: tuple[tuple[Sensor, str, tuple[str, str]], ...] = (
    ("gyro", "rad/s", ("Gyroscope", "GyroscopeUncalibrated")),
    ("mag", "uT", ("Magnetometer", "MagnetometerUncalibrated")),
)


@dataclass(frozen=True, eq=False)
class _Part:
    """A sensor that goes into the recording: samples in `unit` with the physical sign, and the files they are from."""

    sensor: Sensor
    stream: Stream
    unit: str
    files: tuple[str, ...]
    gravity: bool | None = None
    notes: tuple[str, ...] = ()


def read_export(path: Path, files: Mapping[str, Blob], request: Request) -> Draft:
    """Read a folder or a zip archive with one CSV per sensor.

    Sensor files that are empty were switched off, and are left out with a note. Notes that were taken while recording
    (``Annotation.csv``) each hold until the next one, and become intervals.

    Raises:
        UnreadableFile: no sensor file with samples.
        UnknownChannel: a sensor's file without the columns of one.
        BadSamples: text among the numbers.
    """
    phone = export_files.phone_of(export_files.beside(files, "Metadata"))
    tables: dict[str, Table] = {}
    notes = []
    for sensor, blob in export_files.sensor_files(files).items():
        try:
            tables[sensor] = CsvTable(blob)
        except UnreadableFile as error:
            notes.append(f"{sensor} was left out: {error}")
    if not tables:
        raise UnreadableFile(f"'{path}' has no samples: {'; '.join(notes)}")
    streams = {sensor: _stream(table) for sensor, table in tables.items()}
    parts = _parts(streams, phone, str(path))
    noted = export_files.annotations_of(export_files.beside(files, "Annotation"))
    first_s, last_s = float(np.nanmin(parts[0].stream.times_s)), float(np.nanmax(parts[0].stream.times_s))
    return _draft(
        parts,
        request,
        name=path.name,
        start=_start(tables[parts[0].files[0]], phone.zone),
        intervals=intervals_from([at - first_s for at, _ in noted], [text for _, text in noted], last_s - first_s),
        ignored=tuple(name for name in streams if not any(name in part.files for part in parts)),
        notes=tuple(notes),
    )


def read_sensor_file(table: Table, request: Request) -> Draft:
    """Read one sensor's file; a ``Metadata.csv`` beside it tells the platform.

    Raises:
        UnknownChannel: the file's name or columns are not those of a sensor.
    """
    sensor = export_files.sensor_of_stem(table.blob.stem)
    if sensor is None:
        raise UnknownChannel(
            f"'{table.blob}' is named after no sensor of Sensor Logger: rename it, such as Gyroscope.csv, or pass"
            " columns="
        )
    metadata = table.blob.path.with_name("Metadata.csv")
    phone = export_files.phone_of(Blob(metadata) if table.blob.member is None and metadata.is_file() else None)
    parts = _parts({sensor: _stream(table)}, phone, str(table.blob))
    return _draft(parts, request, name=table.blob.path.name, start=_start(table, phone.zone))


def read_combined(table: Table, request: Request) -> Draft:
    """Read an export in a single CSV; a sensor's rows are those on which it has a value."""
    groups = export_files.combined_columns(table)
    columns = [column for group in groups.values() for column in group]
    labels = [place for place, name in enumerate(table.names) if role_of(name) == "label"][:1]
    clock = table.names.index(CLOCK)
    found = table.read(columns, clock, labels)
    times = found.clock.values if found.clock is not None else np.empty(0)
    streams = {}
    for place, sensor in enumerate(groups):
        values = found.values[:, 3 * place : 3 * place + 3]
        rows = np.flatnonzero(np.isfinite(values).any(axis=1))
        if len(rows):
            streams[sensor] = Stream(times[rows], values[rows])
    parts = _parts(streams, Phone(), str(table.blob))
    intervals: tuple[Interval, ...] = ()
    if labels:
        offset_s = float(np.nanmin(parts[0].stream.times_s) - np.nanmin(times))
        intervals = tuple(
            Interval(max(0.0, i.start_s - offset_s), i.end_s - offset_s, i.label)
            for i in intervals_of(found.texts[labels[0]], times, None)
            if i.end_s > offset_s
        )
    used = {*columns, clock, *labels}
    return _draft(
        parts,
        request,
        name=table.blob.path.name,
        start=_start(table, Phone().zone),
        intervals=intervals,
        ignored=tuple(name for place, name in enumerate(table.names) if place not in used and name != "time"),
        notes=found.notes,
    )


def _draft(
    parts: list[_Part],
    request: Request,
    *,
    name: str,
    start: datetime | None,
    intervals: tuple[Interval, ...] = (),
    ignored: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Draft:
    placement = request.placement or UNKNOWN
    return Draft(
        format="sensor-logger",
        name=request.name or name,
        samples=join(parts[0].stream, [part.stream for part in parts[1:]]),
        channels=tuple(Channel(part.sensor, axis, placement) for part in parts for axis in AXES),
        sources=tuple(f"{' + '.join(part.files)} {axis}" for part in parts for axis in AXES),
        units={part.sensor: request.units.get(part.sensor, part.unit) for part in parts},
        unit_sources={part.sensor: "caller" if part.sensor in request.units else "format" for part in parts},
        times_s=parts[0].stream.times_s,
        rate_hz=request.rate_hz,
        gravity=parts[0].gravity if request.gravity is None else request.gravity,
        subject=request.subject,
        start=start,
        intervals=intervals,
        ignored=ignored,
        notes=(*notes, *(note for part in parts for note in part.notes)),
    )


def _parts(streams: Mapping[str, Stream], phone: Phone, where: str) -> list[_Part]:
    """The sensors to use, accelerometer first."""
    acc = _acceleration(streams, phone)
    parts = [] if acc is None else [acc]
    for sensor, unit, names in _OTHERS:
        chosen = next((name for name in names if name in streams), None)
        if chosen is not None:
            parts.append(_Part(sensor, streams[chosen], unit, (chosen,)))
    if not parts:
        has = ", ".join(streams) or "no sample"
        raise UnreadableFile(f"'{where}' has no motion ({has}): export Accelerometer or TotalAcceleration as well")
    if not np.isfinite(parts[0].stream.times_s).any():
        raise UnreadableFile(f"'{where}', {parts[0].files[0]}: no row has a time in column {CLOCK}")
    return parts


def _acceleration(streams: Mapping[str, Stream], phone: Phone) -> _Part | None:
    """The best accelerometer that there is: with gravity if possible, calibrated if possible."""
    sign = np.float32(-1 if phone.turned else 1)
    unknown_phone = "no Metadata.csv tells which phone it was: the sign of acc is taken as it stands"
    doubt = () if phone.platform else (unknown_phone,)
    total, motion, gravity = (streams.get(name) for name in ("TotalAcceleration", "Accelerometer", "Gravity"))
    if total is not None:
        return _Part("acc", _times(total, sign), "m/s^2", ("TotalAcceleration",), True, doubt)
    if motion is not None and gravity is not None:
        both = join(motion, [gravity])
        summed = Stream(motion.times_s, both[:, :3] + both[:, 3:])
        return _Part("acc", _times(summed, sign), "m/s^2", ("Accelerometer", "Gravity"), True, doubt)
    raw = streams.get("AccelerometerUncalibrated")
    if raw is not None:
        unit = "g" if phone.turned else "m/s^2"
        if not phone.platform and np.nanmedian(np.linalg.norm(raw.values, axis=1)) < _GRAVITY_IN_G:
            unit, sign = "g", np.float32(-1)
            doubt = ("no Metadata.csv tells which phone it was: an iPhone, because acc is in g",)
        return _Part("acc", _times(raw, sign), unit, ("AccelerometerUncalibrated",), True, doubt)
    if motion is not None:
        # Phones that cannot tell gravity from motion write both into this file; without metadata, look.
        return _Part("acc", _times(motion, sign), "m/s^2", ("Accelerometer",), False if phone.platform else None, doubt)
    return None


def _times(stream: Stream, sign: np.float32) -> Stream:
    return stream if sign == 1 else Stream(stream.times_s, stream.values * sign)


def _stream(table: Table) -> Stream:
    if not set(table.names) >= {CLOCK, *AXES}:
        raise UnknownChannel(
            f"'{table.blob}' is no Sensor Logger file: it must have {CLOCK}, z, y, x but has {', '.join(table.names)}"
        )
    found = table.read([table.names.index(axis) for axis in AXES], table.names.index(CLOCK))
    return Stream(found.clock.values if found.clock is not None else np.empty(0), found.values)


def _start(table: Table, zone: tzinfo) -> datetime | None:
    """When a file's first sample was taken: ``time`` is in nanoseconds since 1970."""
    first = table.first(table.names.index("time")) if "time" in table.names else ""
    nanoseconds = re.fullmatch(r"(\d{18,19})(\.\d*)?", first)
    return datetime.fromtimestamp(int(nanoseconds[1]) / 1e9, zone) if nanoseconds else None
