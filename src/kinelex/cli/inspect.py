"""``kinelex inspect``: what was understood of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kinelex.readers.inspection import Inspection, Survey

_MOST_ACTIVITIES = 12


def inspect(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    rate_hz: float | None = None,
    units: str | None = None,
    placement: str | None = None,
    gravity: bool | None = None,
    format: str | None = None,
    columns: str | None = None,
    session: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show what was understood of a file: rate, units, placement, gravity, activities, and what is wrong with it.

    Nothing is written. What was misunderstood can be said with the options, which `kinelex predict` takes as well.

    Examples:

        kinelex inspect walk.csv

        kinelex inspect log.csv --rate-hz 50 --units acc=g,gyro=deg/s --columns "Clock=time,A1=acc_x,A2=acc_y,A3=acc_z"

    Args:
        file: A CSV or Parquet file, or a Sensor Logger export (folder or zip).
        rate_hz: Samples per second, for a file without timestamps.
        units: Units that the file does not state, such as acc=g,gyro=deg/s; SI when left out.
        placement: Where it was worn, such as "left wrist".
        gravity: Whether acceleration contains gravity; looked up in the signal when left out.
        format: The layout, when the content misleads: tidy, wide or sensor-logger.
        columns: What columns mean when their names do not say, such as "Clock=time,A1=acc_x,note=ignore".
        session: Which session, of a table that holds several.
        as_json: Print JSON in place of tables.
    """
    from kinelex.cli.options import parse_columns, parse_units
    from kinelex.readers.inspection import Survey, examine
    from kinelex.readers.request import Request

    found = examine(
        Request(
            path=file,
            rate_hz=rate_hz,
            units=parse_units(units) if units else {},
            placement=placement,
            gravity=gravity,
            columns=parse_columns(columns) if columns else {},
            format=format,
            session=session,
        )
    )
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False)
    if isinstance(found, Survey):
        _show_survey(console, found)
        found = found.first
    _show(console, found)


def _show_survey(console: Console, survey: Survey) -> None:
    facts = [f"{survey.sessions} sessions", f"{survey.hours:.2f} hours"]
    if survey.subjects:
        facts.insert(1, f"{survey.subjects} subject{'s' * (survey.subjects > 1)}")
    console.print(Text.assemble((survey.file, "bold"), (f"  {' · '.join(facts)}", "dim")), soft_wrap=True)
    console.print(_activities(survey.seconds))
    console.print(Text("its first session in detail (another one with --session NAME):", style="dim"))


def _show(console: Console, found: Inspection) -> None:
    console.print(Text.assemble((found.name, "bold"), (f"  {found.format}", "dim")), soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("rate", _rate(found))
    facts.add_row("duration", _duration(found.duration_s))
    facts.add_row("gravity", _gravity(found))
    if found.start:
        facts.add_row("start", found.start)
    if found.subject:
        facts.add_row("subject", Text(found.subject))
    if found.ignored:
        facts.add_row("not used", Text(", ".join(found.ignored)))
    console.print(facts)
    console.print(_channels(found))
    if found.intervals:
        console.print(_activities(found.seconds))
    for problem in found.problems:
        console.print(Text(f"note: {problem}", style="yellow"))
    if not found.problems:
        console.print(Text("no problem found", style="green"))


def _rate(found: Inspection) -> str:
    details = []
    if found.rate_stated_hz is not None:
        details.append(f"stated {found.rate_stated_hz:g}")
    if found.rate_measured_hz is not None:
        details.append(f"measured {found.rate_measured_hz:.6g}")
    return f"{found.rate_hz:.6g} Hz" + (f" ({', '.join(details)})" if details else "")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {rest:02d} s" if hours else f"{minutes} min {rest:02d} s"


def _gravity(found: Inspection) -> str:
    if not any(channel.sensor == "acc" for channel in found.channels):
        return "no accelerometer"
    said = "contained in acc" if found.gravity else "removed from acc"
    source = {"signal": "seen in the signal", "caller": "as you say"}.get(found.gravity_source)
    rest = "" if found.resting_acc is None else f"; {found.resting_acc:.2f} m/s² at rest"
    return f"{said} ({source or f'says the {found.gravity_source}'}{rest})"


def _channels(found: Inspection) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("column", "channel", "placement", "unit"):
        table.add_column(title)
    for channel in found.channels:
        change = channel.unit if channel.unit_read == channel.unit else f"{channel.unit_read} → {channel.unit}"
        table.add_row(
            Text(channel.source),
            Text(f"{channel.sensor} {channel.axis}", style="bold"),
            Text(channel.placement, style="" if channel.placement != "unknown" else "dim"),
            Text.assemble(change, (f"  {channel.unit_source}", "dim")),
        )
    return table


def _activities(seconds: Mapping[str, float]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("activity")
    table.add_column("seconds", justify="right")
    listed = list(seconds.items())
    for label, length in listed[:_MOST_ACTIVITIES]:
        table.add_row(Text(label), f"{length:,.0f}" if length >= 100 else f"{length:.1f}")
    if len(listed) > _MOST_ACTIVITIES:
        rest = sum(length for _, length in listed[_MOST_ACTIVITIES:])
        table.add_row(Text(f"{len(listed) - _MOST_ACTIVITIES} more", style="dim"), f"{rest:,.0f}")
    return table
