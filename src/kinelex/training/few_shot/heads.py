"""Linear heads on frozen vectors that are drawn to the words of their classes instead of to zero.

With few examples a head is what the texts alone would say (zero-shot); each further example moves it. A class without
any example keeps the row of its text. Nothing of the network changes, so that a head is found within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from kinelex.errors import BadLabels, BadSamples
from kinelex.model.checkpoint import Checkpoint

Floats = NDArray[np.float64]
HeadKind = Literal["ridge", "logistic", "prototype"]

PULLS: dict[HeadKind, tuple[float, ...]] = {
    "ridge": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    "logistic": (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    "prototype": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
}
"""How strongly weights may be drawn to the texts; cross-validation chooses among these."""

DEFAULT_PULL: dict[HeadKind, float] = {"ridge": 0.3, "logistic": 10.0, "prototype": 1.0}
"""What is best or nearly so with any number of labels, on sets that were left out (``benchmarks/few_shot.py``)."""

VALIDATED_FROM = 20
"""Labeled windows per class from which on cross-validation is asked. With fewer, whole classes fall to the words as
soon as the one person who showed them is left out, so that strong pulls look better than they are."""

FOLDS = 5
"""Of the cross-validation, or as many as there are people (or recordings)."""


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier of unit vectors.

    Args:
        weights: ``(class, text)``.
        bias: ``(class,)``.
        scale: factor to logits.
        pull: how strongly its weights were drawn to the texts; none for the texts themselves.
    """

    weights: Floats
    bias: Floats
    scale: float
    pull: float | None = None

    def logits(self, vectors: NDArray[np.floating]) -> Floats:
        """Scale x (weights . vector + bias), ``(window, class)``; a row of NaN stays one."""
        # einsum, unlike a BLAS product, adds up each row in the same order whatever the number of rows is.
        product = np.einsum("wt,ct->wc", np.asarray(vectors, dtype=np.float64), self.weights)
        return np.asarray(self.scale * (product + self.bias))

    def probabilities(self, vectors: NDArray[np.floating]) -> Floats:
        """Softmax over the classes, ``(window, class)``; a window without usable signal has a row of NaN."""
        return np.asarray(softmax(self.logits(vectors), axis=1))


def text_rows(checkpoint: Checkpoint, raw: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """What each class's text is to the windows of a model: a unit vector, and how crowded it is around it.

    Args:
        checkpoint: the model whose windows are compared with them.
        raw: ``(class, text)`` vectors of its label side; several prototypes of a class come to their mean direction.

    Returns:
        ``(class, text)`` and ``(class,)``.
    """
    several = checkpoint.text_space.project(raw).reshape(len(raw), -1, checkpoint.model.config.text_dim)
    mean = several.mean(axis=1)
    vectors = np.asarray(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12), dtype=np.float32)
    crowding = checkpoint.text_space.crowding(vectors)
    return vectors.astype(np.float64), np.asarray(crowding, dtype=np.float64)


def text_head(checkpoint: Checkpoint, raw: NDArray[np.float32]) -> Head:
    """The zero-shot classifier as a head: rows are texts, biases what crowded texts lose.

    Args:
        checkpoint: the model whose windows it is for.
        raw: ``(class, text)`` vectors of its label side.
    """
    vectors, crowding = text_rows(checkpoint, raw)
    return Head(vectors, -crowding, checkpoint.scale / checkpoint.temperature)


