"""What a gate learns from: windows in which there is something to decide, and a slice of them to stop by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinelex.errors import BadLabels, BadSamples
from kinelex.retrieval.fusion import checked_probabilities, undecided
from kinelex.training.randomness import numpy_generator

HELD_OUT_FROM = 10
"""Windows from which on some are held out."""


@dataclass(frozen=True, eq=False)
class GateExamples:
    """What a gate learns from.

    Args:
        features: ``(window, feature)`` physical features; NaN where missing.
        p_model: ``(window, class)`` what the model says; a window with a row of NaN is passed over.
        p_retrieved: ``(window, class)`` what the neighbors say, without the window itself; a window without any
            neighbor is passed over.
        classes: ``(window,)`` number of each window's true class.
        subjects: ``(window,)`` whose each is, where known.
    """

    features: NDArray[np.floating]
    p_model: NDArray[np.floating]
    p_retrieved: NDArray[np.floating]
    classes: NDArray[np.integer]
    subjects: Sequence[object] | NDArray[np.generic] | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """Windows that a gate learns from, as tensors; see `GateExamples`."""

    features: Tensor
    p_model: Tensor
    p_retrieved: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    def at(self, rows: NDArray[np.integer]) -> Rows:
        """Some of them."""
        return Rows(
            *(part[torch.from_numpy(rows)] for part in (self.features, self.p_model, self.p_retrieved, self.classes))
        )


def learnable(examples: GateExamples) -> tuple[Rows, NDArray[np.bool_]]:
    """The windows that teach a gate something: those in which both model and neighbors say something.

    Returns:
        Those windows, and ``(window,)`` which of all they are.

    Raises:
        BadSamples: shapes that do not match, rows that are no probabilities, infinite features, or fewer than two such
            windows.
        BadLabels: a class that the probabilities do not have.
    """
    model, retrieved = checked_probabilities(examples.p_model, examples.p_retrieved)
    features, classes = np.asarray(examples.features, dtype=np.float64), np.asarray(examples.classes)
    windows = len(model)
    if features.ndim != 2 or not features.shape[1] or len(features) != windows or np.isinf(features).any():
        raise BadSamples(
            f"a gate learns from finite features (window, feature) of {windows} windows, not {features.shape}"
        )
    if classes.shape != (windows,) or not np.issubdtype(classes.dtype, np.integer):
        raise BadSamples(
            f"a gate needs the number of the true class of {windows} windows, not {classes.shape} of {classes.dtype}"
        )
    if examples.subjects is not None and len(examples.subjects) != windows:
        raise BadSamples(f"a gate needs the subject of each of {windows} windows, not of {len(examples.subjects)}")
    number = model.shape[1]
    if windows and (classes.min() < 0 or classes.max() >= number):
        wrong = classes.min() if classes.min() < 0 else classes.max()
        raise BadLabels(f"a gate: a window is of class {wrong}, and classes are 0 to {number - 1}")
    usable = undecided(model, retrieved)
    if usable.sum() < 2:
        raise BadSamples(
            f"in {usable.sum()} of {windows} windows both model and neighbors say something, and a gate needs two at"
            " least: use a fixed weight"
        )
    values = [torch.from_numpy(part[usable]) for part in (features, model, retrieved)]
    return Rows(values[0], values[1], values[2], torch.from_numpy(classes[usable].astype(np.int64))), usable


def held_out_windows(windows: int, subjects: Sequence[object] | None, share: float, seed: int) -> NDArray[np.bool_]:
    """Which windows are held out: those of drawn people until they are at least `share` of all.

    People stay whole, and never more than half of all windows is held out. Single windows are drawn where nobody is
    known, where there is but one person, or where whole people do not come to half of `share`: windows that overlap are
    then on both sides, so that training is stopped late. With fewer than `HELD_OUT_FROM` nothing is held out.

    Args:
        windows: how many there are.
        subjects: whose each is; those of nobody (None) count as one person.
        share: of the windows; 0 holds nothing out.
        seed: decides who is drawn.

    Returns:
        ``(window,)``.
    """
    if not share or windows < HELD_OUT_FROM:
        return np.zeros(windows, dtype=np.bool_)
    groups = np.arange(windows)
    if subjects is not None and len(found := {str(subject) for subject in subjects}) > 1:
        number = {name: i for i, name in enumerate(sorted(found))}
        groups = np.array([number[str(subject)] for subject in subjects])
    size = np.bincount(groups)
    chosen, total = [], 0
    for group in numpy_generator(seed, 0, "held-out windows of a gate").permutation(len(size)):
        if total < share * windows and total + size[group] <= windows / 2:
            chosen.append(group)
            total += int(size[group])
    held = np.isin(groups, chosen)
    return held if total >= share * windows / 2 else held_out_windows(windows, None, share, seed)
