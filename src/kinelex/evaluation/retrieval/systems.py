"""The four systems on one split: what each of them answers to the windows of people whom nothing was learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.evaluation.label_budget import LabelSplit, subject_folds
from kinelex.evaluation.retrieval.heads import head_probabilities
from kinelex.evaluation.retrieval.protocol import NOTHING_TRAINED, RetrievalProtocol, System
from kinelex.evaluation.retrieval.targets import Embedded, Target
from kinelex.retrieval.evidence import EvidenceConfig, evidence
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.gate_examples import GateExamples
from kinelex.retrieval.gate_training import FIXED_WEIGHTS, train_gate
from kinelex.retrieval.indexes import ExactIndex
from kinelex.retrieval.neighbors import Neighbors, search_outside

_LEAST = 1e-6
"""What a probability of zero counts where its logarithm is asked for: one surprise must not decide alone."""

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


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
    base = _base(seen, target, labeled, test, budget, protocol, draw)
    weights, by = _gate(seen, target, labeled, test, budget, protocol, draw)
    return Learned(base, weights, by)


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
    found = _index(seen, memory).search(_unit(seen.vectors[test]), _neighbors(target, memory, protocol))
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


def _base(
    seen: Embedded, target: Target, labeled: Rows, asked: Rows, budget: str, protocol: RetrievalProtocol, draw: int
) -> Floats:
    """What the backbone says by itself: by words, by a head on its vectors, or nothing (rows of NaN)."""
    if budget != NOTHING_TRAINED:
        return head_probabilities(
            seen.vectors, target.truth, labeled, asked, len(target.classes), head=protocol.head, seed=draw
        )
    if seen.words is None:
        return np.full((len(asked), len(target.classes)), np.nan)
    return seen.words[asked].astype(np.float64)


def _gate(
    seen: Embedded,
    target: Target,
    labeled: Rows,
    test: Rows,
    budget: str,
    protocol: RetrievalProtocol,
    draw: int,
) -> tuple[Floats, str]:
    """The weight of retrieval in each tested window, from a gate that learned from the labeled ones alone.

    Neither model nor memory knew the people to whom they answer while it learned. Where the gate is no better than a
    few fixed weights, on windows that were held out from it, `safe_weight` is taken in its place.
    """
    groups = target.subjects[labeled]
    own = None if len(np.unique(groups)) < 2 else groups.tolist()
    index, vectors = _index(seen, labeled), _unit(seen.vectors[labeled])
    found = search_outside(
        lambda rows, k: index.search(vectors[rows], k),
        len(labeled),
        _neighbors(target, labeled, protocol),
        ids=labeled,
        own_ids=labeled,
        groups=own,
        own_groups=own,
    )
    retrieved = _evidence(found, target, protocol.evidence)
    known = _crossed(seen, target, labeled, budget, protocol, draw)
    truth = target.truth[labeled]
    fixed = safe_weight(known, retrieved, truth)
    # Of a class that only the window itself shows, nobody else could know: it says nothing of whom to trust.
    telling = np.isnan(known).any(axis=1) | (known[np.arange(len(truth)), truth] > 0)
    examples = GateExamples(
        target.features[labeled[telling]], known[telling], retrieved[telling], truth[telling], groups[telling]
    )
    try:
        trained = train_gate(examples, protocol.gate.model_copy(update={"seed": draw}))
    except BadSamples:
        return np.full(len(test), fixed), f"{fixed:g}"
    reached = trained.curve[trained.best - 1].held_out
    if not reached < min(trained.fixed.values()):
        return np.full(len(test), fixed), f"{fixed:g}"
    return trained.gate.weights(target.features[test]), "gate"


def safe_weight(known: Floats, retrieved: Floats, truth: Rows) -> float:
    """The one weight of retrieval that is best on labeled windows, or 0 where none is clearly better than the base.

    Clearly: by more than the standard error of the mean difference in log likelihood. With a handful of windows that is
    never so, and the base stays alone; where it has no answer, retrieval does.

    Args:
        known: ``(window, class)`` what the base says to windows that it did not learn from; rows of NaN for no answer.
        retrieved: ``(window, class)`` what neighbors other than themselves say.
        truth: ``(window,)`` class numbers.
    """
    answered = ~np.isnan(known).any(axis=1)
    if not answered.any():
        return 1.0
    # A class that the base could not learn without the window itself says nothing of whom to trust.
    rows = np.flatnonzero(answered & (known[np.arange(len(truth)), truth] > 0))
    if len(rows) < 2:
        return 0.0
    alone = _log_likelihood(fuse(known[rows], retrieved[rows], 0.0), truth[rows])
    best, gain = 0.0, 0.0
    for weight in FIXED_WEIGHTS[1:]:
        difference = _log_likelihood(fuse(known[rows], retrieved[rows], weight), truth[rows]) - alone
        doubt = float(difference.std(ddof=1) / np.sqrt(len(rows)))
        if difference.mean() > max(gain, doubt):
            best, gain = weight, float(difference.mean())
    return best


def _log_likelihood(chances: Floats, truth: Rows) -> Floats:
    return np.asarray(np.log(np.maximum(chances[np.arange(len(truth)), truth], _LEAST)))


def _crossed(
    seen: Embedded, target: Target, labeled: Rows, budget: str, protocol: RetrievalProtocol, draw: int
) -> Floats:
    """What the base says to labeled windows of people whom it did not learn from, ``(labeled, class)``."""
    if budget == NOTHING_TRAINED:
        return _base(seen, target, labeled, labeled, budget, protocol, draw)
    people, groups = np.unique(target.subjects[labeled], return_inverse=True)
    if len(people) > 1:
        fold = subject_folds([target.names[p] for p in people], protocol.inner_folds, protocol.seed)[groups]
    else:
        fold = np.arange(len(labeled)) % min(protocol.inner_folds, len(labeled))
    chances = np.full((len(labeled), len(target.classes)), np.nan)
    for number in np.unique(fold):
        learned, asked = labeled[fold != number], labeled[fold == number]
        if len(learned):
            chances[fold == number] = _base(seen, target, learned, asked, budget, protocol, draw)
    return chances


def _index(seen: Embedded, memory: Rows) -> ExactIndex:
    index = ExactIndex(seen.vectors.shape[1])
    index.add(memory, _unit(seen.vectors[memory]))
    return index


def _neighbors(target: Target, labeled: Rows, protocol: RetrievalProtocol) -> int:
    """How many neighbors: no more than a class has examples, as those beyond would have to be of others."""
    return min(protocol.k, int(np.bincount(target.truth[labeled]).max()))


def _evidence(found: Neighbors, target: Target, config: EvidenceConfig) -> Floats:
    labels = np.where(found.present, target.truth[np.maximum(found.ids, 0)], -1)
    return evidence(labels, target.table, config)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: Any = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
