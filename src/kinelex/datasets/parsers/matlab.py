"""Official MATLAB files as arrays, with messages that name the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from kinelex.errors import BadSamples, UnreadableFile


def read_matrix(path: Path, variable: str, *, columns: int | None = None) -> NDArray[Any]:
    """One matrix of numbers.

    Args:
        path: the file, of MATLAB 7 or older.
        variable: its name.
        columns: how many it must have; any number when left out.

    Returns:
        ``(row, column)``, of the type in which it was saved.

    Raises:
        UnreadableFile: missing, damaged, or without this variable or these columns.
        BadSamples: the variable is no matrix of numbers.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    try:
        found = loadmat(io.BytesIO(raw), variable_names=[variable])
    except Exception as error:  # damaged bytes end in whatever the decoder trips over
        raise UnreadableFile(f"'{path}' is damaged, or no MATLAB file: {error}") from None
    if variable not in found:
        raise UnreadableFile(f"'{path}' has no variable '{variable}'")
    matrix = np.asarray(found[variable])
    if matrix.dtype.kind not in "fiu" or matrix.ndim != 2:
        raise BadSamples(f"'{path}' has something other than a matrix of numbers in '{variable}'")
    if not matrix.size or columns not in (None, matrix.shape[1]):
        raise UnreadableFile(f"'{path}': '{variable}' is {matrix.shape[0]} by {matrix.shape[1]}, not rows of {columns}")
    return matrix
