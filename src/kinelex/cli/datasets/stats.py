"""``kinelex datasets stats``: what an imported data set looks like, in figures and as a page of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from kinelex.cli.datasets.app import Root, app
from kinelex.cli.datasets.contents import right

if TYPE_CHECKING:
    from kinelex.datasets.stats import DatasetStats, Magnitudes


@app.command(name="stats")
def stats(
    name: str,
    *,
    plot: Path | None = None,
    root: Root = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Measure an imported data set: who did what for how long, how strongly it moves and rests, what is missing.

    Args:
        name: Its short name, as in kinelex datasets list.
        plot: Also draw a page of pictures into this file (.png, .svg or .pdf).
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        as_json: Print JSON instead of tables.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.datasets import StoredDataset
    from kinelex.datasets.stats import measure
    from kinelex.recognition.picture import check_file_type, save

    if plot is not None:
        check_file_type(plot)
    dataset = StoredDataset.open(root, name)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    terminal = Console(stderr=True)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(f"reading {name}", total=None)
        found = measure(dataset, lambda done, total: bar.update(task, completed=done, total=total))
        if plot is not None:
            from kinelex.datasets.stats_page import draw

            bar.update(task, description="drawing", total=None)
            save(draw(found), plot)
    console = Console(markup=False, highlight=False)
    if as_json:
        console.out(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
        return
    _show(console, found)
    if plot is not None:
        console.print(f"picture: {plot}", soft_wrap=True)


def _show(console: Console, found: DatasetStats) -> None:
    figures = found.to_json()
    hours, lengths = figures["hours_per_subject"], figures["session_s"]
    facts = Table("", Column("", overflow="fold"), title=found.dataset.about.title, show_header=False, box=SIMPLE_HEAD)
    facts.add_row("subjects", str(figures["subjects"]))
    facts.add_row("hours", f"{figures['hours']:.2f} in {figures['sessions']:,} sessions")
    facts.add_row("hours per subject", _three(hours))
    facts.add_row("seconds per session", _three(lengths))
    facts.add_row("rate", _rates(figures["rates_hz"]))
    console.print(facts)
    activities = Table(
        Column("activity", overflow="fold"), *map(right, ("seconds", "share", "subjects", "sessions")), box=SIMPLE_HEAD
    )
    for activity, entry in sorted(figures["activities"].items(), key=lambda one: -one[1]["seconds"]):
        share, seconds = f"{100 * entry['share']:.1f} %", f"{entry['seconds']:,.0f}"
        activities.add_row(activity, seconds, share, str(entry["subjects"]), str(entry["sessions"]))
    console.print(activities)
    headers = ("rest 5 %", "50 %", "95 %", "all 1 %", "50 %", "99 %")
    acc = Table("|acc| in m/s²", "gravity", *map(right, headers), box=SIMPLE_HEAD)
    sensors = Table("sensor", right("sessions"), right("missing values"), box=SIMPLE_HEAD)
    for worn in found.worn:
        gravity = {True: "in", False: "removed", None: "mixed"}[worn.gravity]
        values = _percentiles(worn.resting, 5, 50, 95) + _percentiles(worn.overall, 1, 50, 99)
        acc.add_row(worn.placement, gravity, *values)
        for sensor in worn.sensors:
            missing = f"{100 * worn.missing_share(sensor):.3g} %"
            sensors.add_row(f"{worn.placement} {sensor}", f"{worn.sessions[sensor]:,}", missing)
    console.print(acc)
    console.print(sensors)


def _three(spread: dict[str, float]) -> str:
    return f"{spread['min']:.4g} to {spread['max']:.4g}, median {spread['median']:.4g}"


def _rates(rates: dict[str, int]) -> str:
    if len(rates) > 6:
        listed = list(rates)
        return f"{len(rates)} rates from {listed[0]} to {listed[-1]} Hz"
    return ", ".join(f"{rate} Hz" + f" ({count} sessions)" * (len(rates) > 1) for rate, count in rates.items())


def _percentiles(magnitudes: Magnitudes, *percents: float) -> list[str]:
    if not magnitudes.total_s:
        return ["-"] * len(percents)
    return [f"{magnitudes.percentile(percent):.2f}" for percent in percents]
