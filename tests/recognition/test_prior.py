"""Windows that are looked at together say how often labels occur, as far as one may assume something about that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples
from kinelex.model.scoring import softmax
from kinelex.recognition.prior import balance, class_frequencies, transductive


def drawn(
    frequencies: list[float], windows: int, sharpness: float = 2.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truth of a calibrated model: Gaussian features with one mean per label, drawn as often as asked."""
    rng = np.random.default_rng(seed)
    labels = len(frequencies)
    truth = rng.choice(labels, size=windows, p=frequencies)
    features = np.eye(labels)[truth] * sharpness + rng.standard_normal((windows, labels))
    # Log-likelihood under unit variance, up to what is the same for all labels.
    return sharpness * features, truth


def test_frequencies_are_found_without_a_label() -> None:
    frequencies = [0.6, 0.3, 0.08, 0.02]
    logits, truth = drawn(frequencies, 4000)
    found = class_frequencies(softmax(logits), pseudo_windows=1.0)
    assert found == pytest.approx(np.bincount(truth) / len(truth), abs=0.02)
    better = (transductive(logits, np.zeros(4000, int), "few").argmax(1) == truth).mean()
    assert better > (logits.argmax(1) == truth).mean() + 0.03


def test_expectation_maximization_never_makes_the_windows_less_likely() -> None:
    """Reference: the likelihood of Saerens et al., in float64; with pseudo-windows, that of the posterior."""
    chances = softmax(drawn([0.7, 0.2, 0.1], 200)[0])
    likelihoods = []
    for steps in range(12):
        found = class_frequencies(chances, pseudo_windows=3.0, steps=steps)
        likelihoods.append(np.log(chances @ found).sum() + np.log(found).sum())
    assert (np.diff(likelihoods) > -1e-9).all()
    assert likelihoods[-1] > likelihoods[0] + 1


def test_balance_holds_back_what_is_answered_too_often() -> None:
    logits, truth = drawn([0.25] * 4, 2000)
    leaning = logits + np.array([2.0, 0.0, 0.0, -1.0])  # a model that likes one label and shuns another
    offset = balance(leaning, share=1.0)
    assert (np.diff(offset) > -0.2).all()
    assert offset[0] < -0.4
    assert offset[3] > 0.2
    worse = (leaning.argmax(1) == truth).mean()
    assert (transductive(leaning, np.zeros(2000, int), "all").argmax(1) == truth).mean() > worse + 0.01
    assert np.allclose(balance(leaning, share=0.0), 0)


def test_balance_is_where_its_own_answers_lead_back_to_it() -> None:
    logits, _ = drawn([0.5, 0.3, 0.2], 300)
    offset = balance(logits, share=0.5, pseudo_windows=7.0)
    answered = (softmax(logits + offset).sum(axis=0) + 7.0 / 3) / 307
    assert offset == pytest.approx(-0.5 * np.log(3 * answered), abs=1e-9)


@given(
    windows=st.integers(1, 30),
    labels=st.integers(1, 6),
    heaps=st.integers(1, 4),
    lost=st.floats(0, 1),
    occurring=st.sampled_from(["few", "all"]),
    seed=st.integers(0, 99),
)
def test_every_window_with_signal_gets_a_distribution_and_no_other_does(
    windows: int, labels: int, heaps: int, lost: float, occurring: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = 30 * rng.standard_normal((windows, labels))
    missing = rng.random(windows) < lost
    logits[missing] = np.nan
    together = rng.integers(0, heaps, windows)
    found = transductive(logits, together, occurring)  # type: ignore[arg-type]
    assert np.isnan(found[missing]).all()
    assert found[~missing].sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(found, transductive(logits, together, occurring), equal_nan=True)  # type: ignore[arg-type]
    for heap in range(heaps):
        here = together == heap
        alone = transductive(logits[here], together[here], occurring)  # type: ignore[arg-type]
        assert np.allclose(found[here], alone, equal_nan=True), "a heap sees no other, nor windows without signal"


@given(labels=st.integers(1, 8), occurring=st.sampled_from(["few", "all"]), seed=st.integers(0, 99))
def test_one_window_alone_keeps_its_order(labels: int, occurring: str, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(scale=4, size=(1, labels))
    found = transductive(logits, np.array([3]), occurring)  # type: ignore[arg-type]
    assert np.array_equal(found.argsort(), logits.argsort())


def test_windows_without_signal_tell_nothing() -> None:
    logits, _ = drawn([0.9, 0.1], 50)
    padded = np.concatenate([logits, np.full((20, 2), np.nan)])
    found = transductive(padded, np.zeros(70, int), "few")
    assert np.allclose(found[:50], transductive(logits, np.zeros(50, int), "few"))


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(BadSamples, match="heap per window"):
        transductive(np.zeros((3, 2)), np.zeros(2, int), "few")
