"""MobiFall's falls, the bad start of its gyroscope, and real trials against a converted table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import Trial, trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import mobifall
from tests.datasets.parsers.tables import at_times, columns, low_passed, sessions

ENTRY = catalog_entry("mobifall")


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Trial]:
    """The made-up trials, by code."""
    mobifall.write(tmp_path, ENTRY)
    return {trial.name.split("_")[0]: trial for trial in trials(ENTRY, tmp_path)}


def test_each_fall_is_of_its_own_kind(written: dict[str, Trial]) -> None:
    """FKL is a fall forward, onto the knees."""
    falls = {code: written[code].read()[0].intervals[0].label for code in sorted(mobifall.FALLS)}
    assert falls == {
        "BSC": "back_sitting_chair",
        "FKL": "front_knees_lying",
        "FOL": "forward_lying",
        "SDL": "sideward_lying",
    }


def test_activities_are_what_the_real_headers_say(recordings_dir: Path) -> None:
    for trial in trials(ENTRY, recordings_dir / "raw" / "mobifall"):
        said = re.search(r"#Activity: \d+ - [A-Z]+ - (?:Fall )?(.+) - \d+s", trial.files[0].read_text())
        assert said and re.sub(r"[ -]", "_", said[1].lower()) == trial.read()[0].intervals[0].label


def test_the_gyroscope_is_missing_until_it_has_settled(written: dict[str, Trial]) -> None:
    """Its first samples are wild, then it stands still off zero."""
    acc, gyro = written["WAL"].files
    head, numbers = gyro.read_text().split("@DATA\n")
    lines = [line.split(", ") for line in numbers.splitlines()]
    for line in lines[:36]:  # 0.18 s
        line[1:] = ["10.0", "-9.0", "0.0"]
    gyro.write_text(f"{head}@DATA\n" + "".join(", ".join(line) + "\n" for line in lines))
    (recording,) = written["WAL"].read()
    turning = recording.select("gyro").samples
    starts_s = (int(lines[0][0]) - int(acc.read_text().split("@DATA\n")[1].split(",")[0])) / 1e9
    settled = round((starts_s + 0.2) * recording.rate_hz)
    assert np.isnan(turning[: settled - 1]).all()
    assert not np.isnan(turning[settled + 2 : -20]).any()
    assert np.nanmax(np.abs(turning)) < 2
    assert not np.isnan(recording.select("acc").samples).any()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("@DATA", "", UnreadableFile),
        (", ", " ", UnreadableFile),
        ("@DATA\n", "@DATA\nwild, 0, 0, 0\n", BadSamples),
        ("@DATA\n", "@DATA\n1871372113000, 0.1, 0.2\n", UnreadableFile),
    ],
)
def test_a_damaged_file_is_refused(written: dict[str, Trial], old: str, new: str, error: type[Exception]) -> None:
    gyro = written["FKL"].files[1]
    gyro.write_text(gyro.read_text().replace(old, new))
    with pytest.raises(error, match=r"FKL_gyro_2_1\.txt"):
        written["FKL"].read()


def test_a_trial_without_its_gyroscope_is_refused(written: dict[str, Trial]) -> None:
    written["FKL"].files[1].unlink()
    with pytest.raises(UnreadableFile, match=r"FKL_gyro_2_1\.txt"):
        written["FKL"].read()


def misses(recording: Recording, start_s: float, rows: pd.DataFrame) -> NDArray[np.float64]:
    """How far a recording from `start_s` on is from a table's rows, made in the same way."""
    steps_s = np.arange(start_s, recording.duration_s, 0.01)
    even = at_times(steps_s, recording.times_s, np.nan_to_num(recording.samples))
    samples = low_passed(even, 2)[::2][: len(rows)]
    return np.abs(samples - np.hstack([columns(rows, "acc"), columns(rows, "gyro")])[: len(samples)])


def test_real_trials_agree_with_the_converted_table(recordings_dir: Path) -> None:
    """All 15 real trials: the table has them at 50 Hz, from the last pause of the accelerometer's first second on.

    It was interpolated at 100 Hz and low-pass filtered. So is the recording here, but it was interpolated before, from
    uneven stamps to about 90 Hz, and so differs by more than the rounding where the signal is fast: in jumps, the
    gyroscope by 7 % of its deviation.
    """
    found = list(trials(ENTRY, recordings_dir / "raw" / "mobifall"))
    table = sessions(recordings_dir, "mobifall", [trial.name for trial in found])
    assert len(found) == len(table) == 15
    for trial in found:
        (recording,) = trial.read()
        rows = table[trial.name]
        assert (set(rows.subject), set(rows.activity)) == ({trial.subject}, {recording.intervals[0].label})
        start_s = 0.8
        for step_s in (0.02, 0.001):
            tried = [start for start in start_s + step_s * np.arange(-40, 41) if start >= 0]
            start_s = min(tried, key=lambda start: misses(recording, start, rows)[:, :3].mean())
        miss = misses(recording, start_s, rows)[20:]  # until the gyroscope has settled
        assert len(miss) > 200
        assert miss[:, :3].mean() < 0.02 + 0.02 * columns(rows, "acc").std(), trial.name
        assert miss[:, 3:].mean() < 0.005 + 0.07 * columns(rows, "gyro").std(), trial.name
