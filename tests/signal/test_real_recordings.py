"""Real people with real devices: every set is read in its own units, and refused in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from numpy.typing import NDArray

from kinelex.errors import UnknownRate, WrongUnit
from kinelex.signal.channel import Channel
from kinelex.signal.clock import regularize
from kinelex.signal.recording import Recording

SETS = (
    "dsads", "hapt", "hhar_sample", "ku_har", "mobifall", "motionsense", "sisfall", "umafall", "unimib_shar",
    "usc_had", "utd_mhad", "wisdm",
)  # fmt: skip
WITH_GRAVITY = tuple(name for name in SETS if name != "ku_har")
WITH_GYRO = tuple(name for name in WITH_GRAVITY if name != "unimib_shar")
SESSIONS = 12  # of each set, evenly spread over people and activities


class Session(NamedTuple):
    name: str
    times_s: NDArray[np.float64]
    samples: NDArray[np.float32]
    channels: list[Channel]


class Set(NamedTuple):
    card: dict[str, Any]
    sessions: list[Session]

    def recordings(self, gravity: bool | None, **units: str) -> Iterator[Callable[[], Recording]]:
        """One function per session that reads it with the card's units, or others."""
        for session in self.sessions:
            yield lambda session=session: Recording.from_arrays(  # type: ignore[misc]
                session.samples,
                session.channels,
                times_s=session.times_s,
                rate_hz=self.card["rate_hz"],
                units={**self.card["units"], **units},
                gravity=gravity,
                name=session.name,
            )

    def refused(self, gravity: bool | None, **units: str) -> float:
        """The share of sessions that are refused for their units."""
        count = 0
        for read in self.recordings(gravity, **units):
            try:
                read()
            except WrongUnit:
                count += 1
        return count / len(self.sessions)


@pytest.fixture(scope="module")
def load(recordings_dir: Path) -> Callable[[str], Set]:
    @cache
    def load(name: str) -> Set:
        file = recordings_dir / "sessions" / f"{name}.parquet"
        names = [c for c in pyarrow.parquet.read_schema(file).names if "acc_" in c or "gyro_" in c]
        table = pyarrow.parquet.read_table(file, columns=["session", "t", *names])
        sessions = table.column("session").to_numpy()
        starts = np.flatnonzero(np.concatenate([[True], sessions[1:] != sessions[:-1]]))
        ends = np.append(starts[1:], len(table))
        chosen = []
        for i in np.unique(np.linspace(0, len(starts) - 1, SESSIONS).astype(int)):
            rows = table.slice(starts[i], ends[i] - starts[i])
            samples = np.column_stack([rows.column(c).to_numpy() for c in names])
            there = np.isfinite(samples).any(axis=0)
            # The phone was in the pocket and the watch at the wrist, in sessions of their own.
            channels = [Channel.parse(c.replace("phone", "pocket").replace("watch", "wrist")) for c in names]
            chosen.append(
                Session(
                    str(sessions[starts[i]]),
                    rows.column("t").to_numpy().astype(np.float64),
                    samples[:, there],
                    [channel for channel, any_value in zip(channels, there, strict=True) if any_value],
                )
            )
        return Set(yaml.safe_load(file.with_suffix(".yaml").read_text(encoding="utf-8")), chosen)

    return load


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_read_in_its_own_units_without_a_false_alarm(load: Callable[[str], Set], name: str) -> None:
    data = load(name)
    resting = []
    for read, session in zip(data.recordings(data.card["gravity"]), data.sessions, strict=True):
        recording = read()
        assert recording.rate_hz == data.card["rate_hz"]
        assert len(recording.samples) == len(session.samples)
        assert recording.gravity == data.card["gravity"]
        assert recording.quality.gaps == ()
        if recording.quality.resting_acc is not None:
            resting.append(recording.quality.resting_acc)
    if data.card["gravity"] and name not in ("unimib_shar", "utd_mhad"):  # in which nobody rests
        assert np.median(resting) == pytest.approx(9.81, abs=0.5)


@pytest.mark.parametrize("name", SETS)
def test_gravity_is_found_or_missed_as_the_card_says(load: Callable[[str], Set], name: str) -> None:
    data = load(name)
    found = [read().gravity for read in data.recordings(None)]
    assert np.mean(np.equal(found, data.card["gravity"])) >= (1.0 if name != "unimib_shar" else 0.9)


@pytest.mark.parametrize("claimed", ["m/s^2", "g", "mg"])
@pytest.mark.parametrize("name", WITH_GRAVITY)
def test_acc_in_another_unit_is_refused(load: Callable[[str], Set], name: str, claimed: str) -> None:
    data = load(name)
    if claimed != data.card["units"]["acc"]:
        assert data.refused(data.card["gravity"], acc=claimed) == 1.0


@pytest.mark.parametrize("name", WITH_GYRO)
def test_gyro_in_another_unit_is_refused_wherever_people_move(load: Callable[[str], Set], name: str) -> None:
    data = load(name)
    claimed = {"rad/s": "deg/s", "deg/s": "rad/s"}[data.card["units"]["gyro"]]
    # Where people sit or stand there is nothing to see; the first set below is half of that, the second all but.
    assert data.refused(data.card["gravity"], gyro=claimed) >= {"sisfall": 0.4, "hhar_sample": 0.1}.get(name, 0.5)


def test_padding_of_the_official_files_is_missing_signal(load: Callable[[str], Set]) -> None:
    padded = [read().quality.zero_filled_s for read in load("dsads").recordings(True)]
    assert max(padded) == pytest.approx(1.0)
    assert min(padded) == 0.0


@pytest.mark.parametrize("name", ["unimib_shar", "umafall", "wisdm"])
def test_sensors_that_reach_the_end_of_their_range_are_told(load: Callable[[str], Set], name: str) -> None:
    assert any(read().quality.clipped for read in load(name).recordings(True))


@pytest.mark.parametrize("name", ["hapt", "motionsense", "usc_had"])
def test_sets_of_good_sensors_have_no_problems(load: Callable[[str], Set], name: str) -> None:
    assert [read().quality.problems() for read in load(name).recordings(True)] == [[]] * SESSIONS


@pytest.mark.parametrize("activity", ["still", "standing", "walking", "jumping"])
def test_a_phone_logger_s_clock_is_made_even(recordings_dir: Path, activity: str) -> None:
    file = recordings_dir / "devices" / "sensor_logger_ios" / activity / "AccelerometerUncalibrated.csv"
    table = pyarrow.csv.read_csv(file)
    times_ns = table.column("time").to_numpy()
    acc_g = np.column_stack([table.column(axis).to_numpy() for axis in "xyz"])
    with pytest.raises(UnknownRate, match="look like nanoseconds"):
        regularize(acc_g, times_s=times_ns)
    recording = Recording.from_arrays(
        acc_g, ["acc_x", "acc_y", "acc_z"], times_s=times_ns / 1e9, units={"acc": "g"}, gravity=True
    )
    assert recording.rate_hz == pytest.approx(100, rel=0.02)
    assert recording.duration_s == pytest.approx((times_ns[-1] - times_ns[0]) / 1e9, abs=0.05)
    with pytest.raises(WrongUnit, match="looks like g"):
        Recording.from_arrays(
            acc_g, ["acc_x", "acc_y", "acc_z"], times_s=times_ns / 1e9, units={"acc": "m/s^2"}, gravity=True
        )
