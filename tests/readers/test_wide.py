"""A log that a person, an app or a notebook wrote comes back as what was measured, however it is spelled."""

from __future__ import annotations

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinelex.errors import UnknownChannel, UnknownPlacement, UnknownRate, UsageError, WrongUnit
from kinelex.readers import read, read_sessions

G = 9.80665
RATE = 50.0
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def motion(rows: int = 200, seed: int = 0) -> np.ndarray:
    """Plausible acc (m/s², z up) and gyro (rad/s), with few digits, so that text keeps them."""
    rng = np.random.default_rng(seed)
    acc = rng.normal([0, 0, G], 0.3, (rows, 3))
    return np.round(np.hstack([acc, rng.normal(0, 0.2, (rows, 3))]), 4)


def write(path: Path, header: str, rows: np.ndarray, form: str = "%.6f", separator: str = ",") -> Path:
    lines = [separator.join(form % value for value in row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def with_time(table: np.ndarray, step: float = 1 / RATE, start: float = 0.0) -> np.ndarray:
    return np.column_stack([start + np.arange(len(table)) * step, table])


ACC = {
    ("m/s^2", 1.0): ["acc_{}", "Accelerometer {} (m/s^2)", "Acceleration {} (m/s²)", "a{}", "accel_{}_mps2", "Acc.{}",
                     "{}-axis acceleration [m/s2]", "AccX"],
    ("g", G): ["Acc {} (g)", "acc_{} [g]", "gF{}", "accelerometer_{}_g", "Acc_{} [g0]"],
    ("mg", G / 1000): ["acc_{} (mg)", "Accel {} [mg]"],
}  # fmt: skip
GYRO = {
    ("rad/s", 1.0): ["gyro_{}", "Gyroscope {} (rad/s)", "g{}", "w{}", "rotationRate.{}", "angular_velocity_{}"],
    ("deg/s", np.pi / 180): ["gyro_{} [deg/s]", "Gyro {} (°/s)", "gyr_{}_dps", "Gyroscope {} (dps)"],
}
TIMES = {
    "t": 1.0, "time": 1.0, "seconds_elapsed": 1.0, "Time (s)": 1.0, "timestamp": 1e-3, "Time [ms]": 1e-3,
    "time_us": 1e-6, "timestamp_ns": 1e-9, "elapsed": 1e-6, "": 0.0,
}  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_spelling_reads_back_as_it_was_measured(tmp_path: Path, data: st.DataObject) -> None:
    table = motion(60, data.draw(st.integers(0, 99)))
    (_, acc_factor), acc_names = data.draw(st.sampled_from(list(ACC.items())))
    (_, gyro_factor), gyro_names = data.draw(st.sampled_from(list(GYRO.items())))
    acc, gyro = data.draw(st.sampled_from(acc_names)), data.draw(st.sampled_from(gyro_names))
    upper = data.draw(st.booleans())
    clock = data.draw(st.sampled_from(list(TIMES)))
    columns = []
    for place, axis in enumerate("XYZ" if upper else "xyz"):
        columns.append((acc.replace("X", axis.upper()).format(axis), table[:, place] / acc_factor))
        columns.append((gyro.format(axis), table[:, 3 + place] / gyro_factor))
    if clock:
        columns.append((clock, np.arange(60) / RATE / TIMES[clock]))
    columns += [("heart rate", np.full(60, 71.0)), ("temperature", np.linspace(20, 21, 60))]
    columns = data.draw(st.permutations(columns))
    separator, decimal = data.draw(st.sampled_from([(",", "."), (";", ","), (";", "."), ("\t", "."), ("|", ",")]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]))
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    preamble = data.draw(st.sampled_from([[], ["# exported by an app"], ["Device: somebody's phone", ""]]))
    lines = [*preamble, separator.join(name for name, _ in columns)]
    for row in np.column_stack([values for _, values in columns]):
        lines.append(separator.join(f"{value:.9g}".replace(".", decimal) for value in row))
    path = tmp_path / "log.csv"
    path.write_bytes((ending.join(lines) + data.draw(st.sampled_from(["", ending]))).encode(encoding))

    recording = read(path, rate_hz=None if clock else RATE)

    assert recording.rate_hz == pytest.approx(RATE, rel=1e-3)
    found = {channel.name: recording.samples[:, k] for k, channel in enumerate(recording.channels)}
    assert set(found) == {f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"}
    for place, axis in enumerate("xyz"):
        np.testing.assert_allclose(found[f"acc_{axis}"], table[:, place], atol=2e-4)
        np.testing.assert_allclose(found[f"gyro_{axis}"], table[:, 3 + place], atol=2e-4)


def test_columns_and_units_of_the_caller_win_over_the_header(tmp_path: Path) -> None:
    table = motion()
    path = write(
        tmp_path / "a.csv", "clock,acc_x,one,two,three", with_time(np.hstack([table[:, :1], table[:, :3] / G]))
    )
    said = {"clock": "time", "one": "acc_x", "two": "acc_y", "three": "acc_z"}
    recording = read(path, columns=said, units={"acc": "g"}, placement="left wrist", subject="ann", name="mine")
    assert [channel.name for channel in recording.channels] == [f"left_wrist_acc_{axis}" for axis in "xyz"]
    np.testing.assert_allclose(recording.samples, table[:, :3], atol=1e-3)
    assert (recording.subject, recording.name) == ("ann", "mine")


def test_a_label_column_becomes_intervals(tmp_path: Path) -> None:
    rows = with_time(motion(150))
    labels = ["sitting"] * 50 + [""] * 50 + ["walking fast"] * 50
    lines = ["t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,activity"]
    lines += [",".join(f"{v:.4f}" for v in row) + f",{label}" for row, label in zip(rows, labels, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    intervals = read(tmp_path / "a.csv").intervals
    assert [i.label for i in intervals] == ["sitting", "walking fast"]
    np.testing.assert_allclose([(i.start_s, i.end_s) for i in intervals], [(0, 1), (2, 3)], atol=1e-3)


def test_an_interval_does_not_reach_across_a_pause(tmp_path: Path) -> None:
    rows = with_time(motion(100))
    rows[50:, 0] += 60
    lines = ["t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,label"]
    lines += [",".join(f"{v:.4f}" for v in row) + ",standing" for row in rows]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    recording = read(tmp_path / "a.csv")
    np.testing.assert_allclose([(i.start_s, i.end_s) for i in recording.intervals], [(0, 1), (61, 62)], atol=1e-3)
    assert len(recording.quality.gaps) == 1


@pytest.mark.parametrize(
    ("times", "start"),
    [
        ([f"2024-05-31 12:00:{0.02 * k:06.3f}" for k in range(100)], NOON),
        ([f"2024-05-31T14:00:{0.02 * k:09.6f}+02:00" for k in range(100)], NOON),
        ([f"23:59:{59 + 0.02 * k:06.3f}" if k < 50 else f"00:00:{0.02 * k - 1:06.3f}" for k in range(100)], None),
        ([f"{1717156800000 + 20 * k}" for k in range(100)], NOON),
        ([f"{1717156800000000000 + 20000000 * k}" for k in range(100)], NOON),
        ([f"{1717156800 + 0.02 * k:.2f}" for k in range(100)], NOON),
        ([f"{123456789012 + 20000000 * k}" for k in range(100)], None),  # nanoseconds since the phone was switched on
    ],
)
def test_every_way_to_write_the_time_is_understood(tmp_path: Path, times: list[str], start: datetime | None) -> None:
    rows = motion(100)
    lines = ["timestamp,acc_x,acc_y,acc_z"]
    lines += [f"{at},{row[0]},{row[1]},{row[2]}" for at, row in zip(times, rows, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    recording = read(tmp_path / "a.csv")
    assert recording.rate_hz == 50
    assert recording.start == start
    np.testing.assert_allclose(recording.samples, rows[:, :3], atol=1e-4)


def test_rows_of_a_clock_in_whole_seconds_are_spread(tmp_path: Path) -> None:
    rows = motion(475)
    seconds = 1717156800 + (np.arange(475) + 20) // 50  # begins within a second
    write(tmp_path / "a.csv", "timestamp,acc_x,acc_y,acc_z", np.column_stack([seconds, rows[:, :3]]), "%.4f")
    recording = read(tmp_path / "a.csv")
    assert recording.rate_hz == 50
    np.testing.assert_allclose(recording.samples, rows[:, :3], atol=1e-4)
    assert any("coarse" in note for note in recording.quality.notes)


def test_a_column_that_counts_rows_is_no_clock(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z", with_time(motion()[:, :3], step=1))
    with pytest.raises(UnknownRate, match=r"'t' advances by 1 per row.*pass rate_hz"):
        read(path)
    recording = read(path, rate_hz=25)
    assert recording.rate_hz == 25
    assert any("only counts rows" in note for note in recording.quality.notes)


def test_the_date_is_found_in_a_second_time_column(tmp_path: Path) -> None:
    rows = with_time(motion()[:, :3])
    rows = np.column_stack([1717156800 + rows[:, 0], rows])
    recording = read(write(tmp_path / "a.csv", "time,seconds_elapsed,ax,ay,az", rows))
    assert recording.start == NOON


def test_units_may_stand_in_a_line_of_their_own(tmp_path: Path) -> None:
    table = motion()
    rows = with_time(np.hstack([table[:, :3] / G, np.degrees(table[:, 3:])]), step=20)
    header = "Timestamp\tacc_x\tacc_y\tacc_z\tgyro_x\tgyro_y\tgyro_z\nms\tg\tg\tg\tdeg/s\tdeg/s\tdeg/s"
    recording = read(write(tmp_path / "a.txt", header, rows, separator="\t"))
    assert recording.rate_hz == RATE
    np.testing.assert_allclose(recording.samples, table, atol=1e-3)


def test_a_file_without_header_is_mapped_by_position(tmp_path: Path) -> None:
    table = motion()
    path = tmp_path / "a.csv"
    np.savetxt(path, with_time(table[:, :3]), delimiter=",")
    with pytest.raises(UnknownChannel, match="column 1, column 2"):
        read(path)
    said = {"column 1": "time", "column 2": "acc_x", "column 3": "acc_y", "column 4": "acc_z"}
    np.testing.assert_allclose(read(path, columns=said).samples, table[:, :3], atol=1e-4)


def test_bare_axes_take_their_sensor_from_the_file_name(tmp_path: Path) -> None:
    table = motion()
    assert read(write(tmp_path / "my_gyro.csv", "t,x,y,z", with_time(table[:, 3:]))).channels[0].sensor == "gyro"
    with pytest.raises(UnknownChannel, match=r"columns=\{'x': 'acc_x'"):
        read(write(tmp_path / "walk.csv", "t,x,y,z", with_time(table[:, :3])))


def test_total_acceleration_is_preferred_to_linear_acceleration(tmp_path: Path) -> None:
    table = motion()
    rows = with_time(np.hstack([table[:, :3] - [0, 0, G], table[:, :3]]))
    axes = [f"Linear Acceleration {a} (m/s^2)" for a in "xyz"] + [f"Acceleration {a} (m/s^2)" for a in "xyz"]
    both = read(write(tmp_path / "a.csv", ",".join(["Time (s)", *axes]), rows))
    assert both.gravity
    np.testing.assert_allclose(both.samples, table[:, :3], atol=1e-4)
    linear = read(write(tmp_path / "b.csv", ",".join(["Time (s)", *axes[:3]]), rows[:, :4]))
    assert not linear.gravity


def test_sensors_that_take_turns_are_joined(tmp_path: Path) -> None:
    t = np.arange(200) / 100
    lines = ["time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"]
    for k, at in enumerate(t):
        turn = 0.1 * np.sin(6 * at)
        lines.append(f"{at:.3f},0.5,0,9.8,,," if k % 2 == 0 else f"{at:.3f},,,,{turn:.6f},0,0")
    (tmp_path / "a.csv").write_text("\n".join(lines))
    recording = read(tmp_path / "a.csv")
    assert recording.rate_hz == 50
    assert np.isfinite(recording.samples[1:-1]).all()
    np.testing.assert_allclose(recording.samples[1:-1, 3], 0.1 * np.sin(6 * recording.times_s[1:-1]), atol=1e-3)


def test_one_axis_and_five_hertz_are_enough(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.csv", "t,wrist_acc_x", with_time(motion(40)[:, :1], step=0.2)))
    assert (recording.rate_hz, len(recording.channels)) == (5, 1)


def test_packed_files_and_parquet_read_the_same(tmp_path: Path) -> None:
    table = with_time(motion())
    names = ["time", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    plain = write(tmp_path / "a.csv", ",".join(names), table)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "folder/a.csv")
    columns = {name: table[:, k] for k, name in enumerate(names)}
    columns["time"] = pa.array((table[:, 0] * 1e6 + 1717156800e6).astype(np.int64), pa.timestamp("us", "UTC"))
    columns["label"] = pa.array(["walking"] * len(table)).dictionary_encode()
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    expected = read(plain)
    for other in (packed, tmp_path / "a.zip", tmp_path / "a.parquet"):
        recording = read(other)
        np.testing.assert_allclose(recording.samples, expected.samples, atol=1e-5)
        assert recording.rate_hz == expected.rate_hz
    assert recording.start == NOON
    assert [i.label for i in recording.intervals] == ["walking"]
    assert [r.name for r in read_sessions(plain)] == ["a.csv"]


def test_a_rate_above_the_header_is_used(recordings_dir: Path) -> None:
    recording = read(recordings_dir / "devices" / "pygt3x" / "neo.csv", units={"acc": "g"}, placement="wrist")
    assert recording.rate_hz == 30
    assert recording.duration_s == pytest.approx(600, abs=1)
    assert any("stated above the header" in note for note in recording.quality.notes)


def test_a_line_that_was_cut_off_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z", with_time(motion()[:, :3]))
    with path.open("a") as file:
        file.write("4.0,0.1,0")
    recording = read(path)
    assert len(recording.samples) == 200
    assert any("last line" in note for note in recording.quality.notes)


def test_comments_between_rows_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z", with_time(motion()[:, :3]))
    lines = path.read_text().splitlines()
    lines[60:60] = ["# battery low", ""]
    path.write_text("\n".join(lines))
    assert len(read(path).samples) == 200


def test_placements_in_names_are_understood(tmp_path: Path) -> None:
    table = motion()
    header = "t,left_wrist_acc_x,left_wrist_acc_y,left_wrist_acc_z,acc_x,acc_y,acc_z"
    rows = with_time(np.hstack([table[:, :3], table[:, :3]]))
    assert read(write(tmp_path / "a.csv", header, rows), placement="ankle").placements == ("left wrist", "ankle")
    with pytest.raises(UnknownPlacement, match=r"column 'nose_acc_x'.*columns="):
        read(write(tmp_path / "b.csv", header.replace("left_wrist", "nose"), rows))


def test_two_columns_for_one_channel_must_be_told_apart(tmp_path: Path) -> None:
    rows = with_time(motion()[:, :4])
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z,Accelerometer X", rows)
    with pytest.raises(UnknownChannel, match="2 columns for acc_x"):
        read(path)
    assert len(read(path, columns={"Accelerometer X": "ignore"}).channels) == 3
    with pytest.raises(UnknownChannel, match="columns 2 and 5"):
        read(write(tmp_path / "b.csv", "t,acc_x,acc_y,acc_z,acc_x", rows))


def test_conflicting_units_in_a_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUnit, match=r"'acc_x \(g\)' in g and 'acc_y \(mg\)' in mg"):
        read(write(tmp_path / "a.csv", "t,acc_x (g),acc_y (mg),acc_z", with_time(motion()[:, :3])))


def test_rows_of_several_people_are_no_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z,subject", with_time(motion()[:, :4]), "%.3f")
    with pytest.raises(UsageError, match="subjects"):
        read(path)


def test_ten_minutes_read_well_below_a_second(tmp_path: Path) -> None:
    import time

    path = write(
        tmp_path / "a.csv", "t,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z", with_time(motion(60_000), 0.01), "%.5f"
    )
    began = time.process_time()
    recording = read(path)
    assert time.process_time() - began < 1.0
    assert recording.duration_s == 600
