"""Importing a tidy table and its card: they become a stored data set, once and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.artifact import sha256
from kinelex.datasets.card import UNITLESS, Card
from kinelex.datasets.catalog import people_of
from kinelex.datasets.conversion import Converter
from kinelex.datasets.shards import Piece, plan_shards, write_shard
from kinelex.datasets.store import About, StoredDataset, Stream, checksum
from kinelex.datasets.tidy import KEYS, PLACEMENT, TIME, Run, TidyTable, csv_columns, csv_to_parquet
from kinelex.datasets.writing import Batch, Progress, Work, store
from kinelex.errors import BadSamples, UnreadableFile

IMPORTER = 1
"""Raise this when the same table would be stored differently: then every set is imported anew."""

TABLES = (".parquet", ".csv")
CARDS = (".yaml", ".yml")


def find_sources(path: str | Path) -> tuple[Path, ...]:
    """The tables that can be imported from `path`: a table or card itself, or every table with a card in a folder.

    Raises:
        UnreadableFile: nothing there, or no table with a card.
    """
    path = Path(path)
    if not path.is_dir():
        return (_table_and_card(path)[0],)
    cards = sorted(card for suffix in CARDS for card in path.glob(f"*{suffix}"))
    paired = [card for card in cards if any(card.with_suffix(suffix).is_file() for suffix in TABLES)]
    tables = [_table_and_card(card)[0] for card in paired]
    if not tables:
        raise UnreadableFile(f"folder '{path}' holds no data set: put NAME.yaml (its card) beside NAME.parquet")
    return tuple(dict.fromkeys(tables))


def import_dataset(
    source: str | Path, root: str | Path | None = None, *, progress: Progress | None = None
) -> StoredDataset:
    """Import a tidy table and the card beside it into the store.

    Units become SI and are checked for plausibility, uneven clocks are made even, and the table is held against its
    card: unknown or missing subjects, activities, columns, and another rate are errors; other differences are kept as
    notes. Importing an unchanged source again does nothing; after an interruption it goes on where it stopped.

    Args:
        source: ``NAME.parquet`` or ``NAME.csv`` with ``NAME.yaml`` beside it, or that card.
        root: the folder of all data sets, `data_root` when left out.
        progress: told about every stage.

    Returns:
        The stored data set.

    Raises:
        UnreadableFile: the table or its card is missing, empty or truncated.
        BadRecipe: a field of the card is wrong.
        BadSamples: the table is not tidy, or says something else than its card.
        WrongUnit: values that cannot be in the unit that the card claims.
        UnknownPlacement: the card's words for where a sensor was worn are not known.
    """
    tell: Progress = progress or (lambda stage, done, total: None)
    path, card_path = _table_and_card(Path(source))
    card = Card.load(card_path)
    origin = {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "card_sha256": checksum(card.model_dump(mode="json")),
        "importer": IMPORTER,
    }
    about = About(
        name=card.name,
        title=card.title,
        role=card.role,
        complete=card.complete,
        licence=card.licence,
        cite=card.cite,
        worn=card.placement,
        declared=tuple(card.activities),
        people=people_of(card.name),
    )
    return store(about, origin, root, partial(_write, path=path, card=card, tell=tell), tell)


def _table_and_card(path: Path) -> tuple[Path, Path]:
    suffix = path.suffix.lower()
    others = TABLES if suffix in CARDS else CARDS
    if suffix not in TABLES + CARDS:
        raise UnreadableFile(
            f"'{path}' is no data set: give NAME.parquet or NAME.csv with its card NAME.yaml beside it"
        )
    if not path.is_file():
        raise UnreadableFile(f"'{path}' does not exist")
    for other in others:
        if (beside := path.with_suffix(other)).is_file():
            return (beside, path) if suffix in CARDS else (path, beside)
    lacks = "table (.parquet or .csv)" if suffix in CARDS else "card (.yaml)"
    raise UnreadableFile(f"'{path}' has no {lacks} of the same name beside it")


def compare(table: TidyTable, card: Card, progress: Progress | None = None) -> list[str]:
    """What importing a table with a card would note; nothing is stored.

    Args:
        table: the table.
        card: what is said about it.
        progress: told about every stage.

    Raises:
        BadSamples, WrongUnit, UnknownPlacement: as `import_dataset`.
    """
    runs = sorted(table.runs(), key=lambda run: (run.subject, run.session))
    notes = _check_columns(table.columns, card, table.label) + _check_against_card(table, card, runs)
    converter = Converter(card, {run.placement for run in runs}, table.label)
    findings: Counter[str] = Counter()
    done = 0
    for members in plan_shards(runs, len(converter.channels)):
        converter.start()
        for run, (times, samples) in zip(members, table.read(members, converter.columns), strict=True):
            converter.convert(run, times, samples)
            done += run.rows
            if progress is not None:
                progress("comparing", done, table.rows)
        findings.update({reason: len(names) for reason, names in converter.finish().items()})
    return notes + [f"{reason}: {count} sessions" for reason, count in sorted(findings.items())]


def _write(work: Work, path: Path, card: Card, tell: Progress) -> tuple[list[Batch], list[str]]:
    notes = _check_columns(table_columns(path), card, str(path))
    tell("reading", 0, 1)
    if path.suffix.lower() == ".csv":
        table_path = work.folder / "source.parquet"
        if not table_path.exists():
            csv_to_parquet(path, table_path, card.columns)
    else:
        table_path = path
    table = TidyTable(table_path, label=str(path))
    try:
        runs = sorted(table.runs(), key=lambda run: (run.subject, run.session))
        notes += _check_against_card(table, card, runs)
        converter = Converter(card, {run.placement for run in runs}, str(path))
        batches, done = [], 0
        for number, members in enumerate(plan_shards(runs, len(converter.channels))):
            tell("writing", done, table.rows)
            done += sum(run.rows for run in members)
            batch = work.finished(number)
            batches.append(
                batch or work.finish(number, _shard(work.shard_path(number), members, table, converter, done))
            )
        tell("writing", done, table.rows)
    finally:
        table.close()
    return batches, notes


def _shard(target: Path, members: Sequence[Run], table: TidyTable, converter: Converter, done: int) -> Batch:
    """Read sessions from the table, convert them, and write them to one shard.

    Raises:
        BadSamples: a session was not sampled at the card's rate.
        WrongUnit: values that cannot be in the unit that the card claims.
    """
    raw = table.read(members, converter.columns)
    converter.start()

    def pieces() -> Iterator[Piece]:
        for run, (times, samples) in zip(members, raw, strict=True):
            stored = converter.convert(run, times, samples)
            if stored is not None:
                yield Piece(run.session, run.subject, run.activity, converter.rate_hz, run.session, 0.0, stored)

    sessions = write_shard(target, 0, pieces(), converter.channels)
    stream = Stream(converter.channels, converter.gravity)
    return Batch([(target.name, stream)], sessions, converter.finish(), done)


def table_columns(path: Path) -> tuple[str, ...]:
    """The column names of a tidy table.

    Raises:
        UnreadableFile: missing, empty, truncated, or neither CSV nor Parquet.
        BadSamples: no row, or a key is missing.
    """
    if path.suffix.lower() == ".csv":
        return csv_columns(path)
    table = TidyTable(path)
    table.close()
    return table.columns


def _check_columns(columns: Sequence[str], card: Card, label: str) -> list[str]:
    """Hold the table's columns against the card's; returns notes about columns that are left out."""
    if lacks := [name for name in card.columns if name not in columns]:
        raise BadSamples(f"'{label}' has no column {', '.join(lacks)}, which its card lists under columns")
    if not card.usable_columns:
        raise BadSamples(f"data set '{card.name}' has no sensor with a unit: its card says units: {card.units}")
    notes = [
        f"{sensor} has no unit ({unit}) and was left out" for sensor, unit in card.units.items() if unit in UNITLESS
    ]
    known = {*KEYS, PLACEMENT, TIME, *card.columns}
    if others := [name for name in columns if name not in known]:
        notes.append(f"columns that the card does not list were left out: {', '.join(others)}")
    return notes


def _check_against_card(table: TidyTable, card: Card, runs: Sequence[Run]) -> list[str]:
    """Hold subjects, activities and times against the card; returns what differs by more than rounding."""
    subjects = {run.subject for run in runs}
    if len(subjects) != card.subjects:
        raise BadSamples(f"'{table.label}' has {len(subjects)} subjects, its card says subjects: {card.subjects}")
    rows: Counter[str] = Counter()
    for run in runs:
        rows[run.activity] += run.rows
    if unknown := sorted(set(rows) - set(card.activities)):
        raise BadSamples(f"'{table.label}' has activities that its card does not list: {', '.join(unknown)}")
    if lacks := sorted(set(card.activities) - set(rows)):
        raise BadSamples(f"'{table.label}' has no session of {', '.join(lacks)}, which its card lists under activities")
    notes = [
        f"{name}: {rows[name] / card.rate_hz:.2f} s in the table, {stated:g} s on the card"
        for name, stated in sorted(card.activities.items())
        if abs(rows[name] / card.rate_hz - stated) > 0.51  # cards round to seconds
    ]
    hours = table.rows / card.rate_hz / 3600
    if abs(hours - card.hours) > 0.0051:
        notes.append(f"{hours:.3f} h in the table, {card.hours:g} h on the card")
    return notes
