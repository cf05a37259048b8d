"""``kinelex evaluate retrieval``: what a memory of labeled windows adds to encoders."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_BUDGETS = ["none", "1", "2", "3", "5", "10", "all"]
_DEFAULTS = {"budget": _BUDGETS, "draws": 5, "k": 5, "strategy": "independent", "temperature": 20.0, "weight": 0.5,
             "head": "logistic", "windows": "ours", "folds": 5, "bootstrap": 2000}  # fmt: skip

_NARROW = 8
"""Columns up to which cells are kept on one line."""


def retrieval(
    *,
    backbone: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    budget: Annotated[list[str] | None, Parameter(negative=())] = None,
    study: Annotated[list[str] | None, Parameter(negative=())] = None,
    draws: int = 5,
    k: int = 5,
    strategy: str = "independent",
    temperature: float = 20.0,
    weight: float = 0.5,
    head: str = "logistic",
    windows: str = "ours",
    window_s: float | None = None,
    folds: int = 5,
    most_windows: int | None = None,
    bootstrap: int = 2000,
    map_: Annotated[bool, Parameter(name="--map")] = False,
    root: Path | None = None,
    out: Path | None = None,
) -> None:
    """Measure what a memory of labeled windows adds to encoders, on people whom nothing was learned from.

    Always four systems: the encoder alone (base), the share of its neighbors (vote), both with one weight (MoRA[B]),
    and with a gate (MoRA[F]).

    With --study, what a part of it is worth instead, with all labels of the other people: how neighbors are found
    (strategies), what is made of their labels (labels), how much weight, number and temperature matter (grid), what it
    costs (cost), and what happens where placements or activities are new (unseen).

    kinelex evaluate retrieval --backbone small --backbone limu-bert-x=limu_bert_x.pt --data hapt --data motionsense

    Args:
        backbone: Name of an encoder, or NAME=PATH with where its weights are, or the folder of one; several times for
            more.
        data: Name of an imported data set; several times for more.
        budget: Labeled windows: 5 for so many per class, all of the training side, or none: all are remembered and
            nothing is trained; several times for more. All of none, 1, 2, 3, 5, 10 and all when left out. Studies do
            not look at it.
        study: Name of a study to run in place of the budgets: strategies, labels, grid, cost or unseen; several times
            for more.
        draws: How many drawings of labeled windows; of the studies, only unseen draws any.
        k: Neighbors of a window.
        strategy: How their labels become an answer: independent, weighted, or vote.
        temperature: Multiplies the likeness of labels in that.
        weight: Of retrieval, where one is the same for all windows.
        head: What is trained on the frozen vectors: logistic regression, or the published one, which stops after 50
            epochs of small steps.
        windows: ours, or published: 20 Hz, 10 s, the acceleration alone, a shorter recording wrapped round.
        window_s: Seconds of signal in a window; 6 when left out, 10 where they are as published.
        folds: Of people.
        most_windows: Of a larger data set, take every second, third ... window.
        bootstrap: Draws of subjects.
        map_: Also draw each data set as each encoder sees it (t-SNE), into --out.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        out: Folder for the report: results.json, report.md; of studies, studies.json and studies.md.
    """
    from pydantic import ValidationError
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from kinelex.backbones import load_backbone
    from kinelex.cli.evaluate import evaluation_set
    from kinelex.errors import UsageError
    from kinelex.evaluation.retrieval import RetrievalProtocol, evaluate_retrieval, write_retrieval
    from kinelex.evaluation.retrieval.maps import embedding_maps
    from kinelex.evaluation.retrieval.studies import STUDIES
    from kinelex.evaluation.retrieval.studies.record import write_studies
    from kinelex.evaluation.retrieval.studies.running import run_studies

    if unknown := [name for name in study or () if name not in STUDIES]:
        raise UsageError(f"--study: there is no '{unknown[0]}', but {', '.join(STUDIES)}")
    budgets = budget or _BUDGETS
    chosen: dict[str, Any] = {
        "k": k, "weight": weight, "head": head, "windows": windows, "folds": folds, "bootstrap": bootstrap
    }  # fmt: skip
    if window_s is not None:
        chosen["window_s"] = window_s
    if map_ and out is None:
        raise UsageError("--map draws pictures: say where to with --out FOLDER")
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
        {"backbone": backbone, "data": data, "study": study, "budget": budgets, "draws": draws, "strategy": strategy,
         "temperature": temperature, **chosen, "most_windows": most_windows, "map": map_ or None, "root": root,
         "out": out}
    )  # fmt: skip
    run: Callable[..., Any] = partial(run_studies, study) if study else evaluate_retrieval
    write: Callable[..., list[Path]] = write_studies if study else write_retrieval
    show, steps = (_show_studies, "steps") if study else (_show, "drawings")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(steps))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("embedding")

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        report = run(encoders, sources, rules, command=command, progress=tell)
        written = write(report, out) if out else []
        if map_ and out is not None:
            bar.update(task, description="drawing maps", total=None)
            embedding_maps(encoders, sources, out, rules)
    show(report)
    if written:
        Console().print(f"report: {written[1]}", highlight=False, markup=False, soft_wrap=True)


def _show(report: Any) -> None:
    from kinelex.evaluation.retrieval.report import mean_table

    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in mean_table(report)]
    _print(f"accuracy / macro-F1, mean over {len(report.data)} data sets", heads, rows, report.remarks())


def _show_studies(report: Any) -> None:
    from kinelex.evaluation.retrieval.studies.record import cell_text, table_lines

    for table in report.tables:
        if not Console().is_terminal:  # into a file or another program: whole lines, which nothing folds
            print("\n".join([f"## {table.title}", "", *table_lines(table), "", *table.about, ""]))
            continue
        rows = [[cell_text(row.get(column)) for column in table.columns] for row in table.rows]
        _print(table.title, table.columns, rows, table.about)


def _print(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], remarks: Sequence[str]) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=len(heads) <= _NARROW, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    for remark in remarks:
        console.print(remark, highlight=False, markup=False)


def _command(options: dict[str, Any]) -> str:
    """The call that gives the same report, without what is the default anyway."""
    words = ["kinelex", "evaluate", "retrieval"]
    for name, value in options.items():
        if value is None or value == _DEFAULTS.get(name):
            continue
        for one in value if isinstance(value, list) else [value]:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if one is True else [f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)
