"""Every real data set, imported: what is stored is what its card says, with 9.81 m/s² at rest where gravity is in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import Card, StoredDataset, import_dataset

CARDS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "sessions"
NAMES = sorted(path.stem for path in CARDS.glob("*.yaml")) or ["no recordings"]
NEVER_STILL = {"unimib_shar"}  # seconds around a fall


@dataclass
class Read:
    """One data set, imported and read to its end once."""

    card: Card
    stored: StoredDataset
    rows: Counter[str] = field(default_factory=Counter)
    subjects: set[str] = field(default_factory=set)
    resting: dict[str, list[float]] = field(default_factory=dict)
    sizes: list[float] = field(default_factory=list)
    turning: list[np.ndarray] = field(default_factory=list)


@pytest.fixture(scope="module")
def reads() -> dict[str, Read]:
    """What was read so far: importing takes seconds."""
    return {}


@pytest.fixture
def read(
    request: pytest.FixtureRequest,
    reads: dict[str, Read],
    recordings_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Read:
    name: str = request.param
    if name not in reads:
        reads[name] = import_and_read(recordings_dir / "sessions" / f"{name}.parquet", tmp_path_factory.mktemp(name))
    return reads[name]


def import_and_read(source: Path, root: Path) -> Read:
    stored = import_dataset(source, root)
    found = Read(Card.load(source.with_suffix(".yaml")), stored)
    length = round(stored.rates_hz[0] / 2)
    for recording in stored.sessions():
        (interval,) = recording.intervals
        found.rows[interval.label] += len(recording.samples)
        found.subjects.add(recording.subject or "")
        gyro = [i for i, channel in enumerate(recording.channels) if channel.sensor == "gyro"]
        found.turning.append(np.abs(recording.samples[::5, gyro]).ravel())
        for placement in recording.placements:
            acc = [i for i, c in enumerate(recording.channels) if c.sensor == "acc" and c.placement == placement]
            samples = recording.samples[:, acc]
            halves = samples[: len(samples) // length * length].reshape(-1, length, len(acc))
            still = halves[halves.std(axis=1).max(axis=1) < 0.25].mean(axis=1)
            found.resting.setdefault(placement, []).extend(np.linalg.norm(still, axis=1))
            found.sizes.append(float(np.nanmedian(np.linalg.norm(samples, axis=1))))
    return found


each_set = pytest.mark.parametrize("read", NAMES, indirect=True)


@each_set
class TestRecordings:
    def test_subjects_activities_and_hours_are_the_cards(self, read: Read) -> None:
        assert len(read.subjects) == len(read.stored.subjects) == read.card.subjects
        assert set(read.rows) == set(read.stored.labels) == set(read.card.activities)
        assert read.stored.hours == pytest.approx(read.card.hours, abs=0.0051)

    def test_seconds_of_each_activity_are_the_cards(self, read: Read) -> None:
        for name, seconds in read.card.activities.items():
            assert read.rows[name] / read.card.rate_hz == pytest.approx(seconds, abs=0.51), name
            assert read.stored.activities[name] == pytest.approx(seconds, abs=0.51), name
        assert not [note for note in read.stored.notes if "on the card" in note]

    def test_channels_are_the_cards_columns_that_have_a_unit(self, read: Read) -> None:
        expected = {read.card.channel(column, "unknown").sensor for column in read.card.usable_columns}
        assert {channel.sensor for channel in read.stored.channels} == expected
        assert "unknown" not in read.stored.placements

    def test_a_resting_sensor_reads_gravity_where_gravity_is_in(self, read: Read) -> None:
        if read.card.name in NEVER_STILL:
            assert np.median(read.sizes) == pytest.approx(9.81, rel=0.2)
            return
        if read.card.gravity:
            tolerance = 0.05 if read.card.name == "utd_mhad" else 0.03  # its one sensor reads 4 % too much
            overall = np.median(np.concatenate(list(read.resting.values())))
            assert overall == pytest.approx(9.81, rel=tolerance)
        for placement, resting in read.resting.items():
            assert len(resting) > 20, placement
            if read.card.gravity:
                assert np.median(resting) == pytest.approx(9.81, rel=0.05), placement
                near = np.abs(np.array(resting) / 9.81 - 1) < 0.25
                assert near.mean() > 0.99, placement
            else:
                assert np.median(resting) < 0.3, placement

    def test_people_turn_at_the_speed_of_people(self, read: Read) -> None:
        turning = np.concatenate(read.turning)
        if "gyro" not in read.card.units:
            assert not len(turning)
            return
        turning = turning[np.isfinite(turning)]
        assert 0.02 < np.median(turning) < 1
        assert 0.5 < np.quantile(turning, 0.99) < 8
        assert turning.max() < 40


@pytest.mark.parametrize("read", [name for name in NAMES if name in ("dsads", "no recordings")], indirect=True)
def test_the_zeros_that_fill_dsads_are_missing(read: Read) -> None:
    (sessions,) = read.stored.findings.values()
    assert {name.split("_")[1] for name in sessions} == {"p1", "p6"}
    recording = next(r for r in read.stored.sessions(["p6"], ["ascending_stairs"]))
    assert np.isnan(recording.samples[100:]).all()
    assert np.isfinite(recording.samples[:100]).all()


@pytest.mark.parametrize("read", [name for name in NAMES if name in ("utd_mhad", "no recordings")], indirect=True)
def test_utd_mhad_wears_its_sensor_on_the_thigh_for_six_actions(read: Read) -> None:
    on_thigh = {r.intervals[0].label for r in read.stored.sessions() if r.placements == ("right thigh",)}
    on_wrist = {r.intervals[0].label for r in read.stored.sessions() if r.placements == ("right wrist",)}
    assert on_thigh == {"jog", "walk", "sit2stand", "stand2sit", "lunge", "squat"}
    assert on_thigh | on_wrist == set(read.stored.labels)
    assert not on_thigh & on_wrist


@pytest.mark.parametrize("read", [name for name in NAMES if name in ("wisdm", "no recordings")], indirect=True)
def test_wisdm_has_a_phone_or_a_watch_in_each_session(read: Read) -> None:
    assert {recording.placements for recording in read.stored.sessions()} == {("pocket",), ("wrist",)}
