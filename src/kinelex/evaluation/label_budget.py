"""Which units may be learned from and which are tested: two ways of spending a budget of labels.

``ours``: nobody is on two sides. Every person is tested once, by what a few windows of other people taught. Nothing
but the budget is ever looked at, for selection neither.

``published``: all windows of all people are shuffled, so that windows of one person, and of one minute, are on two
sides, and a validation side ten times as large as a 1 % budget stands beside it. It flatters; it is there because
published figures were made so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UsageError
from kinelex.training.randomness import numpy_generator

PUBLISHED_SEED = 3431
"""Of the published shuffle; `numpy.random.RandomState` of it gives the permutation, then each class's draw."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many units may be labeled: a share of the training side, or so many of each class.

    >>> Budget.parse("1%"), Budget.parse("5")
    (Budget(share=0.01, per_class=None), Budget(share=None, per_class=5))
    """

    share: float | None = None
    per_class: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """``"10%"`` of the training side, or ``"5"`` of each class.

        Raises:
            UsageError: neither.
        """
        text = text.strip()
        try:
            if text.endswith("%"):
                percent = float(text[:-1])
                if 0 < percent <= 100:
                    return cls(share=percent / 100)
            elif int(text) > 0:
                return cls(per_class=int(text))
        except ValueError:
            pass
        raise UsageError(f"a budget of '{text}' cannot be: write 1% of the windows, or 5 for so many of each class")

    def __str__(self) -> str:
        return f"{self.per_class} per class" if self.share is None else f"{100 * self.share:g} %"


@dataclass(frozen=True, eq=False)
class LabelSplit:
    """What one fit may see.

    Args:
        labeled: numbers of the units that are learned from.
        validation: units that may choose a model; empty where the budget is all there is.
        test: units that are predicted.
    """

    labeled: Numbers
    validation: Numbers
    test: Numbers


def by_subject(
    classes: Numbers, subjects: Numbers, names: Sequence[str], budget: Budget, *, folds: int, seed: int, draw: int
) -> list[LabelSplit]:
    """Splits in which nobody is on two sides; their tests are all units, each once.

    Args:
        classes: ``(unit,)`` class numbers.
        subjects: ``(unit,)`` subject numbers.
        names: of the subjects; who is in which fold depends on them and `seed` alone.
        budget: how many units of each fold's other people are labeled.
        folds: of people; with fewer people than folds each of them is one.
        seed: of the folds.
        draw: another number, other labeled units in the same folds; a larger budget holds all units of a smaller one.

    Raises:
        UsageError: fewer than two people, so that nobody is left to learn from.
    """
    fold = subject_folds(names, folds, seed)[subjects]
    splits = []
    for k in np.unique(fold):
        side, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        rng = numpy_generator(draw, int(k), "labeled units")
        order = side[rng.permutation(len(side))]
        splits.append(LabelSplit(_spent(classes, order, budget), np.empty(0, dtype=np.int64), test))
    return splits


def published(classes: Numbers, budget: Budget) -> LabelSplit:
    """The published split: 80 / 10 / 10 of all shuffled units, and of the 80 % equally many of each class.

    The draw per class is ``max(1, int(share * units of the 80 %) // classes)``; classes are those that occur there.
    """
    rng = np.random.RandomState(PUBLISHED_SEED)
    order = rng.permutation(len(classes)).astype(np.int64)
    first, second = int(0.8 * len(order)), int(0.8 * len(order)) + int(0.1 * len(order))
    side = order[:first]
    present = np.unique(classes[side])
    count = budget.per_class
    if budget.share is not None:
        count = max(1, int(budget.share * len(side)) // len(present))
    labeled = [rng.permutation(side[classes[side] == number])[:count] for number in present]
    return LabelSplit(np.sort(np.concatenate(labeled)), np.sort(order[first:second]), np.sort(order[second:]))


def subject_folds(names: Sequence[str], folds: int, seed: int) -> Numbers:
    """The fold of each subject, ``(subject,)``: as many in each as can be, whatever the order of the names.

    Raises:
        UsageError: fewer than two subjects.
    """
    if len(names) < 2:
        raise UsageError(f"{len(names)} subject cannot be split into folds: learning and testing need different people")
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}:{names[i]}".encode()).digest())
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % min(folds, len(names))
    return fold


def quotas(available: Numbers, total: int) -> Numbers:
    """A budget shared out among classes as evenly as they allow, ``(class,)``.

    Every class that has a unit gets at least one, whatever the total; one that runs out leaves its part to the others.

    >>> quotas(np.array([100, 3, 50, 0]), 20).tolist()
    [9, 3, 8, 0]
    """
    quota = np.minimum(available, 1)
    while quota.sum() < min(total, available.sum()):
        open_to = np.flatnonzero(quota < available)
        least = open_to[quota[open_to] == quota[open_to].min()]
        quota[least[: total - int(quota.sum())]] += 1
    return quota


def _spent(classes: Numbers, order: Numbers, budget: Budget) -> Numbers:
    """The first units of each class in this order, as many as the budget gives it."""
    present, count = np.unique(classes[order], return_counts=True)
    if budget.share is not None:
        quota = quotas(count, round(budget.share * len(order)))
    else:
        quota = np.minimum(count, budget.per_class or 0)
    chosen = [order[classes[order] == number][:most] for number, most in zip(present, quota, strict=True)]
    return np.sort(np.concatenate(chosen))
