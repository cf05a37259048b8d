"""Which column of a table is what: the header, what the caller says, and how conflicts between them end."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kinelex.errors import UnknownChannel, UnknownPlacement, WrongUnit
from kinelex.readers.column_name import Role, SensorColumn, TimeColumn, role_of, sensor_of, time_of
from kinelex.readers.table import Table
from kinelex.signal.channel import SENSORS, Channel, Sensor
from kinelex.signal.units import SI_UNITS

IGNORE = ("ignore", "skip", "none", "")
_ROLES: dict[str, Role] = {
    "time": "time", "t": "time", "label": "label", "activity": "label", "subject": "subject", "session": "session",
    "placement": "placement",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The columns of a table by what they hold; columns are positions.

    Args:
        sensors: the sensor columns, in the order of the file.
        channels: what each measures.
        units: unit per sensor, where the header or the caller says.
        unit_sources: ``"header"`` or ``"caller"``.
        clock: the time column.
        clock_unit_s: seconds per unit, when its name says so.
        other_clocks: further time columns, which may hold the date.
        roles: columns of words.
        linear: whether the accelerometer's gravity was removed, by its name.
        ignored: names of columns that are not used.
    """

    sensors: tuple[int, ...]
    channels: tuple[Channel, ...]
    units: Mapping[Sensor, str] = field(default_factory=dict)
    unit_sources: Mapping[Sensor, str] = field(default_factory=dict)
    clock: int | None = None
    clock_unit_s: float | None = None
    other_clocks: tuple[int, ...] = ()
    roles: Mapping[Role, int] = field(default_factory=dict)
    linear: bool = False
    ignored: tuple[str, ...] = ()


def understand(
    table: Table, *, columns: Mapping[str, str], units: Mapping[Sensor, str], default_sensor: Sensor | None = None
) -> Layout:
    """Find out what each column of a table holds.

    Args:
        table: the file.
        columns: what the caller says: column name to ``"time"``, ``"label"``, ``"subject"``, ``"ignore"`` or a channel
            such as ``"acc_x"``. It wins over the header.
        units: unit per sensor, as the caller says. It wins over the header.
        default_sensor: what bare ``x``, ``y``, ``z`` columns measure, when nothing else says.

    Raises:
        UnknownChannel: no sensor column, two for one channel, or `columns` names a column that is not there.
        UnknownPlacement: a column name with a sensor and a placement that is not known.
        WrongUnit: the header gives one sensor two units.
    """
    told = _told(table, columns)
    clocks: list[tuple[int, TimeColumn]] = []
    sensors: list[tuple[int, SensorColumn]] = []
    roles: dict[Role, int] = {}
    ignored: list[int] = []
    for place, name in enumerate(table.names):
        unit = table.units_row[place] if place < len(table.units_row) else ""
        meaning = told.get(place)
        if meaning is not None and meaning.lower() in IGNORE:
            continue
        role = _ROLES.get(meaning.lower()) if meaning is not None else role_of(name)
        if role == "time" or (meaning is None and time_of(name, unit) is not None):
            clocks.append((place, replace(time_of(name, unit) or TimeColumn(0, None), **_told_rank(meaning))))
        elif role is not None:
            roles.setdefault(role, place)
        elif meaning is not None:
            channel = Channel.parse(meaning)
            header = _guessed(table, place, unit, channel.sensor, strict=False)
            stated = header.unit if header is not None and header.sensor == channel.sensor else None
            sensors.append((place, SensorColumn(channel.sensor, channel.axis, channel.placement, stated)))
        else:
            # Somebody who lists the columns to use means these; a stranger among the others is no mistake.
            found = _guessed(table, place, unit, default_sensor, strict=not columns)
            if found is not None and found.sensor is not None:
                sensors.append((place, found))
            else:
                ignored.append(place)
    sensors, dropped = _without_doubles(table, sensors, told)
    if not sensors:
        raise _nothing_found(table)
    found_units, unit_sources = _units(table, sensors, units)
    clocks.sort(key=lambda clock: (clock[1].rank, clock[0]))
    return Layout(
        sensors=tuple(place for place, _ in sensors),
        channels=tuple(column.channel for _, column in sensors),
        units=found_units,
        unit_sources=unit_sources,
        clock=clocks[0][0] if clocks else None,
        clock_unit_s=clocks[0][1].unit_s if clocks else None,
        other_clocks=tuple(place for place, _ in clocks[1:]),
        roles=roles,
        linear=any(column.linear for _, column in sensors if column.sensor == "acc"),
        ignored=tuple(table.names[place] for place in sorted([*ignored, *dropped]) if table.names[place]),
    )


