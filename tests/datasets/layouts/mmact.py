"""MMAct's trimmed sensor data: file names as careless as the official ones, with and without a line of names."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

STILL = {"sitting", "standing", "using_pc"}
START = datetime(2018, 10, 16, 13, 34, 6)
LATE_S = 0.2
"""How much later than the accelerometers the gyroscope starts."""


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"subject1", "subject20"}, missing=round(LATE_S * 100))
    for number, (code, name) in enumerate(entry.activities.items()):
        seconds = STILL_S if name in STILL else MOVING_S
        phone, gyro = made_up.times(seconds, 100), made_up.times(seconds, 50) + LATE_S
        person = "subject20" if number % 3 else "subject1"
        home = Path(person, f"scene{number % 4 + 1}", f"session{number % 5 + 1}")
        moving = name not in STILL
        spelled = code.capitalize() if number % 2 else f"{code} "
        write_table(folder / "acc_phone_clip" / home / f"{code}.csv", phone, made_up.acc(phone, moving=moving))
        names = number % 5 == 0
        write_table(folder / "gyro_clip" / home / f"{spelled}.csv", gyro, made_up.gyro(gyro, moving=moving))
        watch = folder / "acc_watch_clip" / home / f"{spelled}.csv"
        write_table(watch, phone, made_up.acc(phone, moving=moving, seed=5), names=names)
        if number % 7 == 0:
            watch.write_text("")
        angles = folder / "orientation_clip" / home / f"{code}.csv"
        write_table(angles, gyro, np.tile([120.0, -80.0, 3.0], (len(gyro), 1)))
        written.add(name, float(phone[-1]))
    # An action of which no sensor has anything is none.
    for tree in ("acc_phone_clip", "gyro_clip", "acc_watch_clip"):
        (folder / tree / "subject1" / "scene1" / "session1" / "fall.csv").write_text("")
    return written


def write_table(path: Path, at: NDArray[np.float64], values: NDArray[np.float64], *, names: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["timestamp,x,y,z\n"] if names else []
    for second, (x, y, z) in zip(at.tolist(), values.tolist(), strict=True):
        lines.append(f"{moment(second)},{x:.6f},{y:.6f},{z:.6f}\n")
    path.write_text("".join(lines))


def moment(second: float) -> str:
    """A time as the files have it: whole seconds without a fraction."""
    time = START + timedelta(milliseconds=round(second * 1e3))
    text = time.strftime("%Y%m%d_%H:%M:%S")
    return f"{text}.{time.microsecond // 1000:03}" if time.microsecond else text
