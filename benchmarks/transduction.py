"""What knowledge beyond the single window is worth, on training sets that runs left out.

    python benchmarks/transduction.py --runs runs/leave_out --root FOLDER-OF-IMPORTED-SETS

scores the checkpoint of every run (`left_out_runs.py` says how they are made) on the sets that it left out, closed
(official names as words) and open (the whole vocabulary by groups): with and without what crowded texts lose; with a
prior from how many training sets have a label; with the model's own answers to its training prototypes divided out,
which needs no data (`label prior`); and with the unlabeled windows of a recording, of a person or of a set looked at
together. What `kinelex evaluate zero-shot` does was chosen by it, and the rest was dropped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from left_out_runs import command_of, left_out_by
from numpy.typing import NDArray

from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset, data_root
from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import Candidates, closed_set, open_set
from kinelex.evaluation.familiarity import training_sets_with
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import Units, embed, lay_out
from kinelex.evaluation.zero_shot import versions
from kinelex.language import Vocabulary
from kinelex.model import Checkpoint
from kinelex.model.scoring import label_logits, softmax
from kinelex.recognition.prior import RARE, Scope, balance, class_frequencies

RESULT = Path(__file__).parent / "results" / "transduction.json"
SCOPES: tuple[Scope, ...] = ("recording", "subject", "set")
Logits = NDArray[np.float64]


def pulled_means(embeddings: Logits, vectors: Logits, scale: float, bias: Logits, weight: float = 100.0) -> Logits:
    """Logits after texts were pulled towards the windows that are softly assigned to them, ten times.

    A mixture of von Mises-Fisher distributions with the texts as prior means, worth `weight` windows each.
    """
    means = vectors
    for _ in range(10):
        shares = softmax(scale * embeddings @ means.T + bias)
        sums = shares.T @ embeddings
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        count = shares.sum(axis=0)[:, None]
        means = (weight * vectors + count * sums / lengths) / (weight + count)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    return scale * embeddings @ means.T + bias


def log_frequencies(logits: Logits, pseudo_windows: float) -> Logits:
    """How often each label occurs among windows that are looked at together, as what it adds to their logits."""
    return np.asarray(np.log(class_frequencies(softmax(logits), pseudo_windows=pseudo_windows)))


def minus_half_the_mean(logits: Logits) -> Logits:
    return np.asarray(-0.5 * logits.mean(axis=0))


OFFSETS: dict[str, Callable[[Logits], Logits]] = {
    **{
        f"frequencies, {count:g} pseudo-windows": partial(log_frequencies, pseudo_windows=count)
        for count in (1.0, 10.0, 100.0)
    },
    **{f"balance {share:g}": partial(balance, share=share, steps=20) for share in (0.5, 1.0)},
    "half the mean": minus_half_the_mean,
}
"""What windows that are looked at together add to the logits of each."""


def variants(
    checkpoint: Checkpoint, embeddings: Logits, heaps: dict[Scope, NDArray[np.int64]], task: Candidates
) -> Iterator[tuple[str, Logits]]:
    """Every way to score a task, as logits."""
    space, scale = checkpoint.text_space, checkpoint.scale / checkpoint.temperature
    vectors = space.project(task.vectors)
    crowding = space.crowding(vectors)
    plain = label_logits(embeddings, vectors, scale=scale)
    crowded = label_logits(embeddings, vectors, scale=scale, crowding=crowding)
    yield "without crowding", plain
    yield "with crowding", crowded
    chosen, loss = (plain, None) if task.open_set else (crowded, crowding)
    prior = softmax(label_logits(space.prototypes, vectors, scale=scale, crowding=loss)).mean(axis=0)
    for share in (0.5, 1.0):
        yield f"label prior {share:g}", chosen - share * np.log(prior)
    if task.open_set:
        sets = training_sets_with(task, checkpoint.trained_on, Vocabulary.standard())
        for power in (1.0, 2.0, 3.0, 4.0):
            prior_of_sets = power * np.log(sets + RARE) / checkpoint.temperature
            yield f"training sets to the power {power:g}", chosen + prior_of_sets
    bias = np.zeros(len(vectors)) if loss is None else -scale * loss
    for scope, heap in heaps.items():
        members = [np.flatnonzero(heap == number) for number in np.unique(heap)]
        for name, offset in OFFSETS.items():
            found = chosen.copy()
            for here in members:
                found[here] += offset(chosen[here])
            yield f"{scope}: {name}", found
        if scope != "recording" and vectors.shape[1] == embeddings.shape[1]:
            found = chosen.copy()
            for here in members:
                found[here] = pulled_means(embeddings[here], vectors.astype(np.float64), scale, bias)
            yield f"{scope}: pulled means", found


def score(checkpoint: Checkpoint, source: EvaluationSet, units: Units) -> Iterator[dict[str, Any]]:
    """Figures of every variant on one set."""
    vocabulary, labels = Vocabulary.standard(), checkpoint.label_encoder()
    known = checkpoint.labels
    tasks = {
        "closed": closed_set(source.name, source.declared, "words", vocabulary, labels),
        "open": open_set(source.name, source.declared, vocabulary, known.texts, known.vectors),
    }
    embeddings = embed(checkpoint, units).astype(np.float64)
    usable = np.isfinite(embeddings).all(axis=1)
    heaps = {scope: units.together(scope)[usable] for scope in SCOPES}
    for kind, task in tasks.items():
        truth = np.array([task.class_of_label[label] for label in units.labels])[usable]
        for variant, logits in variants(checkpoint, embeddings[usable], heaps, task):
            table = metrics.confusion(truth, task.class_of_text[logits.argmax(axis=1)], len(task.classes))
            yield {
                "set": source.name,
                "task": kind,
                "variant": variant,
                "windows": len(truth),
                "accuracy": round(float(metrics.accuracy(table)), 4),
                "macro_f1": round(float(metrics.macro_f1(table, "union" if task.open_set else "declared")), 4),
            }


def summarize(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over sets, in percent."""
    summary = []
    for task, variant in dict.fromkeys((row["task"], row["variant"]) for row in rows):
        these = [row for row in rows if (row["task"], row["variant"]) == (task, variant)]
        accuracy, macro_f1 = (round(100 * float(np.mean([row[key] for row in these])), 1)
                              for key in ("accuracy", "macro_f1"))  # fmt: skip
        summary.append({"task": task, "variant": variant, "accuracy": accuracy, "macro_f1": macro_f1})
        print(f"{task:7} {variant:45} {accuracy:5.1f} {macro_f1:5.1f}")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="runs that left sets out, one folder each")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    call = parser.parse_args()
    rows, checkpoints = [], {}
    for run, checkpoint, name in left_out_by(call.runs):
        checkpoints[run] = checkpoint.fingerprint
        source = EvaluationSet.stored(StoredDataset.open(call.root or data_root(), name))
        units = lay_out(source.sessions(), ZeroShotProtocol())
        rows += [{"run": run, **row} for row in score(checkpoint, source, units)]
    write_json(
        RESULT,
        {
            "command": command_of(__file__, parser, call),
            "checkpoints": checkpoints,
            "versions": versions(),
            "means": summarize(rows),
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
