"""One task scored: from the probabilities of units to every figure of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import Candidates
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.report import (
    ClassResult,
    PartResult,
    ReliabilityBins,
    RiskCoverage,
    Similarity,
    TaskResult,
)
from kinelex.evaluation.statistics import Estimate, Statistic, bootstrap_over_subjects, mean_of, sums_per_subject

_COVERAGES = np.arange(1, 51) / 50
"""At which shares of kept predictions the risk is noted."""


def score(
    chances: Sequence[NDArray[np.float64]],
    truth: NDArray[np.int64],
    subjects: NDArray[np.int64],
    subject_names: Sequence[str],
    candidates: Candidates,
    protocol: ZeroShotProtocol,
    *,
    cosines: Sequence[NDArray[np.float64]] = (),
    parts: Mapping[str, Sequence[str]] | None = None,
) -> TaskResult:
    """Score the probabilities of one task.

    A class that several texts stand for (a label group) is predicted when one of its texts comes first; it ranks by its
    best text, and is as probable as its texts together.

    Args:
        chances: per training seed ``(unit, text)`` probabilities.
        truth: ``(unit,)`` number of the true class in `candidates.classes`.
        subjects: ``(unit,)`` subject numbers from 0, none left out.
        subject_names: of those numbers.
        candidates: texts and the classes they stand for.
        protocol: for bins and bootstrap.
        cosines: per training seed ``(unit, text)`` similarities, to say how far true and other labels lie apart.
        parts: ``(unit,)`` names of the parts that accuracy is also given for, by what parts them, such as
            ``"placement"``; where all units are in one part there is nothing to say.
    """
    best, mass, predicted = zip(*(_by_class(p, candidates) for p in chances), strict=True)
    confidence = [np.take_along_axis(m, k[:, None], axis=1)[:, 0] for m, k in zip(mass, predicted, strict=True)]
    correct = [k == truth for k in predicted]
    # Groups that neither occur nor are ever predicted change no figure of an open set; a closed set counts them all.
    counted = np.arange(len(candidates.classes))
    if candidates.open_set:
        counted = np.unique(np.concatenate([truth, *predicted]))
    place = np.full(len(candidates.classes), -1)
    place[counted] = np.arange(len(counted))
    tables = np.stack(
        [metrics.confusion_per_subject(place[truth], place[k], subjects, len(counted)) for k in predicted]
    )
    bins = protocol.calibration_bins

    def estimate(sums: Any, statistic: Statistic = mean_of) -> Estimate:
        return bootstrap_over_subjects(
            np.asarray(sums), statistic, draws=protocol.draws, level=protocol.level, seed=protocol.seed
        )

    def mean(per_seed: Sequence[NDArray[Any]]) -> Estimate:
        return estimate([sums_per_subject(values, subjects) for values in per_seed])

    over = candidates.macro_f1_over
    ranked = [metrics.ranks(b, truth) for b in best]
    per_subject = metrics.accuracy(tables).mean(axis=0)
    return TaskResult(
        task=candidates.task,
        title=candidates.title,
        candidates=len(candidates.texts),
        accuracy=estimate(tables, metrics.accuracy),
        macro_f1=estimate(tables, lambda sums: metrics.macro_f1(sums, over)),
        macro_f1_over=over,
        macro_f1_union=estimate(tables, lambda sums: metrics.macro_f1(sums, "union")),
        mean_reciprocal_rank=mean([1 / rank for rank in ranked]),
        recall_at_1=mean([rank <= 1 for rank in ranked]),
        recall_at_3=mean([rank <= 3 for rank in ranked]),
        recall_at_5=mean([rank <= 5 for rank in ranked]),
        similarity=_similarity(cosines, truth, subjects, candidates, protocol),
        calibration_error=estimate(
            [metrics.calibration_parts(c, r, subjects, bins) for c, r in zip(confidence, correct, strict=True)],
            metrics.error_of_parts,
        ),
        brier=mean([metrics.brier_per_unit(m, truth) for m in mass]),
        area_under_risk_coverage=tuple(
            metrics.area_under_risk_coverage(c, r) for c, r in zip(confidence, correct, strict=True)
        ),
        risk_coverage=_risk_coverage(confidence, correct),
        parts=_parts(parts or {}, correct, subjects, protocol),
        classes=_classes(tables, counted, candidates, estimate),
        confusion=tuple(tuple(int(n) for n in row) for row in tables.sum(axis=(0, 1))),
        reliability=_reliability(np.concatenate(confidence), np.concatenate(correct), bins),
        per_subject={name: float(value) for name, value in zip(subject_names, per_subject, strict=True)},
    )


def _by_class(
    chances: NDArray[np.float64], candidates: Candidates
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Per unit: the best text's and all texts' probability of each class, and the class of the best text."""
    classes = len(candidates.classes)
    best, mass = np.zeros((len(chances), classes)), np.zeros((len(chances), classes))
    for text, number in enumerate(candidates.class_of_text):
        np.maximum(best[:, number], chances[:, text], out=best[:, number])
        mass[:, number] += chances[:, text]
    return best, mass, candidates.class_of_text[chances.argmax(axis=1)]


