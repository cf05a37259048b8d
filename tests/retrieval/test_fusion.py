"""Two answers into one: rows stay distributions, and a side that says nothing has no part in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from kinelex.errors import BadSamples
from kinelex.retrieval.compat import Compat
from kinelex.retrieval.fusion import FIXED_WEIGHT, effective_weight, fuse, undecided

Table = NDArray[np.float64]
NOTHING = np.full(4, np.nan)
UNIFORM = np.full(4, 0.25)


def distributions(seed: int, windows: int = 6, classes: int = 4) -> Table:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), windows)


def softmax(logits: Table) -> Table:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@given(seed=st.integers(0, 2**31), weight=st.one_of(st.floats(0, 1), st.none()), single=st.booleans())
def test_rows_sum_to_one_and_lie_between_both_sides(seed: int, weight: float | None, single: bool) -> None:
    model, retrieved = distributions(seed), distributions(seed + 1)
    if single:
        model, retrieved = model.astype(np.float32), retrieved.astype(np.float32)
    weights = np.random.default_rng(seed).random(6) if weight is None else weight
    fused = fuse(model, retrieved, weights)
    np.testing.assert_allclose(fused.sum(axis=1), 1, atol=1e-12)
    assert (fused >= np.minimum(model, retrieved) - 1e-6).all()
    assert (fused <= np.maximum(model, retrieved) + 1e-6).all()
    share = np.reshape(weights, (-1, 1))
    np.testing.assert_allclose(fused, (1 - share) * model + share * retrieved, atol=1e-6)


def test_the_weight_is_that_of_retrieval() -> None:
    model, retrieved = distributions(0), distributions(1)
    np.testing.assert_allclose(fuse(model, retrieved, 0.0), model)
    np.testing.assert_allclose(fuse(model, retrieved, 1.0), retrieved)
    np.testing.assert_allclose(fuse(model, retrieved), fuse(model, retrieved, np.full(6, FIXED_WEIGHT)))
    assert FIXED_WEIGHT == 0.5


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_a_side_that_says_nothing_has_no_part(weight: float) -> None:
    sure = np.array([0.7, 0.1, 0.1, 0.1])
    model = np.stack([sure, NOTHING, sure, sure, NOTHING, NOTHING])
    retrieved = np.stack([sure[::-1], sure, UNIFORM, NOTHING, UNIFORM, NOTHING])
    found = fuse(model, retrieved, weight)
    np.testing.assert_allclose(found[0], (1 - weight) * sure + weight * sure[::-1])
    np.testing.assert_allclose(found[1], sure, err_msg="no base distribution: retrieval alone")
    np.testing.assert_allclose(found[2], sure, err_msg="no neighbor: the model alone, as sure as it was")
    np.testing.assert_allclose(found[3], sure, err_msg="no evidence at all: the model alone")
    np.testing.assert_allclose(found[4], UNIFORM, err_msg="neither knows anything")
    assert np.isnan(found[5]).all(), "never a guess"
    assert effective_weight(model, retrieved, weight).tolist() == [weight, 1, 0, 0, 1, 1]
    assert undecided(model, retrieved).tolist() == [True, False, False, False, False, False]


def test_nearly_uniform_evidence_is_evidence() -> None:
    model, nearly = distributions(2, 1), UNIFORM[None] + np.array([[1e-9, 0, 0, -1e-9]])
    assert effective_weight(model, nearly, 0.5).tolist() == [0.5]


def test_one_class_and_no_window_are_answered() -> None:
    assert fuse(np.ones((2, 1)), np.ones((2, 1)), 0.5).tolist() == [[1.0], [1.0]]
    assert fuse(np.array([[np.nan]]), np.ones((1, 1)), 0.5).tolist() == [[1.0]]
    assert fuse(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0)).shape == (0, 4)


def test_inputs_stay_as_they_are() -> None:
    model, retrieved = distributions(3), distributions(4)
    model[0] = np.nan
    before = model.copy(), retrieved.copy()
    fuse(model, retrieved, 0.5)
    np.testing.assert_array_equal(model, before[0])
    np.testing.assert_array_equal(retrieved, before[1])


def test_logits_are_not_taken_for_probabilities() -> None:
    model = distributions(5)
    for wrong in (np.log(model), 2 * model, np.full((6, 4), np.inf)):
        with pytest.raises(BadSamples, match="softmax"):
            fuse(model, wrong)
        with pytest.raises(BadSamples, match="model side"):
            fuse(wrong, model)


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan, np.full(6, 2.0), np.zeros(5), np.zeros((6, 1))])
def test_a_weight_that_is_none_is_told(weight: float | Table) -> None:
    with pytest.raises(BadSamples, match="weight"):
        fuse(distributions(6), distributions(7), weight)


def test_both_sides_must_be_about_the_same_classes() -> None:
    with pytest.raises(BadSamples, match="same classes"):
        fuse(distributions(6, classes=4), distributions(7, classes=5))


def test_as_published_a_second_softmax_takes_the_power_from_a_fixed_weight() -> None:
    """The published figure: with 12 classes a certain retrieval counts .198 against .073 for each other class."""
    logits, retrieved = np.random.default_rng(8).normal(size=(6, 12)), np.eye(12)[:6]
    quirk = Compat(double_softmax=True)
    alone = fuse(np.full((6, 12), np.nan), retrieved, 1.0, compat=quirk)
    assert alone[0, :2].round(3).tolist() == [0.198, 0.073]
    found = fuse(softmax(logits), retrieved, 0.3, compat=quirk)
    np.testing.assert_allclose(found, 0.7 * softmax(logits) + 0.3 * softmax(retrieved))
    per_window = np.full(6, 0.3)
    np.testing.assert_allclose(
        fuse(softmax(logits), retrieved, per_window, compat=quirk), fuse(softmax(logits), retrieved, per_window)
    )


def test_as_published_a_gate_mixes_logits_with_probabilities() -> None:
    rng = np.random.default_rng(9)
    logits, retrieved, weights = 3 * rng.normal(size=(6, 4)) + 7, distributions(10), rng.random(6)
    quirk = Compat(mixed_logits=True)
    share = weights[:, None]
    found = fuse(softmax(logits), retrieved, weights, compat=quirk)
    np.testing.assert_allclose(found, softmax((1 - share) * logits + share * retrieved))
    np.testing.assert_allclose(
        fuse(softmax(logits), retrieved, 0.3, compat=quirk), fuse(softmax(logits), retrieved, 0.3)
    )
    certain = fuse(np.eye(4)[:1], retrieved[:1], np.array([0.5]), compat=quirk)
    np.testing.assert_allclose(certain, np.eye(4)[:1], atol=1e-12)
    silent = fuse(NOTHING[None], NOTHING[None], np.array([0.5]), compat=quirk)
    assert np.isnan(silent).all()


def test_no_quirk_is_on_unless_asked_for() -> None:
    assert Compat().model_dump() == {
        "double_softmax": False,
        "mixed_logits": False,
        "alignment": "entropy",
        "class_weights": "positive",
        "normalization": "standard",
        "sensor": "mean",
        "one_epoch": False,
    }
    published = Compat.mora_code().model_dump()
    assert all(published[name] != value for name, value in Compat().model_dump().items()), "and all are, by name"
    with pytest.raises(ValidationError):
        Compat(epochs=1)  # type: ignore[call-arg]
