"""Few-shot evaluation: what a model makes of a few labeled windows, for each method, budget and way of drawing them.

Windows are cut and embedded once per checkpoint. Every fit then sees its labeled windows only, and is scored together
with what the words of the activities say without any of them (zero-shot), on the same windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from kinelex.errors import BadSamples, UsageError
from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import Candidates, closed_set
from kinelex.evaluation.few_shot_report import FewShotClass, FewShotData, FewShotReport, FewShotResult
from kinelex.evaluation.label_budget import Budget, LabelSplit, by_subject, published
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.published_windows import lay_out_published
from kinelex.evaluation.report import CheckpointUsed
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate, Statistic, bootstrap_over_subjects
from kinelex.evaluation.units import Units, lay_out, per_unit
from kinelex.evaluation.zero_shot import versions
from kinelex.language import TextEncoder, Vocabulary
from kinelex.model import Checkpoint
from kinelex.model.embedding import WindowInputs, embed_inputs, window_inputs
from kinelex.training.few_shot.fine_tuning import FineTuning, LabeledWindows, fine_tune
from kinelex.training.few_shot.heads import DEFAULT_PULL, Head, HeadKind, fit_head, text_head

Method = Literal["finetune", "finetune+logistic", "ridge", "logistic", "prototype"]
ZERO_SHOT = "zero-shot"

Progress = Callable[[str, int, int], None]
"""Called with what is being fitted, steps done, and steps in all; a head is one step."""


class FewShotProtocol(BaseModel):
    """What may be learned from, by which methods, and how the intervals are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["ours", "published"] = Field(
        "ours",
        description="ours: tested on people that nothing was learned from; published: windows of all people shuffled,"
        " as published figures were made, leaky.",
    )
    budgets: tuple[str, ...] = Field(
        ("1%", "10%"), min_length=1, description="Labeled windows: a share of the training side, or so many per class."
    )
    methods: tuple[Method, ...] = Field(("logistic",), min_length=1, description="Ways to learn from them.")
    window_s: float = Field(6.0, gt=0, description="Seconds of signal in a window.")
    folds: int = Field(5, ge=2, description="Of people; with fewer people than that, each is one.")
    seeds: tuple[int, ...] = Field(
        (0, 1, 2), min_length=1, description="Each draws other labeled windows, and fine-tunes in another order."
    )
    pull: float | None = Field(
        None,
        gt=0,
        description="How strongly heads are drawn to the texts; found within large budgets when left out.",
    )
    fine_tuning: FineTuning = Field(default_factory=FineTuning, description="Its seed is replaced by that of the draw.")
    draws: int = Field(2000, ge=100, description="Bootstrap draws of subjects.")
    level: float = Field(0.95, gt=0.5, lt=1, description="Probability that the intervals over subjects are to cover.")
    seed: int = Field(0, ge=0, description="Of the folds and of the bootstrap draws.")

    @field_validator("budgets", "methods", "seeds")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) != len(values):
            raise ValueError(f"{', '.join(map(str, values))}: each may be named once")
        return values


@dataclass(frozen=True, eq=False)
class _Seen:
    """A data set as one checkpoint sees it.

    Args:
        checkpoint: the model.
        texts: ``(class, text)`` raw vectors of the activities, as it reads them.
        inputs: the windows as tensors.
        vectors: ``(window, text)``; NaN without usable signal.
    """

    checkpoint: Checkpoint
    texts: NDArray[np.float32]
    inputs: WindowInputs
    vectors: NDArray[np.float32]


def evaluate_few_shot(
    checkpoints: Sequence[Checkpoint],
    data: Sequence[EvaluationSet],
    protocol: FewShotProtocol | None = None,
    *,
    command: str = "",
    vocabulary: Vocabulary | None = None,
    encoder: TextEncoder | None = None,
    progress: Progress | None = None,
) -> FewShotReport:
    """Evaluate what checkpoints learn from a few labels.

    Args:
        checkpoints: one or more; several are training seeds of one recipe, which take turns over the drawings.
        data: the data sets.
        protocol: the rules; the defaults when left out.
        command: what to note as the command that made the report.
        vocabulary: the standard vocabulary when left out.
        encoder: the text encoder; what the checkpoints were trained with is looked for when left out.
        progress: called while something is fitted.

    Raises:
        UsageError: no checkpoint or no data set, a budget that is none, or one person alone in a data set.
        BadSamples: a data set without any usable window.
        NoTextEncoder: an activity's vector is not known, and no text encoder was found.
    """
    protocol = protocol or FewShotProtocol()
    vocabulary = vocabulary or Vocabulary.standard()
    if not checkpoints or not data:
        raise UsageError("an evaluation needs at least one checkpoint and one data set")
    budgets = {text: Budget.parse(text) for text in protocol.budgets}
    results = []
    for source in data:
        units = laid_out(source, protocol)
        tasks = [
            closed_set(source.name, source.declared, "words", vocabulary, checkpoint.label_encoder(encoder))
            for checkpoint in checkpoints
        ]
        seen = [_seen(checkpoint, task, units) for checkpoint, task in zip(checkpoints, tasks, strict=True)]
        results.append(_data_result(source, units, tasks[0], seen, budgets, protocol, progress))
    return FewShotReport(
        command=command,
        protocol=protocol.model_dump(mode="json"),
        checkpoints=tuple(
            CheckpointUsed(
                name=c.name, fingerprint=c.fingerprint, text_encoder=c.text_encoder, temperature=c.temperature
            )
            for c in checkpoints
        ),
        versions=versions(),
        data=tuple(results),
    )


