"""RealWorld: archives in archives, files that are not called like their archive, and clocks that start apart."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.datasets.unpacking import unpack
from kinelex.errors import UnreadableFile
from tests.datasets.layouts import made_up
from tests.datasets.layouts.realworld import LATE_S, write, write_table

ENTRY = catalog_entry("realworld")


def read_all(folder: Path) -> dict[str, np.ndarray]:
    return {recording.name: recording.samples for trial in trials(ENTRY, folder) for recording in trial.read()}


def pack(folder: Path) -> None:
    """Every unpacked archive back into one, from the innermost on, as the owner serves them."""
    for home in sorted(folder.glob("**/*_csv"), key=lambda path: -len(path.parts)):
        with zipfile.ZipFile(home.with_name(f"{home.name}.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(home.iterdir()):
                archive.write(path, path.name)
            archive.writestr("readMe", "sensor data")
        shutil.rmtree(home)


def test_archives_are_read_where_they_lie_and_after_unpacking_alike(tmp_path: Path) -> None:
    write(tmp_path / "here", ENTRY)
    expected = read_all(tmp_path / "here")

    pack(tmp_path / "here")
    assert not list(tmp_path.glob("**/*.csv"))
    in_place = read_all(tmp_path / "here")

    whole = Path(shutil.make_archive(str(tmp_path / "realworld2016_dataset"), "zip", tmp_path / "here"))
    unpack(whole, tmp_path / "there")
    assert not list((tmp_path / "there").glob("**/*.zip"))
    unpacked = read_all(tmp_path / "there")

    assert in_place.keys() == unpacked.keys() == expected.keys()
    for name, samples in expected.items():
        np.testing.assert_array_equal(in_place[name], samples)
        np.testing.assert_array_equal(unpacked[name], samples)


def test_every_place_has_gyroscope_and_magnetometer(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    for trial in trials(ENTRY, tmp_path):
        recordings = trial.read()
        assert len(recordings) == len(ENTRY.devices)
        for recording in recordings:
            assert {channel.sensor for channel in recording.channels} == {"acc", "gyro", "mag"}
            assert np.isfinite(recording.samples).any(axis=0).all()


def test_parts_are_trials_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    names = [trial.name for trial in trials(ENTRY, tmp_path) if trial.subject == "proband4"]
    assert names == ["proband4_climbingup", "proband4_climbingup_2", "proband4_walking_2"]


def test_a_number_one_on_a_file_of_one_sensor_does_not_part_it_from_the_others(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    for path in tmp_path.glob("**/proband4/**/acc_climbingup_*.csv"):
        if "_2_" not in path.name:
            path.rename(path.with_name(path.name.replace("climbingup_", "climbingup_1_")))
    first = next(trial for trial in trials(ENTRY, tmp_path) if trial.name == "proband4_climbingup")
    assert {channel.sensor for channel in first.read()[0].channels} == {"acc", "gyro", "mag"}


def test_sensors_meet_by_time_not_by_their_first_rows(tmp_path: Path) -> None:
    data = tmp_path / "proband3" / "data"
    at = made_up.times(6, 50)
    for sensor, begin, starts, values in (
        ("acc", "acc", 0.0, made_up.acc(at, moving=True)),
        # It turns ever faster, so that its reading tells the time.
        ("gyr", "Gyroscope", LATE_S, np.stack([at + LATE_S, 0 * at, 0 * at], axis=1)),
    ):
        home = data / f"{sensor}_walking_csv"
        home.mkdir(parents=True)
        write_table(home / f"{begin}_walking_waist.csv", at + starts, values)
    (recording,) = next(trials(ENTRY, tmp_path)).read()
    turned = recording.samples[:, 3]
    assert np.isnan(turned[recording.times_s < LATE_S - 0.001]).all()
    known = np.isfinite(turned)
    assert known.sum() == len(at) - round(LATE_S * 50)
    np.testing.assert_allclose(turned[known], recording.times_s[known], atol=2e-3)


def test_a_place_without_samples_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    for path in tmp_path.glob("**/proband1/**/*_jumping_thigh.csv"):
        path.write_text("id,attr_time,attr_x,attr_y,attr_z\n")
    for path in tmp_path.glob("**/proband1/**/*_jumping_forearm.csv"):
        path.unlink()
    jumping = next(trial for trial in trials(ENTRY, tmp_path) if trial.name == "proband1_jumping")
    assert [recording.placements for recording in jumping.read()] == [
        ("chest",), ("head",), ("shin",), ("upper arm",), ("waist",),
    ]  # fmt: skip


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    data = tmp_path / "proband1" / "data"
    data.mkdir(parents=True)
    (data / "acc_walking_csv.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UnreadableFile, match=r"acc_walking_csv\.zip.*get it again"):
        list(trials(ENTRY, tmp_path))
