"""One split of a data set: what the base says, and how a gate learns from the labeled side, whoever finds neighbors."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.evaluation.label_budget import LabelSplit, by_subject, subject_folds
from kinelex.evaluation.retrieval.finders import Finder, Rows, by_vectors, unit
from kinelex.evaluation.retrieval.heads import head_probabilities
from kinelex.evaluation.retrieval.protocol import ALL, NOTHING_TRAINED, RetrievalProtocol
from kinelex.evaluation.retrieval.targets import Embedded, Target
from kinelex.recognition.calibration import fit_temperature
from kinelex.retrieval.evidence import EvidenceConfig, evidence
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.gate_examples import GateExamples
from kinelex.retrieval.gate_training import FIXED_WEIGHTS, GateTraining, train_gate
from kinelex.retrieval.neighbors import Neighbors, Search, search_outside

Floats = NDArray[np.float64]

_LEAST = 1e-6
"""What a probability of zero counts where its logarithm is asked for: one surprise must not decide alone."""

# Queries whose neighbors among all examples are held at once.
_TOGETHER = 1024


def splits_of(
    seen: Embedded, target: Target, protocol: RetrievalProtocol, budget: str = ALL, draw: int | None = None
) -> list[LabelSplit]:
    """The splits of the windows that a backbone sees something in; together they test everybody once.

    Raises:
        BadSamples: it sees no signal in any window.
        UsageError: fewer than two people.
    """
    usable = np.flatnonzero(np.isfinite(seen.vectors).all(axis=1))
    if not len(usable):
        raise BadSamples(f"backbone '{seen.backbone}' sees no signal in any window of '{target.source.name}'")
    splits = by_subject(
        target.truth[usable],
        target.subjects[usable],
        target.names,
        protocol.budget(budget),
        folds=protocol.folds,
        seed=protocol.seed,
        draw=protocol.draws[0] if draw is None else draw,
    )
    return [LabelSplit(usable[one.labeled], usable[one.validation], usable[one.test]) for one in splits]


GATE = "gate"
"""What gave a window its own weight."""


class Fold:
    """Some people are tested, and windows of the others are labeled.

    Args:
        seen: the vectors of all windows; those of the split are finite.
        target: what they are windows of.
        split: which are labeled, and which are tested.
        protocol: the rules.
        budget: whether a head is trained on the labeled windows.
        draw: seed of head and gate; the first of the protocol when left out.
    """

    def __init__(
        self,
        seen: Embedded,
        target: Target,
        split: LabelSplit,
        protocol: RetrievalProtocol,
        budget: str = ALL,
        draw: int | None = None,
    ) -> None:
        self.seen, self.target, self.protocol, self.budget = seen, target, protocol, budget
        self.draw = protocol.draws[0] if draw is None else draw
        self.labeled, self.test = split.labeled, split.test
        self.groups = target.subjects[split.labeled]
        self.most = int(np.bincount(target.truth[split.labeled]).max())
        """Examples of the class that has the most: neighbors beyond would have to be of others."""

    @cached_property
    def base(self) -> Floats:
        """What the backbone says by itself to the tested windows, ``(test, class)``: by head or words."""
        return tempered(self._said(self.labeled, self.test), self.temperature)

    @cached_property
    def temperature(self) -> float:
        """By which its probabilities are what they claim to be, to people whom it did not learn from.

        It changes no answer of the base alone. But what is too sure of itself, or too little, cannot be weighed against
        anything.
        """
        truth = self.target.truth[self.labeled]
        known = np.flatnonzero(could_know(self._crossed, truth))
        if not self.protocol.calibrated or len(known) < 2:
            return 1.0
        with np.errstate(divide="ignore"):
            return fit_temperature(np.log(self._crossed[known]), truth[known])

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
        return tempered(self._crossed, self.temperature)

    @cached_property
    def _crossed(self) -> Floats:
        chances = np.full((len(self.labeled), len(self.target.classes)), np.nan)
        for number in np.unique(self.inner):
            asked = self.inner == number
            if not asked.all():
                chances[asked] = self._said(self.labeled[~asked], self.labeled[asked])
        return chances

    @property
    def by_vectors(self) -> Finder:
        """Finds neighbors by the cosine of whole vectors; made anew, as those of all splits would fill the memory."""
        return by_vectors(unit(self.seen.vectors), self.labeled)

    def neighbors(self, finder: Finder, k: int | None = None) -> Neighbors:
        """The nearest examples of the tested windows; as many as the protocol says when left out."""
        return finder.search(self.test, min(k or self.protocol.k, self.most))

    def outside(self, finder: Finder) -> Neighbors:
        """The nearest examples of the labeled windows, none of the people whom the base did not learn from either.

        With more people to look among than the base had to learn from, neighbors would look better than they are.
        """
        k = min(self.protocol.k, self.most)
        part = np.full(len(self.target), -1)
        part[self.labeled] = self.inner
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
                    groups=part[finder.ids].tolist(),
                    own_groups=part[rows].tolist(),
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
        telling = np.isnan(self.crossed).any(axis=1) | could_know(self.crossed, truth)
        return GateExamples(
            self.target.features[self.labeled[telling]],
            self.crossed[telling],
            retrieved[telling],
            truth[telling],
            self.groups[telling],
        )

    def trained_gate(self, retrieved: Floats) -> GateTraining | None:
        """A gate that learned from the labeled windows; none where there are too few, or it is not worth having."""
        recipe = self.protocol.gate.model_copy(update={"seed": self.draw})
        examples = self.gate_examples(retrieved)
        try:
            trained = train_gate(examples, recipe)
        except BadSamples:
            return None
        if not trained.curve[trained.best - 1].held_out < min(trained.fixed.values()):
            return None
        rows = np.flatnonzero(trained.held_out)
        base, truth = np.asarray(examples.p_model)[rows], np.asarray(examples.classes)[rows]
        weights = trained.gate.weights(examples.features[rows])
        mixed = fuse(base, examples.p_retrieved[rows], weights, compat=recipe.compat)
        answered = ~np.isnan(base).any(axis=1)
        fewer = _right(mixed[answered], truth[answered]).sum() < _right(base[answered], truth[answered]).sum()
        return None if fewer else trained

    def weights(self, retrieved: Floats) -> tuple[Floats, str]:
        """The weights of retrieval in the tested windows, and what gave them: ``gate``, or one weight for all.

        Neither model nor memory knew the people to whom they answer while the gate learned. Where it is no better than
        a few fixed weights, on windows that were held out from it, `safe_weight` is taken in its place.

        Args:
            retrieved: ``(labeled, class)`` what neighbors of other people say to the labeled windows.
        """
        trained = self.trained_gate(retrieved)
        if trained is not None:
            return trained.gate.weights(self.target.features[self.test]), GATE
        fixed = safe_weight(self.crossed, retrieved, self.target.truth[self.labeled])
        return np.full(len(self.test), fixed), f"{fixed:g}"

    def fused(self, retrieved: Floats, weight: float | Floats) -> Floats:
        """What the base and the neighbors of the tested windows say together."""
        return fuse(self.base, retrieved, weight, compat=self.protocol.gate.compat)

    def _said(self, labeled: Rows, asked: Rows) -> Floats:
        """The backbone's own answer, rows of NaN where it has none."""
        if self.budget != NOTHING_TRAINED:
            return head_probabilities(
                self.seen.vectors, self.target.truth, labeled, asked, len(self.target.classes),
                head=self.protocol.head, seed=self.draw,
            )  # fmt: skip
        if self.seen.words is None:
            return np.full((len(asked), len(self.target.classes)), np.nan)
        return self.seen.words[asked].astype(np.float64)