def laid_out(source: EvaluationSet, protocol: FewShotProtocol) -> Units:
    """The windows of a data set: non-overlapping inside sessions, or the splices of published figures."""
    how = ZeroShotProtocol(window_s=protocol.window_s)
    if protocol.protocol == "published":
        return lay_out_published(source.sessions(), how, source.name)
    return lay_out(source.sessions(), how)


def _data_result(
    source: EvaluationSet,
    units: Units,
    candidates: Candidates,
    seen: Sequence[_Seen],
    budgets: dict[str, Budget],
    protocol: FewShotProtocol,
    progress: Progress | None,
) -> FewShotData:
    usable = np.isfinite(np.concatenate([per_unit(s.vectors, units) for s in seen], axis=1)).all(axis=1)
    if not usable.any():
        raise BadSamples(f"data set '{source.name}' has no window with usable signal: check its channels and units")
    kept = np.flatnonzero(usable)
    present, subjects = np.unique(units.subjects[kept], return_inverse=True)
    names = [units.subject_names[i] for i in present]
    truth = np.array([candidates.class_of_label[label] for label in units.labels])
    runs = max(len(protocol.seeds), len(seen))
    tell = _Steps(progress, source.name, _steps_in_all(protocol, names, runs))
    results = []
    for text, budget in budgets.items():
        outcomes = {method: _Outcome(runs, len(units)) for method in (ZERO_SHOT, *protocol.methods)}
        for run in range(runs):
            model, draw = seen[run % len(seen)], protocol.seeds[run % len(protocol.seeds)]
            for split in _splits(truth[kept], subjects, names, budget, protocol, draw):
                tuned: list[Checkpoint] = []
                for method, outcome in outcomes.items():
                    fit = _Fit(method, model, units, truth, protocol, draw, tell, tuned)
                    predicted, pull = fit.predict(kept[split.labeled], kept[split.test])
                    outcome.add(run, kept[split.test], predicted, len(split.labeled), pull)
        for method, outcome in outcomes.items():
            results.append(_scored(text, method, outcome, truth, units, candidates, protocol))
    return FewShotData(
        name=source.name,
        title=source.title,
        sha256=source.sha256,
        seen_in_training=any(source.name in one.checkpoint.trained_on for one in seen),
        interval_over="subjects" if units.named else "recordings",
        subjects=len(present),
        units=len(kept),
        hours=units.seconds / 3600,
        units_without_signal=int((~usable).sum()),
        results=tuple(results),
    )


def _seen(checkpoint: Checkpoint, candidates: Candidates, units: Units) -> _Seen:
    inputs = window_inputs(units.requests, units.window_s, checkpoint.model.config)
    return _Seen(checkpoint, candidates.vectors, inputs, embed_inputs(checkpoint.model, inputs))


