"""DSADS: which segments belong together, and real segments against a converted table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import UnreadableFile
from tests.datasets.layouts import dsads

ENTRY = catalog_entry("dsads")
ROWS = dsads.ROWS


def stretches(folder: Path) -> dict[str, float]:
    """Name and length of each recording of the only trial."""
    (trial,) = trials(ENTRY, folder)
    return {recording.name: recording.duration_s for recording in trial.read()}


def test_segments_that_go_on_are_one_recording(tmp_path: Path) -> None:
    values = dsads.five_units(15.0, moving=True)
    for number in (1, 2, 3):
        dsads.write_segment(tmp_path, "a09", "p4", number, values[(number - 1) * ROWS : number * ROWS])
    assert stretches(tmp_path) == {"dsads/a09_p4/s01": pytest.approx(15.0)}


def test_segments_from_elsewhere_are_not_joined(tmp_path: Path) -> None:
    """On stairs hardly any segment follows the one before."""
    values = dsads.five_units(20.0, moving=True)
    turned = values @ np.linalg.qr(np.random.default_rng(1).normal(size=(45, 45)))[0]
    dsads.write_segment(tmp_path, "a05", "p4", 1, values[:ROWS])
    dsads.write_segment(tmp_path, "a05", "p4", 2, turned[ROWS : 2 * ROWS])
    dsads.write_segment(tmp_path, "a05", "p4", 3, turned[2 * ROWS : 3 * ROWS])
    assert list(stretches(tmp_path)) == ["dsads/a05_p4/s01", "dsads/a05_p4/s02"]


def test_a_segment_that_is_not_there_parts_its_neighbors(tmp_path: Path) -> None:
    for number in (1, 3):
        dsads.write_segment(tmp_path, "a02", "p4", number, dsads.five_units(5.0, moving=False))
    assert list(stretches(tmp_path)) == ["dsads/a02_p4/s01", "dsads/a02_p4/s03"]


def test_padding_is_missing_and_parts_its_neighbors(tmp_path: Path) -> None:
    values = dsads.five_units(10.0, moving=True)
    values[ROWS - dsads.PADDED : ROWS] = 0
    for number in (1, 2):
        dsads.write_segment(tmp_path, "a05", "p1", number, values[(number - 1) * ROWS : number * ROWS])
    (trial,) = trials(ENTRY, tmp_path)
    padded, after = trial.read()
    assert np.isnan(padded.samples[-dsads.PADDED :]).all() and not np.isnan(padded.samples[: -dsads.PADDED]).any()
    assert not np.isnan(after.samples).any()


def test_the_magnetometer_without_unit_is_left_out(tmp_path: Path) -> None:
    dsads.write_segment(tmp_path, "a01", "p1", 1, dsads.five_units(5.0, moving=False))
    (trial,) = trials(ENTRY, tmp_path)
    (recording,) = trial.read()
    assert {channel.sensor for channel in recording.channels} == {"acc", "gyro"}
    assert len(recording.placements) == 5


@pytest.mark.parametrize("rows", [100, 0])
def test_a_segment_of_another_length_is_named(rows: int, tmp_path: Path) -> None:
    dsads.write_segment(tmp_path, "a01", "p1", 1, dsads.five_units(5.0, moving=False)[:rows])
    with pytest.raises(UnreadableFile, match=r"s01\.txt"):
        stretches(tmp_path)


def test_real_segments_are_the_rows_of_the_converted_table(recordings_dir: Path) -> None:
    """Segments 1 to 3 of all 19 activities of persons 1 and 2, every row of all 38 trials, against the first 15 s of
    the sessions of the same activity and person: acc and gyro of all five units, zeros as missing. The table's steps
    are 0.02 m/s² and 0.005 rad/s, and its numbers had been rounded more finely before.
    """
    table = ds.dataset(recordings_dir / "sessions" / "dsads.parquet")
    names = table.to_table(columns=["session"]).column("session").unique().to_pylist()
    compared = 0
    for trial in trials(ENTRY, recordings_dir / "raw" / "dsads"):
        recordings = trial.read()
        channels = [channel.name for channel in recordings[0].channels]
        samples = np.concatenate([recording.samples for recording in recordings])
        sessions = [name for name in names if name.rpartition("_")[0] == trial.name]
        rows = table.to_table(columns=["subject", "activity", *channels], filter=pc.field("session").isin(sessions))
        theirs = rows.slice(0, len(samples)).to_pandas()
        assert set(theirs["subject"]) == {trial.subject}
        assert set(theirs["activity"]) == {i.label for recording in recordings for i in recording.intervals}
        expected = theirs[channels].to_numpy(dtype=np.float32, copy=True)
        expected[(expected == 0).all(axis=1)] = np.nan
        within = np.array([0.0126 if "acc" in name else 0.0031 for name in channels])
        assert np.array_equal(np.isnan(samples), np.isnan(expected))
        assert (np.nan_to_num(np.abs(samples - expected)) <= within).all(), trial.name
        compared += 1
    assert compared == 38


def test_real_segments_go_on_except_on_stairs(recordings_dir: Path) -> None:
    """All borders between segments 1 to 3 of persons 1 and 2."""
    for trial in trials(ENTRY, recordings_dir / "raw" / "dsads"):
        seconds = [recording.duration_s for recording in trial.read()]
        assert seconds == ([5, 5, 5] if trial.name[:3] in ("a05", "a06") else [15]), trial.name
