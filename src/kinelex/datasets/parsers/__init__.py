"""The official files of public data sets, turned into recordings: one module per set, named as in the catalog.

Every module has one public function::

    def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]

It finds, in an order that never changes, what was recorded in one go, and reads nothing yet; `Trial.read` does. A
parser knows a set's layout and its traps. What a set holds (codes, devices, units, rates) it takes from the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.trial import Trial
from kinelex.errors import UnreadableFile

__all__ = ["Trial", "has_parser", "trials"]


def has_parser(name: str) -> bool:
    """Whether the official files of the set `name` can be read."""
    return find_spec(f"{__name__}.{name}") is not None


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """Everything that was recorded in one go, in an order that never changes.

    Args:
        entry: the set, from the catalog.
        folder: where its official files lie.

    Raises:
        UnreadableFile: no file of the set is there.
    """
    found = False
    for trial in import_module(f"{__name__}.{entry.name}").trials(entry, folder):
        found = True
        yield trial
    if not found:
        raise UnreadableFile(f"'{folder}' holds no recording of '{entry.name}': it should hold {entry.layout}")