def fit_head(
    kind: HeadKind,
    text: Head,
    vectors: NDArray[np.floating],
    classes: NDArray[np.integer],
    groups: Sequence[NDArray[np.integer]] = (),
    *,
    pull: float | None = None,
) -> Head:
    """Fit a head to labeled windows.

    Every class that has examples counts alike, however many they are.

    Args:
        kind: ``"ridge"``: least squares on the vectors towards one-hot rows, in closed form; ``"logistic"``: softmax
            regression; ``"prototype"``: a class is where its examples are on average, its text being `pull` of them.
        text: `text_head` of the classes.
        vectors: ``(window, text)`` unit vectors of the labeled windows, all finite.
        classes: ``(window,)`` number of each one's class.
        groups: whose each window is, ``(window,)`` each, best first: subjects, then sessions. The first that names at
            least two is what the cross-validation keeps together.
        pull: how strongly to draw to the texts. When left out it is `DEFAULT_PULL`, unless there are `VALIDATED_FROM`
            windows per class and cross-validation within them finds another that is clearly better.

    Raises:
        BadSamples: no window, NaN among the vectors, or shapes that do not match.
        BadLabels: a class that `text` does not have.
    """
    x: Floats = np.asarray(vectors, dtype=np.float64)
    y: NDArray[np.int64] = np.asarray(classes, dtype=np.int64)
    if x.shape != (len(y), text.weights.shape[1]) or not len(y) or not np.isfinite(x).all():
        raise BadSamples(
            f"a head needs finite vectors (window, {text.weights.shape[1]}) and one class per window, not"
            f" {x.shape} and {y.shape}: leave out windows without signal"
        )
    if y.min() < 0 or y.max() >= len(text.weights):
        raise BadLabels(f"a labeled window is of class {y.max()}, and there are {len(text.weights)} texts")
    solve = _SOLVERS[kind]
    if pull is None:
        group = next((np.asarray(g) for g in groups if len(np.unique(g)) > 1), None)
        enough = len(y) >= VALIDATED_FROM * len(np.unique(y))
        pull = _chosen_pull(kind, text, x, y, group) if enough and group is not None else DEFAULT_PULL[kind]
    return replace(solve(text, x, y, pull), pull=pull)


def balanced(classes: NDArray[np.int64]) -> Floats:
    """Weights ``(window,)`` with mean 1 by which every class that occurs counts alike."""
    _, number, count = np.unique(classes, return_inverse=True, return_counts=True)
    return np.asarray(len(classes) / (len(count) * count[number]))


def _chosen_pull(
    kind: HeadKind, text: Head, vectors: Floats, classes: NDArray[np.int64], group: NDArray[np.integer]
) -> float:
    """The pull with the least error on people (or recordings) that are left out, or the default if that is as good.

    With few windows the errors are little more than chance, so that the least of them says nothing: another pull than
    the default must be better by more than one standard error (Breiman et al., Classification and Regression Trees,
    1984, section 3.4.3).
    """
    fold = _folds(group)
    wrong = {}
    for pull in PULLS[kind]:
        logits = np.empty((len(classes), len(text.weights)))
        for k in range(fold.max() + 1):
            held = fold == k
            logits[held] = _SOLVERS[kind](text, vectors[~held], classes[~held], pull).logits(vectors[held])
        wrong[pull] = balanced(classes) * (logits.argmax(axis=1) != classes)
    default = DEFAULT_PULL[kind]
    best = min(wrong, key=lambda pull: (round(float(wrong[pull].mean()), 9), abs(np.log(pull / default))))
    gain = wrong[default] - wrong[best]
    return best if gain.mean() > gain.std() / len(gain) ** 0.5 else default


def _folds(group: NDArray[np.integer]) -> NDArray[np.int64]:
    """Whole groups to folds of about equal size, largest first."""
    _, number, count = np.unique(group, return_inverse=True, return_counts=True)
    sizes = np.zeros(min(FOLDS, len(count)), dtype=np.int64)
    fold_of_group = np.empty(len(count), dtype=np.int64)
    for g in np.argsort(-count, kind="stable"):
        fold_of_group[g] = sizes.argmin()
        sizes[sizes.argmin()] += count[g]
    return fold_of_group[number]


