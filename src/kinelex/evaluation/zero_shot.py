"""Zero-shot evaluation: a model against data sets that it has never seen, by the words of their activities alone.

Each window is embedded once per checkpoint; every set of candidate texts is scored from the same embeddings. Several
checkpoints are training seeds of one recipe: figures are their mean, with the spread over seeds and an interval over
subjects.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinelex
from kinelex.errors import BadSamples, UsageError
from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import Candidates, closed_set, open_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.report import (
    CheckpointUsed,
    ClassResult,
    DataResult,
    ReliabilityBins,
    TaskResult,
    ZeroShotReport,
)
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate, Statistic, bootstrap_over_subjects, mean_of, sums_per_subject
from kinelex.evaluation.units import Units, embed, lay_out, per_unit
from kinelex.language import TextEncoder, Vocabulary
from kinelex.model import Checkpoint
from kinelex.recognition.scoring import probabilities

Progress = Callable[[str, int, int], None]
"""Called with what is being embedded, windows done, and windows in all."""


def evaluate_zero_shot(
    checkpoints: Sequence[Checkpoint],
    data: Sequence[EvaluationSet],
    protocol: ZeroShotProtocol | None = None,
    *,
    command: str = "",
    vocabulary: Vocabulary | None = None,
    encoder: TextEncoder | None = None,
    progress: Progress | None = None,
) -> ZeroShotReport:
    """Evaluate checkpoints on data sets.

    Args:
        checkpoints: one or more; several are training seeds of one recipe.
        data: the data sets.
        protocol: the rules; the defaults when left out.
        command: what to note as the command that made the report.
        vocabulary: the standard vocabulary when left out.
        encoder: the text encoder; what the checkpoints were trained with is looked for when left out.
        progress: called while windows are embedded.

    Raises:
        UsageError: no checkpoint or no data set, one of them twice, or checkpoints of different text encoders.
        NoTextEncoder: a candidate text's vector is not known, and no text encoder was found.
        BadSamples: a data set without any usable window.
    """
    protocol = protocol or ZeroShotProtocol()
    vocabulary = vocabulary or Vocabulary.standard()
    _check(checkpoints, data)
    text_encoder = encoder or checkpoints[0].text_encoder
    results = []
    for source in data:
        units = lay_out(source.sessions(), protocol)
        tasks = [closed_set(source.name, source.declared, t, vocabulary, text_encoder) for t in protocol.texts]
        if protocol.open_set:
            known = checkpoints[0].labels
            tasks.append(
                open_set(source.name, source.declared, vocabulary, known.texts, known.vectors, protocol.groups)
            )
        chances: list[list[NDArray[np.float64]]] = [[] for _ in tasks]
        for checkpoint in checkpoints:
            embeddings = embed(checkpoint, units, _step(progress, f"{source.name}, {checkpoint.name}", units))
            for found, task in zip(chances, tasks, strict=True):
                vectors = checkpoint.text_space.project(task.vectors)
                by_window = probabilities(
                    embeddings,
                    vectors,
                    scale=checkpoint.scale,
                    crowding=checkpoint.text_space.crowding(vectors),
                    temperature=checkpoint.temperature,
                )
                found.append(per_unit(by_window, units))
        results.append(_data_result(source, units, tasks, chances, protocol, _seen(checkpoints, source.name)))
    return ZeroShotReport(
        command=command,
        protocol=protocol,
        checkpoints=tuple(
            CheckpointUsed(
                name=c.name, fingerprint=c.fingerprint, text_encoder=c.text_encoder, temperature=c.temperature
            )
            for c in checkpoints
        ),
        versions=versions(),
        data=tuple(results),
    )


def versions() -> dict[str, str]:
    """Versions of Kinelex and of what it computes with."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"kinelex": kinelex.__version__, "python": platform.python_version()}
    for package in ("numpy", "scipy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def score(
    chances: Sequence[NDArray[np.float64]],
    truth: NDArray[np.int64],
    subjects: NDArray[np.int64],
    subject_names: Sequence[str],
    candidates: Candidates,
    protocol: ZeroShotProtocol,
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

    def estimate(parts: Any, statistic: Statistic = mean_of) -> Estimate:
        return bootstrap_over_subjects(
            np.asarray(parts), statistic, draws=protocol.draws, level=protocol.level, seed=protocol.seed
        )

    def mean(per_seed: Sequence[NDArray[Any]]) -> Estimate:
        return estimate([sums_per_subject(values, subjects) for values in per_seed])

    over: metrics.Over = "truth" if candidates.open_set else "declared"
    per_subject = metrics.accuracy(tables).mean(axis=0)
    return TaskResult(
        task=candidates.task,
        title=candidates.title,
        candidates=len(candidates.texts),
        accuracy=estimate(tables, metrics.accuracy),
        macro_f1=estimate(tables, lambda sums: metrics.macro_f1(sums, over)),
        macro_f1_over=over,
        macro_f1_union=estimate(tables, lambda sums: metrics.macro_f1(sums, "union")),
        mean_reciprocal_rank=mean([1 / metrics.ranks(b, truth) for b in best]),
        recall_at_3=mean([metrics.ranks(b, truth) <= 3 for b in best]),
        calibration_error=estimate(
            [metrics.calibration_parts(c, r, subjects, bins) for c, r in zip(confidence, correct, strict=True)],
            metrics.error_of_parts,
        ),
        brier=mean([metrics.brier_per_unit(m, truth) for m in mass]),
        area_under_risk_coverage=tuple(
            metrics.area_under_risk_coverage(c, r) for c, r in zip(confidence, correct, strict=True)
        ),
        classes=_classes(tables, counted, candidates, estimate),
        confusion=tuple(tuple(int(n) for n in row) for row in tables.sum(axis=(0, 1))),
        reliability=_reliability(np.concatenate(confidence), np.concatenate(correct), bins),
        per_subject={name: float(value) for name, value in zip(subject_names, per_subject, strict=True)},
    )


def _data_result(
    source: EvaluationSet,
    units: Units,
    tasks: Sequence[Candidates],
    chances: Sequence[Sequence[NDArray[np.float64]]],
    protocol: ZeroShotProtocol,
    seen: bool | None,
) -> DataResult:
    usable = np.isfinite(np.concatenate([p for found in chances for p in found], axis=1)).all(axis=1)
    if not usable.any():
        raise BadSamples(f"data set '{source.name}' has no window with usable signal: check its channels and units")
    present, subjects = np.unique(units.subjects[usable], return_inverse=True)
    names = [units.subject_names[i] for i in present]
    labels = np.array(units.labels)[usable]
    results = []
    for task, found in zip(tasks, chances, strict=True):
        truth = np.array([task.class_of_label[label] for label in labels])
        results.append(score([p[usable] for p in found], truth, subjects, names, task, protocol))
    return DataResult(
        name=source.name,
        title=source.title,
        sha256=source.sha256,
        seen_in_training=seen,
        interval_over="subjects" if units.named else "recordings",
        subjects=len(present),
        sessions=len(np.unique(units.sessions[usable])),
        units=int(usable.sum()),
        hours=units.seconds / 3600,
        sessions_too_short=units.too_short,
        units_without_signal=int((~usable).sum()),
        tasks=tuple(results),
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


def _check(checkpoints: Sequence[Checkpoint], data: Sequence[EvaluationSet]) -> None:
    if not checkpoints or not data:
        raise UsageError("an evaluation needs at least one checkpoint and one data set")
    names = [source.name for source in data]
    if len(set(names)) != len(names):
        raise UsageError(f"a data set is named twice: {', '.join(names)}")
    prints = [checkpoint.fingerprint for checkpoint in checkpoints]
    if len(set(prints)) != len(prints):
        raise UsageError("two of the checkpoints hold the same weights: pass different training seeds, or one alone")
    if len(encoders := {checkpoint.text_encoder for checkpoint in checkpoints}) > 1:
        different = ", ".join(sorted(encoders))
        raise UsageError(f"the checkpoints use different text encoders ({different}): evaluate each alone")


def _seen(checkpoints: Sequence[Checkpoint], name: str) -> bool | None:
    """Whether any checkpoint was trained on the data set; None when one does not say."""
    trained_on = [getattr(checkpoint, "trained_on", None) for checkpoint in checkpoints]
    if any(sets is not None and name in sets for sets in trained_on):
        return True
    return None if any(sets is None for sets in trained_on) else False


def _step(progress: Progress | None, what: str, units: Units) -> Callable[[int], None] | None:
    if progress is None:
        return None
    total, done = len(units.unit_of_window), 0
    progress(what, 0, total)

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return step
