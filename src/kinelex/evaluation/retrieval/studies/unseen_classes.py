"""Activities that head and gate never learned: how many remembered windows of them make them known?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation.retrieval.fold import splits_of
from kinelex.evaluation.retrieval.protocol import ALL, SYSTEMS, RetrievalProtocol
from kinelex.evaluation.retrieval.report import HEADS
from kinelex.evaluation.retrieval.studies.record import Cell
from kinelex.evaluation.retrieval.studies.unseen_figures import Collected, f1_over
from kinelex.evaluation.retrieval.systems import learn, recall
from kinelex.evaluation.retrieval.targets import Embedded, Target
from kinelex.training.randomness import numpy_generator

GROUPS = 3
"""So many times another part of the activities is unknown."""

REMEMBERED = ("0", "1", "5", "20", ALL)
"""Windows of each unknown activity in the memory."""

WORDS = "words"

COLUMNS = ("data", "backbone", "remembered", "activities", WORDS, *HEADS.values())

ABOUT = (
    f"Every {GROUPS}rd activity is unknown to head and gate, {GROUPS} times others; the memory holds all windows of the"
    " known ones, and so many of each unknown one, all of people who are not tested. Nothing is trained for these.",
    "All windows are tested, and any activity may be the answer to each: macro-F1 over those that were unknown, and"
    " over those that were known, mean over the groups; its spread is over the drawings of remembered windows.",
    "The base gives an activity that its head never learned no chance, so it can never be right about one. With 0"
    " remembered windows the memory does not know it either, and only the likeness of words can hint at it.",
    "A share of several neighbors favors what is remembered often: of a single example one neighbor is its own, and the"
    " others are of known activities.",
    f"{WORDS}: what the backbone says by the words of all activities alone, where it knows words.",
)

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


def class_rows(seen: Embedded, target: Target, protocol: RetrievalProtocol) -> list[dict[str, Cell]]:
    """The rows of a backbone on a data set: two for each size of memory; none with fewer than three activities."""
    usable = np.flatnonzero(np.isfinite(seen.vectors).all(axis=1))
    unknown, known = thirds(target.truth[usable], len(target.classes))
    if not len(unknown):
        return []
    found = _answered(seen, target, unknown, protocol)
    rows: list[dict[str, Cell]] = []
    for memory in REMEMBERED:
        for activities, classes in (("unknown", unknown), ("known", known)):
            row: dict[str, Cell] = {
                "data": target.source.name,
                "backbone": seen.backbone,
                "remembered": memory,
                "activities": activities,
                WORDS: found.figure(WORDS, WORDS, f1_over(classes), protocol),
            }
            row |= {HEADS[system]: found.figure(memory, system, f1_over(classes), protocol) for system in SYSTEMS}
            rows.append(row)
    return rows


def thirds(truth: Rows, classes: int) -> tuple[Mask, Mask]:
    """Which classes are unknown and which are known, ``(group, class)`` each; no group where there are under three.

    A class without a window is neither.

    >>> unknown, known = thirds(np.array([0, 1, 3, 4]), 5)
    >>> unknown.astype(int).tolist()
    [[1, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    >>> known.astype(int).tolist()
    [[0, 1, 0, 1, 0], [1, 0, 0, 1, 1], [1, 1, 0, 0, 1]]
    """
    present = np.unique(truth)
    there = np.isin(np.arange(classes), present)
    if len(present) < GROUPS:
        return np.empty((0, classes), dtype=np.bool_), np.empty((0, classes), dtype=np.bool_)
    unknown = np.stack([np.isin(np.arange(classes), present[group::GROUPS]) for group in range(GROUPS)])
    return unknown, there & ~unknown


def some_of_each(rows: Rows, truth: Rows, memory: str, *, draw: int, fold: int) -> Rows:
    """So many windows of each class, ascending; those of a larger memory hold those of a smaller one.

    Args:
        rows: numbers of windows to choose from.
        truth: ``(window,)`` class numbers.
        memory: one of `REMEMBERED`.
        draw: another number, other windows.
        fold: whose turn it is to be tested.
    """
    if memory == ALL:
        return rows
    order = rows[numpy_generator(draw, fold, "examples of unknown activities").permutation(len(rows))]
    chosen = [order[truth[order] == number][: int(memory)] for number in np.unique(truth[rows])]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *chosen]))


def _answered(seen: Embedded, target: Target, unknown: Mask, protocol: RetrievalProtocol) -> Collected:
    found = Collected(target, groups=len(unknown))
    for fold, split in enumerate(splits_of(seen, target, protocol)):
        side, test = split.labeled, split.test
        for group, strange in enumerate(unknown):
            if seen.words is not None:
                found.note(WORDS, {WORDS: seen.words[test]}, test, group=group)
            labeled, taught = side[~strange[target.truth[side]]], side[strange[target.truth[side]]]
            if not len(labeled):
                continue
            learned = learn(seen, target, labeled, test, ALL, protocol, protocol.draws[0])
            for memory in REMEMBERED:
                for number, draw in enumerate(protocol.draws[:1] if memory in ("0", ALL) else protocol.draws):
                    more = some_of_each(taught, target.truth, memory, draw=draw, fold=fold)
                    held = np.sort(np.concatenate([labeled, more]))
                    said = recall(seen, target, held, test, learned, protocol)
                    found.note(memory, said.probabilities, test, draw=number, group=group)
    return found
