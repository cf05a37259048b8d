"""``kinelex evaluate few-shot``: what a model learns from a few labeled windows of a data set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from kinelex.evaluation.few_shot_report import FewShotData

_DEFAULTS = {"budget": ["1%", "10%"], "protocol": "ours", "window_s": 6.0, "seeds": 3, "folds": 5, "draws": 2000,
             "tune": "all"}  # fmt: skip


def few_shot(
    *,
    model: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    budget: Annotated[list[str] | None, Parameter(negative=())] = None,
    protocol: Literal["ours", "published"] = "ours",
    method: Annotated[
        list[Literal["finetune", "finetune+logistic", "ridge", "logistic", "prototype"]] | None, Parameter(negative=())
    ] = None,
    root: Path | None = None,
    window_s: float = 6.0,
    seeds: int = 3,
    folds: int = 5,
    steps: int | None = None,
    tune: Literal["all", "head", "low-rank"] = "all",
    pull: float | None = None,
    draws: int = 2000,
    out: Path | None = None,
) -> None:
    """Learn from a few labeled windows of a data set, and recognize the rest of it.

    Prints accuracy and macro-F1 with 95 % intervals over subjects, beside what the words alone give (zero-shot) on the
    same windows.

    Args:
        model: Name of a shipped model or folder of a checkpoint; give it several times for training seeds, which take
            turns over the drawings of labels.
        data: Name of an imported data set; several times for more.
        budget: Labeled windows: 1% of the training side, or 5 for so many per class; several times for more. 1% and
            10% when left out.
        protocol: ours: tested on people that nothing was learned from, in folds; published: windows of all people
            shuffled, as published figures were made, leaky.
        method: A head on frozen vectors (logistic, which is the default, ridge, prototype), or finetune, the network
            itself, or finetune+logistic, both; several times for more.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        window_s: Seconds of signal in a window.
        seeds: How many drawings of labeled windows.
        folds: Of people, under ours.
        steps: Updates of a fine-tuning.
        tune: Which weights fine-tuning changes.
        pull: How strongly heads are drawn to the words; found inside the budget when left out.
        draws: Bootstrap draws of subjects.
        out: Folder for the report: results.json, report.md.
    """
    from pydantic import ValidationError
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.cli.evaluate import evaluation_set
    from kinelex.errors import UsageError
    from kinelex.evaluation.few_shot import FewShotProtocol, evaluate_few_shot
    from kinelex.evaluation.few_shot_report import write_few_shot
    from kinelex.recognition import load

    tuning = {"weights": tune} if steps is None else {"weights": tune, "steps": steps}
    chosen: dict[str, Any] = {"window_s": window_s, "folds": folds, "pull": pull, "draws": draws}
    budgets, methods = budget or ["1%", "10%"], method or ["logistic"]
    try:
        rules = FewShotProtocol.model_validate(
            {"protocol": protocol, "budgets": budgets, "methods": methods, "seeds": tuple(range(seeds)),
             "fine_tuning": tuning, **chosen}
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1 if first["loc"][0] == "fine_tuning" else 0]).replace("_", "-")
        raise UsageError(f"--{_OPTIONS.get(name, name)}: {first['msg']}") from None
    sources = [evaluation_set(name, root) for name in data]
    checkpoints = [load(name).checkpoint for name in model]
    command = _command(
        {"model": model, "data": data, "root": root, "budget": budgets, "protocol": protocol, "method": methods,
         "seeds": seeds, "steps": steps, "tune": tune, **chosen, "out": out}
    )  # fmt: skip

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        report = evaluate_few_shot(checkpoints, sources, rules, command=command, progress=tell)
        written = write_few_shot(report, out) if out else []
    console = Console()
    for found in report.data:
        console.print(_summary(found))
    spread = "mean ± standard deviation over drawings of labels, " if max(seeds, len(model)) > 1 else ""
    for remark in (f"Figures: {spread}[95 % interval over subjects].", *report.remarks()):
        console.print(remark, highlight=False, markup=False)
    if written:
        console.print(f"report: {written[1]}", highlight=False, markup=False, soft_wrap=True)


_OPTIONS = {"budgets": "budget", "methods": "method"}
"""Fields of the protocol that have another name on the command line."""


def _command(options: dict[str, Any]) -> str:
    """The call that gives the same report, without what is the default anyway."""
    words = ["kinelex", "evaluate", "few-shot"]
    for name, value in options.items():
        if value in (None, _DEFAULTS.get(name)):
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)


def _summary(data: FewShotData) -> Table:
    from kinelex.evaluation.few_shot_report import budget_in_words, shown
    from kinelex.evaluation.report import percent

    columns = (Column(header, no_wrap=True) for header in ("labels", "method", "accuracy %", "macro-F1 %"))
    tested = shown(data)[0].tested
    title = f"{data.name}: {data.subjects} {data.interval_over}, {tested:,} windows tested"
    table = Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for result in shown(data):
        figures = (percent(result.accuracy), percent(result.macro_f1))
        table.add_row(budget_in_words(result), result.method, *figures)
    return table
