"""RealWorld, unpacked: seven devices of two people, each sensor with a start of its own; and one with odd parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

STILL = {"lying", "sitting", "standing"}
FILES = {"acc": "acc", "gyr": "Gyroscope", "mag": "MagneticField"}
START_MS = 1_436_000_000_000
LATE_S = 0.4
"""How much later than the accelerometer the gyroscope starts."""


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"proband1", "proband4", "proband15"}, missing=round(LATE_S * 50))
    for code, name in entry.activities.items():
        _part(folder, entry, "proband1", code, code)
        written.add(name, _part(folder, entry, "proband15", code, code))
        written.add(name, _seconds(name))
    # Walking has a second part without a first one; climbing has two, in archives of their own within the archive.
    written.add("walking", _part(folder, entry, "proband4", "walking", "walking_2"))
    for part, file in (("climbingup", "climbingup"), ("climbingup_2", "climbingup_2")):
        written.add("climbing_up", _part(folder, entry, "proband4", "climbingup", file, part))
    return written


def _seconds(name: str) -> float:
    return (STILL_S if name in STILL else MOVING_S) - 1 / 50


def _part(folder: Path, entry: CatalogEntry, person: str, code: str, file: str, part: str = "") -> float:
    name = entry.activities[code]
    at = made_up.times(_seconds(name) + 1 / 50, 50)
    for sensor, begin in FILES.items():
        home = folder / "realworld2016_dataset" / person / "data" / f"{sensor}_{code}_csv"
        if part:
            # The first part has a number in the name of its archive for acc only.
            home /= f"acc_{code}_1_csv" if sensor == "acc" and part == code else f"{sensor}_{part}_csv"
        home.mkdir(parents=True)
        late = {"acc": 0.0, "gyr": LATE_S, "mag": 0.13}[sensor]
        for device in entry.devices:
            values = _values(sensor, at + late, moving=name not in STILL)
            write_table(home / f"{begin}_{file}_{device.placement.replace(' ', '')}.csv", at + late, values)
    return float(at[-1])


def _values(sensor: str, at: NDArray[np.float64], *, moving: bool) -> NDArray[np.float64]:
    if sensor == "mag":
        return made_up.mag(at)
    return made_up.acc(at, moving=moving) if sensor == "acc" else made_up.gyro(at, moving=moving)


def write_table(path: Path, at: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    rows = zip((at * 1e3).round().astype(np.int64) + START_MS, values.tolist(), strict=True)
    body = "".join(f"{i},{ms},{x:.7f},{y:.7f},{z:.7f}\n" for i, (ms, (x, y, z)) in enumerate(rows, 1))
    path.write_text("id,attr_time,attr_x,attr_y,attr_z\n" + body)