def _told(table: Table, columns: Mapping[str, str]) -> dict[int, str]:
    """The caller's mapping by position."""
    told = {}
    for name, meaning in columns.items():
        places = [place for place, have in enumerate(table.names) if have == name.strip()]
        if not places:
            near = difflib.get_close_matches(name, table.names, n=3) or [n for n in table.names if n][:12]
            raise UnknownChannel(f"'{table.blob}' has no column '{name}' as columns= says: it has {', '.join(near)}")
        if len(places) > 1:
            raise UnknownChannel(
                f"'{table.blob}' has {len(places)} columns named '{name}' ({_numbers(places)}): rename all but one"
            )
        told[places[0]] = meaning.strip()
    return told


def _told_rank(meaning: str | None) -> dict[str, int]:
    return {} if meaning is None else {"rank": -1}


def _guessed(
    table: Table, place: int, unit: str, default_sensor: Sensor | None, *, strict: bool
) -> SensorColumn | None:
    """What a column's own name says that it measures."""
    if table.kind(place) not in ("number", "text"):
        return None
    try:
        found = sensor_of(table.names[place], unit)
    except UnknownPlacement:
        if strict:
            raise
        return None
    return replace(found, sensor=default_sensor) if found is not None and found.sensor is None else found


def _without_doubles(
    table: Table, sensors: Sequence[tuple[int, SensorColumn]], told: Mapping[int, str]
) -> tuple[list[tuple[int, SensorColumn]], list[int]]:
    """One column per channel: what the caller says wins, and total acceleration wins over linear acceleration."""
    best: dict[Channel, list[tuple[int, int, SensorColumn]]] = {}
    for place, column in sensors:
        rank = 0 if place in told else 2 if column.linear else 1
        best.setdefault(column.channel, []).append((rank, place, column))
    dropped = []
    for channel, rivals in best.items():
        rivals.sort(key=lambda rival: rival[:2])
        winners = [rival for rival in rivals if rival[0] == rivals[0][0]]
        if len(winners) > 1:
            places = [place for _, place, _ in winners]
            names = ", ".join(f"'{table.names[place]}'" for place in places)
            raise UnknownChannel(
                f"'{table.blob}' has {len(winners)} columns for {channel.name} ({names}: {_numbers(places)}):"
                f" choose one with columns={{'{table.names[places[-1]]}': 'ignore'}}, or rename one"
            )
        dropped += [place for _, place, _ in rivals[1:]]
    return [(place, column) for place, column in sensors if place not in dropped], dropped


def _units(
    table: Table, sensors: Sequence[tuple[int, SensorColumn]], units: Mapping[Sensor, str]
) -> tuple[dict[Sensor, str], dict[Sensor, str]]:
    found: dict[Sensor, str] = {}
    sources: dict[Sensor, str] = {}
    for sensor in SENSORS:
        stated = {column.unit: place for place, column in sensors if column.sensor == sensor and column.unit}
        if sensor in units:
            found[sensor], sources[sensor] = units[sensor], "caller"
        elif len(stated) > 1:
            (one, a), (other, b) = list(stated.items())[:2]
            raise WrongUnit(
                f"'{table.blob}' has '{table.names[a]}' in {one} and '{table.names[b]}' in {other}: Kinelex reads one"
                f" unit per sensor; leave one out with columns=, or pass units={{'{sensor}': '{SI_UNITS[sensor]}'}}"
            )
        elif stated:
            found[sensor], sources[sensor] = next(unit for unit in stated if unit), "header"
    return found, sources


def _nothing_found(table: Table) -> UnknownChannel:
    names = [name for name in table.names if name]
    example = next((name for name in names if name.lower() in ("x", "acc")), names[-1] if names else "column 1")
    listed = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
    return UnknownChannel(
        f"'{table.blob}' has no column that is a sensor axis (it has {listed}): name them like acc_x, gyro_z or"
        f" left_wrist_acc_y, or say which is which with columns={{'{example}': 'acc_x', ...}}"
    )


def _numbers(places: Sequence[int]) -> str:
    return "columns " + " and ".join(str(place + 1) for place in places)
