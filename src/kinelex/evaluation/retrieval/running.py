"""Runs an evaluation with retrieval: backbone by backbone, set by set, budget by budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import Backbone
from kinelex.errors import UsageError
from kinelex.evaluation import metrics
from kinelex.evaluation.retrieval.fold import splits_of
from kinelex.evaluation.retrieval.protocol import ALL, NOTHING_TRAINED, SYSTEMS, RetrievalProtocol
from kinelex.evaluation.retrieval.report import RetrievalReport, RetrievalScore, TargetUsed
from kinelex.evaluation.retrieval.systems import answers
from kinelex.evaluation.retrieval.targets import Embedded, Target, embedded, prepare
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import bootstrap_over_subjects
from kinelex.evaluation.zero_shot import versions
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and steps in all."""


def evaluate_retrieval(
    backbones: Sequence[Backbone],
    data: Sequence[EvaluationSet],
    protocol: RetrievalProtocol | None = None,
    *,
    command: str = "",
    vocabulary: Vocabulary | None = None,
    encoder: TextEncoder | None = None,
    progress: Progress | None = None,
) -> RetrievalReport:
    """Evaluate what a memory of labeled windows adds to backbones.

    Args:
        backbones: encoders, each with a name of its own.
        data: the data sets.
        protocol: the rules; the defaults when left out.
        command: what to note as the command that made the report.
        vocabulary: the standard vocabulary when left out.
        encoder: says how alike the words of activities are; the default text encoder when left out.
        progress: called after each split.

    Raises:
        UsageError: no backbone or no data set, two backbones of one name, or one person alone in a data set.
        BadSamples: a data set without any window that a backbone sees something in.
        NoTextEncoder: none was found.
        MissingDependency: scikit-learn is not installed.
    """
    protocol = protocol or RetrievalProtocol()
    if not backbones or not data:
        raise UsageError("an evaluation needs at least one backbone and one data set")
    names = [str(getattr(backbone, "name", type(backbone).__name__)) for backbone in backbones]
    if len(set(names)) < len(names):
        raise UsageError(f"two backbones are called '{max(names, key=names.count)}': give each a name of its own")
    words, texts = vocabulary or Vocabulary.standard(), encoder or resolve_text_encoder()
    scores: list[RetrievalScore] = []
    used: list[TargetUsed] = []
    for source in data:
        target = prepare(source, protocol, words, texts)
        used.append(TargetUsed.of(target))
        for backbone in backbones:
            seen = embedded(backbone, target)
            scores += _scored(seen, target, protocol, progress)
    return RetrievalReport(
        command=command,
        protocol=protocol.model_dump(mode="json"),
        versions=versions(),
        data=tuple(used),
        scores=tuple(scores),
    )


@dataclass
class _Found:
    """What one system answered with one budget, draw by draw."""

    predicted: list[NDArray[np.int64]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    gated_by: Counter[str] = field(default_factory=Counter)


def _scored(
    seen: Embedded, target: Target, protocol: RetrievalProtocol, progress: Progress | None
) -> list[RetrievalScore]:
    plan = [(budget, draw) for budget in protocol.budgets for draw in _draws(budget, protocol)]
    scores = []
    for budget in protocol.budgets:
        found = {system: _Found() for system in SYSTEMS}
        sizes: list[int] = []
        for draw in _draws(budget, protocol):
            for one in found.values():
                one.predicted.append(np.full(len(target), -1, dtype=np.int64))
            for split in splits_of(seen, target, protocol, budget, draw):
                said = answers(seen, target, split, budget, protocol, draw)
                sizes.append(len(split.labeled))
                for system, chances in said.probabilities.items():
                    # Without words and without a head there is no answer of its own.
                    answered = ~np.isnan(chances).any(axis=1)
                    found[system].predicted[-1][split.test[answered]] = chances[answered].argmax(axis=1)
                found["gated"].weights.append(float(said.weights.mean()))
                found["gated"].gated_by[said.gated_by] += 1
            if progress is not None:
                progress(f"{seen.backbone} on {target.source.name}", plan.index((budget, draw)) + 1, len(plan))
        scores += [_score(seen, target, budget, system, one, sizes, protocol) for system, one in found.items()]
    return [score for score in scores if score is not None]


def _draws(budget: str, protocol: RetrievalProtocol) -> tuple[int, ...]:
    """All windows of the training side can be drawn in one way only."""
    return protocol.draws[:1] if budget in (ALL, NOTHING_TRAINED) else protocol.draws


def _score(
    seen: Embedded,
    target: Target,
    budget: str,
    system: str,
    found: _Found,
    sizes: list[int],
    protocol: RetrievalProtocol,
) -> RetrievalScore | None:
    tested = np.flatnonzero((np.stack(found.predicted) >= 0).all(axis=0))
    if not len(tested):
        return None
    present, subjects = np.unique(target.subjects[tested], return_inverse=True)
    classes = len(target.classes)
    tables = np.stack(
        [metrics.confusion_per_subject(target.truth[tested], p[tested], subjects, classes) for p in found.predicted]
    )
    accuracy, macro_f1 = (
        bootstrap_over_subjects(tables, statistic, draws=protocol.bootstrap, level=protocol.level, seed=protocol.seed)
        for statistic in (metrics.accuracy, metrics.macro_f1)
    )
    per_subject = metrics.accuracy(tables).mean(axis=0)
    return RetrievalScore(
        backbone=seen.backbone,
        data=target.source.name,
        seen_in_training=target.source.name in seen.trained_on,
        budget=budget,
        system=system,
        labeled=(min(sizes), max(sizes)),
        tested=len(tested),
        accuracy=accuracy,
        macro_f1=macro_f1,
        per_subject={target.names[i]: round(float(a), 4) for i, a in zip(present, per_subject, strict=True)},
        weight=round(float(np.mean(found.weights)), 4) if found.weights else None,
        gated_by=dict(sorted(found.gated_by.items())),
    )
