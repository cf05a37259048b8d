"""One split of a data set with all labels: what the base says, and how a gate learns, whoever finds the neighbors."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.evaluation.label_budget import LabelSplit, subject_folds
from kinelex.evaluation.retrieval.heads import head_probabilities
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.studies.finders import Finder, by_vectors, unit
from kinelex.evaluation.retrieval.systems import safe_weight
from kinelex.evaluation.retrieval.targets import Embedded, Target
from kinelex.retrieval.evidence import EvidenceConfig, evidence
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.gate_examples import GateExamples
from kinelex.retrieval.gate_training import GateTraining, train_gate
from kinelex.retrieval.neighbors import Neighbors, Search, search_outside

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

# Queries whose neighbors among all examples are held at once.
_TOGETHER = 1024


class Fold:
    """Some people are tested, and all windows of the others are labeled.

    Args:
        seen: the vectors of all windows; those of the split are finite.
        target: what they are windows of.
        split: which are labeled, and which are tested.
        protocol: the rules.
    """

    def __init__(self, seen: Embedded, target: Target, split: LabelSplit, protocol: RetrievalProtocol) -> None:
        self.seen, self.target, self.protocol = seen, target, protocol
        self.labeled, self.test = split.labeled, split.test
        self.groups = target.subjects[split.labeled]
        self.most = int(np.bincount(target.truth[split.labeled]).max())
        """Examples of the class that has the most: neighbors beyond would have to be of others."""

    @cached_property
    def base(self) -> Floats:
        """What a head on the vectors says to the tested windows, ``(test, class)``."""
        return self._head(self.labeled, self.test)

    @cached_property
    def inner(self) -> Rows:
        """Into which part each labeled window falls, ``(labeled,)``: people are whole, where there are several."""
        people, groups = np.unique(self.groups, return_inverse=True)
        if len(people) < 2:
            return np.arange(len(self.labeled)) % min(self.protocol.inner_folds, len(self.labeled))
        names = [self.target.names[person] for person in people]
        return subject_folds(names, self.protocol.inner_folds, self.protocol.seed)[groups]

    @cached_property
    def crossed(self) -> Floats:
        """What it says to labeled windows of people whom it did not learn from, ``(labeled, class)``."""
        chances = np.full((len(self.labeled), len(self.target.classes)), np.nan)
        for number in np.unique(self.inner):
            asked = self.inner == number
            if not asked.all():
                chances[asked] = self._head(self.labeled[~asked], self.labeled[asked])
        return chances

    @property
    def by_vectors(self) -> Finder:
        """Finds neighbors by the cosine of whole vectors; made anew, as those of all splits would fill the memory."""
        return by_vectors(unit(self.seen.vectors), self.labeled)

    def neighbors(self, finder: Finder, k: int | None = None) -> Neighbors:
        """The nearest examples of the tested windows; as many as the protocol says when left out."""
        return finder.search(self.test, min(k or self.protocol.k, self.most))

    def outside(self, finder: Finder) -> Neighbors:
        """The nearest examples of the labeled windows, none of the same person."""
        k = min(self.protocol.k, self.most)
        people = self.target.subjects if len(np.unique(self.groups)) > 1 else None
        found = []
        for start in range(0, len(self.labeled), _TOGETHER):
            rows = self.labeled[start : start + _TOGETHER]
            found.append(
                search_outside(
                    _search(finder, rows),
                    len(rows),
                    k,
                    ids=finder.ids,
                    own_ids=rows,
                    groups=None if people is None else people[finder.ids].tolist(),
                    own_groups=None if people is None else people[rows].tolist(),
                )
            )
        return Neighbors.stacked(found, k)

    def evidence(self, found: Neighbors, config: EvidenceConfig | None = None) -> Floats:
        """What the labels of neighbors say, ``(query, class)``; as the protocol has it when left out."""
        return evidence(self.labels(found), self.target.table, config or self.protocol.evidence)

    def labels(self, found: Neighbors) -> Rows:
        """The classes of neighbors, ``(query, k)``; -1 for none."""
        return np.where(found.present, self.target.truth[np.maximum(found.ids, 0)], -1)

    def gate_examples(self, retrieved: Floats) -> GateExamples:
        """What a gate learns from, given what neighbors say to the labeled windows."""
        truth = self.target.truth[self.labeled]
        # Of a class that only the window itself shows, nobody else could know: it says nothing of whom to trust.
        telling = np.isnan(self.crossed).any(axis=1) | (self.crossed[np.arange(len(truth)), truth] > 0)
        return GateExamples(
            self.target.features[self.labeled[telling]],
            self.crossed[telling],
            retrieved[telling],
            truth[telling],
            self.groups[telling],
        )

    def trained_gate(self, retrieved: Floats) -> GateTraining | None:
        """A gate that learned from the labeled windows; none where there are too few, or it is not worth having."""
        recipe = self.protocol.gate.model_copy(update={"seed": self.protocol.draws[0]})
        try:
            trained = train_gate(self.gate_examples(retrieved), recipe)
        except BadSamples:
            return None
        return trained if trained.curve[trained.best - 1].held_out < min(trained.fixed.values()) else None

    def weights(self, retrieved: Floats) -> tuple[Floats, bool]:
        """The weights of retrieval in the tested windows, and whether a gate gave them; else one weight for all.

        Args:
            retrieved: ``(labeled, class)`` what neighbors of other people say to the labeled windows.
        """
        trained = self.trained_gate(retrieved)
        if trained is not None:
            return trained.gate.weights(self.target.features[self.test]), True
        fixed = safe_weight(self.crossed, retrieved, self.target.truth[self.labeled])
        return np.full(len(self.test), fixed), False

    def fused(self, retrieved: Floats, weight: float | Floats) -> Floats:
        """What the base and the neighbors of the tested windows say together."""
        return fuse(self.base, retrieved, weight, compat=self.protocol.gate.compat)

    def _head(self, labeled: Rows, asked: Rows) -> Floats:
        return head_probabilities(
            self.seen.vectors, self.target.truth, labeled, asked, len(self.target.classes),
            head=self.protocol.head, seed=self.protocol.draws[0],
        )  # fmt: skip


def _search(finder: Finder, rows: Rows) -> Search:
    """Finds neighbors of these windows; what compares a query with all examples anyway is asked but once."""
    if not finder.compares_all:
        return lambda some, k: finder.search(rows[some], k)
    whole = finder.search(rows, len(finder.ids))
    return lambda some, k: Neighbors(whole.ids[some], whole.similarity[some]).first(k)
