"""Published windows are splices of overlapping pieces, laid out as the published conversion did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.published_windows import (
    LONGEST_S,
    SHORTEST_S,
    lay_out_published,
    piece_bounds,
    piece_range,
    published_seed,
)
from kinelex.language import PublishedGroups
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording

Make = Callable[..., Recording]
PUBLISHED = ZeroShotProtocol.published(draws=100)


def numbered(
    name: str, label: str, samples: int, first: int, *, subject: str = "a", rate_hz: float = 50.0
) -> Recording:
    """A recording whose only channel counts its samples from `first`."""
    values = np.arange(first, first + samples, dtype=np.float32)[:, None]
    interval = Interval(0, samples / rate_hz, label)
    return Recording(values, rate_hz, (Channel("acc", "x"),), name=name, subject=subject, intervals=(interval,))


@given(
    samples=st.integers(1, 20_000),
    rate_hz=st.sampled_from([20.0, 50.0, 87.3]),
    bounds=st.tuples(st.floats(2, 10), st.floats(10, 120)),
    seed=st.integers(0, 2**40),
)
def test_pieces_are_as_long_as_they_may_be_and_overlap(
    samples: int, rate_hz: float, bounds: tuple[float, float], seed: int
) -> None:
    pieces = piece_bounds(samples, rate_hz, *bounds, seed)
    assert pieces[0][0] == 0
    assert all(0 <= first < last <= samples for first, last in pieces)
    if samples <= bounds[0] * rate_hz:
        assert pieces == [(0, samples)], "what is no longer than the shortest piece stays whole"
        return
    longest = min(bounds[1], LONGEST_S) * rate_hz
    for (first, last), (then, _) in pairwise(pieces):
        step, length = then - first, last - first
        assert length <= longest
        if last < samples:
            assert length >= int(bounds[0] * rate_hz)
            assert step <= max(length / 2 + 1, SHORTEST_S * rate_hz), "at least half of it is in the next one too"
            assert step >= min(int(0.2 * length), int(SHORTEST_S * rate_hz))
    assert all(last - first >= SHORTEST_S * rate_hz for first, last in pieces)
    assert samples - pieces[-1][1] < longest


def test_pieces_are_those_of_the_published_seed() -> None:
    """Reference: the published rule, followed by hand with Python's generator."""
    import random

    draw = random.Random(42 + 100 * 3 + 1)
    length = int(draw.uniform(2, 8) * 50.0)
    step = max(int(length * (1 - draw.uniform(0.5, 0.8))), 100)
    second = int(draw.uniform(2, 8) * 50.0)
    assert published_seed("mobifall", "mobifall/FOL_3_1", 7) == 42 + 301
    assert piece_bounds(1000, 50.0, 2, 8, 343)[:2] == [(0, length), (step, step + second)]


def test_sets_without_a_published_seed_have_one_of_their_own_per_session() -> None:
    seeds = {published_seed("motionsense", f"motionsense/dws_1_sub0{i}", s) for i in range(9) for s in range(3)}
    assert len(seeds) == 27
    assert published_seed("motionsense", "x", 0) == published_seed("motionsense", "x", 0)


def test_every_published_name_has_a_range() -> None:
    names = {name for members in PublishedGroups().groups.values() for name in members}
    for name in names:
        low, high = piece_range(name)
        assert SHORTEST_S <= low < high <= LONGEST_S
    assert (piece_range("fall_backward_knees"), piece_range("sitting_chair")) == ((2, 8), (2, 15))
    assert piece_range("stairs_up") == (2, 30), "the published number of pieces shows it"


def test_a_splice_joins_the_pieces_of_a_person_in_the_order_of_names() -> None:
    # Names as numbers: trial 2 comes before trial 11.
    sessions = [numbered("x/wlk_11", "walking", 2000, 10_000), numbered("x/wlk_2", "walking", 1000, 0)]
    units = lay_out_published(sessions, PUBLISHED, "x")
    ((splice, starts),) = units.requests
    expected = np.concatenate(
        [
            session.samples[first:last]
            for session in (sessions[1], sessions[0])
            for first, last in piece_bounds(
                len(session.samples), 50.0, *piece_range("walking"), published_seed("x", session.name, 0)
            )
        ]
    )
    assert np.array_equal(splice.samples, expected)
    assert np.allclose(np.diff(starts), 6.0)
    assert len(units) == len(expected) // 300 == len(starts)
    assert units.repeats == pytest.approx(len(expected) / 3000)
    assert units.repeats > 1.5


