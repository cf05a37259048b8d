"""HHAR: devices interleaved in one table, each at a rate of its own and on a clock of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import ranges, trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import hhar, made_up

ENTRY = catalog_entry("hhar")


def read(folder: Path) -> dict[str, Recording]:
    return {recording.name: recording for trial in trials(ENTRY, folder) for recording in trial.read()}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("hhar")
    hhar.write(folder, ENTRY)
    return read(folder)


def test_every_device_of_a_person_is_a_recording_at_its_own_rate(recordings) -> None:
    assert set(recordings) == {f"hhar/{user}/{device}/1" for user in "ab" for device in hhar.CLOCKS_S}
    for name, recording in recordings.items():
        device = ENTRY.devices[hhar.MODELS.index(name.split("/")[2][:-2])]
        assert recording.rate_hz == pytest.approx(device.rate_hz, rel=0.01)
        assert recording.quality.duplicates == 0


def test_samples_of_a_device_are_its_own_and_in_order(recordings) -> None:
    recording = recordings["hhar/b/s3mini_2/1"]
    seed = list(hhar.CLOCKS_S).index("s3mini_2")
    at = made_up.times(hhar.seconds_of("stand"), 100)
    np.testing.assert_allclose(recording.samples[: len(at), :3], made_up.acc(at, moving=False, seed=seed), atol=1e-3)


def test_a_device_without_gyroscope_rows_has_an_accelerometer(recordings) -> None:
    assert {channel.sensor for channel in recordings["hhar/a/samsungold_1/1"].channels} == {"acc"}


def test_time_between_activities_is_no_activity(recordings) -> None:
    for recording in recordings.values():
        labels = Counter(interval.label for interval in recording.intervals)
        assert set(labels) == set(ENTRY.activities.values())


def test_devices_that_lay_still_were_worn_by_nobody(recordings) -> None:
    assert {recording.subject for recording in recordings.values()} == {"a", "b"}


def test_rows_come_out_the_same_however_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "Activity recognition exp"
    home.mkdir()
    write(home, [(0.0, 91_000.0)])
    (whole,) = read(tmp_path).values()
    monkeypatch.setattr(ranges, "BLOCK_BYTES", 1 << 12)
    (pieces,) = read(tmp_path).values()
    np.testing.assert_array_equal(whole.samples, pieces.samples)
    assert whole.intervals == pieces.intervals


def test_a_clock_that_starts_anew_does_not_mix_two_hours(tmp_path: Path) -> None:
    """Switched off and on again, the watch counts the same seconds a second time, lying the other way round."""
    write(tmp_path, [(0.0, 300.0), (3600.0, 300.0)], turned_over=True)
    found = read(tmp_path)
    first, second = found["hhar/a/gear_1/1"], found["hhar/a/gear_1/2"]
    assert first.duration_s == pytest.approx(second.duration_s, abs=0.1)
    for recording, sign in ((first, 1), (second, -1)):
        assert (np.sign(recording.between(0, 3).samples[:, 1]) == sign).all()
        assert (np.sign(recording.between(1, 3).samples[:, 3]) == sign).all()


def write(home: Path, switched_on: list[tuple[float, float]], *, turned_over: bool = False) -> None:
    """A watch of person a: when it was switched on, and what its clock read then; its gyroscope turns evenly."""
    for sensor in ("accelerometer", "gyroscope"):
        parts = []
        for number, (delay_s, clock_s) in enumerate(switched_on):
            part = hhar.log(ENTRY, "a", "gear_1", sensor, clock_s, 100, delay_s=delay_s)
            if sensor == "gyroscope":
                part[list("xyz")] = 0.5
            if turned_over and number:
                part[list("xyz")] *= -1
            parts.append(part)
        pd.concat(parts).to_csv(home / f"Watch_{sensor}.csv", index=False)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", UnreadableFile),
        ("0,1,2,3\n", UnreadableFile),
        ("0,1000,1000,1,1,1,a,abacus,abacus_1,sit\n", BadSamples),
        ("0,1000,1000,quick,1,1,a,gear,gear_1,sit\n", BadSamples),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, error: type[Exception]) -> None:
    (tmp_path / "Watch_accelerometer.csv").write_text(content)
    with pytest.raises(error, match="Watch_accelerometer"):
        read(tmp_path)


def test_real_trials_agree_with_the_converted_table(recordings_dir: Path) -> None:
    """All 32 sessions of the table, of the Nexus 4 (two samples) and the Gear: found by their samples, then compared.

    The table was cut at other pauses and starts between two samples, so where a session lies is searched for.
    """
    table = pd.read_parquet(recordings_dir / "sessions" / "hhar_sample.parquet")
    found = read(recordings_dir / "raw" / "hhar")
    assert {recording.subject for recording in found.values()} == set(table["subject"])
    sessions = list(table.groupby("session", observed=True))
    agreeing = 0
    for session, rows in sessions:
        sample, device = "sample_b" if "_rd_" in session else "sample_a", session[: session.index("_1") + 2]
        wanted = rows[[f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]].to_numpy()
        candidates = [found[name] for name in found if name.startswith(f"hhar/a_{sample}/{device}/")]
        error, labels = min((nearest(recording, wanted) for recording in candidates), key=lambda match: match[0].mean())
        # Rounded to 0.02 m/s² and 0.005 rad/s, and smoothed by another filter: 3 % of the largest reading on top.
        allowed = [0.02] * 3 + [0.005] * 3 + 0.03 * np.abs(wanted).max(axis=0)
        agreeing += np.mean(error < allowed) > 0.9 and labels == {rows["activity"].iloc[0]}
    assert len(sessions) == 32
    assert agreeing == len(sessions)


def nearest(recording: Recording, wanted: np.ndarray) -> tuple[np.ndarray, set[str]]:
    """The errors of a session of 50 Hz where it fits a recording best, to 5 ms, and what was done there."""
    width = round(recording.rate_hz / 50)
    smoothed = sliding_window_view(recording.samples, width, axis=0).mean(axis=-1)
    middles = recording.times_s[: len(smoothed)] + (width - 1) / 2 / recording.rate_hz
    at = np.arange(0, max(recording.duration_s, len(wanted) / 50) + 0.1, 0.005)
    fine = np.stack([np.interp(at, middles, column, right=np.nan) for column in smoothed.T], axis=1)
    offsets = sliding_window_view(fine, 4 * len(wanted), axis=0)[:, :, ::4].swapaxes(1, 2)
    # The table was interpolated across short pauses, which are missing here.
    lost = [np.isnan(offset).any(axis=1) for offset in offsets]
    tried = [i for i in range(len(offsets)) if lost[i].mean() < 0.2]
    errors = {i: np.abs(offsets[i] - wanted)[~lost[i]] for i in tried}
    if not errors:
        return np.full(wanted.shape, np.inf), set()
    best = min(errors, key=lambda i: float(errors[i].mean()))
    start_s, end_s = at[best], at[best] + len(wanted) / 50
    labels = {i.label for i in recording.intervals if min(end_s, i.end_s) - max(start_s, i.start_s) > 0.05}
    return errors[best], labels
