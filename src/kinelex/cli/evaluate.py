"""``kinelex evaluate``: measure a model on data sets, as a protocol says."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from kinelex.evaluation.report import ZeroShotReport
    from kinelex.evaluation.sources import EvaluationSet

app = App(name="evaluate", help="Measure a model on data sets, as a protocol says.")

_DEFAULTS = {"texts": ["words"], "unit": "window", "window_s": 6.0, "draws": 2000, "seed": 0,
             "groups": "standard"}  # fmt: skip


@app.command(name="zero-shot")
def zero_shot(
    *,
    model: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    root: Path | None = None,
    texts: Annotated[list[Literal["words", "vocabulary"]] | None, Parameter(negative=())] = None,
    open_set: Annotated[bool, Parameter(negative=())] = False,
    groups: Literal["standard", "published"] = "standard",
    unit: Literal["window", "recording"] = "window",
    window_s: float = 6.0,
    draws: int = 2000,
    seed: int = 0,
    out: Path | None = None,
    plots: bool = True,
) -> None:
    """Recognize data sets that a model has never seen, by the words of their activities alone.

    Prints accuracy and macro-F1 with 95 % intervals over subjects. Several models are training seeds of one recipe:
    figures are then their mean, with the spread over seeds.

    Args:
        model: Name of a shipped model or folder of a checkpoint; give it several times for training seeds.
        data: Name of an imported data set, or basic_motions for the recordings that come with aeon; several times for
            more.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        texts: Candidates of the closed set: words (official names as words; the default), vocabulary (labels with
            synonyms); several times for both.
        open_set: Also choose among the whole vocabulary, scored by label groups.
        groups: Label groups of the open set: standard (the vocabulary's), published (those that published figures were
            scored with, for comparison).
        unit: window: non-overlapping windows inside sessions; recording: one answer per session, from all of it.
        window_s: Seconds of signal in a window.
        draws: Bootstrap draws of subjects.
        seed: Of the bootstrap draws.
        out: Folder for the report: results.json, report.md, confusion matrices and reliability diagrams.
        plots: Also draw the pictures.
    """
    from pydantic import ValidationError
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.errors import UsageError
    from kinelex.evaluation.protocol import ZeroShotProtocol
    from kinelex.evaluation.report import write_report
    from kinelex.evaluation.zero_shot import evaluate_zero_shot
    from kinelex.recognition import load

    if groups == "published" and not open_set:
        raise UsageError("--groups published scores the open set: add --open-set")
    chosen: dict[str, Any] = {
        "texts": texts or ["words"], "groups": groups, "unit": unit, "window_s": window_s, "draws": draws, "seed": seed,
    }  # fmt: skip
    try:
        protocol = ZeroShotProtocol(open_set=open_set, **chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{name} {first['input']}: {first['msg']}") from None
    sources = [_source(name, root) for name in data]
    checkpoints = [load(name).checkpoint for name in model]
    command = _command({"model": model, "data": data, "root": root, "open_set": open_set, **chosen, "out": out})

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        report = evaluate_zero_shot(checkpoints, sources, protocol, command=command, progress=tell)
        written = write_report(report, out, plots=plots) if out else []
    console = Console()
    console.print(_summary(report))
    seeds = f"mean ± standard deviation over {len(model)} training seeds, " if len(model) > 1 else ""
    for remark in (f"Figures: {seeds}[95 % interval over subjects].", *report.remarks()):
        console.print(remark, highlight=False, markup=False)
    if written:
        console.print(f"report: {written[1]}", highlight=False, markup=False, soft_wrap=True)


def _command(options: dict[str, Any]) -> str:
    """The call that gives the same report, without what is the default anyway."""
    words = ["kinelex", "evaluate", "zero-shot"]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value not in (None, False, _DEFAULTS.get(name)):
            for one in value if isinstance(value, list) else [value]:
                words += [option, f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)


def _source(name: str, root: Path | None) -> EvaluationSet:
    from kinelex.datasets import StoredDataset, list_stored
    from kinelex.evaluation.sources import BASIC_MOTIONS, EvaluationSet

    if name == BASIC_MOTIONS and name not in list_stored(root):
        from kinelex.readers import basic_motions

        return EvaluationSet.of(name, basic_motions(), title="BasicMotions")
    return EvaluationSet.stored(StoredDataset.open(root, name))


def _summary(report: ZeroShotReport) -> Table:
    from kinelex.evaluation.report import percent

    names = {"closed_words": "words", "closed_vocabulary": "vocabulary", "open_groups": "open set"}
    columns = (Column(header, no_wrap=True) for header in ("data set", "candidates", "accuracy %", "macro-F1 %"))
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for data in report.data:
        people = [f"  {data.subjects} subjects"] if data.interval_over == "subjects" else []
        # One row of several lines per data set: three seeds and an interval just fit 80 columns.
        table.add_row(
            "\n".join([data.name, *people, f"  {data.units:,} {report.protocol.unit}s"]),
            "\n".join(names[task.task] for task in data.tasks),
            "\n".join(percent(task.accuracy) for task in data.tasks),
            "\n".join(percent(task.macro_f1) for task in data.tasks),
        )
    return table
