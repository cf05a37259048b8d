"""Probabilities: a softmax that is stable, honest about missing windows, and the same in every batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.model.scoring import probabilities


def unit_vectors(seed: int, rows: int, width: int = 384) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@given(
    seed=st.integers(0, 99), windows=st.integers(1, 9), labels=st.integers(1, 9),
    scale=st.floats(1.0, 50.0), temperature=st.floats(0.05, 20.0),
)  # fmt: skip
def test_rows_sum_to_one(seed: int, windows: int, labels: int, scale: float, temperature: float) -> None:
    embeddings, vectors = unit_vectors(seed, windows), unit_vectors(seed + 100, labels)
    found = probabilities(embeddings, vectors, scale=scale, temperature=temperature)
    assert found.shape == (windows, labels) and found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)


def test_they_are_softmax_of_cosine_times_scale_over_temperature() -> None:
    found = probabilities(np.array([[0.6, 0.8]]), np.array([[1.0, 0.0], [0.0, 1.0]]), scale=5.0, temperature=2.0)
    powers = np.exp([0.6 * 2.5, 0.8 * 2.5])
    np.testing.assert_allclose(found[0], powers / powers.sum(), rtol=1e-6)


def test_huge_logits_do_not_overflow() -> None:
    found = probabilities(np.eye(2), np.eye(2), scale=50.0, temperature=1e-4)
    np.testing.assert_array_equal(found, np.eye(2))


def test_a_window_without_signal_stays_without_answer() -> None:
    embeddings = unit_vectors(0, 3)
    embeddings[1] = np.nan
    found = probabilities(embeddings, unit_vectors(1, 4), scale=20.0)
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_a_window_gets_the_same_answer_in_every_batch(rows: int) -> None:
    embeddings, labels = unit_vectors(2, 64), unit_vectors(3, 10)
    whole = probabilities(embeddings, labels, scale=20.0)
    np.testing.assert_array_equal(probabilities(embeddings[:rows], labels, scale=20.0), whole[:rows])


def test_the_order_of_labels_does_not_matter() -> None:
    embeddings, labels = unit_vectors(4, 20), unit_vectors(5, 6)
    whole = probabilities(embeddings, labels, scale=20.0)
    np.testing.assert_allclose(probabilities(embeddings, labels[::-1], scale=20.0), whole[:, ::-1], rtol=1e-6)
