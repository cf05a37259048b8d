"""The four systems on one split: what each of them answers to the windows of people whom nothing was learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation.label_budget import LabelSplit
from kinelex.evaluation.retrieval.finders import Rows, by_vectors, unit
from kinelex.evaluation.retrieval.fold import Fold
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol, System
from kinelex.evaluation.retrieval.targets import Embedded, Target
from kinelex.retrieval.evidence import EvidenceConfig, evidence
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.neighbors import Neighbors

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from labeled windows, as it comes to bear on the tested ones; no memory changes it.

    Args:
        base: ``(window, class)`` what the backbone says by itself; rows of NaN where it has no answer.
        weights: ``(window,)`` the gate's, of retrieval.
        gated_by: ``"gate"``, or the fixed weight that stands in for it.
    """

    base: Floats
    weights: Floats
    gated_by: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What the systems say to the tested windows.

    Args:
        probabilities: ``(window, class)`` of each system.
        weights: ``(window,)`` the gate's, of retrieval.
        gated_by: ``"gate"``, or the fixed weight that stands in for it.
    """

    probabilities: dict[System, Floats]
    weights: Floats
    gated_by: str


def answers(
    seen: Embedded, target: Target, split: LabelSplit, budget: str, protocol: RetrievalProtocol, draw: int
) -> Answers:
    """Learn from the labeled windows, and answer to the others.

    Args:
        seen: the vectors of all windows; those of the split are finite.
        target: what they are windows of.
        split: which are labeled, and which are tested.
        budget: whether a head is trained on the labeled ones.
        protocol: the rules.
        draw: seed of head and gate.
    """
    known = learn(seen, target, split.labeled, split.test, budget, protocol, draw)
    return recall(seen, target, split.labeled, split.test, known, protocol)


def learn(
    seen: Embedded, target: Target, labeled: Rows, test: Rows, budget: str, protocol: RetrievalProtocol, draw: int
) -> Learned:
    """Train a head and a gate on labeled windows; arguments as in `answers`."""
    fold = Fold(seen, target, LabelSplit(labeled, labeled[:0], test), protocol, budget, draw)
    weights, by = fold.weights(fold.evidence(fold.outside(fold.by_vectors)))
    return Learned(fold.base, weights, by)


def recall(
    seen: Embedded, target: Target, memory: Rows, test: Rows, learned: Learned, protocol: RetrievalProtocol
) -> Answers:
    """Answer to the tested windows with a memory, which need not be what head and gate learned from.

    Args:
        seen: the vectors of all windows.
        target: what they are windows of.
        memory: windows that are remembered with their labels.
        test: windows to answer to.
        learned: what `learn` made of them.
        protocol: the rules.
    """
    # No more neighbors than a class has examples, as those beyond would have to be of others.
    most = int(np.bincount(target.truth[memory]).max())
    found = by_vectors(unit(seen.vectors), memory).search(test, min(protocol.k, most))
    retrieved = _evidence(found, target, protocol.evidence)
    return Answers(
        probabilities={
            "base": learned.base,
            "vote": _evidence(found, target, EvidenceConfig(strategy="vote")),
            "fixed": fuse(learned.base, retrieved, protocol.weight, compat=protocol.gate.compat),
            "gated": fuse(learned.base, retrieved, learned.weights, compat=protocol.gate.compat),
        },
        weights=learned.weights,
        gated_by=learned.gated_by,
    )


def _evidence(found: Neighbors, target: Target, config: EvidenceConfig) -> Floats:
    labels = np.where(found.present, target.truth[np.maximum(found.ids, 0)], -1)
    return evidence(labels, target.table, config)
