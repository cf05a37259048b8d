"""Importing: a tidy table and its card become a stored data set, once, checked, and safe to interrupt.

An import works in a folder named after what it imports: the hash of the table, the card and this format. Every finished
shard leaves a receipt there with its hash, so an import that was killed goes on after the last whole shard; nobody sees
any of it until the manifest is renamed into place.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kinelex.artifact import remove_leftovers, sha256, write_json, write_manifest
from kinelex.datasets.card import UNITLESS, Card
from kinelex.datasets.conversion import Converter
from kinelex.datasets.shards import plan_shards, write_shard
from kinelex.datasets.store import KIND, VERSION, Session, StoredDataset, checksum, data_root
from kinelex.datasets.tidy import KEYS, PLACEMENT, TIME, Run, TidyTable, csv_columns, csv_to_parquet
from kinelex.errors import BadSamples, CorruptArtifact, KinelexError, UnknownName, UnreadableFile

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with a stage (``"reading"``, ``"writing"``, ``"unchanged"``), rows done and rows in all."""

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
    folder = (data_root() if root is None else Path(root)) / card.name
    part = checksum(origin)[:16]
    with _alone(folder):
        stored = _unchanged(folder, origin)
        if stored is None:
            fields = {**_import(path, card, folder, part, tell), "source": origin}
            write_manifest(folder, KIND, VERSION, fields["shards"], {**fields, "checksum": checksum(fields)})
            stored = StoredDataset.open(folder.parent, card.name)
            log.info("imported '%s': %d sessions, %.2f h", card.name, len(stored.index), stored.hours)
        else:
            log.info("'%s' is imported already and unchanged", card.name)
            tell("unchanged", 1, 1)
        _tidy(folder, part)
    return stored


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


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the data set's lock; a second import waits. The lock falls with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unchanged(folder: Path, origin: dict[str, Any]) -> StoredDataset | None:
    """What is stored, when it was made from this very source and is whole."""
    try:
        stored = StoredDataset.open(folder.parent, folder.name, verify=True)
    except (UnknownName, CorruptArtifact):
        return None
    return stored if dict(stored.source) == origin else None


def _import(path: Path, card: Card, folder: Path, part: str, tell: Progress) -> dict[str, Any]:
    """Write all shards into ``folder/part``; returns the manifest's fields."""
    work = folder / part
    work.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    remove_leftovers(work)
    try:
        return _import_into(work, path, card, tell)
    except KinelexError:
        # Bad data stays bad: nothing here is worth going on with. After any other end, whole shards are.
        shutil.rmtree(work)
        with suppress(OSError):
            folder.rmdir()
        raise


def _import_into(work: Path, path: Path, card: Card, tell: Progress) -> dict[str, Any]:
    notes = _check_columns(path, card)
    tell("reading", 0, 1)
    if path.suffix.lower() == ".csv":
        table_path = work / "source.parquet"
        if not table_path.exists():
            csv_to_parquet(path, table_path, card.columns)
    else:
        table_path = path
    table = TidyTable(table_path, label=str(path))
    try:
        runs = sorted(table.runs(), key=lambda run: (run.subject, run.session))
        notes += _check_against_card(table, card, runs)
        converter = Converter(card, {run.placement for run in runs}, str(path))
        receipts, done = [], 0
        for number, members in enumerate(plan_shards(runs, len(converter.channels))):
            tell("writing", done, table.rows)
            receipts.append(_shard(work, number, members, table, converter))
            done += sum(run.rows for run in members)
        tell("writing", done, table.rows)
    finally:
        table.close()
    sessions = [Session(**session) for receipt in receipts for session in receipt["sessions"]]
    if not sessions:
        raise BadSamples(f"'{path}' has no session with a usable value")
    findings: dict[str, list[str]] = {}
    for receipt in receipts:
        for reason, names in receipt["findings"].items():
            findings[reason] = findings.get(reason, []) + names
    seconds: Counter[str] = Counter()
    for session in sessions:
        seconds[session.activity] += session.rows
    return {
        "name": card.name,
        "card": card.model_dump(mode="json"),
        "subjects": sorted({session.subject for session in sessions}),
        "activities": {name: rows / card.rate_hz for name, rows in sorted(seconds.items())},
        "channels": [asdict(channel) for channel in converter.channels],
        "notes": [*notes, *(f"{reason}: {len(names)} sessions" for reason, names in sorted(findings.items()))],
        "findings": dict(sorted(findings.items())),
        "shards": [f"{work.name}/{receipt['file']}" for receipt in receipts],
        "sessions": [asdict(session) for session in sessions],
    }


def _shard(work: Path, number: int, members: Sequence[Run], table: TidyTable, converter: Converter) -> dict[str, Any]:
    """Write a shard, unless its receipt shows that it is there and whole."""
    file, receipt_path = work / f"shard-{number:05}.parquet", work / f"shard-{number:05}.json"
    try:
        receipt: dict[str, Any] = json.loads(receipt_path.read_bytes())
        whole = file.stat().st_size == receipt["bytes"] and sha256(file) == receipt["sha256"]
        if whole and {"sessions", "findings"} <= receipt.keys():
            return receipt
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no receipt, or none to trust
    sessions, findings = write_shard(file, number, members, table, converter)
    receipt = {
        "file": file.name,
        "bytes": file.stat().st_size,
        "sha256": sha256(file),
        "findings": findings,
        "sessions": [asdict(session) for session in sessions],
    }
    write_json(receipt_path, receipt)
    return receipt


def _check_columns(path: Path, card: Card) -> list[str]:
    """Hold the table's columns against the card's; returns notes about columns that are left out."""
    if path.suffix.lower() == ".csv":
        columns = csv_columns(path)
    else:
        table = TidyTable(path)
        columns = table.columns
        table.close()
    if lacks := [name for name in card.columns if name not in columns]:
        raise BadSamples(f"'{path}' has no column {', '.join(lacks)}, which its card lists under columns")
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


def _tidy(folder: Path, part: str) -> None:
    """Remove what earlier or interrupted imports of other sources left, and this one's receipts."""
    for path in folder.iterdir():
        if path.is_dir() and re.fullmatch(r"[0-9a-f]{16}", path.name) and path.name != part:
            shutil.rmtree(path)
    for receipt in (folder / part).glob("shard-*.json"):
        receipt.unlink()
    (folder / part / "source.parquet").unlink(missing_ok=True)
