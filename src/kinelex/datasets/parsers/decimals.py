"""Plain decimal text into numbers, at the speed of compiled code where numba is installed.

A set such as HAPT is hundreds of megabytes of lines like ``0.4430555869047616 0.0375 -0.88888``. A loop over their
characters, compiled, is several times as fast as any general reader of tables, and sees at once when a file is written
in another way; then, and without numba, the general reader reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.parsers.text import read_columns
from kinelex.errors import UnreadableFile

Convert = Callable[[NDArray[np.uint8], int, NDArray[np.float64], NDArray[np.float64]], int]

_EXACT_DIGITS = 18
"""Decimal digits that a 64-bit integer holds whatever they are."""
_POWERS: NDArray[np.float64] = 10.0 ** np.arange(_EXACT_DIGITS + 1, dtype=np.float64)
_TAB, _LINE_END, _RETURN, _BLANK, _MINUS, _POINT, _ZERO = (int(letter) for letter in b"\t\n\r -.0")


def read_decimals(path: Path, columns: int) -> NDArray[np.float64]:
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
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    found = parse_decimals(raw, columns)
    if found is None:
        names = [f"column {i + 1}" for i in range(columns)]
        lines = b"\n".join(b" ".join(line.split()) for line in raw.splitlines())
        table = read_columns(lines, names, delimiter=" ", label=str(path))
        found = np.stack([np.asarray(table[name], dtype=np.float64) for name in names], axis=1)
    return found


def parse_decimals(raw: bytes, columns: int) -> NDArray[np.float64] | None:
    """Lines of so many numbers of the form ``[-]ddd.ddd`` between blanks.

    Returns:
        ``(row, column)``; None without numba, or when any number or line is written in another way.
    """
    convert = compiled()
    if convert is None or not raw:
        return None
    text = np.frombuffer(raw, np.uint8)
    numbers = np.empty((np.count_nonzero(text == ord("\n")) + 1) * columns)
    count = convert(text, columns, numbers, _POWERS)
    return numbers[:count].reshape(-1, columns) if count > 0 else None


@cache
def compiled() -> Convert | None:
    """`_convert` as machine code; None when numba is not installed."""
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(nogil=True, cache=True)(_convert)  # type: ignore[no-any-return]


def _convert(text: NDArray[np.uint8], columns: int, numbers: NDArray[np.float64], powers: NDArray[np.float64]) -> int:
    """Fill `numbers`; returns how many there are, or -1 when something is not what it should be."""
    count, in_line, at, end = 0, 0, 0, len(text)
    while at < end:
        letter = text[at]
        if letter <= _BLANK:
            if letter == _LINE_END:
                if in_line != columns:
                    return -1
                in_line = 0
            elif letter == _RETURN:
                if at + 1 == end or text[at + 1] != _LINE_END:
                    return -1
            elif letter not in (_BLANK, _TAB):
                return -1
            at += 1
            continue
        negative = letter == _MINUS
        if negative:
            at += 1
        value, digits, point = np.int64(0), 0, -1
        while at < end:
            digit = np.int64(text[at]) - _ZERO
            if 0 <= digit <= 9:
                if digits < _EXACT_DIGITS:
                    value = 10 * value + digit
                    digits += 1
                elif point < 0:
                    return -1  # digits after the eighteenth are less than a float can tell, but only behind the point
            elif digit == _POINT - _ZERO and point < 0:
                point = digits
            else:
                break
            at += 1
        if digits == 0 or point == 0 or point == digits or in_line == columns or (at < end and text[at] > _BLANK):
            return -1
        number = value / powers[digits - point] if point > 0 else float(value)
        numbers[count] = -number if negative else number
        count += 1
        in_line += 1
    return count if in_line in (0, columns) else -1