def _splits(
    classes: NDArray[np.int64],
    subjects: NDArray[np.int64],
    names: Sequence[str],
    budget: Budget,
    protocol: FewShotProtocol,
    draw: int,
) -> list[LabelSplit]:
    if protocol.protocol == "published":
        return [published(classes, budget)]
    return by_subject(classes, subjects, names, budget, folds=protocol.folds, seed=protocol.seed, draw=draw)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One method on one split."""

    method: str
    model: _Seen
    units: Units
    truth: NDArray[np.int64]
    protocol: FewShotProtocol
    draw: int
    tell: _Steps
    tuned: list[Checkpoint]  # the network that all methods on this split share, once one of them has tuned it

    def predict(self, labeled: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[NDArray[np.int64], float | None]:
        """Learn from the labeled units; the classes of the test units, and how strongly it was drawn to the texts."""
        learned, asked = self._windows_of(labeled), self._windows_of(test)
        checkpoint, known, seen = self.model.checkpoint, self.model.vectors[learned], self.model.vectors[asked]
        pull = self.protocol.pull
        if self.method.startswith("finetune"):
            checkpoint = self._fine_tuned(learned)
            known, seen = (embed_inputs(checkpoint.model, self.model.inputs.of(part)) for part in (learned, asked))
            # The network has seen these windows: leaving some of them out would tell nothing about others.
            pull = pull or DEFAULT_PULL["logistic"]
        head = text_head(checkpoint, self.model.texts)
        if self.method not in (ZERO_SHOT, "finetune"):
            head = self._head(head, known, self.units.unit_of_window[learned], pull)
        chances = np.full((len(self.model.vectors), len(self.model.texts)), np.nan)
        chances[asked] = head.probabilities(seen)
        return per_unit(chances, self.units)[test].argmax(axis=1), head.pull

    def _windows_of(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their windows with usable signal."""
        wanted = np.isin(self.units.unit_of_window, units) & np.isfinite(self.model.vectors).all(axis=1)
        return np.flatnonzero(wanted)

    def _head(self, text: Head, vectors: NDArray[np.float32], of: NDArray[np.int64], pull: float | None) -> Head:
        """The method's head for vectors of windows of these units."""
        kind = cast(HeadKind, self.method.removeprefix("finetune+"))
        groups = (self.units.subjects[of], self.units.sessions[of])
        head = fit_head(kind, text, vectors, self.truth[of], groups, pull=pull)
        self.tell.add(1)
        return head

    def _fine_tuned(self, learned: NDArray[np.int64]) -> Checkpoint:
        if not self.tuned:
            label = torch.from_numpy(self.truth[self.units.unit_of_window[learned]])
            self.tuned.append(
                fine_tune(
                    self.model.checkpoint,
                    LabeledWindows(self.model.inputs.of(learned), label),
                    self.model.texts,
                    self.protocol.fine_tuning.model_copy(update={"seed": self.draw}),
                    progress=lambda *_: self.tell.add(1),
                )
            )
        return self.tuned[0]


class _Outcome:
    """What one method predicted with one budget, ``(run, unit)``; -1 where a unit was not tested."""

    def __init__(self, runs: int, units: int) -> None:
        self.predicted = np.full((runs, units), -1, dtype=np.int64)
        self.labeled: list[int] = []
        self.pulls: list[float] = []

    def add(
        self, run: int, test: NDArray[np.int64], predicted: NDArray[np.int64], labeled: int, pull: float | None
    ) -> None:
        """Take in one fold."""
        self.predicted[run, test] = predicted
        self.labeled.append(labeled)
        if pull is not None:
            self.pulls.append(pull)


def _scored(
    budget: str,
    method: str,
    outcome: _Outcome,
    truth: NDArray[np.int64],
    units: Units,
    candidates: Candidates,
    protocol: FewShotProtocol,
) -> FewShotResult:
    tested = np.flatnonzero((outcome.predicted >= 0).all(axis=0))
    present, subjects = np.unique(units.subjects[tested], return_inverse=True)
    classes = len(candidates.classes)
    tables = np.stack(
        [metrics.confusion_per_subject(truth[tested], p[tested], subjects, classes) for p in outcome.predicted]
    )

    def estimate(parts: Any, statistic: Statistic) -> Estimate:
        return bootstrap_over_subjects(parts, statistic, draws=protocol.draws, level=protocol.level, seed=protocol.seed)

    counts = np.stack([np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1), tables.sum(axis=-2)], axis=-1)
    per_subject = metrics.accuracy(tables).mean(axis=0)
    return FewShotResult(
        budget=budget,
        method=method,
        labeled=(0, 0) if method == ZERO_SHOT else (min(outcome.labeled), max(outcome.labeled)),
        tested=len(tested),
        pulls=tuple(sorted(outcome.pulls)),
        accuracy=estimate(tables, metrics.accuracy),
        macro_f1=estimate(tables, metrics.macro_f1),
        classes=tuple(
            FewShotClass(
                name=name,
                text=text,
                units=int(tables[0].sum(axis=0)[i].sum()),
                f1=estimate(counts[:, :, i], metrics.f1_of_counts),
            )
            for i, (name, text) in enumerate(zip(candidates.classes, candidates.texts, strict=True))
        ),
        confusion=tuple(tuple(int(n) for n in row) for row in tables.sum(axis=(0, 1))),
        per_subject={units.subject_names[i]: float(a) for i, a in zip(present, per_subject, strict=True)},
    )


class _Steps:
    """Counts steps of fitting for whoever watches."""

    def __init__(self, progress: Progress | None, what: str, total: int) -> None:
        self.progress, self.what, self.total, self.done = progress, what, total, 0
        self.add(0)

    def add(self, steps: int) -> None:
        self.done += steps
        if self.progress is not None:
            self.progress(self.what, self.done, self.total)


def _steps_in_all(protocol: FewShotProtocol, names: Sequence[str], runs: int) -> int:
    folds = 1 if protocol.protocol == "published" else min(protocol.folds, len(names))
    tunes = any(method.startswith("finetune") for method in protocol.methods)
    per_fold = protocol.fine_tuning.steps * tunes + sum(method != "finetune" for method in protocol.methods)
    return len(protocol.budgets) * runs * folds * per_fold
