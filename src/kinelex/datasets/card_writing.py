"""Writing the card of one's own table: what the table shows is measured, what it cannot show is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from kinelex.artifact import write_text
from kinelex.datasets.card import RESERVED, Card, channel_of
from kinelex.datasets.catalog import catalog_names
from kinelex.datasets.conversion import RATE_TOLERANCE
from kinelex.datasets.importing import CARDS, TABLES, table_columns
from kinelex.datasets.shards import plan_shards
from kinelex.datasets.tidy import KEYS, PLACEMENT, TIME, Run, TidyTable, csv_to_parquet
from kinelex.datasets.unit_judgement import Piece, UnitGuess, judge_gravity, judge_unit
from kinelex.datasets.writing import Progress
from kinelex.errors import BadRecipe, BadSamples, UnknownChannel, UnreadableFile, UsageError
from kinelex.signal.channel import UNKNOWN, Channel, Sensor, parse_placement
from kinelex.signal.clock import regularize

JUDGED_SESSIONS = 60
JUDGED_S = 600.0


@dataclass(frozen=True)
class Measured:
    """What a table shows by itself.

    Args:
        path: the table.
        columns: its sensor columns.
        ignored: columns that are no sensor and no key.
        subjects: number of people.
        rows: samples of each activity.
        rate_hz: samples per second by the column t.
        placements: where columns, or the column placement, say that sensors were worn.
        says_where: whether they do so everywhere.
        gravity: whether acc measures gravity.
        gravity_decided: whether that is beyond doubt.
        units: of each sensor, in the order of the columns.
    """

    path: Path
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    subjects: int
    rows: Mapping[str, int]
    rate_hz: float
    placements: tuple[str, ...]
    says_where: bool
    gravity: bool
    gravity_decided: bool
    units: Mapping[Sensor, UnitGuess]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each activity."""
        return {name: float(f"{rows / self.rate_hz:.6g}") for name, rows in self.rows.items()}

    @property
    def hours(self) -> float:
        """Hours in all."""
        return float(f"{sum(self.rows.values()) / self.rate_hz / 3600:.4g}")


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a table cannot say.

    Args:
        field: of the card; ``units.acc`` for the unit of a sensor.
        text: the question.
        option: how a script answers it.
        default: the answer when there is none; None where one is needed.
    """

    field: str
    text: str
    option: str
    default: str | None = None


@contextmanager
def open_table(path: str | Path) -> Iterator[TidyTable]:
    """Open a tidy table, of a CSV a copy that is gone afterwards.

    Raises:
        UnreadableFile: missing, empty, truncated, or no table.
        UnknownChannel: no column is a sensor axis.
        UnknownPlacement: a sensor column begins with words that are no placement.
        BadSamples: no row, a key is missing, or text where numbers belong.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLES:
        raise UnreadableFile(f"'{path}' is no table: give a .parquet or .csv file")
    if not path.is_file():
        raise UnreadableFile(f"'{path}' does not exist")
    sensors = _sensor_columns(table_columns(path), path)
    with TemporaryDirectory() as folder:
        if path.suffix.lower() == ".csv":
            copy = Path(folder) / "table.parquet"
            csv_to_parquet(path, copy, sensors)
            table = TidyTable(copy, label=str(path))
        else:
            table = TidyTable(path)
        try:
            yield table
        finally:
            table.close()