def _classes(
    tables: NDArray[np.int64], counted: NDArray[np.int64], candidates: Candidates, estimate: Callable[..., Estimate]
) -> tuple[ClassResult, ...]:
    per_seed = tables.sum(axis=1)
    precision = metrics.precision_per_class(per_seed).mean(axis=0)
    recall = metrics.recall_per_class(per_seed).mean(axis=0)
    # A class's F1 needs three counts only: found, true and predicted.
    counts = np.stack([np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1), tables.sum(axis=-2)], axis=-1)
    return tuple(
        ClassResult(
            name=candidates.classes[number],
            texts=tuple(
                text for text, of in zip(candidates.texts, candidates.class_of_text, strict=True) if of == number
            ),
            units=int(per_seed[0, i].sum()),
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=estimate(counts[:, :, i], metrics.f1_of_counts),
        )
        for i, number in enumerate(counted)
    )


def _reliability(confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int) -> ReliabilityBins:
    found = metrics.reliability(confidence, correct, bins)

    def listed(values: NDArray[np.float64]) -> tuple[float | None, ...]:
        return tuple(None if np.isnan(value) else float(value) for value in values)

    return ReliabilityBins(
        edges=tuple(float(edge) for edge in found.edges),
        count=tuple(int(n) for n in found.count),
        confidence=listed(found.confidence),
        accuracy=listed(found.accuracy),
    )


def _similarity(
    cosines: Sequence[NDArray[np.float64]],
    truth: NDArray[np.int64],
    subjects: NDArray[np.int64],
    candidates: Candidates,
    protocol: ZeroShotProtocol,
) -> Similarity | None:
    """Cosines of units to the nearest text of their class, and to the texts of all other classes on average."""
    own = truth[:, None] == candidates.class_of_text
    told = own.any(axis=1) & ~own.all(axis=1)  # an open set may have no text for a class, or none for any other
    if not cosines or not told.any():
        return None
    own = own[told]
    nearest = [np.where(own, found[told], -np.inf).max(axis=1) for found in cosines]
    others = [np.where(own, 0.0, found[told]).sum(axis=1) / (~own).sum(axis=1) for found in cosines]
    people = np.unique(subjects[told], return_inverse=True)[1]

    def mean(values: Sequence[NDArray[np.float64]]) -> Estimate:
        sums = np.asarray([sums_per_subject(of_seed, people) for of_seed in values])
        return bootstrap_over_subjects(sums, mean_of, draws=protocol.draws, level=protocol.level, seed=protocol.seed)

    gaps = [near - far for near, far in zip(nearest, others, strict=True)]
    return Similarity(true=mean(nearest), others=mean(others), gap=mean(gaps))


def _risk_coverage(confidence: Sequence[NDArray[np.float64]], correct: Sequence[NDArray[np.bool_]]) -> RiskCoverage:
    curves = []
    for sure, right in zip(confidence, correct, strict=True):
        _, risk = metrics.risk_coverage(sure, right)
        curves.append(risk[np.maximum(1, np.round(_COVERAGES * len(risk)).astype(np.int64)) - 1])
    mean = np.mean(curves, axis=0)
    return RiskCoverage(coverage=tuple(map(float, _COVERAGES)), risk=tuple(map(float, mean)))


def _parts(
    parts: Mapping[str, Sequence[str]],
    correct: Sequence[NDArray[np.bool_]],
    subjects: NDArray[np.int64],
    protocol: ZeroShotProtocol,
) -> tuple[PartResult, ...]:
    """Accuracy on the units of each part, where there are several."""
    results = []
    for kind, of_unit in parts.items():
        names, number = np.unique(np.array(of_unit), return_inverse=True)
        for part, name in enumerate(names if len(names) > 1 else ()):
            here = number == part
            _, people = np.unique(subjects[here], return_inverse=True)
            accuracy = bootstrap_over_subjects(
                np.asarray([sums_per_subject(right[here], people) for right in correct]),
                mean_of, draws=protocol.draws, level=protocol.level, seed=protocol.seed,
            )  # fmt: skip
            results.append(PartResult(kind=kind, name=str(name), units=int(here.sum()), accuracy=accuracy))
    return tuple(results)
