"""Shoaib 2014: one table per person with two lines of names, five blocks of columns, and labels as they are spelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"sitting", "standing"}
PLACES = ("Left_pocket", "Right_pocket", "Wrist", "Upper_arm", "Belt")
SENSORS = ("time_stamp", *(f"{sensor}{axis}" for sensor in "ALGM" for axis in "xyz"))
SPELLED = {"Participant_8": {"upstairs": "upsatirs", "walking": " walking "}}


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "DataSet"
    home.mkdir(parents=True)
    written = Written(folder, {"Participant_1", "Participant_8"})
    for person in sorted(written.subjects):
        lines = [",".join(place + "," * 13 for place in PLACES).removesuffix(","), ",".join([*SENSORS, ""] * 5)]
        begin_ms = 1_390_000_000_000
        for name in entry.activities.values():
            at = made_up.times(STILL_S if name in STILL else MOVING_S, 50)
            blocks = [block(at, moving=name not in STILL, place=place) for place in range(5)]
            stamps = begin_ms + np.round(at * 1000).astype(np.int64)
            label = SPELLED.get(person, {}).get(name, name)
            for row, stamp in enumerate(stamps.tolist()):
                cells = [f"{stamp}," + ",".join(f"{value:.6f}" for value in values[row]) for values in blocks]
                lines.append(",,".join(cells) + f",{label}")
            written.add(name, len(at) / 50)
            begin_ms += 3_600_000
        (home / f"{person}.csv").write_text("\r\n".join(lines) + "\r\n")
    (home / "Readme.txt").write_text("What the paper calls running is jogging.\n")
    return written


def block(at: np.ndarray, *, moving: bool, place: int) -> np.ndarray:
    """Acceleration with and without gravity, turning, and a magnetic field that is 10 µT stronger place by place."""
    acc = made_up.acc(at, moving=moving, seed=place)
    linear = acc - G * np.array([0.28, 0.95, -0.15])
    return np.hstack([acc, linear, made_up.gyro(at, moving=moving, seed=place), made_up.mag(at) + 10.0 * place])
