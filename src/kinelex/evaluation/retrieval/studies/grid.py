"""How much the numbers matter that somebody has to choose (RQ4): weight of retrieval, neighbors, and temperature."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation import metrics
from kinelex.evaluation.retrieval.fold import Fold
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress, bare, name_of
from kinelex.evaluation.retrieval.studies.record import Cell, StudyTable
from kinelex.retrieval.evidence import EvidenceConfig

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
NEIGHBORS = (1, 2, 3, 5, 10)
TEMPERATURES = (1.0, 5.0, 10.0, 20.0, 25.0)

ABOUT = (
    "Macro-F1 of MoRA[B], mean over the data sets, by the weight of retrieval (alpha): 0 is the base alone, 1 are the"
    " neighbors alone; k: neighbors; tau: what the likeness of labels is multiplied with.",
    "vote: the share of the same neighbors, without words, weight or temperature.",
    "It is there to be looked at: nothing was chosen by it.",
)
COLUMNS = ("backbone", "k", "tau", *(f"alpha {weight:g}" for weight in WEIGHTS), "vote")

Figures = NDArray[np.float64]


def grid(prepared: Prepared, progress: Progress | None = None) -> StudyTable:
    """Macro-F1 of MoRA[B] with other weights, numbers of neighbors and temperatures; arguments as in `strategies`."""
    found: dict[str, list[tuple[Figures, Figures]]] = {name_of(backbone): [] for backbone in prepared.backbones}
    for number, (source, backbone) in enumerate(prepared.pairs(), 1):
        found[name_of(backbone)].append(_figures(prepared.folds(source, backbone)))
        if progress is not None:
            progress(f"grid on {source.name}", number, len(prepared.pairs()))
    rows: list[dict[str, Cell]] = []
    for name, sets in found.items():
        mixed, votes = (np.mean([one[part] for one in sets], axis=0) for part in (0, 1))
        for (i, k), (j, temperature) in product(enumerate(NEIGHBORS), enumerate(TEMPERATURES)):
            cells = {f"alpha {weight:g}": bare(float(mixed[i, j, a])) for a, weight in enumerate(WEIGHTS)}
            rows.append({"backbone": name, "k": k, "tau": temperature, **cells, "vote": bare(float(votes[i]))})
    return StudyTable(
        name="grid", title="Weight, neighbors and temperature (RQ4)", about=ABOUT, columns=COLUMNS, rows=tuple(rows)
    )


def _figures(folds: Sequence[Fold]) -> tuple[Figures, Figures]:
    """Macro-F1 on one data set: of MoRA[B], ``(k, temperature, weight)``, and of votes, ``(k,)``."""
    target = folds[0].target
    mixed = np.full((len(NEIGHBORS), len(TEMPERATURES), len(WEIGHTS), len(target)), -1, dtype=np.int64)
    votes = np.full((len(NEIGHBORS), len(target)), -1, dtype=np.int64)
    for fold in folds:
        found = fold.neighbors(fold.by_vectors, max(NEIGHBORS))
        for i, k in enumerate(NEIGHBORS):
            nearest = found.first(min(k, fold.most))
            votes[i, fold.test] = fold.evidence(nearest, EvidenceConfig(strategy="vote")).argmax(axis=1)
            for j, temperature in enumerate(TEMPERATURES):
                config = fold.protocol.evidence.model_copy(update={"temperature": temperature})
                retrieved = fold.evidence(nearest, config)
                for a, weight in enumerate(WEIGHTS):
                    mixed[i, j, a, fold.test] = fold.fused(retrieved, weight).argmax(axis=1)
    tested = np.flatnonzero(votes[0] >= 0)

    def macro_f1(predicted: NDArray[np.int64]) -> float:
        return float(metrics.macro_f1(metrics.confusion(target.truth[tested], predicted[tested], len(target.classes))))

    return np.apply_along_axis(macro_f1, -1, mixed), np.apply_along_axis(macro_f1, -1, votes)
