"""What a few remembered windows are worth, on training sets that a model did not see.

    python benchmarks/remember.py --runs FOLDER-OF-LEAVE-OUT-RUNS --root FOLDER-OF-IMPORTED-SETS

One activity at a time is known by 1, 5 or 20 windows of other people only, or by these and its word; all others are
known by their words. Then all activities by so many windows each. The constants of
`kinelex.retrieval.recollection` were chosen here, from a grid, on all sets; beside that, for each set by the others.
How words fade was chosen last, by hand, among 0, 0.6, 0.9, 1.2, 1.6 and 2.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_shot import Left, left_out_sets
from left_out_runs import command_of
from numpy.typing import NDArray
from scipy.special import softmax

from kinelex.artifact import write_json
from kinelex.datasets import data_root
from kinelex.evaluation import metrics
from kinelex.evaluation.zero_shot import versions
from kinelex.retrieval import recollection
from kinelex.retrieval.evidence import EvidenceConfig, LabelTable, evidence
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.indexes import ExactIndex
from kinelex.retrieval.neighbors import Neighbors
from kinelex.training.few_shot.heads import fit_head, text_head
from kinelex.training.randomness import seed_of

RESULT = Path(__file__).parent / "results" / "remember.json"
SHOTS = (1, 5, 20)
DRAWS = 3
GRID = tuple(itertools.product((6.0, 8.0, 10.0, 12.0), (-3.0, -4.0, -5.0, -6.0), (0.0, 0.3, 0.6, 0.9)))
"""NEAR, FAR and MANY."""
NEIGHBORS = 10
"""As many as a recognizer looks at."""

Constants = tuple[float, float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """One activity known by examples, everything else by words; tested on people whose windows are not among them.

    Args:
        left: the set and the model.
        activity: its number.
        test: windows.
        words: ``(window, class)`` calibrated logits of all words.
        near: ``(window,)`` mean cosine to the nearest examples, as many as are heard.
        size: how many examples there are.
    """

    left: Left
    activity: int
    test: NDArray[np.int64]
    words: Floats
    near: Floats
    size: int

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.left.truth[self.test]

    def predicted(self, constants: Constants | None, *, word: bool = False) -> NDArray[np.int64]:
        """What is recognized with the examples, or without them; with the word of the activity, or without it."""
        logits = self.words.copy()
        if not word:
            logits[:, self.activity] = -np.inf
        if constants is not None:
            examples = constants[0] * self.near + constants[1] - constants[2] * np.log(self.size)
            sizes = np.where(np.arange(logits.shape[1]) == self.activity, self.size, 0)
            logits = recollection.faded_words(logits, sizes)
            logits[:, self.activity] = np.logaddexp(logits[:, self.activity], examples)
        return np.asarray(logits.argmax(axis=1))


Predict = Callable[[Case], NDArray[np.int64]]


def cases(left: Left, shots: int, activities: Sequence[int] | None = None) -> Iterator[Case]:
    """Every activity, or some, several times, each with other people's windows as examples."""
    words = text_head(left.checkpoint, left.texts).logits(left.vectors).astype(np.float64)
    for draw in range(DRAWS):
        rng = np.random.default_rng(seed_of(0, draw, f"remember {left.name} {shots}"))
        people = rng.permutation(len(left.names))
        shown = np.isin(left.subjects, people[: len(people) // 2])
        for activity in range(len(left.texts)) if activities is None else activities:
            pool, test = np.flatnonzero(shown & (left.truth == activity)), np.flatnonzero(~shown)
            if not len(pool) or not (left.truth[test] == activity).any():
                continue
            examples = unit(left.vectors[rng.permutation(pool)[:shots]])
            cosines = np.sort(unit(left.vectors[test]) @ examples.T, axis=1)[:, ::-1]
            near = cosines[:, : recollection.HEARD].mean(axis=1)
            yield Case(left, activity, test, words[test], near.astype(np.float64), len(examples))


def figures(found: Sequence[Case], predict: Predict) -> dict[str, float]:
    """Mean F1 of the activity that is known by examples, and mean macro-F1, in percent."""
    own, macro = [], []
    for case in found:
        table = metrics.confusion(case.truth, predict(case), len(case.left.texts))
        parts = np.stack([np.diagonal(table), table.sum(axis=1), table.sum(axis=0)], axis=-1)
        own.append(float(metrics.f1_of_counts(parts)[case.activity]))
        macro.append(float(metrics.macro_f1(table, "truth")))
    return {"f1": percent(own), "macro_f1": percent(macro)}


def grid_of(found: Sequence[Case]) -> dict[Constants, float]:
    """How good each choice of constants is on one set: mean of the two figures."""
    rows = {}
    for constants in GRID:
        rows[constants] = float(np.mean(list(figures(found, partial(Case.predicted, constants=constants)).values())))
    return rows


def best_of(grids: Iterable[Mapping[Constants, float]]) -> Constants:
    """The constants that are best in the mean over sets."""
    listed = list(grids)
    return max(GRID, key=lambda constants: float(np.mean([grid[constants] for grid in listed])))


def one_activity(found: Sequence[Case], elsewhere: Constants) -> dict[str, dict[str, float]]:
    """Scores of one set."""
    shipped = (recollection.NEAR, recollection.FAR, recollection.MANY)
    ways: dict[str, Predict] = {
        "words of all": partial(Case.predicted, constants=None, word=True),
        "words of the others": partial(Case.predicted, constants=None),
        "examples, constants chosen elsewhere": partial(Case.predicted, constants=elsewhere),
        "examples": partial(Case.predicted, constants=shipped),
        "examples and its word": partial(Case.predicted, constants=shipped, word=True),
    }
    return {name: figures(found, predict) for name, predict in ways.items()}


def all_activities(left: Left, shots: int) -> dict[str, dict[str, float]]:
    """Scores of one set when every activity is known by so many windows and by its word."""
    head = text_head(left.checkpoint, left.texts)
    found: dict[str, list[tuple[float, float]]] = {}
    for draw in range(DRAWS):
        predicted: dict[str, NDArray[np.int64]] = {}
        for split in left.splits(str(shots), draw):
            own, test = split.labeled, split.test
            words = head.logits(left.vectors[test]).astype(np.float64)
            index = ExactIndex(left.vectors.shape[1])
            index.add(own, left.vectors[own])
            nearest = index.search(left.vectors[test], NEIGHBORS)
            classes = np.where(nearest.present, left.truth[nearest.ids], -1)
            sizes = np.bincount(left.truth[own], minlength=len(left.texts))
            answers = {"words": words, **by_neighbors(left, words, nearest, classes, sizes)}
            groups = (left.subjects[own], left.sessions[own])
            tuned = fit_head("logistic", head, left.vectors[own], left.truth[own], groups)
            answers["logistic head"] = tuned.logits(left.vectors[test])
            for name, scores in answers.items():
                predicted.setdefault(name, np.zeros(len(left.truth), np.int64))[test] = scores.argmax(axis=1)
        for name, classes in predicted.items():
            table = metrics.confusion(left.truth, classes, len(left.texts))
            found.setdefault(name, []).append((float(metrics.accuracy(table)), float(metrics.macro_f1(table, "truth"))))
    return {
        name: {"accuracy": percent([a for a, _ in pairs]), "macro_f1": percent([f for _, f in pairs])}
        for name, pairs in found.items()
    }


def by_neighbors(
    left: Left, words: Floats, nearest: Neighbors, classes: NDArray[np.int64], sizes: NDArray[np.int64]
) -> dict[str, Floats]:
    """What is made of the neighbors, with and without the words."""
    count = len(left.texts)
    names = [str(number) for number in range(count)]
    space = left.checkpoint.text_space.project(left.texts)
    table = LabelTable.of_vectors(names, names, space, space)
    of_five = classes[:, :5]
    vote = evidence(of_five, table, EvidenceConfig(strategy="vote"))
    independent = evidence(of_five, table, EvidenceConfig(strategy="independent"))
    chances = softmax(words, axis=1)
    remembered = recollection.remembered_logits(nearest, classes, sizes)
    return {
        "vote of 5": vote,
        "independent of 5": independent,
        "words and independent, half and half": fuse(chances, independent, 0.5),
        "examples alone": remembered,
        "words and examples": recollection.with_remembered(recollection.faded_words(words, sizes), remembered),
    }


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def percent(values: Sequence[float]) -> float:
    return round(100 * float(np.mean(values)), 1)


def mean_of(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Mean over the sets."""
    return {
        name: {figure: round(float(np.mean([row[name][figure] for row in rows])), 1) for figure in rows[0][name]}
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="runs that left sets out, one folder each")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--out", type=Path, default=RESULT)
    call = parser.parse_args()

    torch.set_num_threads(1)
    sets = list(left_out_sets(call.runs, call.root or data_root()))
    result: dict[str, Any] = {
        "command": command_of(__file__, parser, call),
        "constants": {
            "near": recollection.NEAR,
            "far": recollection.FAR,
            "many": recollection.MANY,
            "fade": recollection.FADE,
            "heard": recollection.HEARD,
        },
        "draws": DRAWS,
        "left_out_by": {left.name: left.checkpoint.fingerprint for left in sets},
        "versions": versions(),
        "one_activity": {},
        "all_activities": {},
    }
    found = {(left.name, shots): list(cases(left, shots)) for left in sets for shots in SHOTS}
    grids = {left.name: [grid_of(found[left.name, shots]) for shots in SHOTS] for left in sets}
    result["best"] = best_of([grid for of in grids.values() for grid in of])
    result["best_elsewhere"] = {
        left.name: best_of([grid for other, of in grids.items() if other != left.name for grid in of]) for left in sets
    }
    print("best:", result["best"], json.dumps(result["best_elsewhere"]))
    for shots in SHOTS:
        rows = {left.name: one_activity(found[left.name, shots], result["best_elsewhere"][left.name]) for left in sets}
        result["one_activity"][str(shots)] = {"mean": mean_of(list(rows.values())), **rows}
        many = {left.name: all_activities(left, shots) for left in sets}
        result["all_activities"][str(shots)] = {"mean": mean_of(list(many.values())), **many}
        for part in ("one_activity", "all_activities"):
            print(shots, json.dumps(result[part][str(shots)]["mean"], indent=1), flush=True)
    write_json(call.out, result)


if __name__ == "__main__":
    main()
