"""Intervals cover what they claim, over people; tests between systems hold their level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples, UsageError
from kinelex.evaluation import statistics
from kinelex.evaluation.metrics import accuracy, confusion_per_subject, macro_f1


def hits(people: int, windows: int, spread: float, rng: np.random.Generator, seeds: int = 1) -> np.ndarray:
    """(sum, count) of right windows per seed and subject; people differ in how well they are recognized by `spread`."""
    ease = np.clip(0.7 + spread * rng.standard_normal(people), 0, 1)
    right = rng.binomial(windows, ease, size=(seeds, people))
    return np.stack([right, np.full_like(right, windows)], axis=-1).astype(float)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        estimate = statistics.bootstrap_over_subjects(hits(25, 40, 0.1, rng), statistics.mean_of, draws=400, seed=trial)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.7 <= estimate.high
    assert 0.88 <= covered / 300 <= 0.99, "a percentile interval over 25 people covers a little less than 95 %"


def test_people_who_differ_widen_the_interval_and_more_windows_of_them_do_not_narrow_it() -> None:
    def width(people: int, windows: int, spread: float) -> float:
        estimate = statistics.bootstrap_over_subjects(
            hits(people, windows, spread, np.random.default_rng(0)), statistics.mean_of
        )
        assert estimate.low is not None
        assert estimate.high is not None
        return estimate.high - estimate.low

    assert width(20, 1000, 0.15) > 3 * width(20, 1000, 0.0)
    assert width(20, 10_000, 0.15) > 0.6 * width(20, 1000, 0.15)
    assert width(200, 1000, 0.15) < 0.5 * width(20, 1000, 0.15)


def test_seeds_are_averaged_within_each_draw_not_resampled() -> None:
    once = hits(20, 50, 0.1, np.random.default_rng(3))
    one = statistics.bootstrap_over_subjects(once, statistics.mean_of, seed=5)
    thrice = statistics.bootstrap_over_subjects(np.repeat(once, 3, axis=0), statistics.mean_of, seed=5)
    assert (thrice.low, thrice.high) == pytest.approx((one.low, one.high))
    assert thrice.sd == 0.0
    assert one.sd is None
    shifted = once.copy()
    shifted[..., 0] -= 5  # a seed that is worse by 0.1 for everybody moves the interval, but does not widen it
    both = statistics.bootstrap_over_subjects(np.concatenate([once, shifted]), statistics.mean_of, seed=5)
    assert (both.low, both.high) == pytest.approx((one.low - 0.05, one.high - 0.05))  # type: ignore[operator]
    assert both.sd == pytest.approx(0.1 / np.sqrt(2))


def test_the_same_seed_gives_the_same_interval() -> None:
    parts = hits(10, 20, 0.1, np.random.default_rng(0))
    first, again, other = (
        statistics.bootstrap_over_subjects(parts, statistics.mean_of, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_drawing_weighted_tables_is_drawing_windows() -> None:
    rng = np.random.default_rng(4)
    truth, predicted, subjects = (rng.integers(0, n, 200) for n in (3, 3, 6))
    tables = confusion_per_subject(truth, predicted, subjects, 3)
    estimate = statistics.bootstrap_over_subjects(tables[None], macro_f1, draws=300, seed=9)
    by_hand = []
    for counts in statistics.subject_draws(6, 300, 9):
        windows = np.concatenate([np.flatnonzero(subjects == s) for s in np.repeat(np.arange(6), counts)])
        drawn = confusion_per_subject(truth[windows], predicted[windows], np.zeros(len(windows), int), 3)
        by_hand.append(float(macro_f1(drawn)[0]))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])))
    assert estimate.mean == pytest.approx(float(macro_f1(tables.sum(axis=0))))


def test_one_subject_gives_no_interval() -> None:
    estimate = statistics.bootstrap_over_subjects(np.array([[[[3, 1], [0, 4]]]]), accuracy)
    assert (estimate.mean, estimate.low, estimate.high) == (0.875, None, None)


@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 0, 2), (4,)])
def test_an_empty_bootstrap_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadSamples):
        statistics.bootstrap_over_subjects(np.ones(shape), statistics.mean_of)


def test_sums_per_subject_give_the_mean() -> None:
    values, subjects = np.array([1.0, 2.0, 6.0]), np.array([0, 2, 2])
    parts = statistics.sums_per_subject(values, subjects)
    assert parts.tolist() == [[1, 1], [0, 0], [8, 2]]
    assert statistics.mean_of(parts.sum(axis=0)) == 3.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_only_raises_probabilities_and_keeps_their_order(raw: list[float]) -> None:
    corrected = statistics.holm(raw)
    assert (corrected >= np.array(raw) - 1e-12).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(raw, kind="stable")]) >= 0).all()
    assert corrected.min() == pytest.approx(min(1, min(raw) * len(raw)))


def test_a_clear_difference_is_found_and_none_between_twins() -> None:
    rng = np.random.default_rng(0)
    good = rng.uniform(0.7, 0.9, 20)
    found = statistics.wilcoxon_holm({"good": good, "twin": good, "bad": good - rng.uniform(0.05, 0.1, 20)})
    by_pair = {(c.first, c.second): c for c in found}
    assert by_pair["good", "bad"].significant
    assert by_pair["good", "bad"].difference > 0
    assert by_pair["good", "twin"].p == 1.0
    assert [c.p for c in found] == sorted(c.p for c in found)


def test_systems_that_are_alike_are_rarely_called_different() -> None:
    rng = np.random.default_rng(2)
    false = sum(
        any(c.significant for c in statistics.wilcoxon_holm(dict(zip("abc", rng.normal(size=(3, 15)), strict=True))))
        for _ in range(100)
    )
    assert false <= 12, "the family of three tests errs in about 5 of 100 cases"


@pytest.mark.parametrize("scores", [{}, {"a": [1.0]}, {"a": [1.0, 2.0], "b": [1.0]}, {"a": [], "b": []}])
def test_a_comparison_needs_two_systems_on_the_same_subjects(scores: dict[str, list[float]]) -> None:
    with pytest.raises(UsageError):
        statistics.wilcoxon_holm(scores)
