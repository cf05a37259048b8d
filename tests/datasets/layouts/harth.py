"""HARTH: four people at 50 Hz; one file with a column 'index', one with a nameless column, one with nanoseconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"standing", "sitting", "lying", "cycling_sit_inactive", "cycling_stand_inactive"}
COLUMNS = "back_x,back_y,back_z,thigh_x,thigh_y,thigh_z,label"
START = datetime(2019, 1, 12)
GAP_S = 1.0
"""A pause in the middle of one person's recording."""


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"S008", "S015", "S023", "S029"})
    (folder / "harth").mkdir(parents=True)
    for person in sorted(written.subjects):
        write_person(folder / "harth" / f"{person}.csv", entry, person, written)
    return written


def write_person(path: Path, entry: CatalogEntry, person: str, written: Written, rate_hz: int = 50) -> None:
    first = {"S015": "index,timestamp", "S023": ",timestamp"}.get(person, "timestamp")
    lines, row, begin_s = [f"{first},{COLUMNS}\n"], 0, 0.0
    for code, name in entry.activities.items():
        at = made_up.times(STILL_S if name in STILL else MOVING_S, rate_hz)
        placements = [made_up.acc(at, moving=name not in STILL, seed=seed) / G for seed in (0, 7)]
        begin_s += GAP_S * (person == "S029" and name == "running")
        for second, sample in zip((at + begin_s).tolist(), np.hstack(placements).tolist(), strict=True):
            time = (START + timedelta(milliseconds=round(second * 1e3))).isoformat(" ", "milliseconds")
            number = f"{row}," if person in ("S015", "S023") else ""
            digits = "000000" if person == "S029" else ""
            lines.append(f"{number}{time}{digits}," + ",".join(f"{value:.6f}" for value in sample) + f",{code}\n")
            row += 1
        begin_s += len(at) / rate_hz
        written.add(name, len(at) / rate_hz)
    path.write_text("".join(lines))
