"""A checkpoint on training sets that it was not trained on: what runs are chosen by, and calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import Candidates, closed_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import Units, embed, lay_out
from kinelex.language import TextEncoder, Vocabulary
from kinelex.model import Checkpoint
from kinelex.model.scoring import label_logits
from kinelex.recognition.calibration import fit_temperature


@dataclass(frozen=True, slots=True)
class LeftOutScore:
    """Closed-set figures by the official names as words, and the temperature that fits them.

    Args:
        accuracy: share of windows.
        macro_f1: mean over the declared activities.
        temperature: that makes the probabilities most likely.
        windows: how many were scored.
    """

    accuracy: float
    macro_f1: float
    temperature: float
    windows: int


class LeftOut:
    """Left-out data sets, cut into windows once and scored as often as wanted.

    Args:
        sets: imported training sets that the run leaves out.
        encoder: the text encoder of the run.
        vocabulary: the standard vocabulary when left out.
    """

    def __init__(
        self, sets: Sequence[EvaluationSet], encoder: TextEncoder, vocabulary: Vocabulary | None = None
    ) -> None:
        self._encoder = encoder
        self._vocabulary = vocabulary or Vocabulary.standard()
        self._parts: list[tuple[EvaluationSet, Units, Candidates]] = [
            (source, lay_out(source.sessions(), ZeroShotProtocol()), self._candidates(source, encoder))
            for source in sets
        ]

    def score(self, checkpoint: Checkpoint) -> dict[str, LeftOutScore]:
        """Score a checkpoint on every left-out set."""
        scores = {}
        for source, units, candidates in self._parts:
            # A checkpoint that learned to read texts sees the same candidates otherwise.
            reader = checkpoint.label_encoder(self._encoder)
            seen = candidates if reader is self._encoder else self._candidates(source, reader)
            logits, truth = self._logits(checkpoint, units, seen)
            table = metrics.confusion(truth, logits.argmax(axis=1), len(candidates.classes))
            scores[source.name] = LeftOutScore(
                accuracy=float(metrics.accuracy(table)),
                macro_f1=float(metrics.macro_f1(table)),
                temperature=fit_temperature(logits, truth),
                windows=len(truth),
            )
        return scores

    def summary(self, checkpoint: Checkpoint) -> dict[str, float]:
        """Means over the left-out sets, for the metrics of a run."""
        scores = self.score(checkpoint).values()
        return {
            "left_out_accuracy": float(np.mean([score.accuracy for score in scores])),
            "left_out_macro_f1": float(np.mean([score.macro_f1 for score in scores])),
        }

    def _candidates(self, source: EvaluationSet, reader: TextEncoder | str) -> Candidates:
        return closed_set(source.name, source.declared, "words", self._vocabulary, reader)

    @staticmethod
    def _logits(
        checkpoint: Checkpoint, units: Units, candidates: Candidates
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        vectors = checkpoint.text_space.project(candidates.vectors)
        embeddings = embed(checkpoint, units)
        seen = np.isfinite(embeddings).all(axis=1)
        truth = np.array([candidates.class_of_label[label] for label in units.labels])
        crowding = checkpoint.text_space.crowding(vectors)
        return label_logits(embeddings[seen], vectors, scale=checkpoint.scale, crowding=crowding), truth[seen]
