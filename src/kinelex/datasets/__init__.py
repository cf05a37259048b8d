"""Labelled data sets: the catalog of public ones, cards that describe tables, importing, and the session store."""

from __future__ import annotations

from kinelex.datasets.card import Card
from kinelex.datasets.catalog import CatalogEntry, catalog_entry, catalog_names
from kinelex.datasets.getting import get
from kinelex.datasets.importing import find_sources, import_dataset
from kinelex.datasets.official import import_official
from kinelex.datasets.splits import (
    Example,
    Split,
    few_shot,
    leave_one_subject_out,
    load_split,
    published_split,
    save_split,
    saved_splits,
    split_subjects,
    subject_split,
)
from kinelex.datasets.store import About, Session, StoredDataset, Stream, data_root, list_stored
from kinelex.datasets.verification import Checked, check

__all__ = [
    "About",
    "Card",
    "CatalogEntry",
    "Checked",
    "Example",
    "Session",
    "Split",
    "StoredDataset",
    "Stream",
    "catalog_entry",
    "catalog_names",
    "check",
    "data_root",
    "few_shot",
    "find_sources",
    "get",
    "import_dataset",
    "import_official",
    "leave_one_subject_out",
    "list_stored",
    "load_split",
    "published_split",
    "save_split",
    "saved_splits",
    "split_subjects",
    "subject_split",
]
