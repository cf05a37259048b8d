"""Probabilities that mean what they say: temperature, and when to answer "unsure"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadSamples

TEMPERATURES = (0.05, 20.0)
"""Bounds of a fitted temperature."""


def fit_temperature(logits: ArrayLike, truth: ArrayLike) -> float:
    """The temperature that makes softmax(logits / temperature) most likely to have said the truth.

    One number cannot change which label wins, only how sure the model claims to be. The mean negative log-likelihood is
    convex in 1 / temperature, so its minimum is the only one. Fit it on windows that the model was not trained on.

    Args:
        logits: ``(window, label)``; minus infinity where a label was not among the choices of that window.
        truth: ``(window,)`` index of the true label.

    Returns:
        A temperature within `TEMPERATURES`.

    Raises:
        BadSamples: nothing to fit on, shapes that do not match, NaN, or a truth that is not among the choices.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    table, rows = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    if table.ndim != 2 or not len(table) or rows.shape != table.shape[:1] or not np.issubdtype(rows.dtype, np.integer):
        raise BadSamples(
            f"calibration needs logits (window, label) and one true label index per window, not {table.shape}"
            f" and {rows.shape} of {rows.dtype}"
        )
    if rows.min() < 0 or rows.max() >= table.shape[1]:
        raise BadSamples(f"calibration: a true label index lies outside the {table.shape[1]} labels")
    of_truth = table[np.arange(len(rows)), rows]
    if np.isnan(table).any() or np.isposinf(table).any() or not np.isfinite(of_truth).all():
        raise BadSamples("calibration: leave out windows without signal, and let the truth be among the choices")

    highest = table.max(axis=1)
    lead, below = table - highest[:, None], highest - of_truth

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        return float(np.mean(np.log(np.exp(lead * sharpness).sum(axis=1)) + below * sharpness))

    bounds = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(np.clip(found.x, *bounds)))


@dataclass(frozen=True, slots=True)
class Unsure:
    """When an answer is marked ``unsure``: too close to guessing, or resting on too little signal.

    A top probability of 0.5 is a coin toss between two labels but a strong statement among sixty. So what is compared
    with a threshold is how far the top probability is on the way from chance (``1 / labels``, 0) to certainty (1).
    With the default, the top probability must reach 0.63 of 2 labels, 0.44 of 4, 0.33 of 10, 0.26 of 60.

    Args:
        above_chance: the share of the way from chance to certainty that a sure answer must have gone, 0 to 1.
        measured: the share of the samples that must have been measured, 0 to 1.
    """

    above_chance: float = 0.25
    measured: float = 0.5

    def threshold(self, labels: int) -> float:
        """The smallest top probability of a sure answer among so many labels."""
        chance = 1.0 / labels
        return chance + self.above_chance * (1.0 - chance)

    def __call__(self, top: ArrayLike, measured: ArrayLike, labels: int) -> NDArray[np.bool_]:
        """Which answers are unsure.

        Args:
            top: the probability of each answer; NaN where there is none, which is always unsure.
            measured: the share of measured samples that each answer rests on.
            labels: how many labels there were to choose from.
        """
        sure = (np.asarray(top) >= self.threshold(labels)) & (np.asarray(measured) >= self.measured)
        return np.asarray(~sure)