def _ridge(text: Head, vectors: Floats, classes: NDArray[np.int64], pull: float) -> Head:
    """argmin ||D^(1/2) (X W - Y)||² + pull ||W - W_text||², where D balances the classes and X has a column of ones.

    W_text is the zero-shot classifier brought to the units of Y: a cosine times the one factor, plus the one constant,
    that fit Y best. Neither changes which class wins.
    """
    known = np.unique(classes)
    weights = balanced(classes)[:, None]
    wanted = np.eye(len(text.weights))[classes]
    cosine = vectors @ text.weights.T + text.bias
    factor, constant = _line(cosine, wanted, weights)
    # What the texts leave over is explained by a change of the rows whose class has examples.
    left = (wanted - factor * cosine - constant)[:, known]
    x, basis = _spanned(vectors)
    change = np.linalg.solve(x.T @ (weights * x) + pull * np.eye(x.shape[1]), x.T @ (weights * left)) / factor
    return _changed(text, known, basis @ change)


def _line(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and intercept of y over x; the slope is above zero, so that the order stays."""
    share = np.broadcast_to(weights / weights.sum() / x.shape[1], x.shape)
    mean_x, mean_y = float((share * x).sum()), float((share * y).sum())
    variance = float((share * (x - mean_x) ** 2).sum())
    slope = float((share * (x - mean_x) * (y - mean_y)).sum()) / max(variance, 1e-12)
    slope = max(slope, 0.1)
    return slope, mean_y - slope * mean_x


def _logistic(text: Head, vectors: Floats, classes: NDArray[np.int64], pull: float) -> Head:
    """argmin of class-balanced cross-entropy + pull / 2 ||V - V_text||², V being the rows before the scale; L-BFGS."""
    from scipy.optimize import minimize

    known = np.unique(classes)
    weights = balanced(classes)
    x, basis = _spanned(vectors)
    start = text.logits(vectors)
    wanted = np.eye(len(text.weights))[classes]

    def loss(flat: Floats) -> tuple[float, Floats]:
        change = flat.reshape(x.shape[1], len(known))
        logits = start.copy()
        logits[:, known] += text.scale * (x @ change)
        log_chance = log_softmax(logits, axis=1)
        away = weights[:, None] * (np.exp(log_chance) - wanted)
        gradient = text.scale * (x.T @ away[:, known]) + pull * change
        value = -(weights * (log_chance * wanted).sum(axis=1)).sum() + pull / 2 * (flat**2).sum()
        return float(value), gradient.ravel()

    found = minimize(
        loss, np.zeros(x.shape[1] * len(known)), jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-4}
    )
    return _changed(text, known, basis @ found.x.reshape(x.shape[1], len(known)))


def _prototype(text: Head, vectors: Floats, classes: NDArray[np.int64], pull: float) -> Head:
    """Each class where its examples and its text, which counts as `pull` of them, point to on average.

    Source: Snell et al., "Prototypical networks for few-shot learning", 2017, section 2.2, with the text as a prior.
    """
    weights, bias = text.weights.copy(), text.bias.copy()
    for number in np.unique(classes):
        own = vectors[classes == number]
        together = own.sum(axis=0) + pull * text.weights[number]
        weights[number] = together / max(float(np.linalg.norm(together)), 1e-12)
        bias[number] *= pull / (pull + len(own))  # examples show how crowded it is where they are
    return Head(weights, bias, text.scale)


_SOLVERS: dict[HeadKind, Callable[[Head, Floats, NDArray[np.int64], float], Head]] = {
    "ridge": _ridge,
    "logistic": _logistic,
    "prototype": _prototype,
}


def _spanned(vectors: Floats) -> tuple[Floats, Floats]:
    """The vectors with a column of ones, in as few coordinates as they span, and the directions of these.

    A pull makes the change of a row a sum of examples, so that nothing is lost by looking at their span alone.
    """
    x = np.column_stack([vectors, np.ones(len(vectors))])
    if len(x) > x.shape[1]:
        return x, np.eye(x.shape[1])
    basis = np.linalg.qr(x.T)[0]
    return x @ basis, basis


def _changed(text: Head, known: NDArray[np.int64], change: Floats) -> Head:
    """The rows of known classes moved by ``(text + 1, class)``."""
    weights, bias = text.weights.copy(), text.bias.copy()
    weights[known] += change[:-1].T
    bias[known] += change[-1]
    return Head(weights, bias, text.scale)
