"""Tidy tables: many sessions below each other, one column per channel, described by a YAML card beside them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnknownChannel, UnknownName, UnknownPlacement, UsageError
from kinelex.readers.annotation import intervals_of
from kinelex.readers.draft import Draft, placed
from kinelex.readers.request import Request
from kinelex.readers.table import Clock, Coded, Columns, Table
from kinelex.readers.tidy_card import TidyCard
from kinelex.readers.timestamps import to_seconds
from kinelex.readers.unit_words import UNITLESS
from kinelex.signal.channel import SENSORS, UNKNOWN, Channel
from kinelex.signal.recording import Interval

ROLES = ("session", "subject", "activity", "placement")
"""Columns of words; only ``session`` must be there."""

_DUST = 0.05
"""Periods by which timestamps may miss an even grid and still be meant to lie on it."""


@dataclass(frozen=True, eq=False)
class Sessions:
    """A tidy table in memory, with the rows of each session.

    Args:
        table: the file.
        card: what stands beside it.
        names: the sessions, in order of their first row.
        rows: the rows of each.
        found: the columns.
        sensors: positions of the sensor columns.
        channels: what each measures; a placement that its name does not say is unknown.
        placement: where those were worn, as the caller or the card says.
        notes: what holds for every session.
    """

    table: Table
    card: TidyCard
    names: tuple[str, ...]
    rows: tuple[NDArray[np.intp], ...]
    found: Columns
    sensors: tuple[int, ...]
    channels: tuple[Channel, ...]
    placement: str
    notes: tuple[str, ...]

    def words(self, role: str) -> Coded | None:
        """The column of that name, if the table has it."""
        return self.found.texts[self.table.names.index(role)] if role in self.table.names else None


def is_tidy(table: Table) -> bool:
    """Whether the table has sessions."""
    return "session" in table.names and len(set(table.names)) == len(table.names)


def load_sessions(table: Table, request: Request) -> Sessions:
    """Read a tidy table.

    Raises:
        UnknownChannel: there is no ``session`` column, or no sensor column.
        UnreadableFile, BadSamples: see `Table.read`.
    """
    if request.columns:
        raise UsageError(f"'{table.blob}' is a tidy table, whose columns have fixed names: leave columns= out")
    session_column = _session_column(table)
    card = TidyCard.beside(table.blob.path)
    clock = table.names.index("t") if "t" in table.names else None
    words = [table.names.index(role) for role in ROLES if role in table.names]
    sensors: list[int] = []
    channels: list[Channel] = []
    notes: list[str] = []
    for column, name in enumerate(table.names):
        if column in words or column == clock:
            continue
        channel = _channel(name, card)
        unit = request.units.get(channel.sensor, card.units.get(channel.sensor, ""))
        if unit.lower() in UNITLESS:
            notes.append(f"{channel.sensor} was left out: '{unit}' values have no physical unit")
        else:
            sensors.append(column)
            channels.append(channel)
    if not sensors:
        raise UnknownChannel(f"'{table.blob}' has no sensor column: name them like acc_x or left_wrist_gyro_z")
    found = table.read(sensors, clock, words)
    session = found.texts[session_column]
    _check_sessions(table, session.words)
    order = np.argsort(session.codes, kind="stable")
    cuts = np.searchsorted(session.codes[order], np.arange(len(session.words) + 1))
    rows = tuple(order[first:last] for first, last in pairwise(cuts))
    return Sessions(
        table=table,
        card=card,
        names=session.words,
        rows=rows,
        found=found,
        sensors=tuple(sensors),
        channels=tuple(channels),
        placement=request.placement or card.placement_of(),
        notes=tuple(dict.fromkeys(notes)),
    )


def read_tidy(table: Table, request: Request) -> Draft:
    """One session of a tidy table: the one asked for, or the only one.

    Raises:
        UsageError: there are several and none was asked for.
        UnknownName: there is none of that name.
    """
    names = _session_names(table)
    if request.session is None and len(names) > 1:
        raise UsageError(
            f"'{table.blob}' has {len(names)} sessions: read one with session='{names[0]}', all with"
            f" kinelex.read_sessions, or store them with 'kinelex datasets import {table.blob}'"
        )
    wanted = names[0] if request.session is None else request.session
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3) or list(names[:3])
        raise UnknownName(
            f"'{table.blob}' has no session '{wanted}' among its {len(names)}: near ones are {', '.join(near)}"
        )
    sessions = load_sessions(table, request)
    return session_draft(sessions, sessions.names.index(wanted), request)


def read_tidy_sessions(table: Table, request: Request) -> Iterator[Draft]:
    """Every session of a tidy table, one after the other."""
    sessions = load_sessions(table, request)
    for index in range(len(sessions.names)):
        yield session_draft(sessions, index, request)


def session_draft(sessions: Sessions, index: int, request: Request) -> Draft:
    """One session. Channels without a single value in it were off, and are left out.

    Raises:
        BadSamples: the session has no value at all, or rows of two subjects or placements.
    """
    card, rows, name = sessions.card, sessions.rows[index], sessions.names[index]
    values = sessions.found.values[rows]
    on = np.flatnonzero(np.isfinite(values).any(axis=0))
    if not len(on):
        raise BadSamples(f"'{sessions.table.blob}', session '{name}': no column has a value: remove the session")
    columns = [sessions.sensors[place] for place in on]
    placement = _only(sessions, rows, "placement", name) or sessions.placement
    rate_hz = request.rate_hz or card.rate_hz
    seconds = None
    if sessions.found.clock is not None:
        clock = Clock(sessions.found.clock.values[rows], sessions.found.clock.kind)
        seconds = to_seconds(
            clock, column="t", unit_s=1.0, rate_hz=rate_hz, where=str(sessions.table.blob), spread=False
        ).seconds
        seconds = _on_grid(seconds, rate_hz)
    activity = sessions.words("activity")
    intervals: tuple[Interval, ...] = ()
    if activity is not None:
        intervals = intervals_of(Coded(activity.codes[rows], activity.words), seconds, rate_hz)
    named = [unit_of for unit_of in SENSORS if unit_of in request.units or unit_of in card.units]
    return Draft(
        format="tidy",
        name=request.name or name,
        samples=values[:, on],
        channels=placed([sessions.channels[place] for place in on], placement),
        sources=tuple(sessions.table.names[c] for c in columns),
        units={sensor: request.units.get(sensor) or card.units[sensor] for sensor in named},
        unit_sources={sensor: "caller" if sensor in request.units else "card" for sensor in named},
        times_s=seconds,
        rate_hz=rate_hz,
        gravity=card.gravity if request.gravity is None else request.gravity,
        subject=request.subject or _only(sessions, rows, "subject", name),
        intervals=intervals,
        ignored=tuple(sessions.table.names[sessions.sensors[k]] for k in range(values.shape[1]) if k not in on),
        notes=(*sessions.found.notes, *sessions.notes),
    )


def _session_column(table: Table) -> int:
    if "session" not in table.names:
        raise UnknownChannel(f"'{table.blob}' has no column 'session', which a tidy table needs: use format='wide'")
    return table.names.index("session")


def _session_names(table: Table) -> tuple[str, ...]:
    """The sessions, without loading their samples."""
    column = _session_column(table)
    names = table.read([], None, [column]).texts[column].words
    _check_sessions(table, names)
    return names


def _check_sessions(table: Table, names: tuple[str, ...]) -> None:
    if not names:
        raise BadSamples(f"'{table.blob}', column 'session': no row has one: give each session a name")


def _channel(name: str, card: TidyCard) -> Channel:
    """A tidy column's channel; what stands before the sensor is a placement, or a device that the card places."""
    try:
        return Channel.parse(name)
    except UnknownPlacement:
        match = re.fullmatch(r"(.+)_((?:acc|gyro|mag)_[xyz])", name)
        if match is None or (where := card.placement_of(match[1])) == UNKNOWN:
            raise
        return Channel.parse(match[2], where)


def _on_grid(seconds: NDArray[np.float64] | None, rate_hz: float | None) -> NDArray[np.float64] | None:
    """Times of an even session without the dust of their storage as float32 or with three decimals."""
    if seconds is None or rate_hz is None or not np.isfinite(seconds).all():
        return seconds
    steps = np.round(seconds * rate_hz)
    return steps / rate_hz if np.abs(seconds * rate_hz - steps).max() < _DUST else seconds


def _only(sessions: Sessions, rows: NDArray[np.intp], role: str, session: str) -> str | None:
    coded = sessions.words(role)
    if coded is None:
        return None
    used = [code for code in np.unique(coded.codes[rows]) if code >= 0]
    if len(used) > 1:
        listed = ", ".join(coded.words[code] for code in used[:5])
        raise BadSamples(
            f"'{sessions.table.blob}', session '{session}' has rows of {len(used)} {role}s ({listed}): give each"
            " its own session"
        )
    return coded.words[used[0]] if used else None
