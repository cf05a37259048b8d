"""``kinelex datasets card``: the card of one's own table, measured as far as it can be and asked for the rest."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from kinelex.cli.datasets.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kinelex.datasets import Card
    from kinelex.datasets.card_writing import Measured
    from kinelex.datasets.writing import Progress


@app.command(name="card")
def card(
    table: Path,
    *,
    out: Path | None = None,
    name: str | None = None,
    title: str | None = None,
    placement: str | None = None,
    units: Annotated[str | None, Parameter(name=("--units", "--unit"))] = None,
    gravity: bool | None = None,
    role: str | None = None,
    licence: Annotated[str | None, Parameter(name=("--licence", "--license"))] = None,
    cite: str | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the card of your own table, which an import needs beside it.

    People, activities, hours, rate, gravity and units are measured as far as the values show them. What they do not
    show is asked for, on a terminal; else options answer, or what stands in brackets is taken.

    Args:
        table: A tidy table (.parquet or .csv) with the columns session, subject, activity, t in seconds, and one per
            sensor axis, such as acc_x or left_wrist_gyro_z.
        out: Where the card goes; beside the table, under its name, when left out.
        name: Short name, for commands and folders.
        title: Full name.
        placement: Where it was worn, such as "left wrist"; needed where the columns do not say.
        units: Units of the sensors, such as acc=g,gyro=deg/s, where the values do not tell.
        gravity: Whether acc measures gravity as well, where the values do not tell.
        role: What it is for: training or test.
        licence: Under which terms it may be used.
        cite: What to cite.
        force: Write over a card that is there.
    """
    from kinelex.cli.options import parse_units
    from kinelex.datasets.card_writing import check_free, make_card, measure_table, open_table, write_card
    from kinelex.datasets.importing import compare

    target = out or table.with_suffix(".yaml")
    check_free(target, force=force)
    given = {"name": name, "title": title, "placement": placement, "role": role, "licence": licence, "cite": cite}
    answers = {field: answer for field, answer in given.items() if answer is not None}
    answers |= {f"units.{sensor}": unit for sensor, unit in (parse_units(units) if units else {}).items()}
    answers |= {} if gravity is None else {"gravity": "yes" if gravity else "no"}
    console = Console(markup=False, highlight=False)
    with open_table(table) as opened:
        with _bar() as tell:
            measured = measure_table(opened, table, tell)
        if sys.stdin.isatty():
            answers |= _ask(measured, answers)
        made = make_card(measured, answers)
        with _bar() as tell:
            notes = compare(opened, made, tell)
        write_card(made, target, force=force)
    _show(console, measured, made, answers)
    for note in notes:
        console.print(f"note: {note}")
    for column in measured.ignored:
        console.print(f"note: column {column} is no sensor axis and is not listed")
    console.print(f"card: {target}", soft_wrap=True)
    beside = table.with_suffix(target.suffix)
    if target.resolve() != beside.resolve():
        console.print(f"an import looks for it beside the table: move it to {beside}", soft_wrap=True)
    console.print(f"next: kinelex datasets import {shlex.quote(str(table))}", soft_wrap=True)


@contextmanager
def _bar() -> Iterator[Progress]:
    """How far it is, on the terminal."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn()
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total)


def _ask(measured: Measured, answers: Mapping[str, str]) -> dict[str, str]:
    """Ask on the terminal what no option has answered; an answer that will not do is asked for again."""
    from rich.prompt import Prompt

    from kinelex.datasets.card_writing import check_answer, questions
    from kinelex.errors import KinelexError, UsageError

    console = Console(stderr=True, markup=False, highlight=False)
    found = {}
    for question in questions(measured):
        while question.field not in answers and question.field not in found:
            try:
                answer = Prompt.ask(question.text, console=console, default=question.default or "").strip()
                check_answer(measured, question, answer)
            except EOFError:
                raise UsageError(f"no answer to '{question.text}': say it with {question.option}") from None
            except KinelexError as error:
                console.print(str(error))
            else:
                found[question.field] = answer
    return found


def _show(console: Console, measured: Measured, made: Card, answers: Mapping[str, str]) -> None:
    """What the card says, and how that is known."""
    table = Table(
        "", Column("", overflow="fold"), "", title=made.title or made.name, box=SIMPLE_HEAD, show_header=False
    )
    activities = f"{len(made.activities)}: {', '.join(made.activities)}"
    seconds = f"{made.hours * 3600:,.0f} s" if made.hours < 0.1 else f"{made.hours:.2f} h"
    table.add_row("name", made.name, "")
    table.add_row("subjects", str(made.subjects), "counted")
    table.add_row("activities", activities, "counted")
    table.add_row("length", seconds, "counted")
    table.add_row("rate", f"{made.rate_hz:g} Hz", "by the column t")
    table.add_row("worn", made.placement, "as you say" if "placement" in answers else "by the columns")
    for sensor, unit in made.units.items():
        sure = measured.units[sensor].decided
        told = "as you say" if f"units.{sensor}" in answers else "by the values" if sure else "a guess: please check"
        table.add_row(f"unit of {sensor}", unit, told)
    if "acc" in made.units:
        sure = measured.gravity_decided
        told = "as you say" if "gravity" in answers else "by the values" if sure else "a guess: please check"
        table.add_row("gravity", "in acc" if made.gravity else "removed from acc", told)
    table.add_row("role", made.role, "")
    table.add_row("licence", made.licence, "")
    console.print(table)
