"""``kinelex datasets``: import labelled data sets, list them, and say what is in one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset

app = App(name="datasets", help="Labelled data sets: import them once, then train and evaluate on them.")

Root = Annotated[Path | None, Parameter(name="--root")]


@app.command(name="import")
def import_(*source: Path, root: Root = None) -> None:
    """Import tidy tables, each with the card that describes it, into the store.

    Importing again does nothing when a table has not changed, and goes on where it stopped when it was interrupted.

    Args:
        source: NAME.parquet or NAME.csv with NAME.yaml beside it, or a folder of such pairs.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.datasets import find_sources, import_dataset
    from kinelex.errors import UsageError

    if not source:
        raise UsageError("nothing to import: name a table (NAME.parquet beside NAME.yaml) or a folder of them")
    console = Console(markup=False, highlight=False)
    tables = [table for path in source for table in find_sources(path)]
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        for table in tables:
            task = bar.add_task(table.stem, stage="checking", total=None)
            stages: list[str] = []

            def tell(stage: str, done: int, total: int, task: Any = task, stages: list[str] = stages) -> None:
                stages.append(stage)
                bar.update(task, stage=stage, completed=done, total=total)

            dataset = import_dataset(table, root, progress=tell)
            bar.remove_task(task)
            what = "unchanged" if "unchanged" in stages else "imported"
            console.print(
                f"{dataset.name}: {what}, {len(dataset.subjects)} subjects, {len(dataset.activities)} activities,"
                f" {dataset.hours:.2f} h, {len(dataset.index)} sessions"
            )
            for note in dataset.notes:
                console.print(f"  note: {note}")


