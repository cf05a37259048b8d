"""Texts are spread out, drawn to what was trained on, and compared fairly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.model import TextSpace
from kinelex.model.scoring import probabilities
from kinelex.model.text_space import CROWDING, LEANING, NEIGHBOURS

WIDTH = 24


def unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


CENTER = 0.3 * unit(1, 0)[0]


@given(st.integers(0, 1000), st.integers(1, 9))
def test_vectors_are_unit_and_do_not_depend_on_what_else_is_asked(seed: int, rows: int) -> None:
    space = TextSpace(CENTER, unit(6, 1), unit(6, 2))
    raw = unit(rows, seed)
    found = space.project(raw)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(space.project(raw[:1]), found[:1])
    np.testing.assert_array_equal(space.crowding(found[:1]), space.crowding(found)[:1])


def test_a_space_of_an_untrained_model_only_centers() -> None:
    raw = unit(4, 3)
    centered = raw - CENTER
    expected = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    np.testing.assert_allclose(TextSpace(CENTER).project(raw), expected, rtol=1e-5)
    assert not TextSpace(CENTER).crowding(raw).any()


def test_a_text_leans_towards_the_training_label_most_like_it() -> None:
    anchors = np.eye(3, WIDTH, dtype=np.float32)
    text = np.zeros((1, WIDTH), dtype=np.float32)
    text[0, [0, 1, 10]] = 0.6, 0.1, 0.79
    found = TextSpace(np.zeros(WIDTH, dtype=np.float32), anchors).project(text)[0]
    start = text[0] / np.linalg.norm(text)
    assert found[0] > start[0] + 0.5 * LEANING * (1 - start[0])
    assert found[1] < start[1], "the less similar label pulls next to nothing"
    assert 0.85 < found @ start < 0.999, "it leans, and stays what it is"


def test_a_share_of_the_cosine_to_the_nearest_prototypes_is_crowding() -> None:
    prototypes = unit(40, 4)
    vectors = unit(3, 5)
    nearest = np.sort(vectors @ prototypes.T, axis=1)[:, -NEIGHBOURS:].mean(1)
    space = TextSpace(CENTER, prototypes=prototypes)
    np.testing.assert_allclose(space.crowding(vectors), CROWDING * nearest, atol=1e-6)


def test_a_text_that_is_near_to_everything_loses_to_one_that_says_it() -> None:
    # All windows share a direction; a text along it has the higher cosine with each, whatever the window shows.
    shared = np.eye(WIDTH)[0]
    windows = np.stack([shared + 0.6 * np.eye(WIDTH)[i] for i in range(1, 9)])
    windows = (windows / np.linalg.norm(windows, axis=1, keepdims=True)).astype(np.float32)
    texts = np.eye(WIDTH, dtype=np.float32)[:2]
    space = TextSpace(CENTER, prototypes=windows)

    plain = probabilities(windows[:1], texts, scale=20.0)
    fair = probabilities(windows[:1], texts, scale=20.0, crowding=space.crowding(texts))
    assert plain.argmax() == 0
    assert fair.argmax() == 1
