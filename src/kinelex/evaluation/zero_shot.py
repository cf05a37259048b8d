"""Zero-shot evaluation: a model against data sets that it has never seen, by the words of their activities alone.

Each window is embedded once per checkpoint; every set of candidate texts is scored from the same embeddings. Several
checkpoints are training seeds of one recipe: figures are their mean, with the spread over seeds and an interval over
subjects.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import kinelex
from kinelex.errors import BadSamples, UsageError
from kinelex.evaluation.candidates import Candidates, closed_set, open_set, published_sets
from kinelex.evaluation.familiarity import training_sets_with
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.published_figures import best_published
from kinelex.evaluation.published_windows import lay_out_published
from kinelex.evaluation.report import CheckpointUsed, DataResult, ZeroShotReport
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.task_scores import score
from kinelex.evaluation.units import Units, embed, lay_out, per_unit
from kinelex.language import TextEncoder, Vocabulary
from kinelex.model import Checkpoint
from kinelex.model.scoring import label_logits, softmax
from kinelex.recognition.prior import familiar, transductive

Progress = Callable[[str, int, int], None]
"""Called with what is being embedded, windows done, and windows in all."""


@dataclass(frozen=True, eq=False)
class _Answers:
    """What a checkpoint says about the units of a task, ``(unit, text)`` each.

    Args:
        chances: probabilities.
        cosines: similarities of unit and text.
        adapted: probabilities with estimated class frequencies, where the protocol asks for them.
    """

    chances: NDArray[np.float64]
    cosines: NDArray[np.float64]
    adapted: NDArray[np.float64] | None = None


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
    results = []
    for source in data:
        if protocol.name == "published":
            units = lay_out_published(source.sessions(), protocol, source.name)
        else:
            units = lay_out(source.sessions(), protocol)
        found: list[list[_Answers]] = []
        for checkpoint in checkpoints:
            tasks = _tasks(source, checkpoint, protocol, vocabulary, encoder)
            embeddings = embed(checkpoint, units, _step(progress, f"{source.name}, {checkpoint.name}", units))
            found.append([_answers(checkpoint, embeddings, units, task, protocol, vocabulary) for task in tasks])
        results.append(_data_result(source, units, tasks, found, protocol, _seen(checkpoints, source.name)))
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


def _tasks(
    source: EvaluationSet,
    checkpoint: Checkpoint,
    protocol: ZeroShotProtocol,
    vocabulary: Vocabulary,
    encoder: TextEncoder | None,
) -> list[Candidates]:
    """The candidates of every task, with vectors as this checkpoint makes them."""
    labels = checkpoint.label_encoder(encoder)
    if protocol.name == "published":
        return published_sets(source.name, source.declared, labels)
    tasks = [closed_set(source.name, source.declared, texts, vocabulary, labels) for texts in protocol.texts]
    if protocol.open_set:
        known = checkpoint.labels
        tasks.append(open_set(source.name, source.declared, vocabulary, known.texts, known.vectors, protocol.groups))
    return tasks


def _answers(
    checkpoint: Checkpoint,
    embeddings: NDArray[np.float32],
    units: Units,
    task: Candidates,
    protocol: ZeroShotProtocol,
    vocabulary: Vocabulary,
) -> _Answers:
    """What a checkpoint says about each unit."""
    vectors = checkpoint.text_space.project(task.vectors)
    crowding = None if task.open_set else checkpoint.text_space.crowding(vectors)
    cosines = label_logits(embeddings, vectors, scale=1.0)
    logits = label_logits(embeddings, vectors, scale=checkpoint.scale, crowding=crowding) / checkpoint.temperature
    adapted = None
    if protocol.transductive is not None:
        few = task.open_set or protocol.transductive == "recording"
        heaps = units.together(protocol.transductive)
        adapted = per_unit(transductive(logits, heaps, "few" if few else "all"), units)
    if task.open_set:  # windows that are looked at together say themselves what is common
        grouping = "published" if protocol.name == "published" else protocol.groups
        sets = training_sets_with(task, checkpoint.trained_on, vocabulary, grouping)
        logits = logits + familiar(sets) / checkpoint.temperature
    return _Answers(per_unit(softmax(logits), units), per_unit(cosines, units), adapted)


def _data_result(
    source: EvaluationSet,
    units: Units,
    tasks: Sequence[Candidates],
    found: Sequence[Sequence[_Answers]],
    protocol: ZeroShotProtocol,
    seen: bool | None,
) -> DataResult:
    usable = np.isfinite(np.concatenate([a.chances for answers in found for a in answers], axis=1)).all(axis=1)
    if not usable.any():
        raise BadSamples(f"data set '{source.name}' has no window with usable signal: check its channels and units")
    present, subjects = np.unique(units.subjects[usable], return_inverse=True)
    names = [units.subject_names[i] for i in present]
    labels = np.array(units.labels)[usable]
    parts = {"placement": np.array(units.worn)[usable].tolist(), "rate": np.array(units.rates)[usable].tolist()}
    results = []
    for task, of_seeds in zip(tasks, zip(*found, strict=True), strict=True):
        truth = np.array([task.class_of_label[label] for label in labels])
        cosines = [answers.cosines[usable] for answers in of_seeds]
        for asked, chances in _asked(task, of_seeds, protocol):
            result = score(
                [p[usable] for p in chances], truth, subjects, names, asked, protocol, cosines=cosines, parts=parts
            )
            bar = best_published(source.name, asked.compares) if asked.compares else None
            results.append(result.model_copy(update={"best_published": bar}))
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
        signal_repeats=units.repeats,
        sessions_too_short=units.too_short,
        units_without_signal=int((~usable).sum()),
        tasks=tuple(results),
    )


def _asked(
    task: Candidates, answers: Sequence[_Answers], protocol: ZeroShotProtocol
) -> Iterator[tuple[Candidates, list[NDArray[np.float64]]]]:
    """The task, and with estimated class frequencies the same one again under its own name."""
    yield task, [one.chances for one in answers]
    if protocol.transductive is not None:
        # Published figures were not transductive, so there is none to hold these against.
        again = replace(
            task, task=f"{task.task}_transductive", title=f"{task.title}, transductive over each"
            f" {protocol.transductive}", compares=None,
        )  # fmt: skip
        yield again, [one.adapted for one in answers if one.adapted is not None]


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
