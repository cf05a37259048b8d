"""What a model learns from a few labels, on training sets that it did not see: what the defaults were chosen by.

    python benchmarks/few_shot.py --runs runs/leave_out --root FOLDER-OF-IMPORTED-SETS

Every run that left sets out (`left_out_runs.py` says how they are made) learns from a few windows of each, of some
people, and is scored on the other people. Heads are fitted with each pull and with the one that
cross-validation chooses; the network is fine-tuned as the settings say and in variants of them, on the first fold.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from left_out_runs import command_of, left_out_by
from numpy.typing import NDArray

from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset, data_root
from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import closed_set
from kinelex.evaluation.label_budget import Budget, LabelSplit, by_subject
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import lay_out
from kinelex.evaluation.zero_shot import versions
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder
from kinelex.model import Checkpoint
from kinelex.model.embedding import WindowInputs, embed_inputs, window_inputs
from kinelex.training.few_shot.fine_tuning import FineTuning, LabeledWindows, between, fine_tune
from kinelex.training.few_shot.heads import DEFAULT_PULL, PULLS, fit_head, text_head

RESULT = Path(__file__).parent / "results" / "few-shot.json"
BUDGETS = ("1", "5", "1%", "10%")
TUNED = ("1%", "10%")
VARIANTS: dict[str, dict[str, Any]] = {"default": {}, "learning rate 1e-4": {"learning_rate": 1e-4}}
KEPT = (0.0, 0.25, 0.5)
"""Shares of the weights from before that the result of each variant is mixed with."""
MOST_UNITS = 2500
"""Windows per set; of larger ones every second, third ... is taken."""


@dataclass(frozen=True, eq=False)
class Left:
    """A left-out set as the run that left it out sees it."""

    name: str
    checkpoint: Checkpoint
    texts: NDArray[np.float32]
    truth: NDArray[np.int64]
    subjects: NDArray[np.int64]
    sessions: NDArray[np.int64]
    names: tuple[str, ...]
    inputs: WindowInputs
    vectors: NDArray[np.float32]

    def splits(self, budget: str, draw: int = 0) -> list[LabelSplit]:
        return by_subject(self.truth, self.subjects, self.names, Budget.parse(budget), folds=5, seed=0, draw=draw)


def left_out_sets(runs: Path, root: Path) -> Iterator[Left]:
    encoder, vocabulary = resolve_text_encoder(), Vocabulary.standard()
    for _, checkpoint, name in left_out_by(runs):
        yield seen_by(checkpoint, EvaluationSet.stored(StoredDataset.open(root, name)), vocabulary, encoder)


def seen_by(checkpoint: Checkpoint, source: EvaluationSet, vocabulary: Vocabulary, encoder: TextEncoder) -> Left:
    """A set as a model sees it."""
    units = lay_out(source.sessions(), ZeroShotProtocol())
    candidates = closed_set(source.name, source.declared, "words", vocabulary, checkpoint.label_encoder(encoder))
    kept = np.arange(0, len(units), -(-len(units) // MOST_UNITS))
    inputs = window_inputs(units.requests, units.window_s, checkpoint.model.config).of(kept)
    vectors = embed_inputs(checkpoint.model, inputs)
    usable = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    kept = kept[usable]
    present, subjects = np.unique(units.subjects[kept], return_inverse=True)
    return Left(
        name=source.name,
        checkpoint=checkpoint,
        texts=candidates.vectors,
        truth=np.array([candidates.class_of_label[units.labels[i]] for i in kept]),
        subjects=subjects,
        sessions=units.sessions[kept],
        names=tuple(units.subject_names[i] for i in present),
        inputs=inputs.of(usable),
        vectors=vectors[usable],
    )


def head_rows(left: Left) -> Iterator[dict[str, Any]]:
    """Every head with every pull (none: cross-validated), all folds of one drawing; zero-shot with an endless pull."""
    text = text_head(left.checkpoint, left.texts)
    yield {"set": left.name, "method": "zero-shot", **scores(left, text.logits(left.vectors).argmax(axis=1))}
    for budget in BUDGETS:
        for kind, pulls in PULLS.items():
            for pull in (None, *pulls):
                predicted = np.empty(len(left.truth), dtype=np.int64)
                chosen = []
                for split in left.splits(budget):
                    own = split.labeled
                    groups = (left.subjects[own], left.sessions[own])
                    head = fit_head(kind, text, left.vectors[own], left.truth[own], groups, pull=pull)
                    chosen.append(head.pull)
                    predicted[split.test] = head.logits(left.vectors[split.test]).argmax(axis=1)
                yield {
                    "set": left.name, "method": kind, "budget": budget, "pull": pull, "chosen": chosen,
                    **scores(left, predicted),
                }  # fmt: skip


def tuned_rows(left: Left, variants: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The network fine-tuned in each variant, and heads and words beside it, on the people of the first fold."""
    text = text_head(left.checkpoint, left.texts)
    for budget in TUNED:
        split = left.splits(budget)[0]
        own, test = split.labeled, split.test
        about = {"set": left.name, "budget": budget, "labeled": len(own)}
        groups = (left.subjects[own], left.sessions[own])
        yield {**about, "method": "zero-shot", **scores(left, text.logits(left.vectors[test]).argmax(axis=1), test)}
        for kind in PULLS:
            head = fit_head(kind, text, left.vectors[own], left.truth[own], groups)
            yield {**about, "method": kind, **scores(left, head.logits(left.vectors[test]).argmax(axis=1), test)}
        windows = LabeledWindows(left.inputs.of(own), torch.from_numpy(left.truth[own]))
        for name, changes in variants.items():
            began = time.process_time()
            tuned = fine_tune(left.checkpoint, windows, left.texts, FineTuning(threads=1, keep=0, **changes))
            about["cpu_s"] = round(time.process_time() - began, 1)
            for keep in KEPT:
                mixed = between(left.checkpoint, tuned, keep)
                found, known = (embed_inputs(mixed.model, left.inputs.of(part)) for part in (test, own))
                head = text_head(mixed, left.texts)
                after = fit_head("logistic", head, known, left.truth[own], pull=DEFAULT_PULL["logistic"])
                for method, chosen in (("finetune", head), ("finetune+logistic", after)):
                    yield {
                        **about, "method": method, "variant": name, "keep": keep,
                        **scores(left, chosen.logits(found).argmax(axis=1), test),
                    }  # fmt: skip


