"""``kinelex datasets catalog`` and ``get``: what public data sets there are, and how to come by them."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from kinelex.cli.datasets.app import Root, app
from kinelex.cli.datasets.contents import right


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
        columns = (right(header) for header in ("subjects", "activities", "Hz"))
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
        "held against": [entry.evidence],
        "verified": list(entry.verified),
        "unverified": list(entry.unverified),
        "cite": [entry.cite],
    }
    for field, lines in facts.items():
        for i, line in enumerate(lines):
            table.add_row("" if i else field, line)
    console.print(table)