def tempered(chances: Floats, temperature: float) -> Floats:
    """Probabilities ``(window, class)`` as if their logits had been divided by a temperature."""
    powers = chances ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def could_know(known: Floats, truth: Rows) -> NDArray[np.bool_]:
    """Whose class the base had learned at all, ``(window,)``; of one that only the window itself shows it could not."""
    return np.asarray(known[np.arange(len(truth)), truth] > 0)


def safe_weight(known: Floats, retrieved: Floats, truth: Rows) -> float:
    """The one weight of retrieval that is best on labeled windows, or 0 where none is clearly better than the base.

    Clearly: by more than the standard error of the mean difference in log likelihood, and with no fewer right answers.
    With a handful of windows that is never so, and the base stays alone; where it has no answer, retrieval does.

    Args:
        known: ``(window, class)`` what the base says to windows that it did not learn from; rows of NaN for no answer.
        retrieved: ``(window, class)`` what neighbors other than themselves say.
        truth: ``(window,)`` class numbers.
    """
    if np.isnan(known).any(axis=1).all():
        return 1.0
    # A class that the base could not learn without the window itself says nothing of whom to trust.
    rows = np.flatnonzero(could_know(known, truth))
    if len(rows) < 2:
        return 0.0
    alone = _log_likelihood(fuse(known[rows], retrieved[rows], 0.0), truth[rows])
    best, gain = 0.0, 0.0
    for weight in FIXED_WEIGHTS[1:]:
        mixed = fuse(known[rows], retrieved[rows], weight)
        difference = _log_likelihood(mixed, truth[rows]) - alone
        doubt = float(difference.std(ddof=1) / np.sqrt(len(rows)))
        worse = _right(mixed, truth[rows]).mean() < _right(known[rows], truth[rows]).mean()
        if difference.mean() > max(gain, doubt) and not worse:
            best, gain = weight, float(difference.mean())
    return best


def _log_likelihood(chances: Floats, truth: Rows) -> Floats:
    return np.asarray(np.log(np.maximum(chances[np.arange(len(truth)), truth], _LEAST)))


def _right(chances: Floats, truth: Rows) -> NDArray[np.bool_]:
    return np.asarray(chances.argmax(axis=1) == truth)


def _search(finder: Finder, rows: Rows) -> Search:
    """Finds neighbors of these windows; what compares a query with all examples anyway is asked but once."""
    if not finder.compares_all:
        return lambda some, k: finder.search(rows[some], k)
    whole = finder.search(rows, len(finder.ids))
    return lambda some, k: Neighbors(whole.ids[some], whole.similarity[some]).first(k)
