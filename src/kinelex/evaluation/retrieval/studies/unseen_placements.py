"""A sensor that is worn where nothing was learned: does a memory of a few windows from there help, without training?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import Backbone
from kinelex.backbones.physical import window_features
from kinelex.evaluation.label_budget import Budget, by_subject
from kinelex.evaluation.retrieval.protocol import ALL, SYSTEMS, RetrievalProtocol
from kinelex.evaluation.retrieval.report import HEADS
from kinelex.evaluation.retrieval.studies.record import Cell
from kinelex.evaluation.retrieval.studies.unseen_figures import Collected, f1_over
from kinelex.evaluation.retrieval.systems import learn, recall
from kinelex.evaluation.retrieval.targets import Embedded, Target, embedded
from kinelex.evaluation.units import Request

FEW = 5
"""Windows of each class from the new placement that are remembered."""

ELSEWHERE = "other placements"
WITH_FEW = f"and {FEW} per class from there"

COLUMNS = ("data", "backbone", "worn", "memory", "tested", *HEADS.values())

ABOUT = (
    "Every placement in turn is where the tested people wear the sensor, and where nobody wore it of whom head and gate"
    " learned: they know each of the other people's windows from one of the other placements, in turn.",
    f"Memory: what head and gate learned from, or {FEW} windows of each class more, of the same people at the tested"
    " placement; neither head nor gate is trained again for them, so that the base stays what it was.",
    "Placements at which not all activities were recorded are left out, and so are sets with a single other one.",
    "Macro-F1 over all declared activities; its spread is over the drawings of these windows.",
)

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Apart:
    """A data set in which a window counts once for every placement.

    Args:
        target: these windows, all of the first placement first.
        window: ``(row,)`` which window of the data set each is of.
        placement: ``(row,)`` number of its placement.
        names: of the placements.
    """

    target: Target
    window: Rows
    placement: Rows
    names: tuple[str, ...]


def taken_apart(target: Target) -> Apart | None:
    """A data set by placements; none where fewer than two have all activities that it has windows of."""
    names, requests, windows = [], [], []
    for name in dict.fromkeys(place for recording, _ in target.requests for place in recording.placements):
        mine, numbers = _worn_at(name, target)
        if set(target.truth[numbers]) == set(target.truth):
            names.append(name)
            requests += mine
            windows.append(numbers)
    if len(names) < 2:
        return None
    window = np.concatenate(windows)
    return Apart(
        target=replace(
            target,
            requests=tuple(requests),
            truth=target.truth[window],
            subjects=target.subjects[window],
            features=window_features(requests, target.window_s),
        ),
        window=window,
        placement=np.repeat(np.arange(len(names)), [len(numbers) for numbers in windows]),
        names=tuple(names),
    )


def placement_rows(backbone: Backbone, apart: Apart, protocol: RetrievalProtocol) -> list[dict[str, Cell]]:
    """The rows of a backbone: two for each placement."""
    seen = embedded(backbone, apart.target)
    rows: list[dict[str, Cell]] = []
    for number, name in enumerate(apart.names):
        found = _asked_at(number, seen, apart, protocol)
        every = np.ones((1, len(apart.target.classes)), dtype=np.bool_)
        for memory in (ELSEWHERE, WITH_FEW):
            row: dict[str, Cell] = {
                "data": apart.target.source.name,
                "backbone": seen.backbone,
                "worn": name,
                "memory": memory,
                "tested": len(found.tested(memory, "vote")),
            }
            row |= {HEADS[system]: found.figure(memory, system, f1_over(every), protocol) for system in SYSTEMS}
            rows.append(row)
    return rows


def _asked_at(number: int, seen: Embedded, apart: Apart, protocol: RetrievalProtocol) -> Collected:
    """What is answered at one placement by what was learned at the others."""
    target = apart.target
    usable = np.isfinite(seen.vectors).all(axis=1)
    others = np.array([place for place in range(len(apart.names)) if place != number])
    elsewhere = np.flatnonzero(usable & (apart.placement == others[apart.window % len(others)]))
    here = np.flatnonzero(usable & (apart.placement == number))
    found = Collected(target)
    if not len(here):
        return found
    drawn = [
        by_subject(
            target.truth[here],
            target.subjects[here],
            target.names,
            Budget(per_class=FEW),
            folds=protocol.folds,
            seed=protocol.seed,
            draw=draw,
        )
        for draw in protocol.draws
    ]
    for splits in zip(*drawn, strict=True):  # one fold, in every drawing
        test = here[splits[0].test]
        labeled = elsewhere[~np.isin(target.subjects[elsewhere], target.subjects[test])]
        if not len(labeled):
            continue
        learned = learn(seen, target, labeled, test, ALL, protocol, protocol.draws[0])
        found.note(ELSEWHERE, recall(seen, target, labeled, test, learned, protocol).probabilities, test)
        for draw, split in enumerate(splits):
            memory = np.sort(np.concatenate([labeled, here[split.labeled]]))
            found.note(WITH_FEW, recall(seen, target, memory, test, learned, protocol).probabilities, test, draw=draw)
    return found


def _worn_at(placement: str, target: Target) -> tuple[list[Request], Rows]:
    """The sessions with a placement, and nothing but it, and the numbers of their windows."""
    requests: list[Request] = []
    numbers = [np.empty(0, dtype=np.int64)]
    first = 0
    for recording, starts in target.requests:
        if placement in recording.placements:
            requests.append((recording.select(placement=placement), starts))
            numbers.append(np.arange(first, first + len(starts)))
        first += len(starts)
    return requests, np.concatenate(numbers)
