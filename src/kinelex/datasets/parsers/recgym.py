"""RecGym: one table of all people, sessions and places, without times and without units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.ranges import Range, Table
from kinelex.datasets.parsers.text import Columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal.recording import Recording

_COLUMNS = ("Subject", "Position", "Session", "A_x", "A_y", "A_z", "G_x", "G_y", "G_z", "C_1", "Workout")
_SUBJECT = ("Subject", "Object")
_POSITIONS = {"wrist": 0, "pocket": 1, "leg": 2, "calf": 2}
"""Which of the catalog's devices is worn there; copies of the set call the third place either way."""
_MISSPELLED = {"StairClimber": "StairsClimber"}


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per session of a person, at all places."""
    for path in sorted(folder.glob("**/RecGym.csv")):
        table = Table.open(path, _COLUMNS)
        subjects = [name for name in _SUBJECT if name in table.names]
        if not subjects:
            raise UnreadableFile(f"'{path}' has none of the columns {' or '.join(_SUBJECT)}")
        for (subject, session), ranges in sorted(table.ranges_by(subjects[0], "Session").items()):
            read = partial(_read, entry, table, ranges, {subjects[0]: subject, "Session": session})
            yield Trial(f"{subject}_{session}", subject, read, (path,))


def _read(entry: CatalogEntry, table: Table, ranges: list[Range], key: dict[str, str]) -> Sequence[Recording]:
    wanted = [*key, *_COLUMNS[1:2], *_COLUMNS[3:9], "Workout"]
    kinds = dict.fromkeys((*key, "Position", "Workout"), str)
    parts: defaultdict[str, list[Columns]] = defaultdict(list)
    for columns in table.rows(ranges, wanted, kinds):
        mine = np.logical_and.reduce([columns[name] == value for name, value in key.items()])
        for position in dict.fromkeys(columns["Position"][mine].tolist()):
            rows = np.flatnonzero(mine & (columns["Position"] == position))
            parts[position].append({name: values[rows] for name, values in columns.items()})
    subject, session = key.values()
    recordings = []
    for position, found in sorted(parts.items()):
        if position not in _POSITIONS:
            raise BadSamples(f"'{table.path}' has a position '{position}', which is none of {', '.join(_POSITIONS)}")
        device = entry.devices[_POSITIONS[position]]
        codes = [_MISSPELLED.get(code, code) for part in found for code in part["Workout"].tolist()]
        acc = np.concatenate([stacked(part, ["A_x", "A_y", "A_z"]) for part in found])
        gyro = np.concatenate([stacked(part, ["G_x", "G_y", "G_z"]) for part in found])
        recordings.append(
            measured(
                [Block(device, "acc", acc), Block(device, "gyro", gyro)],
                name=f"{entry.name}/{subject}_{session}/{position}",
                subject=subject,
                intervals=labelled(entry, np.array(codes, dtype=np.str_)),
            )
        )
    return recordings
