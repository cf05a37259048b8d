"""Labelled data sets: the catalog of public ones, cards that describe tables, importing, and the session store."""

from __future__ import annotations

from kinelex.datasets.card import Card
from kinelex.datasets.catalog import CatalogEntry, catalog_entry, catalog_names
from kinelex.datasets.getting import get
from kinelex.datasets.importing import find_sources, import_dataset
from kinelex.datasets.splits import Split, leave_one_subject_out, load_split, save_split, split_subjects, subject_split
from kinelex.datasets.store import Session, StoredDataset, data_root, list_stored

__all__ = [
    "Card",
    "CatalogEntry",
    "Session",
    "Split",
    "StoredDataset",
    "catalog_entry",
    "catalog_names",
    "data_root",
    "find_sources",
    "get",
    "import_dataset",
    "leave_one_subject_out",
    "list_stored",
    "load_split",
    "save_split",
    "split_subjects",
    "subject_split",
]
