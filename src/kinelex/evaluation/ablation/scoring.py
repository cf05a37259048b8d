"""A finished run on the sets that it left out: counts per subject, from which every figure of the table comes.

Sets are chosen among by the official names as words and by the vocabulary's labels. A checkpoint is also scored with
parts of its text space taken away, where the ablation asks for that: such a variant costs no training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset
from kinelex.errors import BadLabels
from kinelex.evaluation import metrics
from kinelex.evaluation.ablation.plan import TextSpaceKind
from kinelex.evaluation.candidates import Candidates, closed_set
from kinelex.evaluation.protocol import Texts, ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import Units, embed, lay_out
from kinelex.language import TextEncoder, Vocabulary
from kinelex.model import Checkpoint, TextSpace, load_checkpoint
from kinelex.model.scoring import label_logits
from kinelex.recognition.calibration import fit_temperature

TEXTS: tuple[Texts, ...] = ("words", "vocabulary")
WHOLE = "whole"
"""The text space as it was trained, nothing taken away."""

_VERSION = 1
_FILE = "scores.json"
_NOTHING = np.empty((0, 0), dtype=np.float32)


class SetScore(BaseModel):
    """One checkpoint on one left-out set, by one kind of texts in one text space."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str = Field(description="Name of the left-out set.")
    texts: Texts = Field(description="words: official names; vocabulary: labels with synonyms.")
    text_space: str = Field(description="whole, or which part of the text space was left.")
    windows: int = Field(description="Windows with usable signal.")
    temperature: float = Field(description="That makes the probabilities most likely.")
    subjects: tuple[str, ...] = Field(description="Who was recorded, also who has no usable window.")
    counts: tuple[tuple[tuple[int, int, int], ...], ...] = Field(
        description="Per subject and class: windows found, true and predicted."
    )

    @property
    def parts(self) -> NDArray[np.float64]:
        """``(subject, class, 3)``: what each subject adds to found, true and predicted windows."""
        return np.array(self.counts, dtype=np.float64)


class _Saved(BaseModel):
    """The scores of a run as they are kept in its folder, with what they are the scores of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    checkpoint: str
    datasets: dict[str, str]
    text_spaces: tuple[str, ...]
    scores: tuple[SetScore, ...]


class Scorer:
    """Left-out sets, cut into windows when first needed and kept.

    Args:
        root: the folder of all data sets.
        vocabulary: the standard vocabulary when left out.
    """

    def __init__(self, root: Path, vocabulary: Vocabulary | None = None) -> None:
        self._root, self._vocabulary = root, vocabulary or Vocabulary.standard()
        self._laid_out: dict[str, tuple[EvaluationSet, Units]] = {}

    def laid_out(self, name: str) -> tuple[EvaluationSet, Units]:
        """A set and its windows."""
        if name not in self._laid_out:
            source = EvaluationSet.stored(StoredDataset.open(self._root, name))
            self._laid_out[name] = source, lay_out(source.sessions(), ZeroShotProtocol())
        return self._laid_out[name]

    def candidates(self, name: str, texts: Texts, checkpoint: Checkpoint, encoder: TextEncoder) -> Candidates | None:
        """What is chosen among; nothing where two official names mean one label."""
        source, _ = self.laid_out(name)
        reader = checkpoint.label_encoder(encoder)
        try:
            return closed_set(name, source.declared, texts, self._vocabulary, reader)
        except BadLabels:
            if texts == "words":
                raise
            return None

    def score(
        self, checkpoint: Checkpoint, name: str, encoder: TextEncoder, spaces: Sequence[TextSpaceKind] = ()
    ) -> Iterator[SetScore]:
        """Score a checkpoint on one set, with the text encoder that it was trained with."""
        _, units = self.laid_out(name)
        embeddings = embed(checkpoint, units)
        usable = np.asarray(np.isfinite(embeddings).all(axis=1))
        for texts in TEXTS:
            candidates = self.candidates(name, texts, checkpoint, encoder)
            if candidates is None:
                continue
            truth = np.array([candidates.class_of_label[label] for label in units.labels])
            for kind, space in text_spaces(checkpoint.text_space, spaces).items():
                vectors = space.project(candidates.vectors)
                crowding = space.crowding(vectors)
                logits = label_logits(embeddings[usable], vectors, scale=checkpoint.scale, crowding=crowding)
                yield SetScore(
                    set=name,
                    texts=texts,
                    text_space=kind,
                    windows=int(usable.sum()),
                    temperature=fit_temperature(logits, truth[usable]),
                    subjects=units.subject_names,
                    counts=_counts(truth, logits.argmax(axis=1), usable, units, len(candidates.classes)),
                )


def score_run(
    home: Path, sets: Sequence[str], scorer: Scorer, encoder: TextEncoder, spaces: Sequence[TextSpaceKind]
) -> tuple[SetScore, ...]:
    """The scores of a finished run on the sets that it left out, from its folder where they stand there already.

    Args:
        home: the folder of the run.
        sets: what it left out.
        scorer: holds the sets.
        encoder: the text encoder of the run.
        spaces: parts of the text space to be scored alone, too.
    """
    checkpoint = load_checkpoint(home / "checkpoint")
    datasets = {name: scorer.laid_out(name)[0].sha256 for name in sets}
    about = {"version": _VERSION, "checkpoint": checkpoint.fingerprint, "datasets": datasets,
             "text_spaces": tuple(spaces)}  # fmt: skip
    try:
        saved = _Saved.model_validate_json((home / _FILE).read_bytes())
        if saved.model_dump(exclude={"scores"}) == about:
            return saved.scores
    except (OSError, ValidationError):
        pass  # not there, or not whole: score again
    scores = tuple(score for name in sets for score in scorer.score(checkpoint, name, encoder, spaces))
    write_json(home / _FILE, json.loads(_Saved(**about, scores=scores).model_dump_json()))
    return scores


def text_spaces(whole: TextSpace, kinds: Sequence[TextSpaceKind]) -> dict[str, TextSpace]:
    """A checkpoint's text space, and the same with parts of it taken away."""
    parts = {
        "centered": replace(whole, anchors=_NOTHING, prototypes=_NOTHING),
        "leaning": replace(whole, prototypes=_NOTHING),
        "crowding": replace(whole, anchors=_NOTHING),
    }
    return {WHOLE: whole, **{kind: parts[kind] for kind in kinds}}


def _counts(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], usable: NDArray[np.bool_], units: Units, classes: int
) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """Per subject and class: found, true, predicted; somebody without a usable window has none."""
    tables = np.zeros((len(units.subject_names), classes, classes), dtype=np.int64)
    np.add.at(tables, (units.subjects[usable], truth[usable], predicted), 1)
    found = np.diagonal(tables, axis1=1, axis2=2)
    counts = np.stack([found, tables.sum(axis=2), tables.sum(axis=1)], axis=-1)
    return tuple(tuple((int(f), int(t), int(p)) for f, t, p in rows) for rows in counts)


def accuracy_of(parts: NDArray[Any]) -> NDArray[np.float64]:
    """Share of windows that are right, from sums ``(..., class, 3)`` of `SetScore.parts`."""
    return np.asarray(parts[..., 0].sum(axis=-1) / np.maximum(parts[..., 1].sum(axis=-1), 1))


def macro_f1_of(parts: NDArray[Any]) -> NDArray[np.float64]:
    """Mean F1 over the declared classes, likewise."""
    return np.asarray(metrics.f1_of_counts(parts).mean(axis=-1))
