"""Logs with one row per sample and one column per sensor axis: what most apps, loggers and notebooks write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnknownRate, UsageError
from kinelex.readers.annotation import intervals_of
from kinelex.readers.column_name import Role
from kinelex.readers.draft import Draft, placed
from kinelex.readers.joining import Stream, join
from kinelex.readers.layout import Layout, understand
from kinelex.readers.request import Request
from kinelex.readers.table import Coded, Columns, Table
from kinelex.readers.timestamps import Times, epoch_start, to_seconds
from kinelex.signal.channel import Channel, Sensor
from kinelex.signal.recording import Interval

_FILE_WORDS: tuple[tuple[str, Sensor], ...] = (("acc", "acc"), ("gyr", "gyro"), ("mag", "mag"))
_ALONE = 0.5
"""Below this share of common rows, two sensors take turns in a log rather than being sampled together."""


@dataclass(frozen=True, eq=False)
class _Samples:
    values: NDArray[np.float32]
    times: Times
    label: Coded | None


def read_wide(table: Table, request: Request) -> Draft:
    """Read a wide log.

    Columns are recognized by their names, in the spellings of common apps, with units in brackets or at the end
    (``Acc X (g)``, ``gyro_x [deg/s]``, ``ax``, ``left_wrist_acc_z``); `Request.columns` and `Request.units` win over
    the header. Time may be in s, ms, µs or ns, from zero or since 1970, or written out. A column ``activity`` or
    ``label`` becomes intervals. Sensors that take turns (a row each) are joined on the first one's clock.

    Raises:
        UnknownChannel, UnknownPlacement, WrongUnit: see `understand`.
        UnknownRate: no time column and no rate, or a time column that gives none.
        BadSamples: text among the numbers, or a sensor column without any value.
        UsageError: rows of several subjects.
    """
    where = str(table.blob)
    layout = understand(
        table, columns=request.columns, units=request.units, default_sensor=_sensor_of_file(table.blob.stem)
    )
    rate_hz = request.rate_hz or (table.rate_hz if layout.clock is None else None)
    if layout.clock is None and rate_hz is None:
        raise UnknownRate(
            f"'{where}' has no time column and no rate: pass rate_hz=50, or name the time column with"
            f" columns={{'{table.names[0]}': 'time'}}"
        )
    found = table.read(layout.sensors, layout.clock, list(layout.roles.values()))
    _check_values(table, layout, found)
    samples = _sampled(table, layout, found, rate_hz)
    notes = [*found.notes, *samples.times.notes]
    if layout.clock is None and request.rate_hz is None:
        notes.append(f"the rate of {rate_hz:g} Hz is the one stated above the header")
    intervals: tuple[Interval, ...] = ()
    if samples.label is not None:
        intervals = intervals_of(samples.label, samples.times.seconds, rate_hz)
    return Draft(
        format="wide",
        name=request.name or table.blob.path.name,
        samples=samples.values,
        channels=placed(layout.channels, request.placement or _constant(table, layout, found, "placement")),
        sources=tuple(table.names[column] for column in layout.sensors),
        units=layout.units,
        unit_sources=layout.unit_sources,
        times_s=samples.times.seconds,
        rate_hz=rate_hz,
        gravity=False if request.gravity is None and layout.linear else request.gravity,
        subject=request.subject or _constant(table, layout, found, "subject"),
        start=samples.times.start or _start_elsewhere(table, layout),
        intervals=intervals,
        ignored=layout.ignored,
        notes=tuple(notes),
    )


def _sensor_of_file(stem: str) -> Sensor | None:
    """The sensor that a file is named after, for files with bare x, y, z columns."""
    return next((sensor for word, sensor in _FILE_WORDS if word in stem.lower()), None)


def _check_values(table: Table, layout: Layout, found: Columns) -> None:
    empty = [column for k, column in enumerate(layout.sensors) if not np.isfinite(found.values[:, k]).any()]
    if empty:
        names = ", ".join(f"'{table.names[column]}'" for column in empty)
        raise BadSamples(
            f"'{table.blob}', column{'s' * (len(empty) > 1)} {names}: no value at all in {len(found.values)} rows;"
            f" leave it out with columns={{'{table.names[empty[0]]}': 'ignore'}}"
        )


def _sampled(table: Table, layout: Layout, found: Columns, rate_hz: float | None) -> _Samples:
    label = found.texts[layout.roles["label"]] if "label" in layout.roles else None
    if found.clock is None or layout.clock is None:
        return _Samples(found.values, Times(None, None), label)
    turns = _turns(layout.channels, found.values)
    times = to_seconds(
        found.clock,
        column=table.names[layout.clock],
        unit_s=layout.clock_unit_s,
        rate_hz=None if turns else rate_hz,
        where=str(table.blob),
        spread=not turns,
    )
    if not turns or times.seconds is None:
        return _Samples(found.values, times, label)
    streams = [Stream(times.seconds[rows], found.values[rows][:, columns]) for columns, rows in turns]
    order = np.argsort([column for columns, _ in turns for column in columns])
    rows = turns[0][1]
    note = "sensors take turns in this file: all were brought onto the clock of the first"
    return _Samples(
        join(streams[0], streams[1:])[:, order],
        Times(streams[0].times_s, times.start, (*times.notes, note)),
        None if label is None else Coded(label.codes[rows], label.words),
    )


def _turns(channels: tuple[Channel, ...], values: NDArray[np.float32]) -> list[tuple[list[int], NDArray[np.intp]]]:
    """The columns and rows of each sensor, when sensors are logged on rows of their own; acc first. Empty otherwise."""
    groups: dict[tuple[Sensor, str], list[int]] = {}
    for column, channel in enumerate(channels):
        groups.setdefault((channel.sensor, channel.placement), []).append(column)
    if len(groups) < 2:
        return []
    present = {key: np.isfinite(values[:, columns]).any(axis=1) for key, columns in groups.items()}
    together = np.logical_and.reduce(list(present.values())).sum()
    if together > _ALONE * min(int(rows.sum()) for rows in present.values()):
        return []
    ordered = sorted(groups, key=lambda key: key[0] != "acc")
    return [(groups[key], np.flatnonzero(present[key])) for key in ordered]


def _constant(table: Table, layout: Layout, found: Columns, role: Role) -> str | None:
    """The one word in a column that must not change within a recording."""
    if role not in layout.roles:
        return None
    coded = found.texts[layout.roles[role]]
    if len(coded.words) > 1:
        listed = ", ".join(coded.words[:5])
        raise UsageError(
            f"'{table.blob}' has rows of {len(coded.words)} {role}s ({listed}): a recording has one; split the file, or"
            " add a column 'session' and use kinelex.read_sessions"
        )
    return coded.words[0] if coded.words else None


def _start_elsewhere(table: Table, layout: Layout) -> datetime | None:
    """The date in a further time column, when the one in use counts from zero."""
    for column in layout.other_clocks:
        if table.kind(column) == "number":
            try:
                return epoch_start(float(table.first(column)), None)
            except ValueError:
                continue
    return None
