"""Scores of predictions: from confusion tables, from ranks, and from how sure the predictions were.

A *table* is a confusion matrix of counts, ``(..., truth, predicted)``. Everything that can be computed from tables is,
and works on whole stacks of them, so that a bootstrap over subjects is one array operation. A *unit* is what gets one
prediction: a window, or a recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples

Table = NDArray[Any]
Floats = NDArray[np.float64]
Over = Literal["declared", "truth", "union"]
Binning = Literal["equal_width", "equal_mass"]


def confusion(truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count how often each class was taken for each.

    Args:
        truth: ``(unit,)`` class numbers, 0 to ``classes - 1``.
        predicted: ``(unit,)`` class numbers.
        classes: how many classes are declared; those that never occur keep their row and column.

    Returns:
        ``(truth, predicted)`` counts.

    Raises:
        BadSamples: different lengths, or a number that is no class.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    truth, predicted = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise BadSamples(f"{truth.shape} true and {predicted.shape} predicted classes: pass one of each per window")
    for name, numbers in (("true", truth), ("predicted", predicted)):
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
            raise BadSamples(f"{name} classes run from {numbers.min()} to {numbers.max()}: there are {classes} classes")
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def confusion_per_subject(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], subjects: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Stack one confusion table per subject, ``(subject, truth, predicted)``; their sum is `confusion`'s table.

    Args:
        truth: ``(unit,)`` class numbers.
        predicted: ``(unit,)`` class numbers.
        subjects: ``(unit,)`` subject numbers from 0.
        classes: how many classes are declared.
    """
    subjects = np.asarray(subjects, dtype=np.int64)
    count = int(subjects.max()) + 1 if subjects.size else 0
    return np.stack([confusion(truth[subjects == s], predicted[subjects == s], classes) for s in range(count)])


def accuracy(table: Table) -> Floats:
    """The share of units on the diagonal, ``(...)``; 0 for an empty table."""
    hits = np.trace(table, axis1=-2, axis2=-1)
    return _share(hits, table.sum(axis=(-2, -1)))


def precision_per_class(table: Table) -> Floats:
    """Of the units predicted as a class, the share that is of it, ``(..., class)``; 0 where none was predicted."""
    return _share(_diagonal(table), table.sum(axis=-2))


def recall_per_class(table: Table) -> Floats:
    """Of the units of a class, the share that was found, ``(..., class)``; 0 where the class has none."""
    return _share(_diagonal(table), table.sum(axis=-1))


def f1_per_class(table: Table) -> Floats:
    """Harmonic mean of precision and recall, ``(..., class)``; 0 where a class neither occurs nor is predicted."""
    return _share(2 * _diagonal(table), table.sum(axis=-1) + table.sum(axis=-2))


def macro_f1(table: Table, over: Over = "declared") -> Floats:
    """The plain mean of the classes' F1 scores, ``(...)``.

    Which classes are averaged changes the figure, so it has to be said:

    * ``"declared"``: every row of the table, also a class without a unit, which then counts as 0. Kinelex's closed-set
      figure and, with the data set's declared activity list as rows, the published one.
    * ``"truth"``: the classes that occur in truth. Kinelex's open-set figure: a wrong prediction costs recall of its
      true class, however many different wrong answers there are.
    * ``"union"``: the classes that occur in truth or among the predictions (what scikit-learn averages when it is given
      no labels). The published open-set figure: each further wrong class that is ever predicted adds a 0.

    Args:
        table: ``(..., truth, predicted)`` counts.
        over: which classes are averaged.
    """
    scores = f1_per_class(table)
    if over == "declared":
        return np.asarray(scores.mean(axis=-1))
    occurs = table.sum(axis=-1) > 0
    if over == "union":
        occurs |= table.sum(axis=-2) > 0
    return _share((scores * occurs).sum(axis=-1), occurs.sum(axis=-1))


