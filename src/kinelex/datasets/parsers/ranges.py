"""One huge text table of many people, read person by person: where in the file whose rows lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinelex.datasets.parsers.text import BLOCK_BYTES, Columns, read_columns
from kinelex.errors import UnreadableFile

Range = tuple[int, int]
"""Where whole lines of a file begin and how many bytes they take."""


@dataclass(frozen=True, slots=True)
class Table:
    """A text table that is larger than memory should be.

    Args:
        path: the file.
        names: of its columns, from its first line where that has names.
        delimiter: one character.
        body: where the rows begin, in bytes.
    """

    path: Path
    names: tuple[str, ...]
    delimiter: str
    body: int

    @classmethod
    def open(cls, path: Path, names: Sequence[str]) -> Table:
        """Look at the first line; `names` are the columns of a file that begins with a row.

        Raises:
            UnreadableFile: missing or empty.
        """
        try:
            with path.open("rb") as file:
                first = file.readline()
        except OSError as error:
            raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
        if not first.strip():
            raise UnreadableFile(f"'{path}' is empty, or begins with an empty line")
        delimiter = "\t" if b"\t" in first else ","
        cells = [cell.strip().strip('"') for cell in first.decode("utf-8-sig", "replace").split(delimiter)]
        has_names = len(set(cells) & set(names)) > len(names) // 2
        return cls(path, tuple(cells if has_names else names), delimiter, len(first) if has_names else 0)

    def ranges_by(self, *keys: str) -> dict[tuple[str, ...], list[Range]]:
        """In which blocks of the file each combination of values of some columns occurs, in their first order."""
        found: defaultdict[tuple[str, ...], list[Range]] = defaultdict(list)
        for place, columns in self._blocks(self._cut(), keys, dict.fromkeys(keys, str)):
            for key in dict.fromkeys(zip(*(columns[name].tolist() for name in keys), strict=True)):
                found[key].append(place)
        return dict(found)

    def rows(self, ranges: Iterable[Range], only: Collection[str], kinds: Mapping[str, type]) -> Iterator[Columns]:
        """Some columns of some blocks, block after block; `kinds` as for `read_columns`."""
        for _, columns in self._blocks(ranges, only, kinds):
            yield columns

    def _cut(self) -> Iterator[Range]:
        with self.path.open("rb") as file:
            start = file.seek(self.body)
            while file.read(BLOCK_BYTES):
                file.readline()
                yield start, file.tell() - start
                start = file.tell()

    def _blocks(
        self, ranges: Iterable[Range], only: Collection[str], kinds: Mapping[str, type]
    ) -> Iterator[tuple[Range, Columns]]:
        try:
            with self.path.open("rb") as file:
                for start, length in ranges:
                    file.seek(start)
                    if (lines := file.read(length)).strip():
                        yield (
                            (start, length),
                            read_columns(
                                lines,
                                self.names,
                                only=only,
                                kinds=kinds,
                                delimiter=self.delimiter,
                                label=str(self.path),
                            ),
                        )
        except OSError as error:
            raise UnreadableFile(f"'{self.path}' cannot be read: {error.strerror}") from None
