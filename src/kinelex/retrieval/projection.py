"""Vectors made shorter before they are remembered: one linear map, fitted once, kept, and applied to queries alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from kinelex.artifact import read_manifest, staged_folder, write_manifest
from kinelex.errors import BadSamples, CorruptArtifact, UsageError

ProjectionKind = Literal["pca", "linear"]

KIND, VERSION = "projection", 1
WEIGHTS = "projection.safetensors"


@dataclass(frozen=True, eq=False)
class Projection:
    """Subtract a mean, multiply by a matrix.

    Args:
        kind: ``pca``: principal components; ``linear``: learned from labels.
        mean: ``(from,)``.
        matrix: ``(from, to)``.
        encoder: what made the vectors that it was fitted to, where known; those of another mean nothing to it.

    Raises:
        BadSamples: shapes that do not match, or NaN.
    """

    kind: ProjectionKind
    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    encoder: str = ""

    def __post_init__(self) -> None:
        fits = self.mean.ndim == 1 and self.matrix.ndim == 2 and self.matrix.shape[0] == len(self.mean)
        if not fits or not np.isfinite(self.mean).all() or not np.isfinite(self.matrix).all():
            raise BadSamples(
                f"a projection needs a finite mean (from,) and matrix (from, to), not {self.mean.shape} and"
                f" {self.matrix.shape}"
            )

    @property
    def width(self) -> int:
        """The length of a projected vector."""
        return int(self.matrix.shape[1])

    def apply(self, vectors: ArrayLike) -> NDArray[np.float32]:
        """Project vectors ``(window, from)`` to ``(window, to)``; a row with NaN gives a row of NaN.

        Raises:
            BadSamples: vectors of another width.
        """
        rows = np.asarray(vectors, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise BadSamples(f"this projection takes vectors of {len(self.mean)} numbers, not a table of {rows.shape}")
        return np.asarray((rows - self.mean) @ self.matrix.astype(np.float64), dtype=np.float32)


def fit_pca(vectors: ArrayLike, width: int, *, encoder: str = "") -> Projection:
    """The directions in which vectors differ most.

    It is fitted to the remembered examples and then stays what it is: a query is never part of the fit, as it is where
    mean and directions are taken from whatever batch comes along. The signs are such that the largest number of each
    direction is positive.

    Args:
        vectors: ``(example, from)``, all finite.
        width: how many directions to keep; at most ``from``, and less than there are examples.
        encoder: what made the vectors.

    Raises:
        UsageError: more directions than the vectors have.
        BadSamples: no table of finite numbers.

    Source: Jolliffe, Principal Component Analysis, 2002, section 1.1.
    """
    rows = finite_table(vectors)
    most = min(rows.shape[1], len(rows) - 1)
    if not 1 <= width <= most:
        raise UsageError(
            f"{len(rows)} vectors of {rows.shape[1]} numbers have at most {max(most, 0)} principal directions, not"
            f" {width}: ask for fewer, or learn a linear map"
        )
    mean, directions = principal_directions(rows)
    return Projection("pca", mean.astype(np.float32), directions[:, :width].astype(np.float32), encoder)


def principal_directions(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean ``(from,)``, and all directions ``(from, from)`` as columns, that of the largest variance first."""
    mean = rows.mean(axis=0)
    _, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean))
    directions = vectors[:, ::-1]
    largest = np.abs(directions).argmax(axis=0)
    return mean, directions * np.sign(directions[largest, np.arange(directions.shape[1])])


def save_projection(projection: Projection, folder: str | Path) -> None:
    """Write a projection to `folder`, whole or not at all; an earlier one there is replaced."""
    with staged_folder(folder) as draft:
        tensors = {"mean": projection.mean, "matrix": projection.matrix}
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, draft / WEIGHTS)
        fields = {"projection": projection.kind, "encoder": projection.encoder}
        write_manifest(draft, KIND, VERSION, [WEIGHTS], fields)


def load_projection(folder: str | Path, *, encoder: str = "") -> Projection:
    """Read a projection from its folder.

    Args:
        folder: written by `save_projection`.
        encoder: what makes the vectors that it is to project; compared if both are known.

    Raises:
        CorruptArtifact: a file is missing or not what was written, or its content does not fit together.
        UnsupportedFormat: written by a newer Kinelex.
        UsageError: it was fitted to the vectors of another encoder.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, KIND, VERSION)
    try:
        kind, fitted_to = manifest["projection"], str(manifest["encoder"])
        if kind not in get_args(ProjectionKind) or WEIGHTS not in manifest["files"]:
            raise ValueError(f"a projection of kind '{kind}' in {sorted(manifest['files'])}")
        tensors = load_file(folder / WEIGHTS)
        found = Projection(kind, tensors["mean"], tensors["matrix"], fitted_to)
    except (SafetensorError, KeyError, ValueError, BadSamples) as error:
        raise CorruptArtifact(f"projection '{folder}' does not fit together ({error}): fit it again") from None
    if encoder and fitted_to and encoder != fitted_to:
        raise UsageError(f"projection '{folder}' was fitted to vectors of {fitted_to}, not of {encoder}: fit another")
    return found


def finite_table(vectors: ArrayLike) -> NDArray[np.float64]:
    """Vectors as float64.

    Raises:
        BadSamples: no table of finite numbers.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1] or not np.isfinite(rows).all():
        raise BadSamples(
            f"a projection is fitted to finite vectors (example, number), not to {rows.shape}: leave out windows"
            " without signal"
        )
    return rows
