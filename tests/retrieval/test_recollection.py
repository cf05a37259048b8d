"""Examples weighed against words: near ones win, far ones are silent, and the sum is a fusion as published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.neighbors import Neighbors
from kinelex.retrieval.recollection import (
    FADE,
    FAR,
    HEARD,
    MANY,
    NEAR,
    faded_words,
    remembered_logits,
    retrieval_weight,
    with_remembered,
)


def neighbors(*similarity: list[float]) -> Neighbors:
    table = np.array(similarity, dtype=np.float32)
    return Neighbors(np.where(np.isnan(table), -1, np.arange(table.shape[1])), table)


def test_a_class_is_heard_by_its_nearest_examples_only() -> None:
    found = neighbors([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    logits = remembered_logits(found, np.array([[1, 0, 1, 1, 1, -1]]), np.array([1, 7, 2]))
    assert HEARD == 3
    np.testing.assert_allclose(logits[0, 0], NEAR * 0.8 + FAR, rtol=1e-6)
    among_many = NEAR * (0.9 + 0.7 + 0.6) / 3 + FAR - MANY * np.log(7)
    np.testing.assert_allclose(logits[0, 1], among_many, rtol=1e-6, err_msg="not the fourth")
    assert logits[0, 2] == -np.inf, "nobody spoke for it, and what has no class counts for nothing"


def test_without_neighbors_the_words_stay_as_they_are() -> None:
    text = np.array([[1.0, -2.0], [np.nan, np.nan]])
    silent = remembered_logits(neighbors([np.nan], [np.nan]), np.array([[-1], [-1]]), np.zeros(2, int))
    np.testing.assert_array_equal(with_remembered(text, silent), text)
    assert retrieval_weight(text, silent)[0] == 0.0


def test_a_class_may_have_words_or_examples_or_both() -> None:
    text = np.array([[0.0, -np.inf]])
    near = with_remembered(text, np.array([[-np.inf, 3.0]]))
    assert near.argmax() == 1
    np.testing.assert_allclose(with_remembered(text, np.array([[0.0, 3.0]]))[0], [np.log(2), 3.0])


@given(seed=st.integers(0, 10_000), windows=st.integers(1, 6), count=st.integers(2, 5))
def test_it_is_the_published_fusion_with_a_weight_for_every_window(seed: int, windows: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    text, remembered = rng.normal(0, 3, (2, windows, count))
    words, examples, both = (
        np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        for logits in (text, remembered, with_remembered(text, remembered))
    )
    np.testing.assert_allclose(fuse(words, examples, retrieval_weight(text, remembered)), both, atol=1e-9)


def test_a_word_has_less_to_say_the_more_examples_its_class_has() -> None:
    text = np.array([[1.0, 1.0, 1.0]])
    none, one, ten = faded_words(text, np.array([0, 1, 10]))[0]
    assert none == one == 1.0
    assert ten == pytest.approx(1.0 - FADE * np.log(10))


@pytest.mark.parametrize("similarity", [0.2, 0.6, 0.95])
def test_the_weight_grows_with_nearness_and_shrinks_with_what_the_words_explain(similarity: float) -> None:
    def weight(near: float, words: float) -> float:
        remembered = remembered_logits(neighbors([near]), np.array([[0]]), np.array([1, 0]))
        return float(retrieval_weight(np.array([[words, 0.0]]), remembered)[0])

    assert weight(similarity + 0.04, 2.0) > weight(similarity, 2.0) > weight(similarity, 4.0)
