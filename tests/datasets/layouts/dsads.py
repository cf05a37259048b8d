"""DSADS: two segments of every activity of two people, cut from one recording; one of them ends in padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import Written

RATE_HZ, ROWS = 25, 125
STILL = {"sitting", "standing", "lying_on_back", "lying_on_right_side", "standing_in_elevator_still"}
PADDED = 25


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"p1", "p2"}, missing=PADDED)
    for person, subject in enumerate(("p1", "p2")):
        for code, name in entry.activities.items():
            values = five_units(10.0, moving=name not in STILL, seed=person)
            if (code, subject) == ("a05", "p1"):
                values[-PADDED:] = 0
            write_segment(folder, code, subject, 1, values[:ROWS])
            write_segment(folder, code, subject, 2, values[ROWS:])
            written.add(name, 10.0)
    return written


def write_segment(folder: Path, code: str, subject: str, number: int, values: NDArray[np.float64]) -> None:
    home = folder / "data" / code / subject
    home.mkdir(parents=True, exist_ok=True)
    np.savetxt(home / f"s{number:02}.txt", values, fmt="%.5g", delimiter=",")


def five_units(seconds: float, *, moving: bool, seed: int = 0) -> NDArray[np.float64]:
    """``(time, 45)``: torso, right arm, left arm, right leg, left leg, each acc, gyro and mag."""
    at = made_up.times(seconds, RATE_HZ)
    return np.concatenate(
        [
            part
            for unit in range(5)
            for part in (
                np.roll(made_up.acc(at, moving=moving, seed=10 * seed + unit), unit, axis=1),
                made_up.gyro(at, moving=moving, seed=10 * seed + unit),
                made_up.mag(at) / 50,
            )
        ],
        axis=1,
    )
