"""RecGym's one table: two people, two sessions, three places one after the other, with 'Null' between exercises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

PLACES = ("wrist", "pocket", "leg")
SESSIONS = (1, 2)


def write(folder: Path, entry: CatalogEntry, *, normalised: bool = True) -> Written:
    """As published, every axis between 0 and 1; else in g and deg/s, as nobody published it."""
    written = Written(folder, {"1", "10"})
    parts = []
    for place in PLACES:
        for session in SESSIONS:
            for person in sorted(written.subjects):
                parts.append(_session(entry, int(person), place, session))
    for name in entry.activities.values():
        written.add(name, MOVING_S * len(SESSIONS) * len(written.subjects))
    table = pd.concat(parts)
    if normalised:
        axes = [name for name in table.columns if name[:2] in ("A_", "G_", "C_")]
        table[axes] = (table[axes] - table[axes].min()) / (table[axes].max() - table[axes].min())
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "RecGym.csv", index=False)
    return written


def _session(entry: CatalogEntry, person: int, place: str, session: int) -> pd.DataFrame:
    seed = 100 * person + 10 * session + PLACES.index(place)
    rows = []
    for code in (code for exercise in entry.activities for code in (exercise, "Null")):
        at = made_up.times(STILL_S if code == "Null" else MOVING_S, 20)
        acc = made_up.acc(at, moving=code != "Null", seed=seed) / G
        gyro = np.degrees(made_up.gyro(at, moving=code != "Null", seed=seed))
        part = pd.DataFrame(np.hstack([acc, gyro]), columns=["A_x", "A_y", "A_z", "G_x", "G_y", "G_z"])
        rows.append(part.assign(C_1=0.5, Workout=code))
    table = pd.concat(rows)
    for at, (name, value) in enumerate({"Subject": person, "Position": place, "Session": session}.items()):
        table.insert(at, name, value)
    return table
