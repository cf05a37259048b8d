"""MobiAct's annotated files: every kind of trial, falls with what comes before and after, and a scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

FALLS = {"FOL", "FKL", "BSC", "SDL"}
STILL = {"STD", "SIT", "LYI"}
RATE_HZ = 200
SCENARIO = ("STD", "WAL", "CSI", "SIT", "CSO", "STD")
START_NS = 1_953_527_340_000


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"sub2", "sub33"})
    for code in entry.activities:
        stretches = [("STD", STILL_S), (code, 1.5), ("LYI", STILL_S)] if code in FALLS else [(code, _seconds(code))]
        if code != "LYI":  # only ever after a fall
            _trial(folder, entry, written, code, code, 2, stretches)
    _trial(folder, entry, written, "scenarios/SLH", "SLH", 33, [(code, _seconds(code)) for code in SCENARIO])
    return written


def _seconds(code: str) -> float:
    return STILL_S if code in STILL else MOVING_S


def _trial(
    folder: Path,
    entry: CatalogEntry,
    written: Written,
    where: str,
    kind: str,
    person: int,
    stretches: list[tuple[str, float]],
) -> None:
    home = folder / "MobiAct_Dataset_v2.0" / "Annotated Data" / where
    home.mkdir(parents=True)
    lines, row = ["timestamp,rel_time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,azimuth,pitch,roll,label\n"], 0
    for code, seconds in stretches:
        at = made_up.times(seconds, RATE_HZ)
        values = np.hstack([made_up.acc(at, moving=code not in STILL), made_up.gyro(at, moving=code not in STILL)])
        for sample in values.tolist():
            numbers = ",".join(f"{value:.7g}" for value in sample)
            lines.append(f"{START_NS + row * 5_000_000},{row / RATE_HZ:g},{numbers},359.2,-80.1,3.4,{code}\n")
            row += 1
        written.add(entry.activities[code], seconds)
    (home / f"{kind}_{person}_1_annotated.csv").write_text("".join(lines))
