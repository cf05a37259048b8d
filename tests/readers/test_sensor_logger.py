"""Exports of the Sensor Logger app: the right files, the right sign, one clock."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import BadSamples, UnknownChannel, UnreadableFile, UsageError
from kinelex.readers import read, read_sessions

G = 9.80665
EPOCH_NS = 1_717_156_800_000_000_000
FACE_UP = np.array([0.0, 0.0, G])


def sensor(folder: Path, name: str, xyz: np.ndarray, rate_hz: float = 100, offset_s: float = 0.05) -> None:
    """Write one file as the app does: time in ns, columns z, y, x."""
    folder.mkdir(exist_ok=True)
    lines = ["time,seconds_elapsed,z,y,x"]
    for k, (x, y, z) in enumerate(xyz):
        at = offset_s + k / rate_hz
        lines.append(f"{EPOCH_NS + round(at * 1e9)},{at:.9f},{z:.6f},{y:.6f},{x:.6f}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def metadata(folder: Path, platform: str, standardisation: bool = False) -> None:
    header = "version,device name,recording epoch time,recording time,recording timezone,platform,standardisation"
    row = f"3,Phone,{EPOCH_NS // 1_000_000},2024-05-31_12-00-00,Europe/Berlin,{platform},{str(standardisation).lower()}"
    (folder / "Metadata.csv").write_text(f"{header}\n{row}")


def motion(rows: int = 500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.2, (rows, 3))


@pytest.mark.parametrize("name", ["standing", "still", "walking", "jumping"])
def test_an_iphone_export_has_gravity_with_its_physical_sign(recordings_dir: Path, name: str) -> None:
    folder = recordings_dir / "devices" / "sensor_logger_ios" / name
    recording = read(folder)
    assert [channel.name for channel in recording.channels] == [f"{s}_{a}" for s in ("acc", "gyro") for a in "xyz"]
    assert recording.gravity and recording.name == name
    assert recording.rate_hz == pytest.approx(99.78, abs=0.02)
    assert recording.start is not None and recording.start.tzinfo is not None
    assert recording.start.utcoffset() == timedelta(hours=2)
    assert abs(recording.start - datetime(2026, 7, 1, 7, 33, tzinfo=UTC)) < timedelta(minutes=5)
    assert np.isfinite(recording.samples).mean() > 0.99  # the gyroscope begins a little later
    # The uncalibrated file is gravity plus motion: without the motion file, a vector of 9.81 m/s² is left.
    motion_only = -read(folder / "Accelerometer.csv", gravity=False).samples[:, :3]
    acc = recording.samples[:, :3]
    at = np.arange(len(motion_only)) / recording.rate_hz
    file_start = np.loadtxt(folder / "Accelerometer.csv", delimiter=",", skiprows=1, max_rows=1)[1]
    raw_start = np.loadtxt(folder / "AccelerometerUncalibrated.csv", delimiter=",", skiprows=1, max_rows=1)[1]
    total = np.column_stack([np.interp(at + file_start - raw_start, recording.times_s, acc[:, k]) for k in range(3)])
    same, opposite = (np.linalg.norm(total + sign * motion_only, axis=1) for sign in (1, -1))
    assert np.median(same) == pytest.approx(9.81, abs=0.02)
    assert same.std() < opposite.std()


def test_a_phone_lying_face_up_reads_plus_nine_eight_one_upward(recordings_dir: Path) -> None:
    recording = read(recordings_dir / "devices" / "sensor_logger_ios" / "still")
    np.testing.assert_allclose(recording.samples[:, :3].mean(axis=0), [-0.33, 0.21, 9.81], atol=0.02)
    assert recording.quality.resting_acc == pytest.approx(9.81, abs=0.05)


def test_a_folder_of_exports_is_read_one_by_one(recordings_dir: Path) -> None:
    folder = recordings_dir / "devices" / "sensor_logger_ios"
    assert [r.name for r in read_sessions(folder)] == ["jumping", "standing", "still", "walking"]
    with pytest.raises(UsageError, match="has 4 recordings"):
        read(folder)


def test_a_zipped_export_reads_like_the_folder(recordings_dir: Path, tmp_path: Path) -> None:
    folder = recordings_dir / "devices" / "sensor_logger_ios" / "still"
    for prefix in ("", "2026-07-01_07-31-10/"):
        with zipfile.ZipFile(tmp_path / "still.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, prefix + file.name)
        np.testing.assert_array_equal(read(tmp_path / "still.zip").samples, read(folder).samples)


@pytest.mark.parametrize(
    ("platform", "standardised", "files"),
    [
        ("android", False, {"TotalAcceleration": (1, True), "Accelerometer": (1, False)}),
        ("android", False, {"Accelerometer": (1, False), "Gravity": (1, None)}),
        ("android", False, {"AccelerometerUncalibrated": (1, True)}),
        ("ios", False, {"AccelerometerUncalibrated": (-1 / G, True), "Accelerometer": (-1, False)}),
        ("ios", False, {"Accelerometer": (-1, False), "Gravity": (-1, None)}),
        ("ios", True, {"AccelerometerUncalibrated": (1, True)}),
        ("ios", True, {"Accelerometer": (1, False), "Gravity": (1, None)}),
    ],
)
def test_every_platform_ends_in_the_same_specific_force(
    tmp_path: Path, platform: str, standardised: bool, files: dict[str, tuple[float, bool | None]]
) -> None:
    moved = motion()
    content = {True: moved + FACE_UP, False: moved, None: np.tile(FACE_UP, (500, 1))}
    for name, (factor, part) in files.items():
        sensor(tmp_path / "export", name, content[part] * factor)
    metadata(tmp_path / "export", platform, standardised)
    recording = read(tmp_path / "export")
    assert recording.gravity and recording.rate_hz == 100
    np.testing.assert_allclose(recording.samples, moved + FACE_UP, atol=1e-4)


def test_motion_alone_is_read_as_without_gravity(tmp_path: Path) -> None:
    sensor(tmp_path / "export", "Accelerometer", -motion())
    metadata(tmp_path / "export", "ios")
    recording = read(tmp_path / "export", placement="right pocket")
    assert not recording.gravity and recording.placements == ("right pocket",)
    np.testing.assert_allclose(recording.samples, motion(), atol=1e-4)


def test_without_metadata_the_phone_is_told_by_its_unit_and_doubt_is_noted(tmp_path: Path) -> None:
    sensor(tmp_path / "export", "AccelerometerUncalibrated", -(motion() + FACE_UP) / G)
    recording = read(tmp_path / "export")
    np.testing.assert_allclose(recording.samples, motion() + FACE_UP, atol=1e-4)
    assert any("Metadata.csv" in note for note in recording.quality.notes)


def test_sensors_with_other_clocks_are_interpolated_and_never_invented(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    sensor(folder, "TotalAcceleration", motion(1000) + FACE_UP)
    t = 1.0 + np.arange(300) / 50
    turn = np.column_stack([np.sin(t), np.cos(t), 0 * t]) * 0.1
    sensor(folder, "Gyroscope", turn, rate_hz=50, offset_s=1.0)
    lines = (folder / "Gyroscope.csv").read_text().splitlines()
    (folder / "Gyroscope.csv").write_text("\n".join(lines[:101] + lines[151:]))  # off from 3 to 4 s
    metadata(folder, "android")
    recording = read(folder)
    at = recording.times_s + 0.05
    gyro = recording.samples[:, 3:]
    there = ((at > 1) & (at < 2.97)) | ((at > 4.01) & (at < 6.97))
    np.testing.assert_allclose(gyro[there, 0], 0.1 * np.sin(at[there]), atol=1e-3)
    away = (at < 0.99) | ((at > 3.01) & (at < 3.98)) | (at > 7)
    assert np.isnan(gyro[away]).all()
    assert np.isfinite(recording.samples[:, :3]).all()


def test_annotations_hold_until_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    sensor(folder, "TotalAcceleration", motion(1000) + FACE_UP)
    metadata(folder, "android")
    (folder / "Annotation.csv").write_text(
        'time,seconds_elapsed,text,millisecond_press_duration\n1,2.05,walking,\n2,5.05,,\n3,7.05,"stairs, up",3\n'
    )
    intervals = read(folder).intervals
    assert [i.label for i in intervals] == ["walking", "stairs, up"]
    np.testing.assert_allclose([(i.start_s, i.end_s) for i in intervals], [(2, 5), (7, 9.99)], atol=1e-6)


def test_a_sensor_that_was_off_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    sensor(folder, "TotalAcceleration", motion() + FACE_UP)
    (folder / "Gyroscope.csv").write_bytes(b"")
    (folder / "Magnetometer.csv").write_text("time,seconds_elapsed,z,y,x\n")
    recording = read(folder)
    assert len(recording.channels) == 3
    assert {note.split()[0] for note in recording.quality.notes} >= {"Gyroscope", "Magnetometer"}


def test_a_single_file_knows_its_sensor_by_name(tmp_path: Path) -> None:
    sensor(tmp_path, "Gyroscope", motion())
    assert [channel.name for channel in read(tmp_path / "Gyroscope.csv").channels] == ["gyro_x", "gyro_y", "gyro_z"]
    shutil.copy(tmp_path / "Gyroscope.csv", tmp_path / "walk_gyroscope-2.csv")
    np.testing.assert_allclose(read(tmp_path / "walk_gyroscope-2.csv").samples, motion(), atol=1e-5)
    shutil.copy(tmp_path / "Gyroscope.csv", tmp_path / "walk.csv")
    with pytest.raises(UnknownChannel, match="sensor axis"):
        read(tmp_path / "walk.csv")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_combined_file_gives_all_sensors(tmp_path: Path, sparse: bool) -> None:
    acc, gyro = motion(400) + FACE_UP, motion(400, 1)
    lines = ["time,seconds_elapsed,accelerometer_x,accelerometer_y,accelerometer_z,gyroscope_x,gyroscope_y,gyroscope_z,"
             "location_latitude,activity"]  # fmt: skip
    for k in range(400):
        a, g = (",".join(f"{v:.5f}" for v in row[k]) for row in (acc, gyro))
        activity = "standing" if k < 200 else "sitting"
        stamp = f"{EPOCH_NS + k * 10_000_000},{k / 100:.3f}"
        if sparse:
            lines += [f"{stamp},{a},,,,,{activity}", f"{stamp},,,,{g},,{activity}"]
        else:
            lines.append(f"{stamp},{a},{g},48.1,{activity}")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    recording = read(tmp_path / "log.csv")
    assert recording.rate_hz == 100 and recording.start == datetime(2024, 5, 31, 12, tzinfo=UTC)
    np.testing.assert_allclose(recording.samples, np.hstack([acc, gyro]), atol=1e-4)
    assert [(i.start_s, i.end_s, i.label) for i in recording.intervals] == [(0, 2, "standing"), (2, 4, "sitting")]


def test_what_is_wrong_in_an_export_names_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    sensor(folder, "Gravity", motion() + FACE_UP)
    with pytest.raises(UnreadableFile, match=r"no motion \(Gravity\)"):
        read(folder)
    sensor(folder, "TotalAcceleration", motion() + FACE_UP)
    (folder / "Gyroscope.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnknownChannel, match=r"Gyroscope\.csv' is no Sensor Logger file.*has a, b"):
        read(folder)
    (folder / "Gyroscope.csv").write_text("time,seconds_elapsed,z,y,x\n1,0.1,0,0,0\n2,0.2,0,up,0\n")
    with pytest.raises(BadSamples, match=r"Gyroscope\.csv', line 3, column 'y': 'up'"):
        read(folder)
    for file in folder.iterdir():
        file.write_bytes(b"")
    with pytest.raises(UnreadableFile, match="no samples"):
        read(folder)
