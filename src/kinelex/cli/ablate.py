"""``kinelex ablate``: variants of a recipe, trained side by side and told apart on sets that they leave out."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kinelex.evaluation.ablation import Ablation, AblationReport, Failure, Progress, Run, SetScore


def ablate(
    ablation: Path,
    *,
    seeds: int | None = None,
    jobs: int = 2,
    only: Annotated[list[str] | None, Parameter(negative=())] = None,
    draws: int = 2000,
    root: Path | None = None,
    out: Path | None = None,
) -> int:
    """Train variants of a recipe without some sets, score each on those, and write one table of what each is worth.

    Every run is a kinelex train of its own; the same call goes on where it was interrupted, and trains nothing twice. A
    run that fails is named and the others go on; the exit code is then 1. The folder holds ablation.md, ablation.json
    and the runs.

    Args:
        ablation: A YAML file: base recipe, variants, folds, seeds; see recipes/ablation.yaml.
        seeds: Train this many seeds, from 0, instead of those of the file.
        jobs: Runs at once.
        only: Train these variants only (base is one); what is finished of the others stays in the table.
        draws: Bootstrap draws of subjects.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        out: Folder of the ablation; runs/NAME when left out.
    """
    from kinelex.datasets import StoredDataset, data_root
    from kinelex.errors import UsageError
    from kinelex.evaluation.ablation import is_finished, read_ablation, runs_of, score_run, train_runs
    from kinelex.evaluation.ablation.scoring import Scorer
    from kinelex.language import resolve_text_encoder

    if jobs < 1 or (seeds is not None and seeds < 1) or draws < 100:
        raise UsageError("--jobs and --seeds take at least 1, --draws at least 100")
    plan = read_ablation(ablation)
    _check_names(only or [], plan)
    runs = runs_of(plan, None if seeds is None else range(seeds))
    home = data_root() if root is None else root
    names = sorted({name for run in runs for name in run.sets})
    fingerprints = {name: StoredDataset.open(home, name).fingerprint for name in names}
    folder = out or Path("runs") / plan.name
    standing = [run for run in runs if is_finished(run, folder, fingerprints)]
    wanted = [run for run in runs if run not in standing and (not only or run.variant in only)]
    console = Console(stderr=True)
    say = f"{len(wanted)} runs to train, {len(standing)} finished before"
    console.print(f"{plan.name}: {say}", highlight=False, markup=False)

    scorer = Scorer(home)
    scores: dict[str, tuple[SetScore, ...]] = {}

    def score(run: Run) -> None:
        encoder = resolve_text_encoder(run.recipe.text_encoder)
        scores[run.name] = score_run(folder / run.name, run.fold, scorer, encoder, plan.text_spaces)

    failures = _with_progress(
        console, lambda tell, failed: train_runs(
            wanted, folder, home, jobs=jobs, finished=score, failed=failed, progress=tell
        ),
    )  # fmt: skip
    with console.status("scoring what was finished before"):
        for run in standing:
            score(run)
    report = _report(plan, runs, scores, fingerprints, draws, _command(ablation, seeds, only, draws, root, out))
    _show(report, folder)
    if failures:
        failed = ", ".join(failure.run.name for failure in failures)
        console.print(f"{len(failures)} of {len(wanted)} runs failed: {failed}", highlight=False, soft_wrap=True)
    return 1 if failures else 0


def _check_names(only: Sequence[str], plan: Ablation) -> None:
    from kinelex.errors import UnknownName

    for name in only:
        if name not in plan.every:
            near = difflib.get_close_matches(name, plan.every, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(plan.every)}"
            raise UnknownName(f"ablation '{plan.name}' has no variant '{name}': {hint}")


def _with_progress(
    console: Console,
    work: Callable[[Callable[[Progress], None], Callable[[Failure], None]], list[Failure]],
) -> list[Failure]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    from kinelex.cli.train import clock

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("starting")

        def tell(at: Progress) -> None:
            left = "" if at.left_s is None else f", {clock(at.left_s)} left"
            failed = f", {at.failed} failed" if at.failed else ""
            said = f"run {at.finished}/{at.runs}{failed}{left}"
            bar.update(task, completed=at.steps, total=at.all_steps, description=said)

        return work(tell, lambda failure: _name(failure, console))


def _name(failure: Failure, console: Console) -> None:
    how = f"exit code {failure.code}" if failure.code >= 0 else f"killed by signal {-failure.code}"
    console.print(
        f"failed: {failure.run.name} ({how}), see {failure.log}", highlight=False, markup=False, soft_wrap=True
    )
    for line in failure.last_lines:
        console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)


def _report(
    plan: Ablation,
    runs: Sequence[Run],
    scores: Mapping[str, tuple[SetScore, ...]],
    fingerprints: dict[str, str],
    draws: int,
    command: str,
) -> AblationReport:
    from kinelex.evaluation.ablation import AblationReport, compare
    from kinelex.evaluation.ablation.report import chosen_temperature, run_scores
    from kinelex.evaluation.zero_shot import versions

    whole = {}
    for variant, seed in dict.fromkeys((run.variant, run.seed) for run in runs):
        of = [run for run in runs if (run.variant, run.seed) == (variant, seed)]
        if all(run.name in scores for run in of):
            whole[variant, seed] = [score for run in of for score in scores[run.name]]
    rows = compare(plan, whole, draws=draws)
    return AblationReport(
        command=command,
        ablation=plan,
        versions=versions(),
        datasets=fingerprints,
        draws=draws,
        rows=rows,
        temperature=chosen_temperature(plan, rows),
        missing=tuple(run.name for run in runs if run.name not in scores),
        runs=tuple(one for run in runs if run.name in scores for one in run_scores(run, scores[run.name])),
    )


def _show(report: AblationReport, folder: Path) -> None:
    from kinelex.evaluation.ablation import write_ablation
    from kinelex.evaluation.ablation.report import gain, row_name
    from kinelex.evaluation.report import percent

    page = write_ablation(report, folder)
    columns = ("variant", "names", "accuracy %", "to base", "macro-F1 %", "to base")
    table = Table(*(Column(name, no_wrap=True) for name in columns), box=SIMPLE_HEAD, show_edge=False)
    for row in report.rows:
        gains = [gain(of).replace("**", "") for of in (row.gain_accuracy, row.gain_macro_f1)]
        table.add_row(row_name(row), row.texts, percent(row.accuracy), gains[0], percent(row.macro_f1), gains[1])
    console = Console()
    console.print(table)
    if report.temperature is not None:
        console.print(f"{report.ablation.chosen}: temperature {report.temperature:.2f}", highlight=False)
    console.print(f"report: {page}", highlight=False, markup=False, soft_wrap=True)


def _command(
    ablation: Path, seeds: int | None, only: list[str] | None, draws: int, root: Path | None, out: Path | None
) -> str:
    """The call that gives the same table, without what is the default anyway."""
    words = ["kinelex", "ablate", str(ablation)]
    options = {"--seeds": seeds, "--draws": None if draws == 2000 else draws, "--root": root, "--out": out}
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    for name in only or []:
        words += ["--only", name]
    return shlex.join(words)
