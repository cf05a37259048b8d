"""An activity that is new to a model, in name and in training, after a few remembered windows of other people.

    kinelex train benchmarks/remember_one.yaml --seed 0 --out runs/remember_one/seed0     (and seeds 1 and 2)
    python benchmarks/remember_one.py --runs runs/remember_one --root FOLDER-OF-IMPORTED-SETS

The models were trained without MotionSense, USC-HAD and UTD-MHAD, and without running, jumping, going upstairs and
elevators in any set. Each activity of these three sets whose label group no model was trained on is taken out of the
labels in turn, and known by 1, 5 or 20 remembered windows only, of half of the people; the other half is tested. Beside
it: its name in place of examples (zero-shot), both, and logistic regression on frozen vectors, which has to be given so
many windows of every activity, and memory with as many.

Writes results/remember-one.json and the curves that the documents show.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_shot import Left, seen_by
from left_out_runs import command_of
from numpy.typing import NDArray
from remember import DRAWS, NEIGHBORS, SHOTS, Case, Predict, cases

from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset, data_root
from kinelex.evaluation import metrics
from kinelex.evaluation.retrieval.heads import head_probabilities
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate, bootstrap_over_subjects
from kinelex.evaluation.zero_shot import versions
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder
from kinelex.model import load_checkpoint
from kinelex.retrieval import recollection
from kinelex.retrieval.indexes import ExactIndex
from kinelex.training.few_shot.heads import text_head
from kinelex.training.randomness import seed_of
from kinelex.training.text import training_label

RESULT = Path(__file__).parent / "results" / "remember-one.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "remember-one.png"
TARGETS = ("motionsense", "usc_had", "utd_mhad")
SHIPPED = (recollection.NEAR, recollection.FAR, recollection.MANY)

ONE: dict[str, Predict] = {
    "its name": partial(Case.predicted, constants=None, word=True),
    "examples": partial(Case.predicted, constants=SHIPPED),
    "examples and its name": partial(Case.predicted, constants=SHIPPED, word=True),
}
"""What is known of the new activity; all others are known by their names."""
ALL = ("linear probe", "examples of all", "examples and names of all")
"""With as many windows of every activity."""

Parts = NDArray[np.int64]


def new_activities(left: Left, recipe: Mapping[str, Any], source: EvaluationSet, root: Path) -> list[int]:
    """Numbers of the activities whose label group was not trained on."""
    vocabulary = Vocabulary.standard()

    def group(data: str, activity: str) -> str:
        return vocabulary.group_of(training_label(vocabulary, data, activity)[0])

    known = {name: StoredDataset.open(root, name).about.declared for name in recipe["train"]}
    trained = {group(name, activity) for name, activities in known.items() for activity in activities}
    trained -= set(recipe["without"])
    if seen := set(left.checkpoint.trained_on) & set(TARGETS):
        raise SystemExit(f"the model was trained on {', '.join(sorted(seen))}")
    return [number for number, activity in enumerate(source.declared) if group(left.name, activity) not in trained]


def counts(truth: NDArray[np.int64], predicted: NDArray[np.int64], activity: int) -> Parts:
    """Per window: rightly found, truly it, said to be it, ``(window, 3)``."""
    true, said = truth == activity, predicted == activity
    return np.stack([true & said, true, said], axis=1).astype(np.int64)


def per_person(left: Left, test: NDArray[np.int64], parts: Parts) -> Parts:
    """``(window, part)`` summed to ``(person, part)``."""
    summed = np.zeros((len(left.names), parts.shape[1]), dtype=np.int64)
    np.add.at(summed, left.subjects[test], parts)
    return summed


def known_by_one(left: Left, shots: int, activities: Sequence[int]) -> dict[str, list[Parts]]:
    """For each way, one table per case."""
    found: dict[str, list[Parts]] = {name: [] for name in ONE}
    for case in cases(left, shots, activities):
        for name, predict in ONE.items():
            parts = counts(case.truth, predict(case), case.activity)
            found[name].append(per_person(left, case.test, parts))
    return found


def known_by_all(left: Left, shots: int, activities: Sequence[int]) -> dict[str, list[Parts]]:
    """The same, where every activity is known by so many windows."""
    words = text_head(left.checkpoint, left.texts).logits(left.vectors).astype(np.float64)
    found: dict[str, list[Parts]] = {name: [] for name in ALL}
    for draw in range(DRAWS):
        rng = np.random.default_rng(seed_of(0, draw, f"remember {left.name} {shots}"))
        people = rng.permutation(len(left.names))
        shown = np.isin(left.subjects, people[: len(people) // 2])
        test = np.flatnonzero(~shown)
        pools = [np.flatnonzero(shown & (left.truth == one)) for one in range(len(left.texts))]
        own = np.concatenate([rng.permutation(pool)[:shots] for pool in pools])
        index = ExactIndex(left.vectors.shape[1])
        index.add(own, left.vectors[own])
        nearest = index.search(left.vectors[test], NEIGHBORS)
        classes = np.where(nearest.present, left.truth[np.maximum(nearest.ids, 0)], -1)
        sizes = np.bincount(left.truth[own], minlength=len(left.texts))
        remembered = recollection.remembered_logits(nearest, classes, sizes)
        faded = recollection.faded_words(words[test], sizes)
        answers = {
            "linear probe": head_probabilities(left.vectors, left.truth, own, test, len(left.texts)),
            "examples of all": remembered,
            "examples and names of all": recollection.with_remembered(faded, remembered),
        }
        for activity in activities:
            if len(pools[activity]) and (left.truth[test] == activity).any():
                for name, scores in answers.items():
                    parts = counts(left.truth[test], scores.argmax(axis=1), activity)
                    found[name].append(per_person(left, test, parts))
    return found


def f1(parts: NDArray[Any]) -> NDArray[np.float64]:
    """``(..., case, part)`` to the mean F1 over the cases in which the activity occurs."""
    occurs = parts[..., 1] > 0
    values = np.where(occurs, metrics.f1_of_counts(parts), 0.0)
    return np.asarray(values.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1))


def estimate(seeds: Sequence[Sequence[Parts]]) -> Estimate:
    """Of the tables of each seed's cases."""
    return bootstrap_over_subjects(np.stack([np.stack(tables, axis=1) for tables in seeds]), f1)


