"""Cells and segments keep their laws for any windows, any gaps, and any opinion of the model."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.recognition.asked import window_starts
from kinelex.recognition.merging import NO_LABEL, cells_of, merge
from kinelex.recognition.timeline import Timeline
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Recording

ACC = tuple(Channel("acc", axis) for axis in "xyz")


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Any recording with holes, any windows on it, and any probabilities, some of them missing."""
    rate_hz = draw(st.sampled_from([5.0, 10.0, 12.5, 33.3, 50.0]))
    window_s = draw(st.sampled_from([2.0, 6.0, 7.3]))
    hop_s = window_s * draw(st.sampled_from([0.1, 0.5, 1 / 3, 1.0]))
    duration_s = draw(st.floats(window_s / 2 + 0.3, 90.0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = rng.normal(size=(int(np.ceil(duration_s * rate_hz)), 3)).astype(np.float32)
    for _ in range(draw(st.integers(0, 3))):
        first = rng.integers(0, len(samples))
        samples[first : first + rng.integers(1, 1 + len(samples) // 2)] = np.nan
    recording = Recording(samples, rate_hz, ACC)
    starts_s = window_starts(recording, window_s, hop_s)
    labels = draw(st.integers(2, 5))
    logits = rng.normal(0, draw(st.floats(0.0, 5.0)), (len(starts_s), labels))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities[rng.random(len(starts_s)) < draw(st.sampled_from([0.0, 0.2, 1.0]))] = np.nan
    names = tuple(f"label {i}" for i in range(labels))
    min_segment_s = draw(st.sampled_from([0.0, window_s / 2, 2 * window_s]))
    return Timeline(recording, names, starts_s, window_s, probabilities.astype(np.float32), min_segment_s)


@given(timelines())
@settings(max_examples=150)
def test_segments_cover_the_recording_in_order_without_holes(timeline: Timeline) -> None:
    segments = timeline.segments
    assert segments[0].start_s == 0.0
    assert segments[-1].end_s == pytest.approx(timeline.recording.duration_s)
    for one, two in pairwise(segments):
        assert one.end_s == two.start_s
        assert one.activity != two.activity
    assert all(segment.duration_s > 0 for segment in segments)


@given(timelines())
def test_probabilities_are_probabilities(timeline: Timeline) -> None:
    rows = timeline.cells.probabilities
    answered = np.isfinite(rows).all(axis=1)
    assert (np.isfinite(rows).any(axis=1) == answered).all()
    np.testing.assert_allclose(rows[answered].sum(axis=1), 1.0, rtol=1e-9)
    for segment in (*timeline.segments, timeline.overall()):
        if segment.activity is None:
            assert np.isnan(segment.probability) and segment.unsure
        else:
            assert 0.0 <= segment.probability <= 1.0


@given(timelines())
def test_windows_say_what_the_model_said(timeline: Timeline) -> None:
    assert len(timeline.windows) == len(timeline.starts_s)
    for window, row in zip(timeline.windows, timeline.probabilities, strict=True):
        if np.isnan(row).any():
            assert window.label is None and window.unsure
        else:
            assert window.label == timeline.labels[row.argmax()]
        assert 0.0 <= window.start_s < window.end_s <= timeline.recording.duration_s + 1e-9


@given(timelines())
def test_only_what_has_no_neighbour_is_shorter_than_the_minimum(timeline: Timeline) -> None:
    segments = timeline.segments
    for position, segment in enumerate(segments):
        around = segments[max(0, position - 1) : position] + segments[position + 1 : position + 2]
        if segment.activity is not None and any(other.activity is not None for other in around):
            assert segment.duration_s > timeline.min_segment_s - 1e-5


@given(timelines())
def test_no_activity_where_nothing_was_measured(timeline: Timeline) -> None:
    missing = np.isnan(timeline.recording.samples).all(axis=1)
    times = timeline.recording.times_s
    long = np.diff(np.flatnonzero(np.concatenate([[True], np.diff(missing) != 0, [True]])))
    silent = np.repeat(long >= timeline.recording.rate_hz, long) & missing
    for segment in timeline.segments:
        inside = (times >= segment.start_s - 1e-9) & (times < segment.end_s - 1e-9)
        if segment.activity is not None:
            assert not silent[inside].any()


@given(timelines())
def test_an_instant_is_the_mean_of_the_windows_that_cover_it(timeline: Timeline) -> None:
    samples, rate_hz = timeline.recording.samples, timeline.recording.rate_hz
    cells, measured = cells_of(samples, rate_hz, timeline.starts_s, timeline.window_s, timeline.probabilities)
    position = len(cells.lengths_s) // 2
    if np.isnan(cells.probabilities[position]).any():
        return
    middle_s = (cells.edges_s[position] + cells.edges_s[position + 1]) / 2
    covers = (timeline.starts_s <= middle_s) & (middle_s < timeline.starts_s + timeline.window_s)
    covers &= np.isfinite(timeline.probabilities).all(axis=1) & (measured > 0)
    expected = np.average(timeline.probabilities[covers], axis=0, weights=measured[covers])
    np.testing.assert_allclose(cells.probabilities[position], expected, atol=1e-5)


def test_a_blip_joins_the_neighbour_that_it_resembles() -> None:
    samples = np.zeros((180, 3), dtype=np.float32)
    rows = np.array([[0.9, 0.1, 0.0]] * 2 + [[0.05, 0.4, 0.55]] + [[0.1, 0.9, 0.0]] * 3)
    cells, _ = cells_of(samples, 10.0, np.arange(6) * 3.0, 3.0, rows)
    assert [(run.first, run.last, run.label) for run in merge(cells, 0.0)] == [(0, 2, 0), (2, 3, 2), (3, 6, 1)]
    assert [(run.first, run.last, run.label) for run in merge(cells, 4.0)] == [(0, 2, 0), (2, 6, 1)]


def test_segments_never_join_across_a_gap() -> None:
    samples = np.zeros((300, 3), dtype=np.float32)
    samples[120:180] = np.nan
    rows = np.array([[0.9, 0.1]] * 10)
    cells, measured = cells_of(samples, 10.0, np.arange(10) * 3.0, 3.0, rows)
    assert [run.label for run in merge(cells, 20.0)] == [0, NO_LABEL, 0]
    assert measured.tolist() == [1.0] * 4 + [0.0] * 2 + [1.0] * 4