@app.command(name="list")
def list_(*, root: Root = None) -> None:
    """List the data sets that are imported.

    Args:
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from kinelex.datasets import StoredDataset, data_root, list_stored
    from kinelex.errors import ArtifactError

    console = Console(markup=False, highlight=False)
    names = list_stored(root)
    if not names:
        where = root or data_root()
        console.print(f"No data set in '{where}' yet: kinelex datasets import FOLDER")
        return
    numbers = (_right(header) for header in ("subjects", "activities", "hours", "Hz"))
    table = Table(Column("name", no_wrap=True), *numbers, "worn at", "gravity", "role", box=SIMPLE_HEAD, padding=0)
    for name in names:
        try:
            dataset = StoredDataset.open(root, name)
        except ArtifactError as error:
            table.add_row(name, "", "", "", "", f"damaged: {error}", "", "")
            continue
        card = dataset.card
        table.add_row(
            name,
            str(len(dataset.subjects)),
            str(len(dataset.activities)),
            f"{dataset.hours:.2f}",
            f"{card.rate_hz:g}",
            ", ".join(dataset.placements),
            "in" if card.gravity else "removed",
            re.split("[(;:]", card.role)[0].strip(),
        )
    console.print(table)


@app.command(name="info")
def info(
    name: str,
    *,
    root: Root = None,
    verify: bool = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Say what is in an imported data set.

    Args:
        name: Its short name, as in kinelex datasets list.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        verify: Also check the hash of every stored file.
        as_json: Print JSON instead of tables.
    """
    from kinelex.datasets import StoredDataset

    dataset = StoredDataset.open(root, name, verify=verify)
    facts = _facts(dataset, verified=verify)
    console = Console(markup=False, highlight=False)
    if as_json:
        console.out(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    activities, notes = facts.pop("activities"), facts.pop("notes")
    facts["channels"] = "; ".join(
        f"{where}: {', '.join(dict.fromkeys(c.sensor for c in dataset.channels if c.placement == where))}"
        for where in facts.pop("placements")
    )
    table = Table("", Column("", overflow="fold"), title=dataset.card.title or name, show_header=False, box=SIMPLE_HEAD)
    for field, value in facts.items():
        table.add_row(field.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
    console.print(table)
    seconds = Table(
        Column("activity", overflow="fold"), _right("seconds"), _right("sessions"), _right("subjects"), box=SIMPLE_HEAD
    )
    for activity, entry in activities.items():
        seconds.add_row(activity, f"{entry['seconds']:.0f}", str(entry["sessions"]), str(entry["subjects"]))
    console.print(seconds)
    for note in notes:
        console.print(f"note: {note}")


@app.command(name="get")
def get(*names: str, root: Root = None) -> None:
    """Get the official files of public data sets: download, check and unpack them.

    A download that was interrupted goes on where it stopped. Where the owner wants to be asked first, the steps are
    told, and the same call then checks what you have put into the folder.

    Args:
        names: Short names, as in kinelex datasets catalog.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from kinelex.datasets import catalog_entry, get
    from kinelex.errors import UsageError

    if not names:
        raise UsageError("nothing to get: name a data set, see kinelex datasets catalog")
    entries = [catalog_entry(name) for name in names]
    console = Console(markup=False, highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        for entry in entries:
            task = bar.add_task(entry.name, total=None)

            def tell(what: str, done: int, total: int | None, task: Any = task) -> None:
                bar.update(task, description=what, completed=done, total=total)

            folder = get(entry, root, progress=tell)
            bar.remove_task(task)
            console.print(f"{entry.name}: {folder}", soft_wrap=True)
            console.print(f"  licence: {entry.licence}; cite: {entry.cite}", soft_wrap=True)


@app.command(name="catalog")
def catalog(
    name: str | None = None,
    *,
    markdown: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Say what is known about public data sets, and how to get them.

    Args:
        name: One set, with its files, activities and quirks; a table of all of them when left out.
        markdown: Print the whole catalog as a page of documentation.
    """
    from kinelex.datasets.catalog import catalog_entry, catalog_names
    from kinelex.datasets.catalog_page import devices_in_words, how_to_get, to_markdown

    console = Console(markup=False, highlight=False)
    if markdown:
        console.out(to_markdown([catalog_entry(each) for each in catalog_names()]), end="")
        return
    if name is None:
        columns = (_right(header) for header in ("subjects", "activities", "Hz"))
        table = Table(
            Column("name", no_wrap=True), *columns, "worn at", "licence", "access", box=SIMPLE_HEAD, padding=0
        )
        for entry in map(catalog_entry, catalog_names()):
            table.add_row(
                entry.name,
                str(entry.subjects),
                str(len(set(entry.activities.values()))),
                ", ".join(f"{rate:g}" for rate in entry.rates_hz),
                ", ".join(entry.placements),
                entry.licence,
                entry.access,
            )
        console.print(table)
        return
    entry = catalog_entry(name)
    table = Table("", Column("", overflow="fold"), title=entry.title, show_header=False, box=SIMPLE_HEAD)
    facts = {
        "what": [entry.summary],
        "subjects": [str(entry.subjects)],
        "worn at": devices_in_words(entry),
        "activities": [", ".join(dict.fromkeys(entry.activities.values()))],
        "licence": [entry.licence],
        "page": [entry.page],
        "how to get it": how_to_get(entry),
        "files": [entry.layout],
        "published split": [entry.published_split] if entry.published_split else [],
        "beware": list(entry.quirks),
        "verified": list(entry.verified),
        "unverified": list(entry.unverified),
        "cite": [entry.cite],
    }
    for field, lines in facts.items():
        for i, line in enumerate(lines):
            table.add_row("" if i else field, line)
    console.print(table)


def _facts(dataset: StoredDataset, *, verified: bool) -> dict[str, Any]:
    card = dataset.card
    sessions = Counter(session.activity for session in dataset.index)
    people: dict[str, set[str]] = {}
    for session in dataset.index:
        people.setdefault(session.activity, set()).add(session.subject)
    by_time = sorted(dataset.activities.items(), key=lambda entry: (-entry[1], entry[0]))
    return {
        "name": dataset.name,
        "subjects": len(dataset.subjects),
        "hours": round(dataset.hours, 3),
        "sessions": len(dataset.index),
        "rate_hz": card.rate_hz,
        "channels": [channel.name for channel in dataset.channels],
        "placements": list(dataset.placements),
        "worn": card.placement,
        "gravity": "in acc" if card.gravity else "removed from acc",
        "role": card.role,
        "complete": card.complete,
        "licence": card.licence,
        "cite": card.cite,
        "folder": str(dataset.folder),
        "shards": len(dataset.shards),
        "megabytes": round(sum((dataset.folder / shard).stat().st_size for shard in dataset.shards) / 1e6, 1),
        "source": f"{dataset.source['file']} (sha256 {dataset.source['sha256']})",
        "fingerprint": dataset.fingerprint,
        "verified": "every hash" if verified else "sizes",
        "notes": list(dataset.notes),
        "activities": {
            name: {"seconds": seconds, "sessions": sessions[name], "subjects": len(people[name])}
            for name, seconds in by_time
        },
    }


def _right(header: str) -> Column:
    return Column(header, justify="right")
