"""``kinelex evaluate``: measure a model on data sets, as a protocol says."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from kinelex.evaluation.report import ZeroShotReport
    from kinelex.evaluation.sources import EvaluationSet

app = App(name="evaluate", help="Measure a model on data sets, as a protocol says.")

_DEFAULTS = {"texts": ["words"], "unit": "window", "window_s": 6.0, "draws": 2000, "seed": 0}


@app.command(name="zero-shot")
def zero_shot(
    *,
    model: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    root: Path | None = None,
    texts: Annotated[list[Literal["words", "vocabulary"]] | None, Parameter(negative=())] = None,
    open_set: Annotated[bool, Parameter(negative=())] = False,
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

    chosen: dict[str, Any] = {
        "texts": texts or ["words"], "unit": unit, "window_s": window_s, "draws": draws, "seed": seed,
    }  # fmt: skip
    try:
        protocol = ZeroShotProtocol(open_set=open_set, **chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{name} {first['input']}: {first['msg']}") from None
    sources = [_source(name, root) for name in data]
    checkpoints = [load(name).checkpoint for name in model]
    words = ["kinelex", "evaluate", "zero-shot"]
    words += [word for name in model for word in ("--model", name)]
    words += [word for name in data for word in ("--data", name)]
    words += ["--root", str(root)] if root else []
    words += ["--open-set"] if open_set else []
    for option, value in chosen.items():
        if value != _DEFAULTS[option]:
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{option.replace('_', '-')}", f"{one:g}" if isinstance(one, float) else str(one)]
    words += ["--out", str(out)] if out else []

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        report = evaluate_zero_shot(checkpoints, sources, protocol, command=shlex.join(words), progress=tell)
        written = write_report(report, out, plots=plots) if out else []
    console = Console()
    console.print(_summary(report))
    for remark in report.remarks():
        console.print(remark, highlight=False, markup=False)
    if written:
        console.print(f"report: {written[1]}", highlight=False, markup=False, soft_wrap=True)


def _source(name: str, root: Path | None) -> EvaluationSet:
    from kinelex.datasets import StoredDataset, list_stored
    from kinelex.evaluation.sources import BASIC_MOTIONS, EvaluationSet

    if name == BASIC_MOTIONS and name not in list_stored(root):
        from kinelex.readers import basic_motions

        return EvaluationSet.of(name, basic_motions(), title="BasicMotions")
    return EvaluationSet.stored(StoredDataset.open(root, name))


def _summary(report: ZeroShotReport) -> Table:
    from kinelex.evaluation.report import percent

    table = Table(
        "data set",
        "candidates",
        Column("subjects", justify="right"),
        Column(f"{report.protocol.unit}s", justify="right"),
        Column("accuracy %", justify="right"),
        Column("macro-F1 %", justify="right"),
        Column("calibration error %", justify="right"),
    )
    for data in report.data:
        for number, task in enumerate(data.tasks):
            first = [data.name, str(data.subjects), f"{data.units:,}"] if number == 0 else ["", "", ""]
            table.add_row(
                first[0], task.title, *first[1:], percent(task.accuracy), percent(task.macro_f1),
                percent(task.calibration_error),
            )  # fmt: skip
    return table