def test_a_window_is_what_most_of_its_samples_are() -> None:
    sessions = [numbered("x/a_1", "sitting", 100, 0), numbered("x/b_1", "walking", 60, 1000),
                numbered("x/c_1", "jogging", 150, 2000)]  # fmt: skip
    units = lay_out_published(sessions, PUBLISHED, "x")
    # Sitting and walking are too short to be cut: 100 and 60 samples, and what jogging adds, make the first window.
    ((splice, _),) = units.requests
    first = splice.samples[:300, 0]
    share = {"sitting": (first < 1000).mean(), "jogging": (first >= 2000).mean()}
    assert units.labels[0] == max(share, key=lambda label: share[label])
    assert units.sessions[0] == {"sitting": 0, "jogging": 2}[units.labels[0]]


def test_people_rates_and_missing_channels_are_kept_apart() -> None:
    gyro = Channel("gyro", "x")
    whole = numbered("x/a_1", "walking", 1000, 0)
    both = replace(
        numbered("x/a_2", "walking", 1000, 0), samples=np.ones((1000, 2), np.float32), channels=(*whole.channels, gyro)
    )
    other_rate = numbered("x/a_3", "walking", 1000, 0, rate_hz=20.0)
    somebody = numbered("x/a_4", "walking", 1000, 5000, subject="b")
    units = lay_out_published([whole, both, other_rate, somebody], PUBLISHED, "x")
    assert [recording.rate_hz for recording, _ in units.requests] == [50.0, 20.0, 50.0]
    assert set(units.subject_names) == {"a", "b"}
    spliced = units.requests[0][0]
    assert spliced.channels == (*whole.channels, gyro)
    assert np.isnan(spliced.samples[:100, 1]).all(), "a session without a gyroscope has no value, not zero"
    assert np.isfinite(spliced.samples[-100:, 1]).all()
    assert set(units.rates) == {"50 Hz", "20 Hz"}


def test_recordings_of_nobody_are_not_joined() -> None:
    sessions = [replace(numbered("x/a_1", "walking", 1000, 0), subject=None) for _ in range(3)]
    units = lay_out_published(sessions, PUBLISHED, "x")
    assert not units.named
    assert len(units.requests) == len(units.subject_names) == 3


def test_what_cannot_be_laid_out_is_refused(make_session: Make) -> None:
    with pytest.raises(BadSamples, match="exactly 1"):
        lay_out_published([numbered("x", "walking", 1000, 0)._with(intervals=())], PUBLISHED, "x")
    with pytest.raises(BadSamples, match="nothing to evaluate"):
        lay_out_published([make_session(0, "walking", 4.0, subject="a")], PUBLISHED, "x")


@pytest.mark.parametrize(
    ("name", "published_windows", "published_pieces", "within"),
    [("motionsense", 12_080, 7_989, 0.01), ("mobifall", 4_345, 3_646, 0.04)],
)
def test_there_are_about_as_many_as_were_published(
    recordings_dir: Any, name: str, published_windows: int, published_pieces: int, within: float
) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(recordings_dir / "sessions" / f"{name}.parquet", columns=["session", "subject", "activity"])
    frame = table.to_pandas().value_counts(["session", "subject", "activity"])
    sessions = [
        numbered(f"{name}/{session}", activity, rows, 0, subject=subject)
        for (session, subject, activity), rows in frame.items()
    ]
    units = lay_out_published(sessions, PUBLISHED, name)
    assert len(units) == pytest.approx(published_windows, rel=within)
    given = PublishedGroups()
    pieces = sum(
        len(piece_bounds(
            len(session.samples), 50.0, *piece_range(given.name_of(name, session.intervals[0].label)),
            published_seed(name, session.name, 0),
        ))
        for session in sessions
    )  # fmt: skip
    assert pieces == pytest.approx(published_pieces, rel=within)
