"""WISDM 2019: four clocks per person, blocks that are no sequence, and devices of which one sensor is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import wisdm
from tests.datasets.layouts.made_up import MOVING_S

ENTRY = catalog_entry("wisdm")
CODES = {name: code for code, name in ENTRY.activities.items()}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("wisdm")
    wisdm.write(folder, ENTRY)
    return {recording.name: recording for trial in trials(ENTRY, folder) for recording in trial.read()}


def test_phone_and_watch_stay_apart_because_their_clocks_have_nothing_in_common(recordings) -> None:
    assert recordings["wisdm/1600/phone_A"].placements == ("pocket",)
    assert recordings["wisdm/1600/watch_A"].placements == ("wrist",)


def test_blocks_stay_apart_although_the_last_letter_was_done_first(recordings) -> None:
    assert all(len({interval.label for interval in recording.intervals}) == 1 for recording in recordings.values())
    assert max(recording.duration_s for recording in recordings.values()) < 5


def test_acc_and_gyro_of_a_device_are_joined_by_time_and_not_by_row(recordings) -> None:
    samples = recordings["wisdm/1600/phone_A"].samples
    at = np.arange(len(samples)) * wisdm.STEP_S
    late = at - 0.013
    expected = np.cos(2 * np.pi * 1.8 * late) * 1.5
    error = samples[2:-2, 3] - expected[2:-2]
    by_row = np.cos(2 * np.pi * 1.8 * at)[2:-2] * 1.5 - expected[2:-2]
    # Between two samples a straight line is up to 4 % off the swing; a row's shift is worse.
    assert np.sqrt(np.mean(error**2)) < 0.06 < np.sqrt(np.mean(by_row**2))


def test_what_a_file_holds_twice_comes_out_once(recordings) -> None:
    assert f"wisdm/1600/phone_{CODES[wisdm.TWICE]}_2" not in recordings
    assert recordings[f"wisdm/1600/phone_{CODES[wisdm.TWICE]}"].quality.duplicates == 0


def test_an_activity_that_goes_on_much_later_is_a_recording_of_its_own(recordings) -> None:
    later = recordings[f"wisdm/1600/watch_{CODES[wisdm.ASUNDER]}_2"]
    assert later.duration_s == pytest.approx(30 * wisdm.STEP_S, abs=0.1)


def test_seconds_at_five_times_the_rate_are_left_out(recordings) -> None:
    folding = recordings[f"wisdm/1600/phone_{CODES[wisdm.FAST_FIRST]}"]
    assert folding.rate_hz == pytest.approx(1 / wisdm.STEP_S, rel=0.01)
    assert folding.duration_s == pytest.approx(MOVING_S, abs=0.2)


@pytest.mark.parametrize(("sensor", "kinds"), [("gyro", {"gyro"}), ("accel", {"acc"})])
def test_a_device_may_have_one_of_its_sensors_only(tmp_path: Path, sensor: str, kinds: set[str]) -> None:
    wisdm.write_device(tmp_path / "raw", ENTRY, "1600", "watch", 500.0, (sensor,))
    (trial,) = trials(ENTRY, tmp_path)
    read = trial.read()
    assert {channel.sensor for recording in read for channel in recording.channels} == kinds
    assert {interval.label for recording in read for interval in recording.intervals} == set(ENTRY.activities.values())


@pytest.mark.parametrize(
    ("content", "error"),
    [("", UnreadableFile), ("1600,A,12\n", UnreadableFile), ("1600,A,12,much,1.0,2.0;\n", BadSamples)],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, error: type[Exception]) -> None:
    path = tmp_path / "raw" / "watch" / "gyro" / "data_1600_gyro_watch.txt"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    (trial,) = trials(ENTRY, tmp_path)
    with pytest.raises(error, match="data_1600_gyro_watch"):
        trial.read()


def test_real_trials_agree_with_the_converted_table(recordings_dir: Path) -> None:
    """The watch's gyroscope of person 1600: all six activities that the table has of it, its first two minutes each.

    The table lists the rows as they come; the recording is on an even clock. So the table's rows are put at the file's
    times, and read at the recording's.
    """
    table = pd.read_parquet(recordings_dir / "sessions" / "wisdm.parquet", filters=[("subject", "==", "1600")])
    table = table[table["watch_gyro_x"].notna()]
    path = recordings_dir / "raw" / "wisdm" / "raw" / "watch" / "gyro" / "data_1600_gyro_watch.txt"
    file = pd.read_csv(path, header=None, names=["subject", "code", "time", "x", "y", "z"])
    (trial,) = trials(ENTRY, recordings_dir / "raw" / "wisdm")
    by_label = {recording.intervals[0].label: recording for recording in trial.read()}
    assert trial.subject == "1600"
    assert set(by_label) == set(ENTRY.activities.values())
    assert table["activity"].nunique() == 6
    for activity, rows in table.groupby("activity", observed=True):
        recording = by_label[activity]
        (span,) = recording.intervals
        assert span.end_s == pytest.approx(recording.duration_s, abs=0.1)
        at = file.loc[file["code"] == CODES[activity], "time"].to_numpy()[: len(rows)]
        at = (at - at[0]) / 1e9
        samples = recording.samples[recording.times_s <= at[-1]]
        for axis, mine in zip("xyz", samples.T, strict=True):
            wanted = np.interp(recording.times_s[: len(mine)], at, rows[f"watch_gyro_{axis}"])
            assert np.abs(mine - wanted).max() < 0.005, activity
