"""``kinelex datasets import``: tables of one's own, and the official files of public sets, into the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from kinelex.cli.datasets.app import Root, app

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset


@app.command(name="import")
def import_(*source: str, root: Root = None, files: Annotated[Path | None, Parameter(name="--files")] = None) -> None:
    """Import data sets into the store: your own tables, or the official files of public sets.

    Importing again does nothing when nothing has changed, and goes on where it stopped when it was interrupted.

    Args:
        source: NAME.parquet or NAME.csv with NAME.yaml beside it, a folder of such pairs, or the name of a public data
            set whose files kinelex datasets get has fetched.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        files: Where the official files of the one public data set are, when get has not fetched them.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.errors import UsageError

    if not source:
        raise UsageError(
            "nothing to import: name a table (NAME.parquet beside NAME.yaml), a folder of them, or a public data set"
        )
    if files is not None and len(source) != 1:
        raise UsageError("--files says where the files of one public data set are: name that one and no other")
    console = Console(markup=False, highlight=False)
    jobs = [job for text in source for job in _jobs(text, root, files)]
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        for name, run in jobs:
            task = bar.add_task(name, stage="checking", total=None)
            stages: list[str] = []

            def tell(stage: str, done: int, total: int, task: Any = task, stages: list[str] = stages) -> None:
                stages.append(stage)
                bar.update(task, stage=stage, completed=done, total=total)

            dataset = run(progress=tell)
            bar.remove_task(task)
            what = "unchanged" if "unchanged" in stages else "imported"
            console.print(
                f"{dataset.name}: {what}, {len(dataset.subjects)} subjects, {len(dataset.activities)} activities,"
                f" {dataset.hours:.2f} h, {len(dataset.index)} sessions"
            )
            for note in dataset.notes:
                console.print(f"  note: {note}")


def _jobs(text: str, root: Path | None, files: Path | None) -> list[tuple[str, Callable[..., StoredDataset]]]:
    """What to import for one argument: a path where there is one, else the name of a public set."""
    from kinelex.datasets import catalog_entry, catalog_names, find_sources, import_dataset, import_official

    if files is not None or (not Path(text).exists() and text in catalog_names()):
        return [(text, partial(import_official, catalog_entry(text), root, folder=files))]
    return [(table.stem, partial(import_dataset, table, root)) for table in find_sources(text)]
