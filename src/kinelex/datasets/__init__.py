"""Labelled data sets: the card that describes one, importing it once, and the store that sessions are read from."""

from __future__ import annotations

from kinelex.datasets.card import Card
from kinelex.datasets.importing import find_sources, import_dataset
from kinelex.datasets.splits import Split, leave_one_subject_out, load_split, save_split, split_subjects, subject_split
from kinelex.datasets.store import Session, StoredDataset, data_root, list_stored

__all__ = [
    "Card",
    "Session",
    "Split",
    "StoredDataset",
    "data_root",
    "find_sources",
    "import_dataset",
    "leave_one_subject_out",
    "list_stored",
    "load_split",
    "save_split",
    "split_subjects",
    "subject_split",
]
