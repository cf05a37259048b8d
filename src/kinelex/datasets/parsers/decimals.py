"""Plain decimal text into numbers, at the speed of compiled code where numba is installed.

A set such as HAPT is hundreds of megabytes of lines like ``0.4430555869047616 0.0375 -0.88888``. A loop over their
characters, compiled, is several times as fast as any general reader of tables, and sees at once when a file is written
in another way; then, and without numba, the general reader reads it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.errors import BadSamples, UnreadableFile

Convert = Callable[[NDArray[np.uint8], int, NDArray[np.float32], NDArray[np.float64]], int]

_EXACT_DIGITS = np.uint64(18)
"""Decimal digits that a 64-bit integer holds whatever they are."""
_POWERS = np.array([10.0**decimals for decimals in range(19)])
_NINE = np.uint64(9)
_TAB, _LINE_END, _RETURN, _BLANK, _MINUS, _POINT, _ZERO = (int(letter) for letter in b"\t\n\r -.0")


def read_decimals(path: Path, columns: int) -> NDArray[np.float32]:
    """The numbers of a file, separated by blanks and line ends.

    Args:
        path: the file.
        columns: numbers per line.

    Returns:
        ``(row, column)``.

    Raises:
        UnreadableFile: the file is missing, empty or has lines of another length.
        BadSamples: something other than numbers.
    """
    try:
        with path.open("rb") as file:
            # Mapped, not read: the text is looked at once, where the system has it already.
            raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    found = parse_decimals(raw, columns)
    return _read_generally(path, bytes(raw), columns) if found is None else found


def _read_generally(path: Path, raw: bytes, columns: int) -> NDArray[np.float32]:
    """Like `read_decimals`, by the general reader: as the lines stand, else with single blanks between the numbers."""
    names = [f"column {i + 1}" for i in range(columns)]
    try:
        found = stacked(read_columns(raw, names, delimiter=" ", label=str(path)), names)
        if len(found) and np.isfinite(found).all():  # two blanks would leave a column without a value
            return found
    except (UnreadableFile, BadSamples):
        pass  # said of the mended lines, if it is true of them as well
    lines = b"\n".join(b" ".join(line.split()) for line in raw.splitlines())
    return stacked(read_columns(lines, names, delimiter=" ", label=str(path)), names)


def parse_decimals(raw: bytes | mmap.mmap, columns: int) -> NDArray[np.float32] | None:
    """Lines of so many numbers of the form ``[-]ddd.ddd`` between blanks.

    Returns:
        ``(row, column)``; None without numba, or when any number or line is written in another way.
    """
    convert = compiled()
    if convert is None or not len(raw):
        return None
    text = np.frombuffer(raw, np.uint8)
    # More than enough, and what is not filled takes no memory.
    numbers = np.empty(len(text) // 2 + 1, dtype=np.float32)
    count = convert(text, columns, numbers, _POWERS)
    return numbers[:count].reshape(-1, columns) if count > 0 else None


@cache
def compiled() -> Convert | None:
    """`_convert` as machine code; None when numba is not installed."""
    try:
        import numba
    except ImportError:
        return None
    convert: Convert = numba.njit(nogil=True, cache=True)(_convert)
    return convert


def _convert(text: NDArray[np.uint8], columns: int, numbers: NDArray[np.float32], powers: NDArray[np.float64]) -> int:
    """Fill `numbers`; returns how many there are, or -1 when something is not what it should be.

    Places in the text are unsigned, so that the compiled code need not look whether one is counted from the end.
    """
    at, end, one = np.uint64(0), np.uint64(len(text)), np.uint64(1)
    count, in_line = 0, 0
    while at < end:
        letter = text[at]
        if letter <= _BLANK:
            if letter == _LINE_END:
                if in_line != columns:
                    return -1
                in_line = 0
            elif letter == _RETURN:
                if at + one == end or text[at + one] != _LINE_END:
                    return -1
            elif letter not in (_BLANK, _TAB):
                return -1
            at += one
            continue
        negative = letter == _MINUS
        if negative:
            at += one
        begin, stop, value = at, min(end, at + _EXACT_DIGITS), np.int64(0)
        while at < stop:
            digit = np.int64(text[at]) - _ZERO
            if np.uint64(digit) > _NINE:  # less than zero is a very large unsigned number
                break
            value = 10 * value + digit
            at += one
        if at == begin or at == stop < end:
            return -1
        decimals = np.uint64(0)
        if at < end and text[at] == _POINT:
            at += one
            first, stop = at, min(end, begin + _EXACT_DIGITS + one)
            while at < stop:
                digit = np.int64(text[at]) - _ZERO
                if np.uint64(digit) > _NINE:
                    break
                value = 10 * value + digit
                at += one
            decimals = at - first
            while at < end and np.uint64(np.int64(text[at]) - _ZERO) <= _NINE:
                at += one  # what comes after eighteen digits is less than a float can tell
            if decimals == np.uint64(0):
                return -1
        if in_line == columns or (at < end and text[at] > _BLANK):
            return -1
        number = value / powers[decimals]
        numbers[count] = -number if negative else number
        count += 1
        in_line += 1
    return count if in_line in (0, columns) else -1