def percent(found: Estimate) -> dict[str, Any]:
    return {
        "mean": round(100 * found.mean, 1),
        "seeds": [round(100 * value, 1) for value in found.seeds],
        "interval": [round(100 * (value or 0.0), 1) for value in (found.low, found.high)],
    }


def measured(runs: Sequence[Path], root: Path, encoder: TextEncoder) -> Iterator[tuple[str, dict[str, Any]]]:
    """Set by set: which activities are new, and how well they are found."""
    for target in TARGETS:
        source = EvaluationSet.stored(StoredDataset.open(root, target))
        tables: dict[int, dict[str, list[list[Parts]]]] = {shots: {} for shots in SHOTS}
        new: list[int] = []
        for run in runs:
            recipe = json.loads((run / "result.json").read_text())["recipe"]
            left = seen_by(load_checkpoint(run / "checkpoint"), source, Vocabulary.standard(), encoder)
            new = new_activities(left, recipe, source, root)
            for shots in SHOTS:
                for found in (known_by_one(left, shots, new), known_by_all(left, shots, new)):
                    for name, own in found.items():
                        tables[shots].setdefault(name, []).append(own)
        figures = {str(shots): {name: percent(estimate(s)) for name, s in by.items()} for shots, by in tables.items()}
        yield target, {"new": [source.declared[number] for number in new], "f1": figures}


def draw(result: Mapping[str, Any], path: Path) -> None:
    """F1 of new activities against how many windows of them are remembered."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    styles = {
        "examples": ("#0072B2", "o", "-"),
        "examples and its name": ("#009E73", "s", "-"),
        "its name": ("#6B7480", "", "--"),
        "linear probe": ("#D55E00", "^", ":"),
    }
    figure = Figure(figsize=(10.0, 3.4), dpi=130)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(TARGETS), sharey=True)
    for panel, (name, found) in zip(panels, result["sets"].items(), strict=True):
        for way, (color, marker, line) in styles.items():
            rows = [found["f1"][str(shots)][way] for shots in SHOTS]
            ends = np.array([row["interval"] for row in rows]).T
            panel.plot(SHOTS, [row["mean"] for row in rows], color=color, marker=marker, ls=line, lw=1.6, label=way)
            panel.fill_between(SHOTS, *ends, color=color, alpha=0.12, lw=0)
        panel.set_xscale("log")
        panel.set_xticks(SHOTS, [str(shots) for shots in SHOTS])
        panel.minorticks_off()
        panel.set_title(f"{name}: {len(found['new'])} new", fontsize=10, loc="left")
        panel.set_xlabel("windows of other people")
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#D5D9DE", lw=0.5)
    panels[0].set_ylabel("F1 of the new activity, %")
    panels[0].set_ylim(0, 100)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncols=len(styles), frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="the runs of remember_one.yaml, one folder per seed")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    call = parser.parse_args()

    torch.set_num_threads(1)
    runs = [path.parent for path in sorted(call.runs.glob("*/result.json"))]
    result: dict[str, Any] = {
        "command": command_of(__file__, parser, call),
        "models": [load_checkpoint(run / "checkpoint").fingerprint for run in runs],
        "draws": DRAWS,
        "versions": versions(),
        "sets": {},
    }
    for name, found in measured(runs, call.root or data_root(), resolve_text_encoder()):
        result["sets"][name] = found
        print(name, found["new"], json.dumps({n: {w: r["mean"] for w, r in f.items()} for n, f in found["f1"].items()}))
    write_json(call.out, result)
    draw(result, call.picture)


if __name__ == "__main__":
    main()
