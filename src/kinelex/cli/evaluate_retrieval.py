"""``kinelex evaluate retrieval``: what a memory of labeled windows adds to encoders."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_BUDGETS = ["none", "1", "2", "3", "5", "10", "all"]
_DEFAULTS = {"budget": _BUDGETS, "draws": 5, "k": 5, "strategy": "independent", "temperature": 20.0, "weight": 0.5,
             "window_s": 6.0, "folds": 5, "bootstrap": 2000}  # fmt: skip


def retrieval(
    *,
    backbone: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    budget: Annotated[list[str] | None, Parameter(negative=())] = None,
    draws: int = 5,
    k: int = 5,
    strategy: str = "independent",
    temperature: float = 20.0,
    weight: float = 0.5,
    window_s: float = 6.0,
    folds: int = 5,
    most_windows: int | None = None,
    bootstrap: int = 2000,
    root: Path | None = None,
    out: Path | None = None,
) -> None:
    """Measure what a memory of labeled windows adds to encoders, on people whom nothing was learned from.

    Always four systems: the encoder alone (base), the share of its neighbors (vote), both with one weight (MoRA[B]),
    and with a gate (MoRA[F]).

    kinelex evaluate retrieval --backbone small --backbone limu-bert-x=limu_bert_x.pt --data hapt --data motionsense

    Args:
        backbone: Name of an encoder, or NAME=PATH with where its weights are, or the folder of one; several times for
            more.
        data: Name of an imported data set; several times for more.
        budget: Labeled windows: 5 for so many per class, all of the training side, or none: all are remembered and
            nothing is trained; several times for more. All of none, 1, 2, 3, 5, 10 and all when left out.
        draws: How many drawings of labeled windows.
        k: Neighbors of a window.
        strategy: How their labels become an answer: independent, weighted, or vote.
        temperature: Multiplies the likeness of labels in that.
        weight: Of retrieval, where one is the same for all windows.
        window_s: Seconds of signal in a window.
        folds: Of people.
        most_windows: Of a larger data set, take every second, third ... window.
        bootstrap: Draws of subjects.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        out: Folder for the report: results.json, report.md.
    """
    from pydantic import ValidationError
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from kinelex.backbones import load_backbone
    from kinelex.cli.evaluate import evaluation_set
    from kinelex.errors import UsageError
    from kinelex.evaluation.retrieval import RetrievalProtocol, evaluate_retrieval, write_retrieval

    budgets = budget or _BUDGETS
    chosen: dict[str, Any] = {"k": k, "weight": weight, "window_s": window_s, "folds": folds, "bootstrap": bootstrap}
    try:
        rules = RetrievalProtocol.model_validate({
            **chosen, "budgets": budgets, "draws": tuple(range(draws)), "most_windows": most_windows,
            "evidence": {"strategy": strategy, "temperature": temperature},
        })  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1 if first["loc"][0] == "evidence" else 0]).replace("_", "-")
        raise UsageError(f"--{'budget' if name == 'budgets' else name}: {first['msg']}") from None
    if strategy == "combine":
        raise UsageError("--strategy combine needs a text encoder for every query: independent answers without")
    sources = [evaluation_set(name, root) for name in data]
    encoders = [load_backbone(*one.split("=", 1)) for one in backbone]
    command = _command(
        {"backbone": backbone, "data": data, "budget": budgets, "draws": draws, "strategy": strategy,
         "temperature": temperature, **chosen, "most_windows": most_windows, "root": root, "out": out}
    )  # fmt: skip
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("drawings"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("embedding")

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        report = evaluate_retrieval(encoders, sources, rules, command=command, progress=tell)
        written = write_retrieval(report, out) if out else []
    _show(report)
    if written:
        Console().print(f"report: {written[1]}", highlight=False, markup=False, soft_wrap=True)


def _show(report: Any) -> None:
    from kinelex.evaluation.retrieval.report import mean_table

    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in mean_table(report)]
    table = Table(title=f"accuracy / macro-F1, mean over {len(report.data)} data sets", title_justify="left",
                  box=SIMPLE_HEAD, show_edge=False)  # fmt: skip
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for remark in report.remarks():
        console.print(remark, highlight=False, markup=False)


def _command(options: dict[str, Any]) -> str:
    """The call that gives the same report, without what is the default anyway."""
    words = ["kinelex", "evaluate", "retrieval"]
    for name, value in options.items():
        if value is None or value == _DEFAULTS.get(name):
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)
