"""Two answers into one: what the model says and what its neighbors say, mixed by a weight.

The weight is that of retrieval: 0 is the model alone, 1 the neighbors alone. One number for all windows is MoRA[B] of
the paper, one per window, from a gate, is MoRA[F]. What says nothing is not mixed in (`effective_weight`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from kinelex.errors import BadSamples
from kinelex.retrieval.compat import Compat

Floats = NDArray[np.float64]

FIXED_WEIGHT = 0.5
"""What the public code takes for every window when no gate was trained."""

_NEAR_ONE = 1e-3
"""How far a row of probabilities may be from a sum of one; half precision is not exact."""
_LEAST = 1e-300
"""What a probability of zero counts where its logarithm is asked for."""


def fuse(
    p_model: NDArray[np.floating],
    p_retrieved: NDArray[np.floating],
    weight: float | NDArray[np.floating] = FIXED_WEIGHT,
    *,
    compat: Compat | None = None,
) -> Floats:
    """(1 - weight) x what the model says + weight x what the neighbors say.

    Args:
        p_model: ``(window, class)`` probabilities; a row of NaN where the model has none, because it knows no texts or
            the window has no signal.
        p_retrieved: ``(window, class)`` probabilities; a uniform row where there was no neighbor, a row of NaN where
            none could be looked for.
        weight: of retrieval, in [0, 1]: one number, or ``(window,)``.
        compat: do as the public code does, where that differs: `Compat.double_softmax` is about one number,
            `Compat.mixed_logits` about a weight per window.

    Returns:
        ``(window, class)``; rows sum to one, but for a row of NaN where neither side says anything.

    Raises:
        BadSamples: shapes that do not match, rows that are no probabilities, weights outside [0, 1].

    Source: MoRA (arXiv 2605.08117), equation 1.

    >>> fuse(np.array([[0.8, 0.2]]), np.array([[0.0, 1.0]]), 0.25).tolist()
    [[0.6000000000000001, 0.4]]
    """
    compat = compat or Compat()
    model, retrieved = checked_probabilities(p_model, p_retrieved)
    share = effective_weight(model, retrieved, weight)[:, None]
    fixed = np.ndim(weight) == 0
    if compat.double_softmax and fixed:
        retrieved = softmax(retrieved, axis=1)
    if compat.mixed_logits and not fixed:
        logits = np.log(np.maximum(model, _LEAST))  # the model's logits, up to one number per window
        return np.asarray(softmax(_mixed(logits, retrieved, share), axis=1))
    mixed = _mixed(model, retrieved, share)
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


def effective_weight(
    p_model: NDArray[np.floating],
    p_retrieved: NDArray[np.floating],
    weight: float | NDArray[np.floating] = FIXED_WEIGHT,
) -> Floats:
    """The weight of retrieval that counts, ``(window,)``: what says nothing has no part in the answer.

    * The model has no row for the window: 1, retrieval alone.
    * Else retrieval has none, or gives every class exactly the same, as it does without any neighbor: 0, the model
      alone. Mixing in a uniform row would not change who wins, only make every answer look less sure.
    * Else what was asked for.

    Arguments and errors are those of `fuse`.
    """
    model, retrieved = checked_probabilities(p_model, p_retrieved)
    asked = np.asarray(weight, dtype=np.float64)
    if asked.ndim > 1 or (asked.ndim == 1 and asked.shape != model.shape[:1]):
        raise BadSamples(f"fusion needs one weight, or one for each of {len(model)} windows, not {asked.shape}")
    if not ((asked >= 0) & (asked <= 1)).all():
        raise BadSamples("fusion: a weight of retrieval lies outside [0, 1], or is no number")
    without_model = np.isnan(model).any(axis=1)
    return np.where(without_model, 1.0, np.where(_says_nothing(retrieved), 0.0, asked))


def undecided(p_model: NDArray[np.floating], p_retrieved: NDArray[np.floating]) -> NDArray[np.bool_]:
    """The windows in which a weight matters, ``(window,)``: both sides say something."""
    model, retrieved = checked_probabilities(p_model, p_retrieved)
    return np.asarray(~np.isnan(model).any(axis=1) & ~_says_nothing(retrieved))


def checked_probabilities(p_model: NDArray[np.floating], p_retrieved: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Both sides as float64, when they are probabilities of the same windows and classes.

    Raises:
        BadSamples: they are not.
    """
    model, retrieved = np.asarray(p_model, dtype=np.float64), np.asarray(p_retrieved, dtype=np.float64)
    if model.ndim != 2 or model.shape != retrieved.shape or not model.shape[1]:
        raise BadSamples(
            f"fusion needs two tables (window, class) of one shape, not {model.shape} and {retrieved.shape}:"
            " ask both sides for the same classes"
        )
    for name, table in (("model", model), ("retrieved", retrieved)):
        rows = table[~np.isnan(table).any(axis=1)]
        if (rows < 0).any() or (np.abs(rows.sum(axis=1) - 1) > _NEAR_ONE).any():
            raise BadSamples(f"fusion: a row of the {name} side is no distribution: take the softmax of logits first")
    return model, retrieved


def _says_nothing(retrieved: Floats) -> NDArray[np.bool_]:
    """Rows of NaN and rows in which all classes are exactly alike."""
    return np.asarray(np.isnan(retrieved).any(axis=1) | (retrieved == retrieved[:, :1]).all(axis=1))


def _mixed(model: Floats, retrieved: Floats, share: Floats) -> Floats:
    """The weighted sum; a side of weight zero has no part in it, even where it is NaN."""
    return np.asarray(np.where(share < 1, (1 - share) * model, 0.0) + np.where(share > 0, share * retrieved, 0.0))