def scores(left: Left, predicted: NDArray[np.int64], units: NDArray[np.int64] | None = None) -> dict[str, float]:
    truth = left.truth if units is None else left.truth[units]
    table = metrics.confusion(truth, predicted, len(left.texts))
    return {
        "accuracy": round(float(metrics.accuracy(table)), 4),
        "macro_f1": round(float(metrics.macro_f1(table, "truth")), 4),
        "windows": len(truth),
    }


def means(rows: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Mean accuracy and macro-F1 over the sets, in percent, of rows that agree in these keys."""
    together: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        together.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return [
        {
            **{key: value for key, value in zip(keys, values, strict=True) if value is not None},
            "accuracy": round(100 * float(np.mean([row["accuracy"] for row in found])), 1),
            "macro_f1": round(100 * float(np.mean([row["macro_f1"] for row in found])), 1),
            "sets": len(found),
        }
        for values, found in together.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="runs that left sets out, one folder each")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--variant", action="append", choices=[*VARIANTS, "none"], help="fine-tune in these only")
    parser.add_argument("--out", type=Path, default=RESULT)
    call = parser.parse_args()

    torch.set_num_threads(1)
    variants = {name: VARIANTS[name] for name in (call.variant or VARIANTS) if name != "none"}
    heads: list[dict[str, Any]] = []
    tuned: list[dict[str, Any]] = []
    sets: dict[str, str] = {}
    for left in left_out_sets(call.runs, call.root or data_root()):
        sets[left.name] = left.checkpoint.fingerprint
        for row in head_rows(left):
            heads.append(row)
        for row in tuned_rows(left, variants):
            tuned.append(row)
            print(json.dumps(row), flush=True)
    summary = {
        "heads": means(heads, "method", "budget", "pull"),
        "one_fold": means(tuned, "method", "variant", "keep", "budget"),
    }
    for name, lines in summary.items():
        for line in lines:
            print(name, json.dumps(line))
    write_json(
        call.out,
        {
            "command": command_of(__file__, parser, call),
            "settings": FineTuning().model_dump(mode="json"),
            "variants": variants,
            "left_out_by": sets,
            "versions": versions(),
            "means": summary,
            "heads": heads,
            "one_fold": tuned,
        },
    )


if __name__ == "__main__":
    main()
