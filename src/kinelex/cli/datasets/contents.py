"""``kinelex datasets list``, ``info`` and ``verify``: what is in the store."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from kinelex.cli.datasets.app import Root, app

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset

_GRAVITY = {True: ("in", "in acc"), False: ("removed", "removed from acc"), None: ("mixed", "in some acc")}


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
    numbers = (right(header) for header in ("subjects", "activities", "hours", "Hz"))
    table = Table(Column("name", no_wrap=True), *numbers, "worn at", "gravity", "role", box=SIMPLE_HEAD, padding=0)
    for name in names:
        try:
            dataset = StoredDataset.open(root, name)
        except ArtifactError as error:
            table.add_row(name, "", "", "", "", f"damaged: {error}", "", "")
            continue
        about, rates = dataset.about, dataset.rates_hz
        table.add_row(
            name,
            str(len(dataset.subjects)),
            str(len(dataset.activities)),
            f"{dataset.hours:.2f}",
            f"{rates[0]:.4g}" if len(rates) == 1 else f"{rates[0]:.3g}-{rates[-1]:.3g}",
            ", ".join(dataset.placements),
            _GRAVITY[dataset.gravity][0],
            re.split("[(;:]", about.role)[0].strip(),
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
    table = Table(
        "", Column("", overflow="fold"), title=dataset.about.title or name, show_header=False, box=SIMPLE_HEAD
    )
    for field, value in facts.items():
        table.add_row(field.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    console.print(table)
    seconds = Table(
        Column("activity", overflow="fold"), right("seconds"), right("sessions"), right("subjects"), box=SIMPLE_HEAD
    )
    for activity, entry in activities.items():
        seconds.add_row(activity, f"{entry['seconds']:.0f}", str(entry["sessions"]), str(entry["subjects"]))
    console.print(seconds)
    for note in notes:
        console.print(f"note: {note}")


@app.command(name="verify")
def verify(*names: str, root: Root = None) -> None:
    """Check imported data sets: every stored hash, every session, and that no split has anybody on two sides.

    Args:
        names: Short names, as in kinelex datasets list; all of them when left out.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from kinelex.datasets import StoredDataset, check, list_stored
    from kinelex.errors import ArtifactError, UsageError

    console = Console(markup=False, highlight=False)
    chosen = names or list_stored(root)
    if not chosen:
        raise UsageError("nothing to verify: no data set is imported")
    damaged: list[ArtifactError] = []
    for name in chosen:
        try:
            found = check(StoredDataset.open(root, name))
        except ArtifactError as error:
            console.print(f"{name}: DAMAGED: {error}", soft_wrap=True)
            damaged.append(error)
            continue
        console.print(f"{name}: whole, {found.shards} shards, {found.sessions} sessions, {found.splits} splits")
    if damaged:
        raise damaged[0]


def _facts(dataset: StoredDataset, *, verified: bool) -> dict[str, Any]:
    about = dataset.about
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
        "rate_hz": dataset.rates_hz[0] if len(dataset.rates_hz) == 1 else list(dataset.rates_hz),
        "channels": [channel.name for channel in dataset.channels],
        "placements": list(dataset.placements),
        "worn": about.worn,
        "gravity": _GRAVITY[dataset.gravity][1],
        "role": about.role,
        "complete": about.complete,
        "licence": about.licence,
        "cite": about.cite,
        "folder": str(dataset.folder),
        "shards": len(dataset.shards),
        "megabytes": round(sum((dataset.folder / file).stat().st_size for file, _ in dataset.shards) / 1e6, 1),
        "source": f"{dataset.source['file']} (sha256 {dataset.source['sha256']})",
        "fingerprint": dataset.fingerprint,
        "verified": "every hash" if verified else "sizes",
        "notes": list(dataset.notes),
        "activities": {
            name: {"seconds": seconds, "sessions": sessions[name], "subjects": len(people[name])}
            for name, seconds in by_time
        },
    }


def right(header: str) -> Column:
    """A column of numbers."""
    return Column(header, justify="right")
