"""Units stay inside their session, none is counted twice, and joining sessions changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.units import embed, lay_out, per_unit, shares_of_windows
from kinelex.recognition.asked import window_starts
from kinelex.recognition.timeline import Timeline
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording
from kinelex.signal.windows import cut

Make = Callable[..., Recording]
WINDOWS, RECORDINGS = ZeroShotProtocol(), ZeroShotProtocol(unit="recording")


def test_a_session_gives_whole_windows_and_no_rest(make_session: Make) -> None:
    lengths = {2.9: 0, 3.0: 1, 5.9: 1, 6.0: 1, 11.9: 1, 12.0: 2, 20.0: 3}
    for length, expected in lengths.items():
        sessions = [make_session(0, "walking", length, subject="a"), make_session(1, "sitting", 6.0, subject="a")]
        units = lay_out(sessions, WINDOWS)
        assert units.labels.count("walking") == expected, length
        assert units.too_short == (expected == 0)


def test_a_recording_is_one_unit_covered_to_its_end(make_session: Make) -> None:
    units = lay_out([make_session(0, "walking", 10.0, subject="a")], RECORDINGS)
    assert len(units) == 1
    ((_, starts_s),) = units.requests
    assert starts_s.min() == 0
    assert starts_s.max() + 6.0 == pytest.approx(10.0)
    assert units.seconds == pytest.approx(10.0)


@given(
    lengths=st.lists(st.floats(2.0, 40.0), min_size=1, max_size=12),
    rate_hz=st.sampled_from([10.0, 20.0, 31.25, 50.0]),
    unit=st.sampled_from(["window", "recording"]),
)
def test_windows_stay_in_their_session_and_windows_that_are_units_do_not_overlap(
    lengths: list[float], rate_hz: float, unit: str
) -> None:
    sessions = []
    for number, length in enumerate([*lengths, 7.0]):
        samples = np.full((round(length * rate_hz), 1), number, dtype=np.float32)
        samples[:, 0] += np.arange(len(samples)) / 1e4
        interval = Interval(0, length, str(number))
        sessions.append(Recording(samples, rate_hz, (Channel("acc", "x"),), subject="a", intervals=(interval,)))

    class Reader:
        """Writes down the first and last value of each window."""

        def embed_many(self, requests: Any, window_s: float) -> list[np.ndarray]:
            found = []
            for recording, starts_s in requests:
                windows = cut(recording.samples, recording.rate_hz, starts_s, window_s)[:, :, 0]
                measured = [window[np.isfinite(window)] for window in windows]
                found.append(np.array([[values[0], values[-1]] for values in measured], dtype=np.float32))
            return found

    steps: list[int] = []
    units = lay_out(sessions, ZeroShotProtocol(unit=unit))  # type: ignore[arg-type]
    spans = embed(Reader(), units, steps.append)
    assert sum(steps) == len(spans) == len(units.unit_of_window) == len(units.weights)
    for (first, last), owner in zip(spans, units.unit_of_window, strict=True):
        assert int(first) == int(last) == int(units.labels[owner])
    if unit == "window":
        # 6 s at 31.25 Hz are 187.5 samples, so that the sample in the middle may belong to both neighbors.
        spans = np.sort(spans, axis=0)
        assert (spans[1:, 0] > spans[:-1, 1] - 2e-4).all(), "no stretch is in two windows"


@given(st.floats(3.0, 60.0), st.floats(2.0, 6.0))
def test_shares_of_a_recording_are_those_of_a_timeline(duration_s: float, window_s: float) -> None:

    rate = 20.0
    samples = np.ones((round(duration_s * rate), 1), dtype=np.float32)
    recording = Recording(samples, rate, (Channel("acc", "x"),), intervals=(Interval(0, duration_s, "x"),))
    starts = window_starts(recording, window_s)
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], len(starts)).astype(np.float32)
    timeline = Timeline(recording, ("a", "b", "c"), starts, window_s, chances, min_segment_s=0.0)
    shares = shares_of_windows(starts, window_s, recording.duration_s)
    assert shares.sum() == pytest.approx(1.0)
    mine, theirs = shares @ chances, timeline.overall()
    if len(starts) <= 2 or window_s * rate == round(window_s * rate):
        assert mine.max() == pytest.approx(theirs.probability, abs=0.02)


def test_a_unit_without_usable_windows_is_missing_not_zero(make_session: Make) -> None:
    units = lay_out([make_session(0, "walking", 10.0, subject="a")] * 2, RECORDINGS)
    values = np.ones((len(units.unit_of_window), 2))
    values[units.unit_of_window == 0] = np.nan
    values[-1] = np.nan
    found = per_unit(values, units)
    assert np.isnan(found[0]).all()
    assert np.allclose(found[1], 1.0), "the mean is over the windows that can be used"


def test_recordings_of_nobody_stand_for_themselves(make_session: Make) -> None:
    units = lay_out([make_session(0, "walking", 10.0, subject=None)] * 3, RECORDINGS)
    assert len(units.subject_names) == 3
    assert not units.named


def test_a_session_needs_exactly_one_activity(make_session: Make) -> None:
    with pytest.raises(BadSamples, match="exactly 1"):
        lay_out([make_session(0, "walking", 10.0, subject="a")._with(intervals=())], WINDOWS)


def test_nothing_long_enough_is_an_error(make_session: Make) -> None:
    with pytest.raises(BadSamples, match="half a window"):
        lay_out([make_session(0, "walking", 2.0, subject="a")], WINDOWS)