def measure_table(table: TidyTable, path: str | Path, progress: Progress | None = None) -> Measured:
    """Find out what a table says without words: columns, people, seconds, rate, gravity, units.

    Units and gravity are judged on up to `JUDGED_SESSIONS` sessions, of every activity alike; all else on all of it.

    Args:
        table: the table as opened.
        path: its file, whose name may become that of the set.
        progress: told about every stage.

    Raises:
        BadSamples: rows of a session apart, sessions at different rates, or something other than numbers.
        UnknownRate: the column t holds no seconds.
    """
    path = Path(path)
    tell: Progress = progress or (lambda stage, done, total: None)
    columns = _sensor_columns(table.columns, path)
    runs = table.runs()
    rate_hz = _rate(table, runs, tell)
    channels = [channel_of(column) for column in columns]
    tell("judging units", 0, 1)
    pieces = _pieces(table, runs, columns, channels, rate_hz)
    acc, gravity, sure = judge_gravity(pieces, rate_hz)
    sensors = dict.fromkeys(channel.sensor for channel in channels)
    units = {s: acc if s == "acc" else judge_unit(s, pieces, rate_hz, acc.unit, gravity) for s in sensors}
    rows: Counter[str] = Counter()
    for run in runs:
        rows[run.activity] += run.rows
    named = [channel.placement for channel in channels if channel.placement != UNKNOWN]
    said = {run.placement for run in runs}
    return Measured(
        path=path,
        columns=columns,
        ignored=tuple(name for name in table_columns(path) if name not in {*KEYS, PLACEMENT, TIME, *columns}),
        subjects=len({run.subject for run in runs}),
        rows=dict(sorted(rows.items())),
        rate_hz=rate_hz,
        placements=tuple(dict.fromkeys([*named, *(parse_placement(text) for text in sorted(said - {""}))])),
        says_where=len(named) == len(channels) or "" not in said,
        gravity=gravity,
        gravity_decided=sure or "acc" not in sensors,
        units=units,
    )


def questions(measured: Measured) -> list[Question]:
    """What has to be asked about a table, in order."""
    stem = measured.path.stem
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:64]
    usable = bool(name) and name not in RESERVED and name not in catalog_names()
    asked = []
    if name != stem or not usable:
        asked.append(Question("name", "Short name, for commands and folders", "--name", name if usable else None))
    title = stem.replace("_", " ").strip()
    asked.append(Question("title", "Full name", "--title", title[:1].upper() + title[1:]))
    if not measured.says_where:
        asked.append(Question("placement", "Where was it worn (such as left wrist, pocket, waist)", "--placement"))
    for sensor, guess in measured.units.items():
        if not guess.decided:
            asked.append(Question(f"units.{sensor}", f"Unit of {sensor}", f"--units {sensor}=UNIT", guess.unit))
    if not measured.gravity_decided:
        default = "yes" if measured.gravity else "no"
        asked.append(Question("gravity", "Does acc measure gravity as well (yes, no)", "--gravity", default))
    return [
        *asked,
        Question("role", "What it is for (training, test)", "--role", "training"),
        Question("licence", "Under which terms it may be used", "--licence", "not stated"),
        Question("cite", "What to cite, if anything", "--cite", ""),
    ]


def make_card(measured: Measured, answers: Mapping[str, str]) -> Card:
    """The card of a measured table.

    Args:
        measured: what the table shows.
        answers: by `Question.field`; may also overrule what was measured, such as a unit or gravity.

    Raises:
        UsageError: a question without a default has no answer, or an answer is none.
        BadRecipe: an answer cannot stand on a card.
        UnknownPlacement: the words for where it was worn name no placement, and the columns say none.
    """
    told = {question.field: _answer(question, answers) for question in questions(measured)}
    told = {"name": measured.path.stem, "placement": ", ".join(measured.placements), **told, **answers}
    card = Card.parse(
        {
            "name": told["name"],
            "title": told["title"],
            "subjects": measured.subjects,
            "placement": told["placement"],
            "units": {sensor: told.get(f"units.{sensor}", guess.unit) for sensor, guess in measured.units.items()},
            "gravity": _yes(told["gravity"]) if "gravity" in told else measured.gravity,
            "rate_hz": measured.rate_hz,
            "role": told["role"],
            "licence": told["licence"],
            "cite": told["cite"],
            "hours": measured.hours,
            "columns": measured.columns,
            "activities": measured.seconds,
        },
        where=str(measured.path.with_suffix(CARDS[0])),
    )
    if not measured.says_where:
        _ = card.default_placement  # raises when the words name no single placement
    return card


def check_answer(measured: Measured, question: Question, answer: str) -> None:
    """Whether an answer will do, whatever the others are.

    Raises:
        UsageError, BadRecipe, UnknownPlacement: it will not.
    """
    if not answer and question.default is None:
        raise UsageError("an answer is needed")
    make_card(measured, {"name": "any", "placement": UNKNOWN, question.field: answer})


