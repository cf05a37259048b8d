"""How neighbors are found (RQ2): by the raw signal, by whole vectors, and by vectors made shorter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import process_time

import numpy as np

from kinelex.errors import BadLabels, TooShort, UsageError
from kinelex.evaluation.retrieval.finders import Finder, Rows, by_vectors, unit
from kinelex.evaluation.retrieval.fold import GATE, Fold
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress, figures
from kinelex.evaluation.retrieval.studies.raw_neighbors import DTW_EXAMPLES, RawSignal
from kinelex.evaluation.retrieval.studies.record import Cell, StudyTable
from kinelex.evaluation.retrieval.targets import Target
from kinelex.retrieval.evidence import EvidenceConfig
from kinelex.retrieval.neighbors import Neighbors
from kinelex.retrieval.projection import fit_pca
from kinelex.retrieval.projection_learning import LinearConfig, fit_linear
from kinelex.retrieval.raw_measures import Measure

WHOLE = "whole vectors"
WIDTHS = (128, 256)
RAW: dict[str, Measure] = {
    "raw: cross-correlation": "cross_correlation",
    "raw: dynamic time warping": "dtw",
    "raw: wavelets": "wavelet",
    "raw: Pearson": "pearson",
}

ABOUT = (
    "The base, a head on whole vectors, is the same in all rows of a backbone; what changes is who the neighbors are.",
    "base, vote and MoRA[F] are macro-F1; the gate of each row learned from that row's neighbors.",
    "Raw windows are compared at 20 Hz, all accelerometers and gyroscopes; a window without a usable channel has no"
    " neighbors, so that its vote goes to the first class.",
    f"Dynamic time warping looks among {DTW_EXAMPLES} labeled windows, evenly drawn from the classes; all others look"
    " among all.",
    "What the published code calls DTW is the discrete wavelet transform of the row of wavelets; its cross-correlation"
    " and Pearson compare features of one window's channels with each other, here the series of two windows are"
    " compared.",
    "PCA and the learned linear map are fitted to the labeled windows of each split; a row is empty where the vectors"
    " are not longer, or the labeled windows not more, than PCA would make them.",
    "The gate beside a learned map learned from neighbors under maps of other people, as the windows of a map have"
    " better ones than anybody new.",
    "Times are processor time of one search, in one run on one machine, over that by whole vectors.",
)
COLUMNS = ("data", "backbone", "strategy", "numbers per window", "base", "vote", "MoRA[F]", "MoRA[F], accuracy",
           "splits with a gate", "time per query")  # fmt: skip

_REPEATED_BELOW_S = 0.2
_ROUNDS = 3


def strategies(prepared: Prepared, progress: Progress | None = None) -> StudyTable:
    """Macro-F1 of vote and MoRA[F] with neighbors that were found in other ways.

    Args:
        prepared: encoders, data sets and rules; raw windows take time in the square of their number, which
            `most_windows` bounds.
        progress: called after each strategy.

    Raises:
        MissingDependency: scikit-learn, aeon or PyWavelets is not installed.
        BadSamples, UsageError: as `evaluate_retrieval`.
    """
    ways = _ways()
    rows: list[dict[str, Cell]] = []
    signals: dict[str, _RawNeighbors] = {}
    steps = len(prepared.pairs()) * len(ways)
    for source, backbone in prepared.pairs():
        target, folds = prepared.target(source), prepared.folds(source, backbone)
        raw = signals.setdefault(source.name, _RawNeighbors(target, prepared.protocol))
        found = {}
        for name, way in ways.items():
            found[name] = _answered(folds, way, raw)
            if progress is not None:
                progress(f"strategies: {name} on {source.name}", len(rows) + len(found), steps)
        whole = found[WHOLE].seconds
        seen = prepared.seen(source, backbone)
        for name, one in found.items():
            rows.append({"data": source.name, "backbone": seen.backbone, "strategy": name, **one.cells(folds, whole)})
    return StudyTable(
        name="strategies", title="How neighbors are found (RQ2)", about=ABOUT, columns=COLUMNS, rows=tuple(rows)
    )


@dataclass(frozen=True)
class _Found:
    """What one strategy finds in one split: for the tested windows, for the labeled ones, and how fast."""

    finder: Finder
    tested: Neighbors
    labeled: Neighbors
    seconds: float


_Way = Callable[[Fold, "_RawNeighbors"], _Found]


@dataclass
class _Answered:
    """What one strategy answered to everybody."""

    base: Rows
    vote: Rows
    gated: Rows
    numbers: int | None = None
    gates: int = 0
    seconds: float = 0.0
    possible: bool = True

    def cells(self, folds: Sequence[Fold], whole_s: float) -> dict[str, Cell]:
        """Its part of a row; empty where it was not possible in some split."""
        if not self.possible:
            return {}
        target, protocol = folds[0].target, folds[0].protocol
        (_, base), (_, vote), (accuracy, gated) = (
            figures(target, predicted, protocol) for predicted in (self.base, self.vote, self.gated)
        )
        return {
            "numbers per window": self.numbers, "base": base, "vote": vote, "MoRA[F]": gated,
            "MoRA[F], accuracy": accuracy, "splits with a gate": f"{self.gates} of {len(folds)}",
            "time per query": self.seconds / whole_s,
        }  # fmt: skip


def _ways() -> dict[str, _Way]:
    return {
        **{name: partial(_by_signal, measure) for name, measure in RAW.items()},
        WHOLE: _by_vectors,
        **{f"PCA to {width}": partial(_by_pca, width) for width in WIDTHS},
        **{f"linear map to {width}": partial(_by_linear, width) for width in WIDTHS},
    }


def _answered(folds: Sequence[Fold], way: _Way, raw: _RawNeighbors) -> _Answered:
    nothing = np.full(len(folds[0].target), -1, dtype=np.int64)
    answered = _Answered(nothing.copy(), nothing.copy(), nothing.copy())
    for fold in folds:
        try:
            found = way(fold, raw)
        except (UsageError, BadLabels, TooShort):
            answered.possible = False
            return answered
        weights, by = fold.weights(fold.evidence(found.labeled))
        answered.base[fold.test] = fold.base.argmax(axis=1)
        answered.vote[fold.test] = fold.evidence(found.tested, EvidenceConfig(strategy="vote")).argmax(axis=1)
        answered.gated[fold.test] = fold.fused(fold.evidence(found.tested), weights).argmax(axis=1)
        answered.numbers = found.finder.numbers
        answered.gates += by == GATE
        answered.seconds += found.seconds
    return answered


def _searched(fold: Fold, finder: Finder) -> _Found:
    finder.search(fold.test[:1], 1)  # what is compiled or imported is no part of a search
    times: list[float] = []
    while not times or (times[0] < _REPEATED_BELOW_S and len(times) < _ROUNDS):
        begun = process_time()
        tested = fold.neighbors(finder)
        times.append(process_time() - begun)
    return _Found(finder, tested, fold.outside(finder), min(times))


def _by_signal(measure: Measure, fold: Fold, raw: _RawNeighbors) -> _Found:
    return raw.found(fold, measure)


def _by_vectors(fold: Fold, _: _RawNeighbors) -> _Found:
    return _searched(fold, fold.by_vectors)


def _by_pca(width: int, fold: Fold, _: _RawNeighbors) -> _Found:
    vectors = unit(fold.seen.vectors)
    if width >= vectors.shape[1]:
        raise UsageError(f"vectors of {vectors.shape[1]} numbers are not longer than {width}")
    return _searched(fold, by_vectors(vectors, fold.labeled, fit_pca(vectors[fold.labeled], width)))


def _by_linear(width: int, fold: Fold, _: _RawNeighbors) -> _Found:
    if width >= fold.seen.vectors.shape[1]:
        raise UsageError(f"vectors of {fold.seen.vectors.shape[1]} numbers are not longer than {width}")
    found = _searched(fold, _mapped(width, fold, fold.labeled))
    # Under a map that was learned from itself a window has better neighbors than anybody new will have.
    k = found.labeled.ids.shape[1]
    crossed = Neighbors.none(len(fold.labeled), k)
    for number in np.unique(fold.inner):
        asked = fold.inner == number
        if not asked.all():
            others = _mapped(width, fold, fold.labeled[~asked]).search(fold.labeled[asked], k)
            crossed.ids[asked], crossed.similarity[asked] = others.ids, others.similarity
    return replace(found, labeled=crossed)


def _mapped(width: int, fold: Fold, labeled: Rows) -> Finder:
    """Finds neighbors under a map that was learned from these labeled windows."""
    vectors, people = unit(fold.seen.vectors), fold.target.subjects[labeled]
    labels = np.asarray(fold.target.classes)[fold.target.truth[labeled]]
    config = LinearConfig(width=width, seed=fold.protocol.draws[0])
    several = people if len(np.unique(people)) > 1 else None
    return by_vectors(vectors, labeled, fit_linear(vectors[labeled], labels, config, subjects=several))


class _RawNeighbors:
    """Neighbors by the raw signal, which are the same for all backbones that see the same windows."""

    def __init__(self, target: Target, protocol: RetrievalProtocol) -> None:
        self._target, self._protocol = target, protocol
        self._signal: RawSignal | None = None
        self._found: dict[tuple[Measure, bytes, bytes], _Found] = {}

    def found(self, fold: Fold, measure: Measure) -> _Found:
        """What a measure finds in a split."""
        key = (measure, fold.labeled.tobytes(), fold.test.tobytes())
        if key not in self._found:
            self._signal = self._signal or RawSignal.of(self._target)
            finder = self._signal.finder(measure, fold.labeled, self._target.truth, self._protocol.draws[0])
            self._found[key] = _searched(fold, finder)
        return self._found[key]
