"""``kinelex gate``: when to trust the examples of a memory rather than words, learned from people who were recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from kinelex.errors import UsageError

if TYPE_CHECKING:
    from kinelex.recognition.gate_learning import LearnedGate
    from kinelex.recognition.gate_windows import GateWindows

app = App(name="gate", help="Learn when a memory is to be trusted more than words; look at that, or drop it.")

Folder = Annotated[Path, Parameter(name="MEMORY")]


@app.command
def train(
    memory: Folder,
    *,
    data: Annotated[list[str], Parameter(negative=())],
    model: str = "small",
    subjects: Annotated[list[str] | None, Parameter(negative=())] = None,
    per_label: int | None = None,
    epochs: int = 20,
    seed: int = 0,
    window_s: float = 6.0,
    anyway: Annotated[bool, Parameter(negative="")] = False,
    root: Path | None = None,
) -> None:
    """Learn, from people whose activities are known, when to trust the examples of a memory rather than words.

    No window is compared with examples of its own person. A fifth of the people are set apart and say what the gate is
    worth; where it is no better than the best fixed weight, or than what predict does without a gate, it is not kept.

    kinelex gate train memories/ku --data ku_har

    Args:
        memory: A memory of several labels, with examples of other people.
        data: Name of an imported data set, best one that the model was not trained on; several times for more.
        model: The model that filled the memory.
        subjects: Only what these people did, as the data set names them.
        per_label: At most so many windows of each label of each set, drawn at random.
        epochs: Times that every window is seen, at most.
        seed: Of all drawing.
        window_s: Seconds in a window.
        anyway: Keep the gate even if it is no better.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from kinelex.datasets import StoredDataset, data_root
    from kinelex.recognition import load
    from kinelex.recognition.gate_learning import learn_gate
    from kinelex.recognition.gate_windows import gate_windows
    from kinelex.recognition.gating import GATE, keep_gate
    from kinelex.recognition.remembering import labeled_requests
    from kinelex.retrieval.gate_training import GateRecipe

    if epochs < 1:
        raise UsageError("--epochs takes at least 1")
    recognizer = load(model).with_memory(memory, create=False, gate=False)
    stored = [StoredDataset.open(data_root() if root is None else root, name) for name in data]
    requests = [
        request
        for dataset in stored
        for request in labeled_requests(dataset, window_s, subjects=subjects, per_label=per_label, seed=seed)
    ]
    total = sum(len(request.starts_s) for request in requests)
    columns = (TextColumn("looking at"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        windows = gate_windows(recognizer, requests, window_s, progress=lambda done: bar.update(task, completed=done))
    learned = learn_gate(recognizer, windows, GateRecipe(epochs=epochs, seed=seed), sets=data)
    _show(learned, windows)
    if familiar := sorted(set(data) & set(recognizer.checkpoint.trained_on)):
        _say(
            f"note: '{recognizer.checkpoint.name}' was trained on {', '.join(familiar)}: there its words are surer than"
            " with strangers, and the gate trusts them too much"
        )
    if learned.beaten_by:
        _say(f"the gate is no better than {' and '.join(learned.beaten_by)}, on people whom it did not learn from")
    if learned.beaten_by and not anyway:
        before = ", and the one of before stays" if (memory / GATE).exists() else ""
        _say(f"it is not kept{before}; --anyway keeps it")
        return
    _say(f"kept in {keep_gate(learned.gate, memory)}: predict --memory uses it, --no-gate does not")


@app.command
def info(memory: Folder, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say what the gate of a memory was trained for.

    Args:
        memory: The folder of the memory.
        as_json: Print JSON in place of text.
    """
    from kinelex.recognition.gating import own_gate
    from kinelex.retrieval.gate import load_gate
    from kinelex.retrieval.store import ExampleStore

    encoder = ExampleStore.open(memory).encoder
    folder = own_gate(memory)
    known = load_gate(folder).trained_for
    if as_json:
        print(json.dumps({"folder": str(folder), **known.model_dump(mode="json")}, ensure_ascii=False, indent=1))
        return
    fits = "" if known.fingerprint in ("", encoder.fingerprint) else ", which is not the model of this memory"
    _say(f"gate beside '{known.backbone}' ({known.fingerprint[:12]}){fits}")
    _say(f"of windows of {known.window_s:g} s" if known.window_s else "of windows of any length")
    _say(f"learned from {', '.join(known.sets) or 'data sets that are not known'}")
    _say(f"to decide between {', '.join(known.labels) or 'labels that are not known'}")


@app.command
def forget(memory: Folder) -> None:
    """Remove the gate of a memory; its examples stay.

    Args:
        memory: The folder of the memory.
    """
    from kinelex.recognition.gating import forget_gate

    forget_gate(memory)
    _say(f"the memory in {memory} has no gate any more")


def _show(learned: LearnedGate, windows: GateWindows) -> None:
    """Figures of the people who were set apart."""
    _say(f"learned from {learned.learned[0]} windows of {learned.learned[1]} people")
    if windows.unknown or windows.alone:
        _say(
            f"left out: {windows.unknown} windows of labels that the memory does not have, {windows.alone} without"
            " signal or without an example of anybody else"
        )
    table = Table(
        title=f"on {learned.judged[0]} windows of {learned.judged[1]} other people",
        box=None, pad_edge=False, header_style="dim", title_justify="left", title_style="",
    )  # fmt: skip
    table.add_column("answer")
    for title in ("loss", "accuracy"):
        table.add_column(title, justify="right")
    names = {0.0: "words alone", 1.0: "examples alone"}
    rows = {names.get(weight, f"fixed weight {weight:g}"): score for weight, score in learned.fixed.items()}
    for name, score in {**rows, "closed form": learned.closed_form, "gate": learned.score}.items():
        table.add_row(name, f"{score.loss:.3f}", f"{score.accuracy:.1%}")
    Console(highlight=False).print(table)
    _say(f"mean weight of examples: {learned.weight:.2f}")


def _say(what: str) -> None:
    Console(highlight=False).print(what, markup=False, soft_wrap=True)
