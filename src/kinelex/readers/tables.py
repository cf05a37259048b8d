"""Open a file of rows as a table, by its first bytes."""

from __future__ import annotations

from kinelex.errors import UnreadableFile
from kinelex.readers.blob import Blob, reading
from kinelex.readers.csv_table import CsvTable
from kinelex.readers.parquet_table import MAGIC, ParquetTable
from kinelex.readers.table import Table


def open_table(blob: Blob) -> Table:
    """The table in a CSV or Parquet file, packed or not.

    Raises:
        UnreadableFile: it is missing, empty, damaged, or neither.
    """
    with reading(blob):
        if blob.member is None and blob.path.is_dir():
            raise UnreadableFile(f"'{blob}' is a folder, not a file")
        head = blob.head(len(MAGIC))
    if not head:
        raise UnreadableFile(f"'{blob}' is empty (0 bytes): get the file again")
    return ParquetTable(blob) if head == MAGIC else CsvTable(blob)