def write_card(card: Card, target: str | Path, *, force: bool = False) -> Path:
    """Write a card as YAML, a sentence above each field.

    Args:
        card: the card.
        target: the file.
        force: write over a file that is there.

    Raises:
        UsageError: the file is there, and `force` was not given.
    """
    target = Path(target)
    check_free(target, force=force)
    content = {name: value for name, value in card.model_dump(mode="json").items() if value != ""}
    parts = []
    for name, value in content.items():
        # Columns and units on one line each, activities below each other.
        flow = None if name in ("columns", "units") else False
        plain = {name: _plain(value)}
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=110)
        parts.append(f"# {Card.model_fields[name].description}\n{text}")
    write_text(target, "\n".join(parts))
    return target


def check_free(target: Path, *, force: bool) -> None:
    """Whether a card may be written there.

    Raises:
        UsageError: there is one already, in either spelling of the suffix, and `force` was not given.
    """
    for there in {target, *(target.with_suffix(suffix) for suffix in CARDS)}:
        if there.exists() and (not force or there != target):
            raise UsageError(f"'{there}' is there already: read it, remove it, or write over it with --force")


def _sensor_columns(names: Sequence[str], path: Path) -> tuple[str, ...]:
    found = []
    for name in names:
        if name in (*KEYS, PLACEMENT, TIME):
            continue
        try:
            channel_of(name)
        except UnknownChannel:
            continue
        found.append(name)
    if not found:
        raise UnknownChannel(f"'{path}' has no sensor column: name columns like acc_x or left_wrist_gyro_z")
    return tuple(found)


def _rate(table: TidyTable, runs: Sequence[Run], tell: Callable[[str, int, int], None]) -> float:
    """The rate of all sessions, by their timestamps.

    Raises:
        BadSamples: they differ by more than an import takes.
    """
    rates: list[tuple[float, Run]] = []
    done = 0
    for members in plan_shards(runs, 1):
        for run, (times, _) in zip(members, table.read(members, []), strict=True):
            done += run.rows
            tell("reading", done, table.rows)
            if run.rows > 1 and np.isfinite(times).any():
                clock = regularize(np.zeros((run.rows, 1), dtype=np.float32), times_s=times, name=run.session)
                rates.append((clock.rate_hz, run))
    if not rates:
        raise BadSamples(f"'{table.label}' has no session of more than one row: its rate cannot be measured")
    by_rows = sorted(rates, key=lambda rate: rate[0])
    until = np.cumsum([run.rows for _, run in by_rows])
    typical = by_rows[int(np.searchsorted(until, until[-1] / 2))][0]
    for rate, run in rates:
        if abs(rate / typical - 1) > RATE_TOLERANCE:
            raise BadSamples(
                f"session '{run.session}' of '{table.label}' has {rate:.4g} Hz, most others have {typical:.4g} Hz:"
                " sessions of different rates belong into tables of their own"
            )
    return round(typical, 4)


def _pieces(
    table: TidyTable, runs: Sequence[Run], columns: Sequence[str], channels: Sequence[Channel], rate_hz: float
) -> list[Piece]:
    """The sensors of one placement in one session each, of sessions that are spread evenly over the activities."""
    by_activity = sorted(runs, key=lambda run: (run.activity, run.start))
    chosen = [by_activity[i] for i in np.unique(np.linspace(0, len(runs) - 1, JUDGED_SESSIONS).round().astype(int))]
    pieces = []
    for run in chosen:
        ((_, samples),) = table.read([run], columns)
        samples = samples[: round(JUDGED_S * rate_hz)]
        for placement in dict.fromkeys(channel.placement for channel in channels):
            here = [i for i, channel in enumerate(channels) if channel.placement == placement]
            here = [i for i in here if np.isfinite(samples[:, i]).any()]
            if here:
                pieces.append(Piece(samples[:, here], tuple(channels[i] for i in here), run.session))
    return pieces


def _answer(question: Question, answers: Mapping[str, str]) -> str:
    answer = answers.get(question.field, question.default)
    if answer is None:
        raise UsageError(f"the table cannot say this: {question.text}? Say it with {question.option}")
    return answer


def _yes(text: str) -> bool:
    if (word := text.strip().lower()) not in ("yes", "y", "true", "no", "n", "false"):
        raise BadRecipe(f"'{text}' is neither yes nor no")
    return word in ("yes", "y", "true")


def _plain(value: Any) -> Any:
    """Whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value
