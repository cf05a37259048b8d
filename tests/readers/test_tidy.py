"""Tidy tables of many sessions: which is read, what the card says, and the real ones."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml

from kinelex.errors import BadSamples, UnknownName, UnknownPlacement, UnreadableFile, UsageError
from kinelex.readers import read, read_sessions
from kinelex.signal.channel import Channel

CARD = {"placement": "waist (smartphone)", "units": {"acc": "g", "gyro": "rad/s"}, "gravity": True, "rate_hz": 50}


def table(sessions: dict[str, int], seed: int = 0, **more: object) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    names = [name for name, rows in sessions.items() for _ in range(rows)]
    columns: dict[str, object] = {
        "session": names,
        "subject": [f"s{name[-1]}" for name in names],
        "activity": ["walking" if name[-1] in "13" else "sitting" for name in names],
        "t": np.concatenate([np.arange(rows) / 50 for rows in sessions.values()]).astype(np.float32),
    }
    columns |= {f"acc_{axis}": rng.normal(axis == "z", 0.005, len(names)).astype(np.float32) for axis in "xyz"}
    columns |= {f"gyro_{axis}": rng.normal(0, 0.1, len(names)).astype(np.float32) for axis in "xyz"}
    return columns | more


def store(folder: Path, columns: dict[str, object], card: dict[str, object] | None, suffix: str = ".parquet") -> Path:
    path = folder / f"set{suffix}"
    if suffix == ".csv":
        pacsv.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path)
    if card is not None:
        path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_session_that_is_asked_for_is_read(tmp_path: Path, suffix: str) -> None:
    path = store(tmp_path, table({"a1": 100, "b2": 150, "c3": 120}), CARD, suffix)
    recording = read(path, session="b2")
    assert (recording.name, recording.subject, recording.rate_hz) == ("b2", "s2", 50)
    assert recording.placements == ("waist",)
    assert [(i.start_s, i.end_s, i.label) for i in recording.intervals] == [(0.0, 3.0, "sitting")]
    assert recording.quality.resting_acc == pytest.approx(9.81, abs=0.1)
    assert [r.name for r in read_sessions(path)] == ["a1", "b2", "c3"]


def test_several_sessions_are_not_read_as_one(tmp_path: Path) -> None:
    path = store(tmp_path, table({"a1": 100, "b2": 100}), CARD)
    with pytest.raises(UsageError, match=r"has 2 sessions.*session='a1'.*read_sessions.*kinelex datasets import"):
        read(path)
    with pytest.raises(UnknownName, match=r"no session 'a2' among its 2.*a1"):
        read(path, session="a2")
    assert read(store(tmp_path, table({"a1": 100}), CARD)).name == "a1"


def test_sessions_whose_rows_are_mixed_are_put_in_order(tmp_path: Path) -> None:
    columns = table({"a1": 100, "b2": 100})
    order = np.random.default_rng(1).permutation(200)
    shuffled = {name: pa.array(values).take(pa.array(order)) for name, values in columns.items()}
    expected = list(read_sessions(store(tmp_path, columns, CARD)))
    for recording in read_sessions(store(tmp_path, shuffled, CARD)):
        same = next(r for r in expected if r.name == recording.name)
        np.testing.assert_array_equal(recording.samples, same.samples)


def test_channels_that_were_off_in_a_session_are_left_out_of_it(tmp_path: Path) -> None:
    columns = table({"a1": 100, "b2": 100})
    columns["gyro_x"][:100] = np.nan  # type: ignore[index]
    one, two = read_sessions(store(tmp_path, columns, CARD))
    assert len(one.channels) == 5 and len(two.channels) == 6
    for axis in "xyz":
        columns[f"acc_{axis}"][:100] = columns[f"gyro_{axis}"][:100] = np.nan  # type: ignore[index]
    with pytest.raises(BadSamples, match=r"session 'a1': no column has a value"):
        read(store(tmp_path, columns, CARD), session="a1")


def test_the_placement_column_says_where_each_session_was_worn(tmp_path: Path) -> None:
    columns = table({"a1": 100, "b2": 100}, placement=["right wrist"] * 100 + ["right thigh"] * 100)
    path = store(tmp_path, columns, CARD)
    assert [r.placements for r in read_sessions(path)] == [("right wrist",), ("right thigh",)]
    columns["placement"][0] = "head"  # type: ignore[index]
    with pytest.raises(BadSamples, match=r"session 'a1' has rows of 2 placements"):
        read(store(tmp_path, columns, CARD), session="a1")


def test_devices_in_column_names_are_placed_by_the_card(tmp_path: Path) -> None:
    columns = {name.replace("acc_", "phone_acc_").replace("gyro_", "watch_gyro_"): values
               for name, values in table({"a1": 100}).items()}  # fmt: skip
    card = CARD | {"placement": "phone in the left trouser pocket, watch on the dominant wrist"}
    assert read(store(tmp_path, columns, card)).placements == ("left pocket", "wrist")
    with pytest.raises(UnknownPlacement, match="phone"):
        read(store(tmp_path, columns, CARD))


def test_values_without_a_unit_are_left_out_and_it_says_so(tmp_path: Path) -> None:
    columns = table({"a1": 100}, mag_x=np.ones(100))
    recording = read(store(tmp_path, columns, CARD | {"units": {"acc": "g", "gyro": "rad/s", "mag": "normalised"}}))
    assert all(channel.sensor != "mag" for channel in recording.channels)
    assert any("mag was left out" in note for note in recording.quality.notes)


def test_without_a_card_the_caller_says_it(tmp_path: Path) -> None:
    path = store(tmp_path, table({"a1": 100}), None)
    recording = read(path, units={"acc": "g"}, placement="chest", gravity=True, subject="me")
    assert (recording.placements, recording.subject, recording.rate_hz) == (("chest",), "me", 50)


@pytest.mark.parametrize(
    ("card", "says"),
    [("[", "no YAML"), ("- a", "must map"), ("units: g", "field units"), ("rate_hz: fast", "field rate_hz"),
     ("gravity: maybe", "field gravity")],
)  # fmt: skip
def test_a_broken_card_is_named(tmp_path: Path, card: str, says: str) -> None:
    path = store(tmp_path, table({"a1": 100}), None)
    path.with_suffix(".yaml").write_text(card)
    with pytest.raises(UnreadableFile, match=rf"set\.yaml.*{says}"):
        read(path)


SETS = {  # sessions, channels of the first, placements seen in the sessions that are looked at
    "dsads": (511, 30, {"torso", "right arm", "left arm", "right leg", "left leg"}),
    "hapt": (1214, 6, {"waist"}),
    "hhar_sample": (32, 6, {"waist"}),
    "ku_har": (41, 6, {"waist"}),
    "mobifall": (630, 6, {"pocket"}),
    "motionsense": (360, 6, {"pocket"}),
    "sisfall": (4505, 6, {"waist"}),
    "umafall": (746, 39, {"ankle", "chest", "right pocket", "waist", "wrist"}),
    "unimib_shar": (1699, 3, {"pocket"}),
    "usc_had": (840, 6, {"right hip"}),
    "utd_mhad": (861, 6, {"right wrist"}),
    "wisdm": (488, 6, {"pocket"}),
}


@pytest.mark.parametrize("name", SETS)
def test_every_real_set_is_read_as_its_card_says(recordings_dir: Path, name: str) -> None:
    sessions, channels, placements = SETS[name]
    path = recordings_dir / "sessions" / f"{name}.parquet"
    card = yaml.safe_load(path.with_suffix(".yaml").read_text())
    with pytest.raises(UsageError, match=f"has {sessions} sessions"):
        read(path)
    first = list(islice(read_sessions(path), 6))
    assert len(first[0].channels) == channels
    assert {place for recording in first for place in recording.placements} == placements
    for recording in first:
        assert recording.rate_hz == card["rate_hz"]
        assert recording.gravity == card["gravity"]
        assert recording.subject
        (interval,) = recording.intervals
        assert interval.label in card["activities"]
        assert (interval.start_s, interval.end_s) == pytest.approx((0, recording.duration_s))
        assert all(isinstance(channel, Channel) for channel in recording.channels)
        if recording.gravity and recording.quality.resting_acc is not None:
            assert 8 < recording.quality.resting_acc < 11.5