def ranks(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> Floats:
    """At which place each unit's true class stands among its scores, ``(unit,)``; 1 is best.

    Classes with equal scores share the mean of their places, so that a constant guess gains nothing from its order.

    Args:
        scores: ``(unit, class)``, higher is better.
        truth: ``(unit,)`` class numbers.
    """
    own = np.take_along_axis(scores, np.asarray(truth)[:, None], axis=1)
    better, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.asarray(better + (equal + 1) / 2, dtype=np.float64)


def mean_reciprocal_rank(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The mean of one over the true class's rank (see `ranks`): 1 when it always comes first."""
    return _mean(1.0 / ranks(scores, truth))


def recall_at(scores: NDArray[np.floating], truth: NDArray[np.integer], k: int) -> float:
    """The share of units whose true class is among the `k` best scores."""
    return _mean(ranks(scores, truth) <= k)


def f1_of_counts(counts: NDArray[Any]) -> Floats:
    """F1 from sums ``(..., 3)`` of a class's found, true and predicted units, ``(...)``; see `f1_per_class`."""
    return _share(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def brier(probabilities: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The mean squared distance between the distribution and the truth, summed over classes: 0 (best) to 2.

    Source: G. W. Brier, Monthly Weather Review 78, 1950 (the original, many-class definition).

    Args:
        probabilities: ``(unit, class)``, rows sum to 1.
        truth: ``(unit,)`` class numbers.
    """
    return _mean(brier_per_unit(probabilities, truth))


def brier_per_unit(probabilities: NDArray[np.floating], truth: NDArray[np.integer]) -> Floats:
    """Each unit's squared distance, ``(unit,)``, of which `brier` is the mean."""
    aims = np.zeros(probabilities.shape)
    aims[np.arange(len(aims)), truth] = 1.0
    return np.asarray(((probabilities - aims) ** 2).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Reliability:
    """How right predictions are, by how sure they were.

    Args:
        edges: ``(bin + 1,)`` confidences between which a bin lies.
        count: ``(bin,)`` units in it.
        confidence: ``(bin,)`` their mean confidence; NaN in an empty bin.
        accuracy: ``(bin,)`` the share of them that is right; NaN in an empty bin.
    """

    edges: Floats
    count: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: the bins' distance between confidence and accuracy, weighted by count."""
        gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((gaps * self.count).sum() / max(1, self.count.sum()))


def reliability(
    confidence: NDArray[np.floating],
    correct: NDArray[np.bool_],
    bins: int = 15,
    binning: Binning = "equal_width",
) -> Reliability:
    """Sort units into bins by confidence and compare confidence with accuracy in each.

    Args:
        confidence: ``(unit,)`` probability of the predicted class, 0 to 1.
        correct: ``(unit,)`` whether it was the true one.
        bins: how many bins.
        binning: ``"equal_width"`` (the usual, 15 bins from 0 to 1: Guo et al., ICML 2017, section 2) or
            ``"equal_mass"`` (as many units in each).
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    if binning == "equal_mass" and confidence.size:
        # The n-th of so many parts of the sorted units; equal confidences share the bin of the first of them.
        ordered = np.sort(confidence)
        place = np.searchsorted(ordered, confidence, side="left") * bins // len(ordered)
        edges = np.append(ordered[np.arange(bins) * len(ordered) // bins], ordered[-1])
    else:
        edges = np.linspace(0, 1, bins + 1)
        place = _equal_width_bin(np.asarray(confidence, dtype=np.float64), bins)
    count = np.bincount(place, minlength=bins).astype(np.int64)
    totals = np.maximum(count, 1)
    empty = count == 0
    mean_confidence = np.bincount(place, confidence, minlength=bins) / totals
    mean_correct = np.bincount(place, right, minlength=bins) / totals
    mean_confidence[empty] = mean_correct[empty] = np.nan
    return Reliability(edges, count, mean_confidence, mean_correct)


def calibration_error(
    confidence: NDArray[np.floating],
    correct: NDArray[np.bool_],
    bins: int = 15,
    binning: Binning = "equal_width",
) -> float:
    """The expected calibration error (see `reliability`): 0 when a probability of 0.7 is right 7 times in 10."""
    return reliability(confidence, correct, bins, binning).error


def calibration_parts(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], subjects: NDArray[np.integer], bins: int = 15
) -> Floats:
    """What each subject adds to the equal-width calibration error, ``(subject, bin, 3)``: count, confidence, correct.

    Their sum over subjects, drawn in any way, gives the error of those subjects by `error_of_parts`.
    """
    place = _equal_width_bin(np.asarray(confidence, dtype=np.float64), bins)
    count = int(subjects.max()) + 1 if subjects.size else 0
    parts = np.zeros((count, bins, 3))
    added = np.stack([np.ones(len(place)), confidence, correct], axis=-1)
    np.add.at(parts, (subjects, place), added)
    return parts


def error_of_parts(parts: NDArray[Any]) -> Floats:
    """The expected calibration error of sums ``(..., bin, 3)`` of `calibration_parts`, ``(...)``."""
    gaps = np.abs(parts[..., 1] - parts[..., 2]).sum(axis=-1)
    return _share(gaps, parts[..., 0].sum(axis=-1))


def risk_coverage(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The error rate that is left when only the surest predictions are kept.

    Units of equal confidence cannot be told apart, so each counts as their mean: the curve does not depend on order.

    Args:
        confidence: ``(unit,)``, higher is surer.
        correct: ``(unit,)`` whether the prediction was right.

    Returns:
        Coverage ``(unit,)``, the share of units kept, from one unit to all; and risk ``(unit,)``, their error rate.
    """
    confidence, wrong = np.asarray(confidence, dtype=np.float64), 1.0 - np.asarray(correct, dtype=np.float64)
    if not confidence.size:
        return np.zeros(0), np.zeros(0)
    _, block = np.unique(-confidence, return_inverse=True)
    shared = np.bincount(block, wrong) / np.bincount(block)
    ordered = shared[np.sort(block)]
    kept = np.arange(1, len(ordered) + 1)
    return kept / len(ordered), np.cumsum(ordered) / kept


def area_under_risk_coverage(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """The mean risk over all coverages (AURC), 0 best: low when errors are the least sure predictions.

    Source: Geifman, Uziel, El-Yaniv, ICLR 2019, section 2.
    """
    return _mean(risk_coverage(confidence, correct)[1])


def _equal_width_bin(confidence: Floats, bins: int) -> NDArray[np.int64]:
    # A confidence on an edge belongs to the bin below it, as in the source; zero to the first bin.
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _diagonal(table: Table) -> Table:
    return np.asarray(np.diagonal(table, axis1=-2, axis2=-1))


def _share(part: Any, whole: Any) -> Floats:
    whole = np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0))


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if values.size else 0.0
