"""Heads begin where the words are, end where the examples are, and leave classes without examples alone."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import check_grad, minimize

from kinelex.errors import BadLabels, BadSamples
from kinelex.training.few_shot.heads import DEFAULT_PULL, PULLS, VALIDATED_FROM, Head, HeadKind, balanced, fit_head

WIDTH, CLASSES = 12, 4
KINDS = get_args(HeadKind)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def made_up(seed: int, windows: int = 40, noise: float = 0.3) -> tuple[Head, NDArray[np.float64], NDArray[np.int64]]:
    """Texts, and windows that lie around directions which are not quite those of the texts."""
    rng = np.random.default_rng(seed)
    texts = unit(rng.normal(size=(CLASSES, WIDTH)))
    places = unit(texts + 0.8 * unit(rng.normal(size=(CLASSES, WIDTH))))
    classes = rng.integers(0, CLASSES, windows)
    vectors = unit(places[classes] + noise * rng.normal(size=(windows, WIDTH)))
    return Head(texts, -0.1 * rng.random(CLASSES), 10.0), vectors, classes


@pytest.mark.parametrize("kind", KINDS)
def test_an_endless_pull_is_the_zero_shot_classifier(kind: HeadKind) -> None:
    text, vectors, classes = made_up(0)
    head = fit_head(kind, text, vectors, classes, pull=1e9)
    np.testing.assert_allclose(head.logits(vectors), text.logits(vectors), atol=1e-4)
    np.testing.assert_allclose(head.probabilities(vectors).sum(axis=1), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_examples_teach_what_the_words_get_wrong(kind: HeadKind) -> None:
    text, vectors, classes = made_up(1, windows=400)
    swapped = Head(text.weights[[1, 0, 2, 3]], text.bias, text.scale)
    group = np.arange(len(classes)) % 7
    head = fit_head(kind, swapped, vectors[:200], classes[:200], (group[:200],))
    right = (head.logits(vectors[200:]).argmax(axis=1) == classes[200:]).mean()
    assert (swapped.logits(vectors[200:]).argmax(axis=1) == classes[200:]).mean() < 0.6
    assert right > 0.85
    assert head.pull in PULLS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_without_examples_keeps_its_text(kind: HeadKind) -> None:
    text, vectors, classes = made_up(2)
    seen = classes != 2
    head = fit_head(kind, text, vectors[seen], classes[seen], pull=1.0)
    assert np.array_equal(head.weights[2], text.weights[2])
    assert head.bias[2] == text.bias[2]
    assert not np.allclose(head.weights[0], text.weights[0])


def test_ridge_is_the_least_of_its_formula() -> None:
    """sum of w ||x W - y||² + pull ||W - W_text||², minimized by a general optimizer, x with a one at its end."""
    text, vectors, classes = made_up(3, windows=25)
    x = np.column_stack([vectors, np.ones(len(vectors))])
    y = np.eye(CLASSES)[classes]
    w = balanced(classes)
    cosine = vectors @ text.weights.T + text.bias
    spread = np.repeat(w, CLASSES) / w.sum() / CLASSES
    mean_x, mean_y = spread @ cosine.ravel(), spread @ y.ravel()
    slope = spread @ ((cosine.ravel() - mean_x) * (y.ravel() - mean_y)) / (spread @ (cosine.ravel() - mean_x) ** 2)
    assert slope > 0.1, "the texts tell something"
    start = np.vstack([slope * text.weights.T, slope * text.bias + mean_y - slope * mean_x])

    def loss(flat: NDArray[np.float64]) -> float:
        rows = flat.reshape(start.shape)
        return float((w * ((x @ rows - y) ** 2).sum(axis=1)).sum() + 2.0 * ((rows - start) ** 2).sum())

    best = minimize(loss, start.ravel(), method="BFGS", options={"gtol": 1e-9}).x.reshape(start.shape)
    head = fit_head("ridge", text, vectors, classes, pull=2.0)
    scores = x @ best  # of which the head's are a multiple, up to a constant per window
    np.testing.assert_allclose(
        head.logits(vectors), head.scale * (scores - (mean_y - slope * mean_x)) / slope, atol=1e-4
    )


def test_logistic_regression_is_the_least_of_its_formula() -> None:
    text, vectors, classes = made_up(4, windows=25)
    head = fit_head("logistic", text, vectors, classes, pull=3.0)
    w = balanced(classes)

    def loss(flat: NDArray[np.float64]) -> float:
        rows = flat.reshape(CLASSES, WIDTH + 1)
        logits = text.scale * (vectors @ rows[:, :-1].T + rows[:, -1])
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        cross = -(w * np.log(chance[np.arange(len(classes)), classes])).sum()
        return float(cross + 1.5 * ((rows - np.column_stack([text.weights, text.bias])) ** 2).sum())

    found = np.column_stack([head.weights, head.bias]).ravel()
    best = minimize(loss, found, method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(found, best, atol=2e-4)
    assert check_grad(loss, lambda _: np.zeros(len(found)), found) < 0.05 * loss(found), "the slope is about zero"


def test_a_prototype_is_the_mean_of_examples_and_text() -> None:
    text, vectors, classes = made_up(5)
    head = fit_head("prototype", text, vectors, classes, pull=3.0)
    for number in range(CLASSES):
        own = vectors[classes == number]
        np.testing.assert_allclose(head.weights[number], unit(own.sum(axis=0) + 3 * text.weights[number]))
        assert head.bias[number] == pytest.approx(text.bias[number] * 3 / (3 + len(own)))


def test_the_pull_is_chosen_on_people_who_are_left_out() -> None:
    """Windows of one person are alike by something that is not the activity: a head must not believe it."""
    text, vectors, classes = made_up(6, windows=160, noise=0.05)
    rng = np.random.default_rng(0)
    person = classes * 10 + np.arange(160) % 2  # nobody does two activities
    quirk = unit(rng.normal(size=(CLASSES * 10 + 2, WIDTH)))
    vectors = unit(vectors + 1.5 * quirk[person])
    within = fit_head("logistic", text, vectors, classes, (np.arange(160),))
    across = fit_head("logistic", text, vectors, classes, (person,))
    assert across.pull is not None and within.pull is not None
    assert across.pull > within.pull
    first_useful = fit_head("logistic", text, vectors, classes, (np.zeros(160, dtype=int), person))
    assert first_useful.pull == across.pull, "one group says nothing: the next grouping is used"


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_stays_where_no_pull_is_better(kind: HeadKind) -> None:
    text, vectors, classes = made_up(9, windows=160)
    group = np.arange(160) % 5
    same = fit_head(kind, text, text.weights[classes], classes, (group,))
    assert same.pull == DEFAULT_PULL[kind], "every pull is always right"
    wrong = Head(text.weights[[1, 2, 3, 0]], text.bias, text.scale)
    few = slice(0, CLASSES * VALIDATED_FROM - 1)
    head = fit_head(kind, wrong, vectors[few], classes[few], (group[few],))
    assert head.pull == DEFAULT_PULL[kind], "too few windows to tell"


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS), windows=st.integers(1, 12))
@settings(max_examples=25)
def test_any_few_windows_give_a_head(seed: int, kind: HeadKind, windows: int) -> None:
    text, vectors, classes = made_up(seed, windows)
    head = fit_head(kind, text, vectors, classes, (np.arange(windows) % 2,))
    assert np.isfinite(head.logits(vectors)).all()


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS))
@settings(max_examples=15)
def test_the_order_of_the_windows_does_not_matter(seed: int, kind: HeadKind) -> None:
    text, vectors, classes = made_up(seed, 20)
    order = np.random.default_rng(seed).permutation(20)
    one = fit_head(kind, text, vectors, classes, pull=1.0)
    other = fit_head(kind, text, vectors[order], classes[order], pull=1.0)
    np.testing.assert_allclose(one.weights, other.weights, atol=2e-3)


def test_a_window_without_signal_stays_unknown() -> None:
    text, vectors, classes = made_up(7)
    vectors[3] = np.nan
    chance = text.probabilities(vectors)
    assert np.isnan(chance[3]).all() and np.isfinite(np.delete(chance, 3, axis=0)).all()
    with pytest.raises(BadSamples, match="without signal"):
        fit_head("ridge", text, vectors, classes)


def test_a_class_without_a_text_is_refused() -> None:
    text, vectors, classes = made_up(8)
    with pytest.raises(BadLabels, match="class 4"):
        fit_head("ridge", text, vectors, np.where(classes == 0, 4, classes))
    with pytest.raises(BadSamples, match="finite vectors"):
        fit_head("ridge", text, vectors[:, :5], classes)
