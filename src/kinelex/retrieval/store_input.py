"""What a store takes in, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadLabels, BadSamples, UsageError
from kinelex.retrieval.store_manifest import storable


def checked_vectors(vectors: ArrayLike, width: int) -> NDArray[np.float32]:
    """Vectors as (example, number) float32.

    Raises:
        BadSamples: not a table of `width` numbers each, or one is not finite or nothing but zeros.
    """
    try:
        with np.errstate(over="ignore"):
            matrix: NDArray[np.float32] = np.ascontiguousarray(vectors, np.float32)
    except (TypeError, ValueError) as error:
        raise BadSamples(f"vectors are no table of numbers ({error}): pass one row per example") from None
    if matrix.shape == (0,):
        matrix = matrix.reshape(0, width)
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise BadSamples(f"vectors have the shape {matrix.shape}: this store takes (examples, {width})")
    for what, bad in (("is not finite", ~np.isfinite(matrix).all(1)), ("is zero", ~matrix.any(1))):
        if bad.any():
            raise BadSamples(f"vector {int(np.argmax(bad))} of {len(matrix)} {what}: no example can be near it")
    return matrix


def checked_label(label: Any) -> str:
    """A label as it is.

    Raises:
        BadLabels: it is no text, or blank.
    """
    if not isinstance(label, str) or not label.strip() or not storable(label):
        raise BadLabels(f"{label!r} is no label: name an activity, such as 'walking'")
    return str(label)


def checked_labels(labels: Sequence[str], rows: int) -> list[str]:
    """One label for each of `rows` examples.

    Raises:
        BadLabels: one is no text or blank, or there are more or fewer.
    """
    if isinstance(labels, str):
        raise BadLabels(f"pass a list of labels, one per example, not the text '{labels}'")
    checked = [checked_label(label) for label in labels]
    if len(checked) != rows:
        raise BadLabels(f"there are {rows} vectors and {len(checked)} labels: pass one per example")
    return checked


def checked_texts(what: str, texts: Sequence[Any] | None, rows: int) -> list[str | None]:
    """One text or nothing for each of `rows` examples; what is blank, None or NaN is nothing.

    Raises:
        BadSamples: one is something else, or there are more or fewer.
    """
    if texts is None:
        return [None] * rows
    if isinstance(texts, str):
        raise BadSamples(f"pass a list of {what}, one per example, not the text '{texts}'")
    found: list[str | None] = []
    for text in texts:
        if text is None or (isinstance(text, float) and np.isnan(text)):
            found.append(None)
        elif isinstance(text, str) and storable(text):
            found.append(str(text) if text.strip() else None)
        else:
            raise BadSamples(f"{text!r} among the {what} is no text: pass text, or None where it is not known")
    if len(found) != rows:
        raise BadSamples(f"there are {rows} vectors and {len(found)} {what}: pass one per example")
    return found


def checked_times(
    start_s: ArrayLike | None, end_s: ArrayLike | None, rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end of each of `rows` examples, NaN where they are not known.

    Raises:
        BadSamples: no numbers, endless, an end before its start, or more or fewer than examples.
    """
    times = []
    for what, given in (("start_s", start_s), ("end_s", end_s)):
        try:
            seconds = np.full(rows, np.nan) if given is None else np.asarray(given, np.float64)
        except (TypeError, ValueError) as error:
            raise BadSamples(f"{what} is no list of seconds ({error})") from None
        if seconds.shape != (rows,) or np.isinf(seconds).any():
            raise BadSamples(f"{what} has the shape {seconds.shape}: pass finite seconds or NaN, one per example")
        times.append(seconds)
    backwards = times[1] < times[0]
    if backwards.any():
        row = int(np.argmax(backwards))
        raise BadSamples(f"example {row} of {rows} ends at {times[1][row]} s, before it starts at {times[0][row]} s")
    return times[0], times[1]


def checked_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """Ids, each once and ascending.

    Raises:
        UsageError: they are no whole numbers.
    """
    try:
        found = np.asarray(ids)
    except ValueError as error:
        raise UsageError(f"ids of examples are one list of whole numbers ({error})") from None
    if found.size and found.dtype.kind not in "iu":
        raise UsageError(f"ids of examples are whole numbers, not {found.dtype}: pass those that add returned")
    return np.unique(found.astype(np.int64))
