"""What studies of retrieval found: tables as JSON, and as a page that a person reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from kinelex.evaluation.record import Record, read_record, write_record
from kinelex.evaluation.report import percent
from kinelex.evaluation.retrieval.report import TargetUsed, what_was_used
from kinelex.evaluation.statistics import Estimate

FORMAT = 1
KIND = "retrieval studies"
RESULTS = "studies.json"
PAGE = "studies.md"

Cell = str | int | float | Estimate | None
"""A figure or a word; none where there is nothing to say. An estimate is shown as a percentage."""


class StudyTable(Record):
    """One question, answered in one table."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: str = Field(description="A word for it, such as that of its study.")
    title: str = Field(description="What it is about.")
    about: tuple[str, ...] = Field(description="What a reader must know, one sentence each.")
    columns: tuple[str, ...] = Field(description="Names of the columns, in order.")
    rows: tuple[dict[str, Cell], ...] = Field(description="Cells by the names of their columns; one may be left out.")


class StudyReport(Record):
    """Everything that was found, and what is needed to repeat it."""

    kind: str = Field(KIND, description="What this file is.")
    version: int = Field(FORMAT, description="Format version.")
    command: str = Field(description="The command that made it.")
    protocol: dict[str, Any] = Field(description="The rules: every field of `RetrievalProtocol`.")
    versions: dict[str, str] = Field(description="Of Kinelex and what it computes with.")
    data: tuple[TargetUsed, ...] = Field(description="One per data set.")
    seen: dict[str, tuple[str, ...]] = Field({}, description="Which of these sets the weights of which backbone saw.")
    tables: tuple[StudyTable, ...] = Field(description="Study by study.")


def write_studies(report: StudyReport, folder: str | Path) -> list[Path]:
    """Write the JSON record and the Markdown page; returns their paths."""
    return write_record(report, studies_page(report), folder, names=(RESULTS, PAGE))


def read_studies(path: str | Path) -> StudyReport:
    """Read studies from their JSON file or the folder that holds it.

    Raises:
        CorruptArtifact: no such file, or none of studies.
        UnsupportedFormat: written by a newer format version.
    """
    return read_record(path, StudyReport, KIND, FORMAT, name=RESULTS)


def studies_page(report: StudyReport) -> str:
    """The studies as a Markdown page."""
    protocol = report.protocol
    lines = [
        "# Studies of retrieval",
        "",
        "```",
        report.command,
        "```",
        "",
        f"{protocol['window_s']:g}-second windows; all labeled windows of other people are remembered, {protocol['k']}"
        f" neighbors, evidence {protocol['evidence']['strategy']} at temperature"
        f" {protocol['evidence']['temperature']:g}, fixed weight {protocol['weight']:g}, wherever a table does not say"
        f" otherwise; head {protocol.get('head', 'logistic')}, windows {protocol.get('windows', 'ours')}. Accuracy and"
        f" macro-F1 are percentages [{100 * protocol['level']:g} % interval over subjects]; all"
        " other numbers are as they are.",
    ]
    if any(report.seen.values()):
        lines.append("")
    for backbone, sets in report.seen.items():
        lines += [f"* Careful: the weights of {backbone} saw {', '.join(sets)}."] * bool(sets)
    for table in report.tables:
        lines += ["", f"## {table.title}", "", *(f"* {remark}" for remark in table.about)]
        lines += [""] * bool(table.about) + table_lines(table)
    lines += ["", *what_was_used(report.data, report.versions)]
    return "\n".join(lines) + "\n"


def table_lines(table: StudyTable) -> list[str]:
    """A table as lines of Markdown: words to the left, figures to the right."""
    return [
        _line(table.columns),
        "|" + "".join("---|" if _holds_words(table, column) else "--:|" for column in table.columns),
        *(_line([cell_text(row.get(column)) for column in table.columns]) for row in table.rows),
    ]


def cell_text(cell: Cell) -> str:
    """A cell as it is read.

    >>> [cell_text(cell) for cell in ("dtw", 1234, 0.123456, 1234.5, 2.0, 0.0, None)]
    ['dtw', '1,234', '0.123', '1,234', '2', '0', '–']
    """
    if cell is None:
        return "–"
    if isinstance(cell, Estimate):
        return percent(cell)
    if isinstance(cell, float):
        if not cell or cell == round(cell):
            return f"{cell:,.0f}"
        return f"{cell:,.{max(0, 2 - math.floor(math.log10(abs(cell))))}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _holds_words(table: StudyTable, column: str) -> bool:
    return any(isinstance(row.get(column), str) for row in table.rows)
