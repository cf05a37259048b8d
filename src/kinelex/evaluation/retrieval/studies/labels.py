"""What is made of the neighbors' labels (RQ3): one text of all, each by itself, the nearer ones more, or a count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import process_time

import numpy as np

from kinelex.evaluation.retrieval.finders import Rows
from kinelex.evaluation.retrieval.fold import Fold
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress, figures
from kinelex.evaluation.retrieval.studies.record import Cell, StudyTable
from kinelex.language import TextEncoder
from kinelex.retrieval.evidence import CombinedText, EvidenceConfig, LabelTable, Strategy, evidence

STRATEGIES: tuple[Strategy, ...] = ("combine", "independent", "weighted", "vote")

ROUNDS = 3
"""Times that each strategy is timed, in turns; the least counts."""
ASKED = 20
"""Windows for which the text encoder is asked anew."""

ABOUT = (
    "combine: the labels of the neighbors as one text, in order of rank, compared with the activities as they stand;"
    " independent: each label by itself; weighted: nearer ones more; vote: each activity's share, without words.",
    "evidence: macro-F1 of the neighbors alone; MoRA[B]: of base and neighbors with one weight.",
    "Times are over that of independent with a table of the labels' likeness, which needs no text encoder for a window:"
    " with what was encoded before remembered, and with the text encoder asked for every window.",
    f"Processor time, measured in turns in one run on one machine: the least of {ROUNDS}, all tested windows"
    f" at once where texts are remembered, {ASKED} windows one by one where they are not.",
)
COLUMNS = ("data", "backbone", "strategy", "base", "evidence", "evidence, accuracy", "MoRA[B]", "MoRA[B], accuracy",
           "time, remembered", "time, encoder asked")  # fmt: skip


def labels(prepared: Prepared, progress: Progress | None = None) -> StudyTable:
    """Macro-F1 and time of each way to make evidence of the neighbors' labels; arguments as in `strategies`."""
    rows: list[dict[str, Cell]] = []
    for number, (source, backbone) in enumerate(prepared.pairs(), 1):
        folds = prepared.folds(source, backbone)
        about: dict[str, Cell] = {"data": source.name, "backbone": folds[0].seen.backbone}
        rows += [{**about, **row} for row in _rows(folds, prepared.encoder)]
        if progress is not None:
            progress(f"labels on {source.name}", number, len(prepared.pairs()))
    return StudyTable(
        name="labels", title="What is made of the labels (RQ3)", about=ABOUT, columns=COLUMNS, rows=tuple(rows)
    )


def _rows(folds: Sequence[Fold], encoder: TextEncoder) -> list[dict[str, Cell]]:
    target, protocol = folds[0].target, folds[0].protocol
    # By their words, which are what combine writes in a row.
    table = LabelTable(target.texts, target.texts, target.table.similarity, target.table.same)
    text = CombinedText(encoder, target.texts)
    found = [fold.labels(fold.neighbors(fold.by_vectors).first(protocol.k)) for fold in folds]
    base = np.full(len(target), -1, dtype=np.int64)
    alone = {strategy: base.copy() for strategy in STRATEGIES}
    mixed = {strategy: base.copy() for strategy in STRATEGIES}
    for fold, neighbors in zip(folds, found, strict=True):
        base[fold.test] = fold.base.argmax(axis=1)
        for strategy in STRATEGIES:
            config = protocol.evidence.model_copy(update={"strategy": strategy})
            retrieved = evidence(neighbors, table, config, text=text)
            alone[strategy][fold.test] = retrieved.argmax(axis=1)
            mixed[strategy][fold.test] = fold.fused(retrieved, protocol.weight).argmax(axis=1)
    remembered, asked = _times(np.concatenate(found), table, text, encoder, protocol.evidence)
    return [
        {
            "strategy": strategy,
            "base": figures(target, base, protocol)[1],
            **_cells("evidence", *figures(target, alone[strategy], protocol)),
            **_cells("MoRA[B]", *figures(target, mixed[strategy], protocol)),
            "time, remembered": remembered[strategy] / remembered["independent"],
            "time, encoder asked": asked[strategy] / remembered["independent"] if strategy in asked else None,
        }
        for strategy in STRATEGIES
    ]


def _cells(name: str, accuracy: Cell, macro_f1: Cell) -> dict[str, Cell]:
    return {name: macro_f1, f"{name}, accuracy": accuracy}


def _times(
    neighbors: Rows, table: LabelTable, text: CombinedText, encoder: TextEncoder, config: EvidenceConfig
) -> tuple[dict[Strategy, float], dict[Strategy, float]]:
    """Seconds per window of each strategy, with texts remembered, and with the encoder asked; a vote asks nobody."""
    some = neighbors[np.linspace(0, len(neighbors) - 1, min(ASKED, len(neighbors))).astype(int)]
    remembering: dict[Strategy, Callable[[], object]] = {
        strategy: partial(evidence, neighbors, table, config.model_copy(update={"strategy": strategy}), text=text)
        for strategy in STRATEGIES
    }
    texts = [names for row in some if (names := [table.labels[label] for label in row if label >= 0])]
    each: Callable[[], object] = partial(_encode_all, encoder, texts)
    asking: dict[Strategy, Callable[[], object]] = {
        "combine": partial(_encode_all, encoder, [[", ".join(names)] for names in texts]),
        "independent": each,
        "weighted": each,
    }
    first, second = _least(remembering), _least(asking)
    return (
        {strategy: seconds / len(neighbors) for strategy, seconds in first.items()},
        {
            strategy: first[strategy] / len(neighbors) + seconds / max(len(texts), 1)
            for strategy, seconds in second.items()
        },
    )


def _encode_all(encoder: TextEncoder, texts: list[list[str]]) -> None:
    """Window by window, as if none of its texts had been seen before."""
    for names in texts:
        encoder.encode(names)


def _least(ways: dict[Strategy, Callable[[], object]]) -> dict[Strategy, float]:
    """The least seconds of each, measured in turns."""
    seconds: dict[Strategy, float] = {}
    for _ in range(ROUNDS):
        for strategy, way in ways.items():
            begun = process_time()
            way()
            seconds[strategy] = min(seconds.get(strategy, np.inf), process_time() - begun)
    return seconds
