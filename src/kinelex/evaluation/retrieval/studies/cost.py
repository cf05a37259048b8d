"""What retrieval costs (RQ6): numbers to keep, epochs to wait for, and time per window."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from torch import nn

from kinelex.backbones import Backbone
from kinelex.backbones.physical import window_features
from kinelex.errors import BadSamples
from kinelex.evaluation.retrieval.fold import Fold
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress
from kinelex.evaluation.retrieval.studies.record import Cell, StudyTable
from kinelex.evaluation.units import Request
from kinelex.retrieval.gate import Gate
from kinelex.retrieval.gate_training import GateTraining, train_gate
from kinelex.retrieval.store import ExampleStore
from kinelex.retrieval.store_manifest import Encoder

EPOCHS = (1, 5, 10, 20)
ROUNDS = 3
"""Times that each step is timed, in turns; the least counts."""
WINDOWS = 256
"""Windows that are timed, at most: whole sessions from the first on."""

ABOUT = (
    "parameters: of the encoder, where it has any that were learned by gradients; bytes per example: of a store on"
    " disk, with label, person, recording and times.",
    "epochs: until the gate stopped, mean over the splits; loss: classification loss on what was held out from it after"
    " so many epochs, had it gone on; fixed: the least of that loss with the same weight for all windows.",
    "Shares are of the time that a window takes from its recording to its answer: adapting and embedding, the search by"
    " cosine, evidence from labels, physical features and gate.",
    f"Processor time, measured in turns in one run on one machine: the least of {ROUNDS}, windows of whole"
    " sessions at once.",
)
_SHARES = ("embedding", "search", "evidence", "gate")
COLUMNS = ("data", "backbone", "parameters", "numbers per vector", "parameters of the gate", "bytes per example",
           "epochs", *(f"loss at {epoch}" for epoch in EPOCHS), "loss, fixed", *(f"share: {step}" for step in _SHARES),
           "time over embedding alone")  # fmt: skip


def cost(prepared: Prepared, progress: Progress | None = None) -> StudyTable:
    """What memory and gate need beside an encoder, in room and time; arguments as in `strategies`."""
    rows: list[dict[str, Cell]] = []
    for number, (source, backbone) in enumerate(prepared.pairs(), 1):
        folds = prepared.folds(source, backbone)
        gates = _gates(folds)
        rows.append({
            "data": source.name, "backbone": folds[0].seen.backbone, "parameters": parameters_of(backbone) or None,
            "numbers per vector": folds[0].seen.vectors.shape[1], "bytes per example": bytes_per_example(folds[0]),
            **_learning(gates), **_time(backbone, folds[0], gates[0].stopped.gate if gates else None),
        })  # fmt: skip
        if progress is not None:
            progress(f"cost on {source.name}", number, len(prepared.pairs()))
    return StudyTable(name="cost", title="What it costs (RQ6)", about=ABOUT, columns=COLUMNS, rows=tuple(rows))


def parameters_of(thing: object) -> int:
    """The parameters of all networks that an encoder holds, however deep; each network counts once."""
    networks: dict[int, nn.Module] = {}
    _collect(thing, networks, set())
    return sum(parameter.numel() for network in networks.values() for parameter in network.parameters())


def _collect(thing: object, networks: dict[int, nn.Module], known: set[int]) -> None:
    if id(thing) in known:
        return
    known.add(id(thing))
    if isinstance(thing, nn.Module):
        networks[id(thing)] = thing
    elif type(thing).__module__.startswith("kinelex."):
        for part in getattr(thing, "__dict__", {}).values():
            _collect(part, networks, known)


def bytes_per_example(fold: Fold) -> float:
    """What a labeled window takes in a store on disk."""
    target, labeled = fold.target, fold.labeled
    vectors = fold.seen.vectors[labeled]
    kept = vectors.any(axis=1)
    with tempfile.TemporaryDirectory() as folder:
        made_by = Encoder(fold.seen.backbone, "measured", vectors.shape[1])
        ExampleStore.create(folder, made_by)
        empty = _size(folder)
        names = [target.names[person] for person in fold.groups[kept]]
        starts = np.arange(kept.sum()) * target.window_s
        with ExampleStore.write(folder, encoder=made_by) as store:
            store.add(
                vectors[kept], [target.texts[number] for number in target.truth[labeled[kept]]], subjects=names,
                recordings=names, start_s=starts, end_s=starts + target.window_s,
            )  # fmt: skip
        return (_size(folder) - empty) / int(kept.sum())


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


@dataclass(frozen=True, eq=False)
class _Learned:
    """A gate that stopped by itself, and the same had it gone on to the last epoch."""

    stopped: GateTraining
    whole: GateTraining


def _gates(folds: Sequence[Fold]) -> list[_Learned]:
    """One for each split that has something to learn from."""
    gates = []
    for fold in folds:
        recipe = fold.protocol.gate.model_copy(update={"seed": fold.protocol.draws[0]})
        patient = recipe.model_copy(update={"patience": recipe.epochs})
        examples = fold.gate_examples(fold.evidence(fold.outside(fold.by_vectors)))
        try:
            gates.append(_Learned(train_gate(examples, recipe), train_gate(examples, patient)))
        except BadSamples:
            continue
    return gates


def _learning(gates: Sequence[_Learned]) -> dict[str, Cell]:
    """How long gates learn, and how well; empty where there is none."""
    if not gates:
        return {}
    stopped, whole = [one.stopped for one in gates], [one.whole for one in gates]
    return {
        "parameters of the gate": sum(parameter.numel() for parameter in stopped[0].gate.network.parameters()),
        "epochs": float(np.mean([len(one.curve) for one in stopped])),
        **{f"loss at {epoch}": _loss(whole, epoch) for epoch in EPOCHS},
        "loss, fixed": float(np.mean([min(one.fixed.values()) for one in stopped])),
    }


def _loss(runs: Sequence[GateTraining], epoch: int) -> float | None:
    found = [run.curve[epoch - 1].held_out for run in runs if len(run.curve) >= epoch]
    return float(np.mean(found)) if found and np.isfinite(found).all() else None


def _time(backbone: Backbone, fold: Fold, gate: Gate | None) -> dict[str, Cell]:
    """Where the time of a window goes, and how much of it there is beside embedding."""
    target, finder = fold.target, fold.by_vectors
    requests, windows = _some(target.requests)
    rows = fold.test[np.arange(windows) % len(fold.test)]
    k = min(fold.protocol.k, fold.most)
    found = finder.search(rows, k)
    steps: dict[str, Callable[[], Any]] = {
        "embedding": lambda: [backbone.embed(r, starts, target.window_s) for r, starts in requests],
        "search": partial(finder.search, rows, k),
        "evidence": lambda: fold.evidence(found),
        "gate": lambda: _weigh(requests, target.window_s, gate),
    }
    seconds = dict.fromkeys(steps, np.inf)
    for _ in range(ROUNDS):
        for name, step in steps.items():
            begun = process_time()
            step()
            seconds[name] = min(seconds[name], process_time() - begun)
    total = sum(seconds.values())
    return {
        **{f"share: {name}": float(took / total) for name, took in seconds.items()},
        "time over embedding alone": float(total / seconds["embedding"]),
    }


def _weigh(requests: Sequence[Request], window_s: float, gate: Gate | None) -> None:
    """Take the features of windows, and the weights of retrieval by them."""
    features = window_features(requests, window_s)
    if gate is not None:
        gate.weights(features)


def _some(requests: Sequence[Request]) -> tuple[list[Request], int]:
    """The first sessions, and how many windows they have."""
    chosen: list[Request] = []
    windows = 0
    for recording, starts in requests:
        if windows and windows + len(starts) > WINDOWS:
            break
        chosen.append((recording, starts))
        windows += len(starts)
    return chosen, windows
