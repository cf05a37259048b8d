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
    from kinelex.evaluation.report import TaskResult, ZeroShotReport
    from kinelex.evaluation.sources import EvaluationSet

app = App(name="evaluate", help="Measure a model on data sets, as a protocol says.")
app.command("kinelex.cli.evaluate_few_shot:few_shot", name="few-shot")
app.command("kinelex.cli.evaluate_retrieval:retrieval", name="retrieval")

_DEFAULTS = {"texts": ["words"], "unit": "window", "window_s": 6.0, "draws": 2000, "seed": 0,
             "groups": "standard", "protocol": "ours", "precision": "fp32"}  # fmt: skip

_CANDIDATES = {
    "closed_words": "words", "closed_vocabulary": "vocabulary", "open_groups": "open set",
    "closed_published": "closed raw", "closed_published_words": "closed",
    "open_published": "open raw", "open_published_words": "open",
}  # fmt: skip


@app.command(name="zero-shot")
def zero_shot(
    *,
    model: Annotated[list[str], Parameter(negative=())],
    data: Annotated[list[str], Parameter(negative=())],
    root: Path | None = None,
    protocol: Literal["ours", "published"] = "ours",
    texts: Annotated[list[Literal["words", "vocabulary"]] | None, Parameter(negative=())] = None,
    open_set: Annotated[bool, Parameter(negative=())] = False,
    groups: Literal["standard", "published"] = "standard",
    unit: Literal["window", "recording"] = "window",
    window_s: float = 6.0,
    transductive: Literal["recording", "subject", "set"] | None = None,
    draws: int = 2000,
    seed: int = 0,
    precision: Literal["fp32", "bf16"] = "fp32",
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
        protocol: ours: clean windows, and candidates as the options below say; published: windows, candidates, groups
            and macro-F1 of published figures, flaws included, with the best of those figures beside ours.
        texts: Candidates of the closed set: words (official names as words; the default), vocabulary (labels with
            synonyms); several times for both.
        open_set: Also choose among the whole vocabulary, scored by label groups.
        groups: Label groups of the open set: standard (the vocabulary's), published (those that published figures were
            scored with, for comparison).
        unit: window: non-overlapping windows inside sessions; recording: one answer per session, from all of it.
        window_s: Seconds of signal in a window.
        transductive: Repeat every task with class frequencies estimated from the unlabeled windows of each recording,
            of each subject, or of the whole set.
        draws: Bootstrap draws of subjects.
        seed: Of the bootstrap draws, and of published windows without a known seed.
        precision: Of the network's products; bf16 is faster on processors made for it.
        out: Folder for the report: results.json, report.md, confusion matrices, reliability and risk-coverage
            diagrams.
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
    own = {"texts": texts, "open-set": open_set, "groups": groups != "standard", "unit": unit != "window",
           "window-s": window_s != 6.0}  # fmt: skip
    if protocol == "published" and (given := [f"--{name}" for name, value in own.items() if value]):
        raise UsageError(f"--protocol published sets windows and candidates itself: leave out {', '.join(given)}")
    chosen: dict[str, Any] = {"texts": texts or ["words"], "groups": groups, "unit": unit, "window_s": window_s}
    free = {"transductive": transductive, "draws": draws, "seed": seed}
    try:
        if protocol == "published":
            rules = ZeroShotProtocol.published(**free)
        else:
            rules = ZeroShotProtocol(open_set=open_set, **chosen, **free)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{name} {first['input']}: {first['msg']}") from None
    sources = [evaluation_set(name, root) for name in data]
    checkpoints = [load(name, precision=precision).checkpoint for name in model]
    asked = {"model": model, "data": data, "root": root, "protocol": protocol, "open_set": open_set}
    command = _command({**asked, **chosen, **free, "precision": precision, "out": out})

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        report = evaluate_zero_shot(checkpoints, sources, rules, command=command, progress=tell)
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


def evaluation_set(name: str, root: Path | None) -> EvaluationSet:
    """An imported data set, or the recordings that come with aeon."""
    from kinelex.datasets import StoredDataset, list_stored
    from kinelex.evaluation.sources import BASIC_MOTIONS, EvaluationSet

    if name == BASIC_MOTIONS and name not in list_stored(root):
        from kinelex.readers import basic_motions

        return EvaluationSet.of(name, basic_motions(), title="BasicMotions")
    return EvaluationSet.stored(StoredDataset.open(root, name))


def _summary(report: ZeroShotReport) -> Table:
    columns = (Column(header, no_wrap=True) for header in ("data set", "candidates", "accuracy %", "macro-F1 %"))
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for data in report.data:
        people = [f"  {data.subjects} subjects"] if data.interval_over == "subjects" else []
        rows = [row for task in data.tasks for row in _rows(task)]
        # One row of several lines per data set: three seeds and an interval just fit 80 columns.
        table.add_row(
            "\n".join([data.name, *people, f"  {data.units:,} {report.protocol.unit}s"]),
            *("\n".join(column) for column in zip(*rows, strict=True)),
        )
    return table


def _rows(task: TaskResult) -> list[tuple[str, str, str]]:
    """Candidates, accuracy and macro-F1 of a task, and the published figures to beat."""
    from kinelex.evaluation.report import percent

    name = " together" if task.task.endswith("_transductive") else _CANDIDATES[task.task]
    rows = [(name, percent(task.accuracy), percent(task.macro_f1))]
    if bar := task.best_published:
        rows.append((" published", f"{100 * bar.accuracy:.1f}", f"{100 * bar.macro_f1:.1f}"))
    return rows
