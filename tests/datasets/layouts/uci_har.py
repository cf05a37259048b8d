"""UCI-HAR: two people in the two parts, each activity once, cut into windows that overlap by half."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import G, Written

STILL = {"sitting", "standing", "laying"}
WINDOWS = 4


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"user01", "user02"})
    for part, person in (("train", 1), ("test", 2)):
        windows, codes = [], []
        for code, name in entry.activities.items():
            signal = made_up_signal((WINDOWS + 1) * 64, moving=name not in STILL, seed=10 * person + int(code))
            windows.append(cut(signal))
            codes += [int(code)] * WINDOWS
            written.add(name, len(signal) / 50)
        write_part(folder, part, np.concatenate(windows), codes, [person] * len(codes))
    return written


def made_up_signal(rows: int, *, moving: bool, seed: int) -> NDArray[np.float64]:
    """``(time, 6)``: total_acc in g, body_gyro in rad/s."""
    at = made_up.times(rows / 50, 50)
    return np.hstack([made_up.acc(at, moving=moving, seed=seed) / G, made_up.gyro(at, moving=moving, seed=seed)])


def cut(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(window, 128, 6)``, each window half a window after the one before."""
    return np.stack([signal[first : first + 128] for first in range(0, len(signal) - 127, 64)])


def write_part(folder: Path, part: str, windows: NDArray[np.float64], codes: list[int], people: list[int]) -> None:
    home = folder / "UCI HAR Dataset" / part
    signals = home / "Inertial Signals"
    signals.mkdir(parents=True)
    (home / f"y_{part}.txt").write_text("".join(f"{code}\n" for code in codes))
    (home / f"subject_{part}.txt").write_text("".join(f"{person}\n" for person in people))
    for number, column in enumerate(f"{sensor}_{axis}" for sensor in ("total_acc", "body_gyro") for axis in "xyz"):
        write_rows(signals / f"{column}_{part}.txt", windows[:, :, number])
    for number, axis in enumerate("xyz"):
        body = windows[:, :, number] - windows[:, :, number].mean()
        write_rows(signals / f"body_acc_{axis}_{part}.txt", body)


def write_rows(path: Path, rows: NDArray[np.float64]) -> None:
    np.savetxt(path, rows, fmt="%15.7e", delimiter="")
    # The official files have exponents of three digits, 16 characters per number.
    path.write_text(re.sub(r"e([+-])", r"e\g<1>0", path.read_text()))
