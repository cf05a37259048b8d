"""WISDM 2019: phone and watch, two sensors each; blocks in the order of letters, not of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

STILL = {"sitting", "standing"}
STEP_S = 0.0499
PHONE_START_S = 1_530_000_000.0
WATCH_START_S = 79_000.0
STEPS_BACK, TWICE, ASUNDER, FAST_FIRST = "jogging", "writing", "clapping", "folding"
"""What is out of order, what the file holds a second time, what was broken off and gone on with much later, and what
begins with two seconds at five times the rate."""


def write(folder: Path, entry: CatalogEntry) -> Written:
    raw = folder / "wisdm-dataset" / "raw"
    written = Written(folder, {"1600", "1601"})
    for person in written.subjects:
        write_device(raw, entry, person, "phone", PHONE_START_S)
        write_device(raw, entry, person, "watch", WATCH_START_S)
        for name in entry.activities.values():
            written.add(name, seconds_of(name))
    (raw / "activity_key.txt").write_text("".join(f"{name} = {code}\n" for code, name in entry.activities.items()))
    return written


def seconds_of(name: str) -> float:
    return STILL_S if name in STILL else MOVING_S


def write_device(
    raw: Path, entry: CatalogEntry, person: str, kind: str, start_s: float, sensors: tuple[str, ...] = ("accel", "gyro")
) -> None:
    """The files of one device; the gyroscope starts a little later, on the same clock."""
    lines: dict[str, list[str]] = {sensor: [] for sensor in sensors}
    for number, (code, name) in enumerate(entry.activities.items()):
        at = np.arange(round(seconds_of(name) / STEP_S)) * STEP_S
        if name == FAST_FIRST:
            at = np.concatenate([np.arange(200) * 0.01 - 2.0, at])
        # Letters in order, but what comes first was done last.
        begin_s = start_s + 400.0 * (len(entry.activities) - number)
        for sensor in sensors:
            late_s = 0.013 if sensor == "gyro" else 0.0
            value = made_up.acc if sensor == "accel" else made_up.gyro
            values = value(at, moving=name not in STILL, seed=number + (kind == "watch"))
            rows = _rows(person, code, np.round((begin_s + late_s + at) * 1e9).astype(np.int64), values)
            if name == STEPS_BACK:
                rows[10], rows[11] = rows[11], rows[10]
            lines[sensor] += rows * 2 if name == TWICE else rows
            if name == ASUNDER:
                lines[sensor] += _rows(person, code, np.round((begin_s + 150 + at[:30]) * 1e9).astype(np.int64), values)
    for sensor in sensors:
        home = raw / kind / sensor
        home.mkdir(parents=True, exist_ok=True)
        (home / f"data_{person}_{sensor}_{kind}.txt").write_text("".join(lines[sensor]))


def _rows(person: str, code: str, at_ns: NDArray[np.int64], values: NDArray[np.float64]) -> list[str]:
    return [
        f"{person},{code},{ns},{x:.7f},{y:.7f},{z:.7f};\n"
        for ns, (x, y, z) in zip(at_ns.tolist(), values.tolist(), strict=False)
    ]
