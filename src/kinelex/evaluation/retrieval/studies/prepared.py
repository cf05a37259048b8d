"""What all studies need of a data set and a backbone: made when first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import Backbone
from kinelex.evaluation import metrics
from kinelex.evaluation.retrieval.fold import Fold, splits_of
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.report import TargetUsed
from kinelex.evaluation.retrieval.targets import Embedded, Target, embedded, prepare
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate, bootstrap_over_subjects
from kinelex.language import TextEncoder, Vocabulary

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and steps in all."""


class Prepared:
    """Data sets and backbones, and what they have given so far.

    Args:
        backbones: encoders, each with a name of its own.
        data: the data sets, likewise.
        protocol: the rules.
        vocabulary: where the words of activities come from.
        encoder: says how alike they are.
    """

    def __init__(
        self,
        backbones: Sequence[Backbone],
        data: Sequence[EvaluationSet],
        protocol: RetrievalProtocol,
        vocabulary: Vocabulary,
        encoder: TextEncoder,
    ) -> None:
        self.backbones, self.data, self.protocol = tuple(backbones), tuple(data), protocol
        self.vocabulary, self.encoder = vocabulary, encoder
        self._targets: dict[str, Target] = {}
        self._seen: dict[tuple[str, str], Embedded] = {}
        self._folds: dict[tuple[str, str], tuple[Fold, ...]] = {}

    def target(self, source: EvaluationSet) -> Target:
        """A data set, cut into windows."""
        if source.name not in self._targets:
            self._targets[source.name] = prepare(source, self.protocol, self.vocabulary, self.encoder)
        return self._targets[source.name]

    def seen(self, source: EvaluationSet, backbone: Backbone) -> Embedded:
        """The same as a backbone sees it."""
        key = (source.name, name_of(backbone))
        if key not in self._seen:
            self._seen[key] = embedded(backbone, self.target(source))
        return self._seen[key]

    def pairs(self) -> list[tuple[EvaluationSet, Backbone]]:
        """Each data set with each backbone, set by set."""
        return [(source, backbone) for source in self.data for backbone in self.backbones]

    def folds(self, source: EvaluationSet, backbone: Backbone) -> tuple[Fold, ...]:
        """Its splits with all labels; together they test everybody once.

        Raises:
            BadSamples: no window that the backbone sees something in.
            UsageError: fewer than two people.
        """
        key = (source.name, name_of(backbone))
        if key not in self._folds:
            seen, target = self.seen(source, backbone), self.target(source)
            self._folds[key] = tuple(
                Fold(seen, target, split, self.protocol) for split in splits_of(seen, target, self.protocol)
            )
        return self._folds[key]

    def used(self) -> tuple[TargetUsed, ...]:
        """The data sets, as a report names them."""
        return tuple(TargetUsed.of(self.target(source)) for source in self.data)


def name_of(backbone: Backbone) -> str:
    """What a backbone is called."""
    return str(getattr(backbone, "name", type(backbone).__name__))


def figures(target: Target, predicted: NDArray[np.int64], protocol: RetrievalProtocol) -> tuple[Estimate, Estimate]:
    """Accuracy and macro-F1 over the declared activities, with their intervals over people.

    Args:
        target: what was answered to.
        predicted: ``(window,)`` class numbers; -1 where nothing was asked.
        protocol: how intervals are made.
    """
    tested = np.flatnonzero(predicted >= 0)
    _, subjects = np.unique(target.subjects[tested], return_inverse=True)
    tables = metrics.confusion_per_subject(target.truth[tested], predicted[tested], subjects, len(target.classes))
    accuracy, macro_f1 = (
        bootstrap_over_subjects(
            tables[None], statistic, draws=protocol.bootstrap, level=protocol.level, seed=protocol.seed
        )
        for statistic in (metrics.accuracy, metrics.macro_f1)
    )
    return accuracy, macro_f1


def bare(figure: float) -> Estimate:
    """A figure without an interval."""
    return Estimate(mean=figure, seeds=(figure,), sd=None, low=None, high=None)
