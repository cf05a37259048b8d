"""BasicMotions: 80 ten-second smartwatch recordings that come with the aeon package, for demonstrations."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from kinelex.errors import MissingDependency, UnreadableFile
from kinelex.readers.blob import reading
from kinelex.signal.recording import Interval, Recording

CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
RATE_HZ = 10.0
LABELS = ("Standing", "Running", "Walking", "Badminton")


def basic_motions() -> list[Recording]:
    """The 40 recordings of TRAIN and the 40 of TEST, each with one interval that covers it and names its activity.

    Four students wore a smartwatch while they stood, walked, ran and played badminton: accelerometer in m/s² without
    gravity, gyroscope in rad/s, 100 samples at 10 Hz. Who is who is not published.

    The files are parsed here, because importing aeon takes seconds (it compiles).

    Raises:
        MissingDependency: aeon is not installed.
        UnreadableFile: its files are not as expected.

    Source: A. Bagnall et al., The UEA multivariate time series classification archive, 2018.
    """
    folder = _folder()
    recordings = []
    for part in ("TRAIN", "TEST"):
        for index, (label, samples) in enumerate(_cases(folder / f"BasicMotions_{part}.ts")):
            recordings.append(
                Recording.from_arrays(
                    samples,
                    CHANNELS,
                    rate_hz=RATE_HZ,
                    gravity=False,
                    placement="wrist",
                    name=f"BasicMotions {part} {index:02d}",
                    intervals=[Interval(0.0, len(samples) / RATE_HZ, label)],
                )
            )
    return recordings


def _folder() -> Path:
    found = importlib.util.find_spec("aeon")
    if found is None or found.origin is None:
        raise MissingDependency("BasicMotions comes with aeon, which is not installed: pip install 'kinelex[demo]'")
    return Path(found.origin).parent / "datasets" / "data" / "BasicMotions"


def _cases(path: Path) -> list[tuple[str, np.ndarray]]:
    """Label and ``(time, channel)`` samples of each line after ``@data``: ``x,x,…:y,y,…:…:label``."""
    with reading(path):
        lines = path.read_text(encoding="utf-8").splitlines()
    cases = []
    body = False
    for number, line in enumerate(lines, start=1):
        if body and line.strip():
            *series, label = line.strip().split(":")
            try:
                samples = np.array([[float(value) for value in axis.split(",")] for axis in series]).T
            except ValueError:
                samples = np.empty((0, 0))
            if samples.ndim != 2 or samples.shape[1:] != (len(CHANNELS),) or label not in LABELS:
                raise UnreadableFile(f"'{path}', line {number} is no BasicMotions recording: install aeon again")
            cases.append((label, samples))
        body = body or line.strip().lower() == "@data"
    return cases
