"""Importing: what is stored is what the table says, in SI; what a table and its card disagree about is found."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import StoredDataset, find_sources, import_dataset, list_stored
from kinelex.errors import BadSamples, UnknownPlacement, UnreadableFile, WrongUnit

G = 9.80665


def by_session(dataset: StoredDataset) -> dict[str, np.ndarray]:
    return {recording.name: recording.samples for recording in dataset.sessions()}


def test_stored_samples_are_the_tables_in_si(source, table: pd.DataFrame, root: Path) -> None:
    dataset = import_dataset(source(table), root)
    factors = [G] * 3 + [np.pi / 180] * 3
    recordings = list(dataset.sessions())
    assert len(recordings) == table["session"].nunique()
    for recording in recordings:
        rows = table[table["session"] == recording.name.removeprefix("made_up/")]
        np.testing.assert_allclose(recording.samples, rows.iloc[:, 4:].to_numpy() * factors, rtol=1e-6)
        (interval,) = recording.intervals
        assert (interval.start_s, interval.end_s, interval.label) == (0, recording.duration_s, rows["activity"].iloc[0])
        assert recording.subject == rows["subject"].iloc[0]
        assert recording.rate_hz == 50
        assert recording.gravity
        assert recording.placements == ("pocket",)


def test_csv_and_parquet_import_alike(source, make_table, tmp_path: Path) -> None:
    table = make_table(subjects=2)
    from_csv = import_dataset(source(table, suffix=".csv"), tmp_path / "csv")
    from_parquet = import_dataset(source(table), tmp_path / "parquet")
    assert by_session(from_csv).keys() == by_session(from_parquet).keys()
    for name, samples in by_session(from_csv).items():
        np.testing.assert_array_equal(samples, by_session(from_parquet)[name])


def test_the_order_of_the_tables_sessions_does_not_matter(source, table: pd.DataFrame, tmp_path: Path) -> None:
    shuffled = pd.concat([part for _, part in sorted(table.groupby("session"), key=lambda p: p[0][::-1])])
    one = import_dataset(source(table), tmp_path / "one")
    two = import_dataset(source(shuffled), tmp_path / "two")
    assert one.index == two.index
    for name, samples in by_session(one).items():
        np.testing.assert_array_equal(samples, by_session(two)[name])


def test_importing_again_does_nothing_and_says_so(source, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = source()
    first = import_dataset(path, root)
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*.*") if file.is_file()}
    stages = []
    with caplog.at_level(logging.INFO, "kinelex.datasets"):
        second = import_dataset(path, root, progress=lambda stage, done, total: stages.append(stage))
    assert stages == ["unchanged"]
    assert "unchanged" in caplog.text
    assert second == first
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*.*") if file.is_file()} == before


def test_a_changed_source_takes_the_old_ones_place(source, make_table, root: Path) -> None:
    old = import_dataset(source(make_table(subjects=2)), root)
    new = import_dataset(source(make_table(subjects=3)), root)
    assert len(new.subjects) == 3
    assert new.fingerprint != old.fingerprint
    assert StoredDataset.open(root, "made_up") == new
    assert {str(file.relative_to(new.folder)) for file in new.folder.rglob("*.parquet")} == {
        file for file, _ in new.shards
    }


def test_a_bad_new_source_leaves_the_old_one_in_place(source, table: pd.DataFrame, root: Path) -> None:
    old = import_dataset(source(table), root)
    with pytest.raises(BadSamples):
        import_dataset(source(table, subjects=5), root)
    assert StoredDataset.open(root, "made_up", verify=True) == old


def test_progress_reaches_the_end(source, table: pd.DataFrame, root: Path) -> None:
    seen = []
    import_dataset(source(table), root, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("writing", len(table), len(table))
    assert [done for stage, done, _ in seen if stage == "writing"] == sorted(d for s, d, _ in seen if s == "writing")


# What table and card say differently.


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"subjects": 5}, BadSamples, "4 subjects.*subjects: 5"),
        ({"activities": {"standing": 1, "walking": 1}}, BadSamples, "does not list: running"),
        ({"activities": {"standing": 1, "walking": 1, "running": 1, "rowing": 1}}, BadSamples, "no session of rowing"),
        ({"columns": ["acc_x", "acc_y", "acc_z", "mag_x"], "units": {"acc": "g", "mag": "uT"}}, BadSamples, "mag_x"),
        ({"rate_hz": 100}, BadSamples, "50 Hz.*rate_hz: 100"),
        ({"units": {"acc": "m/s^2", "gyro": "deg/s"}}, WrongUnit, "24 of 24 sensors"),
        ({"units": {"acc": "mg", "gyro": "deg/s"}}, WrongUnit, "24 of 24 sensors"),
        ({"units": {"acc": "g", "gyro": "rad/s"}}, WrongUnit, "of 24 sensors.*gyro"),
        ({"placement": "on the cat"}, UnknownPlacement, "on the cat"),
        ({"units": {"acc": "normalised", "gyro": "normalised"}}, BadSamples, "no sensor with a unit"),
    ],
)
def test_a_card_that_is_not_true_is_an_error_and_leaves_nothing(source, root: Path, changes, error, message) -> None:
    with pytest.raises(error, match=message):
        import_dataset(source(**changes), root)
    assert not list_stored(root)
    assert not [path for path in root.iterdir() if path.is_dir()]


def test_times_that_differ_from_the_card_are_noted(source, root: Path) -> None:
    dataset = import_dataset(source(activities={"standing": 48, "walking": 48.4, "running": 50}, hours=0.05), root)
    assert dataset.notes == (
        "running: 48.00 s in the table, 50 s on the card",
        "0.040 h in the table, 0.05 h on the card",
    )


def test_columns_beyond_the_card_and_sensors_without_unit_are_left_out_and_noted(
    source, table: pd.DataFrame, root: Path
) -> None:
    columns = [name for name in table.columns if name.endswith(("_x", "_y", "_z"))]
    for axis in "xyz":
        table[f"mag_{axis}"] = np.float32(0.5)
    table["temperature"] = 20.0
    path = source(
        table,
        columns=[*columns, "mag_x", "mag_y", "mag_z"],
        units={"acc": "g", "gyro": "deg/s", "mag": "normalised"},
    )
    dataset = import_dataset(path, root)
    assert {channel.sensor for channel in dataset.channels} == {"acc", "gyro"}
    assert "mag has no unit (normalised)" in dataset.notes[0]
    assert "temperature" in dataset.notes[1]


# What is not tidy.


def broken(table: pd.DataFrame, how: str) -> pd.DataFrame:
    table = table.copy()
    if how == "interleaved":
        return table.sort_values("t", kind="stable")
    if how == "two subjects":
        table.loc[10, "subject"] = "person3"
    if how == "two activities":
        table.loc[10:, "session"] = table["session"].iloc[0]
    if how == "no session":
        table.loc[1234, "session"] = None
    if how == "blank activity":
        table.loc[1234, "activity"] = " "
    if how == "no time":
        table.loc[1234, "t"] = np.nan
    if how == "infinite":
        table.loc[1234, "acc_x"] = np.inf
    if how == "text":
        table["acc_x"] = table["acc_x"].astype(str)
    if how == "no key":
        return table.drop(columns="subject")
    if how == "no clock":
        return table.drop(columns="t")
    if how == "backward":
        table["t"] = -table["t"]
    return table


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("interleaved", "more than one place"),
        ("two subjects", "more than one subject"),
        ("two activities", "more than one"),
        ("no session", "no session in row 1234"),
        ("blank activity", "no activity in row 1234"),
        ("no time", "rows without t"),
        ("infinite", "infinite values"),
        ("text", "other than numbers in acc_x"),
        ("no key", "no column subject"),
        ("no clock", "no column t"),
        ("backward", "no clock that runs forward"),
    ],
)
def test_what_is_not_tidy_is_an_error_that_says_where(source, table, root: Path, how: str, message: str) -> None:
    path = source(table)
    broken(table, how).to_parquet(path, index=False, row_group_size=1000)
    with pytest.raises(BadSamples, match=message):
        import_dataset(path, root)
    assert not list_stored(root)


def test_text_among_the_numbers_of_a_csv_is_an_error(source, make_table, root: Path) -> None:
    path = source(make_table(subjects=1), suffix=".csv")
    lines = path.read_text().splitlines()
    lines[40] = lines[40].rsplit(",", 1)[0] + ",often"
    path.write_text("\n".join(lines))
    with pytest.raises(BadSamples, match="often"):
        import_dataset(path, root)


# What is mended, and what is left out.


def test_an_uneven_clock_is_made_even_and_its_gap_stays_missing(source, table: pd.DataFrame, root: Path) -> None:
    first = table["session"] == table["session"].iloc[0]
    gap = first & table["t"].between(2.0, 2.99)
    dataset = import_dataset(source(table[~gap]), root)
    assert dataset.findings == {"uneven clock, made even": ("standing_0_0",)}
    recording = next(r for r in dataset.sessions() if r.name == "made_up/standing_0_0")
    assert len(recording.samples) == 300
    assert np.isnan(recording.samples[101:149]).all()
    assert np.isfinite(recording.samples[:99]).all()


def test_small_jitter_leaves_samples_as_they_are(source, table: pd.DataFrame, root: Path) -> None:
    jittered = table.assign(t=table["t"] + np.random.default_rng(1).uniform(-0.002, 0.002, len(table)))
    assert not import_dataset(source(jittered), root).findings


def test_zero_filling_becomes_missing(source, table: pd.DataFrame, root: Path) -> None:
    columns = list(table.columns[4:])
    end = (table["session"] == "running_0_0") & (table["t"] >= 5)
    table.loc[end, columns] = 0.0
    dataset = import_dataset(source(table), root)
    assert dataset.findings == {"exact zeros, taken as missing": ("running_0_0",)}
    samples = by_session(dataset)["made_up/running_0_0"]
    assert np.isnan(samples[250:]).all()
    assert np.isfinite(samples[:250]).all()


def test_a_sensor_off_its_scale_is_left_out_of_its_session(source, table: pd.DataFrame, root: Path) -> None:
    columns = list(table.columns[4:])
    table = pd.concat(
        [
            table.iloc[:, :4],
            table[columns].rename(columns=lambda c: f"left_wrist_{c}"),
            table[columns].rename(columns=lambda c: f"chest_{c}"),
        ],
        axis=1,
    )
    start = (table["session"] == "standing_2_0") & (table["t"] < 3)
    table.loc[start, ["chest_acc_x", "chest_acc_y", "chest_acc_z"]] *= 0.25
    dataset = import_dataset(source(table), root)
    assert dataset.findings == {"chest sensor off its scale, left out": ("standing_2_0",)}
    placements = {recording.name: recording.placements for recording in dataset.sessions()}
    assert placements.pop("made_up/standing_2_0") == ("left wrist",)
    assert set(placements.values()) == {("left wrist", "chest")}
    assert {s.name: s.placements for s in dataset.index}["standing_2_0"] == ("left wrist",)


def test_sensors_that_were_off_are_no_channels_of_that_session(source, table: pd.DataFrame, root: Path) -> None:
    gyro = ["gyro_x", "gyro_y", "gyro_z"]
    table.loc[table["activity"] == "walking", gyro] = np.nan
    table.loc[table["session"] == "running_1_1", [*gyro, "acc_x", "acc_y", "acc_z"]] = np.nan
    dataset = import_dataset(source(table), root)
    assert dataset.findings == {"no usable value, left out": ("running_1_1",)}
    for recording in dataset.sessions():
        expected = {"acc"} if recording.intervals[0].label == "walking" else {"acc", "gyro"}
        assert {channel.sensor for channel in recording.channels} == expected
        assert np.isfinite(recording.samples).all()


def test_a_placement_per_row_becomes_channels(source, table: pd.DataFrame, root: Path) -> None:
    table.insert(3, "placement", np.where(table["activity"] == "walking", "right_thigh", "right_wrist"))
    dataset = import_dataset(source(table, placement="right wrist or right thigh, see column placement"), root)
    assert set(dataset.placements) == {"right wrist", "right thigh"}
    for recording in dataset.sessions():
        expected = "right thigh" if recording.intervals[0].label == "walking" else "right wrist"
        assert recording.placements == (expected,)


def test_gravity_stays_removed(source, table: pd.DataFrame, root: Path) -> None:
    acc = ["acc_x", "acc_y", "acc_z"]
    table[acc] -= np.float32([0.1, 0.97, 0.2])
    dataset = import_dataset(source(table, gravity=False), root)
    assert not any(recording.gravity for recording in dataset.sessions())


# Where sources are found.


def test_a_folder_holds_every_table_with_a_card(source, tmp_path: Path) -> None:
    path = source()
    (tmp_path / "source" / "notes.yaml").write_text("a: note")
    assert find_sources(tmp_path / "source") == (path,)
    assert find_sources(path.with_suffix(".yaml")) == (path,)
    assert find_sources(path) == (path,)


@pytest.mark.parametrize("name", ["nothing.parquet", "empty", "lonely.parquet", "lonely.yaml", "walk.mat"])
def test_what_is_no_source_says_what_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    if name.startswith(("lonely", "walk")):
        (tmp_path / name).write_text("x: 1")
    with pytest.raises(UnreadableFile, match=name):
        find_sources(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 and then nothing that Parquet knows"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_that_is_none_is_unreadable(source, make_table, root: Path, suffix: str, content: bytes) -> None:
    path = source(make_table(subjects=1), suffix=suffix)
    path.write_bytes(content)
    with pytest.raises((UnreadableFile, BadSamples), match="made_up"):
        import_dataset(path, root)
    assert not list_stored(root)


def test_a_truncated_table_is_unreadable(source, root: Path) -> None:
    path = source()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFile, match=r"made_up\.parquet"):
        import_dataset(path, root)


def test_a_table_damaged_inside_is_unreadable_or_not_believed(source, root: Path) -> None:
    path = source()
    content = bytearray(path.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
    path.write_bytes(content)
    with pytest.raises((UnreadableFile, BadSamples)):
        import_dataset(path, root)
    assert not list_stored(root)
