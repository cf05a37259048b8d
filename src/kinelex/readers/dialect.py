"""How a text table is written: encoding, separator, decimal sign, where the header is. Found by looking, not asking."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

from kinelex.errors import UnreadableFile
from kinelex.readers.unit_words import is_unit

HEAD_BYTES = 1 << 17
"""How much of a file is looked at: enough for any preamble and some hundred rows."""

SEPARATORS = (",", ";", "\t", "|", " ")
COMMENTS = ("#", "%", "//")

MISSING = ("", "NaN", "nan", "NAN", "-nan", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "none", "-", "--", "?")
"""Cells that mean 'no value'."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_CLOCK = re.compile(r"\s*(\d{4}-\d\d-\d\d[T ])?\d{1,2}:\d\d(:\d\d([.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_RATE = re.compile(r"\bat\s+(\d+(?:\.\d+)?)\s*Hz\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """What is needed to parse a text table.

    Args:
        encoding: a codec's name.
        separator: the character between cells.
        decimal: ``"."`` or ``","``.
        skip_lines: lines before the first row.
        names: the header; ``column 1`` ... when there is none.
        units_row: a second header line with units, or empty.
        rows: the first rows, as text.
        rate_hz: a rate stated above the header (``... at 30 Hz ...``).
    """

    encoding: str
    separator: str
    decimal: str
    skip_lines: int
    names: tuple[str, ...]
    units_row: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rate_hz: float | None


def is_number(cell: str, decimal: str | None = None) -> bool:
    """Whether a cell is a number, with the decimal sign ``"."``, ``","`` or, when it is not known yet, either."""
    plain = decimal != "," or "." not in cell
    return bool((plain and _NUMBER.fullmatch(cell)) or (decimal != "." and _DECIMAL_COMMA.fullmatch(cell)))


def is_clock(cell: str) -> bool:
    """Whether a cell is a date and time, or a time of day."""
    return bool(_CLOCK.fullmatch(cell))


def split(line: str, separator: str) -> tuple[str, ...]:
    """The cells of one line, without quotes and outer blanks."""
    try:
        return tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator)))
    except (csv.Error, StopIteration):
        return (line,)


def sniff(head: bytes, *, whole: bool, where: str) -> Dialect:
    """Look at the beginning of a text table.

    Args:
        head: its first bytes.
        whole: whether that is all of it.
        where: how messages call it.

    Raises:
        UnreadableFile: it is empty, has no rows, or is no text.
    """
    if not head:
        raise UnreadableFile(f"'{where}' is empty (0 bytes): get the file again")
    text, encoding = _decode(head, where)
    lines = re.split(r"\r\n|\n|\r", text)
    if not whole and len(lines) > 1:
        lines.pop()
    numbered = [(i, line) for i, line in enumerate(lines) if line.strip() and not line.lower().startswith("sep=")]
    body = [(i, line) for i, line in numbered if not line.lstrip().startswith(COMMENTS)]
    if not body:
        raise UnreadableFile(f"'{where}' has no rows: it holds nothing but {'comments' if numbered else 'blank lines'}")
    separator, width = _separator([line for _, line in body])
    cells = [(i, split(line, separator)) for i, line in body]
    first = next((k for k, (_, row) in enumerate(cells) if len(row) == width and any(map(_is_value, row))), None)
    header = next((k for k, (_, row) in enumerate(cells) if _is_header(row, width)), None)
    if header is not None and (first is None or header < first):
        names, at = cells[header][1], header + 1
    elif first is None:
        raise UnreadableFile(f"'{where}' is no table of numbers: no line has a number in a cell of its own")
    else:
        at = first
        before = [line for i, line in numbered if i < cells[first][0]]
        commented = split(before[-1].lstrip("#%/ \t"), separator) if before else ()
        names = commented if _is_header(commented, width) else tuple(f"column {i + 1}" for i in range(width))
    names += ("",) * (width - len(names))
    units_row: tuple[str, ...] = ()
    if at < len(cells) and any(cells[at][1]) and all(not cell or is_unit(cell) for cell in cells[at][1]):
        units_row, at = cells[at][1], at + 1
    rows = tuple(row for _, row in cells[at:] if len(row) == width)
    if not rows:
        raise UnreadableFile(f"'{where}' has a header ({', '.join(names)[:120]}) but no rows: it holds no samples")
    stated = _RATE.search("\n".join(lines[: cells[at][0]]))
    return Dialect(
        encoding=encoding,
        separator=separator,
        decimal=_decimal(rows, separator),
        skip_lines=cells[at][0],
        names=names,
        units_row=units_row,
        rows=rows[:200],
        rate_hz=float(stated[1]) if stated else None,
    )


def _decode(head: bytes, where: str) -> tuple[str, str]:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="ignore"), "utf-16"
    body = head.removeprefix(b"\xef\xbb\xbf")
    for cut in range(4):  # a character may be cut in two at the end of the head
        try:
            text, encoding = body[: len(body) - cut].decode(), "utf8"
            break
        except UnicodeDecodeError:
            continue
    else:
        text, encoding = body.decode("latin-1"), "latin-1"
    if len(_CONTROL.findall(text)) > len(text) // 100:
        raise UnreadableFile(
            f"'{where}' is no text and no Parquet: Kinelex reads CSV, Parquet and Sensor Logger exports;"
            " convert other formats to one of these"
        )
    return text, encoding


def _is_value(cell: str) -> bool:
    return is_number(cell) or is_clock(cell)


def _is_header(row: tuple[str, ...], width: int) -> bool:
    # A row may have one cell more than the header when each row ends in a separator.
    if len(row) not in (width, width - 1) or not row or any(map(_is_value, row)):
        return False
    filled = sum(bool(cell) for cell in row)
    return filled >= max(1, len(row) - 1) and bool(re.search(r"[^\W\d]", "".join(row)))


def _separator(lines: list[str]) -> tuple[str, int]:
    """The separator and the number of cells per row: the one that leaves the most cells that are values."""
    best: tuple[float, float, int] = (-1.0, -1.0, -1)
    chosen = (",", 1)
    sample = lines[len(lines) // 2 :][:100]  # the second half is past any preamble
    for separator in SEPARATORS:
        rows = [split(line, separator) for line in sample]
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if width < 2 or count * 2 < len(rows):
            continue
        cells = [cell for row in rows if len(row) == width for cell in row]
        good = sum(_is_value(cell) or cell in MISSING for cell in cells) / len(cells)
        headed = float(any(len(split(line, separator)) == width and _is_header(split(line, separator), width)
                           for line in lines[: len(lines) // 2 + 1]))  # fmt: skip
        score = (headed + good, good, width)
        if score > best:
            best, chosen = score, (separator, width)
    return chosen


def _decimal(rows: tuple[tuple[str, ...], ...], separator: str) -> str:
    cells = [cell for row in rows for cell in row if is_number(cell)]
    comma = sum(bool(_DECIMAL_COMMA.fullmatch(cell)) for cell in cells)
    return "," if comma and not any("." in cell for cell in cells) else "."
