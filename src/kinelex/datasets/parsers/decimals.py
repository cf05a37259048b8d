"""Plain decimal text into numbers, eight digits at a time.

A set such as HAPT is hundreds of megabytes of lines like ``0.4430555869047616 0.0375 0.88888``. General parsers spend
their time on what never occurs there. Here all numbers of a file are converted side by side, with whole words of
eight ASCII digits as integers (Mula, "SWAR: converting strings to integers", the multiply-and-shift method); anything
that is not written this way goes to the general parser.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.parsers.text import read_columns
from kinelex.errors import BadSamples, UnreadableFile

_U = np.uint64
_ZEROS = _U(0x3030303030303030)
_BEYOND_NINE = _U(0x4646464646464646)
_HIGH_BITS = _U(0x8080808080808080)
# The first k characters of a word are the digits of a number; the rest belongs to what follows.
_KEEP = np.array([(1 << (8 * k)) - 1 for k in range(9)], dtype=np.uint64)
_FILL = _ZEROS & ~_KEEP


def read_decimals(path: Path, columns: int) -> NDArray[np.float64]:
    """The numbers of a file, separated by single blanks and line ends.

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
    found = parse_decimals(raw)
    if found is None:
        names = [f"column {i + 1}" for i in range(columns)]
        lines = b"\n".join(b" ".join(line.split()) for line in raw.splitlines())
        table = read_columns(lines, names, delimiter=" ", label=str(path))
        return np.stack([np.asarray(table[name], dtype=np.float64) for name in names], axis=1)
    if not len(found) or len(found) % columns or raw.count(b"\n") + (raw[-1:] != b"\n") != len(found) // columns:
        raise UnreadableFile(f"'{path}' breaks off, or its lines do not have {columns} numbers each")
    if not np.isfinite(found).all():
        raise BadSamples(f"'{path}' holds something other than numbers")
    return found.reshape(-1, columns)


def parse_decimals(raw: bytes) -> NDArray[np.float64] | None:
    """All numbers of a text of the form ``[-]d.ddd…`` between single blanks or line ends, to the sixteenth decimal.

    None when any number is written in another way.
    """
    if not raw:
        return None
    text = np.frombuffer(raw + b"\n" * (raw[-1] > 32) + b"0" * 24, np.uint8)
    ends = np.flatnonzero(text <= 32)
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    negative = text[starts] == ord("-")
    starts += negative
    # One point per number, at its place, no sign within one, and no letter anywhere.
    if raw.count(b".") != len(ends) or raw.count(b"-") != np.count_nonzero(negative) or text.max() > ord("9"):
        return None
    if (text[starts + 1] != ord(".")).any():
        return None
    whole = text[starts] - np.uint8(ord("0"))
    starts += 2
    digits = ends - starts
    if (whole > 9).any() or digits.min() < 1:
        return None
    # Sixteen characters from the point on, as two words; a view of unaligned bytes, so that one gather fetches both.
    pairs = np.ndarray((len(text) - 15,), dtype="V16", buffer=text, strides=(1,))
    words = pairs[starts].view(np.uint64).reshape(-1, 2)
    if digits.min() < 16:
        counts = np.stack([np.minimum(digits, 8), np.clip(digits - 8, 0, 8)], axis=1)
        words &= _KEEP[counts]
        words |= _FILL[counts]
    if (((words + _BEYOND_NINE) | (words - _ZEROS)) & _HIGH_BITS).any():
        return None
    parts = _eight_digits(words)
    value = whole + (parts[:, 0] * 1e8 + parts[:, 1]) * 1e-16
    return np.where(negative, -value, value)


def _eight_digits(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Words of eight ASCII digits, the first one in the lowest byte, as integers."""
    words = words - _ZEROS
    words = (words * _U(10) + (words >> _U(8))) & _U(0x00FF00FF00FF00FF)
    words = (words * _U(100) + (words >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return (words * _U(10_000) + (words >> _U(32))) & _U(0xFFFFFFFF)
