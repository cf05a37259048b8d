"""A linear map learned so that the neighbors of an example have its label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from kinelex.errors import BadLabels, BadSamples
from kinelex.retrieval.projection import Projection, finite_table, principal_directions
from kinelex.training.randomness import numpy_generator

_SMALL = 1e-3
"""Size of what is drawn for directions that the vectors do not have."""


class LinearConfig(BaseModel):
    """How a linear map is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Annotated[int, Field(ge=1)] = Field(128, description="Length of a projected vector.")
    steps: Annotated[int, Field(ge=0)] = Field(200, description="Updates; without any it is the principal directions.")
    batch: Annotated[int, Field(ge=2)] = Field(512, description="Examples of one update; all, if there are no more.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="Of Adam.")
    temperature: Annotated[float, Field(gt=0)] = Field(
        0.1, description="Divides cosines: the smaller, the more the nearest decide."
    )
    seed: int = Field(0, description="Of the batches.")


def fit_linear(
    vectors: ArrayLike,
    labels: Sequence[str] | NDArray[np.str_],
    config: LinearConfig | None = None,
    *,
    subjects: Sequence[Hashable] | NDArray[np.generic] | None = None,
    encoder: str = "",
) -> Projection:
    """Learn a linear map under which an example's neighbors, those of other people where known, share its label.

    It starts at the principal directions, so that few examples cannot make it much worse than these.

    Args:
        vectors: ``(example, from)``, all finite.
        labels: one per example.
        config: width and training.
        subjects: whose each example is. Then nobody is anybody's own neighbor, as in a search outside the own group.
        encoder: what made the vectors.

    Raises:
        BadSamples: no table of finite numbers, fewer than two examples, or another number of subjects.
        BadLabels: another number of labels, or no two examples that could be neighbors share one.

    Source: Goldberger et al., "Neighbourhood components analysis", 2004, section 2, with the cosine as in
    `kinelex.retrieval.indexes` instead of the squared distance.
    """
    config = config or LinearConfig()
    rows = finite_table(vectors)
    label = np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1)
    group = _numbers(subjects) if subjects is not None else np.arange(len(rows))
    if len(label) != len(rows):
        raise BadLabels(f"there are {len(rows)} vectors and {len(label)} labels: pass one per example")
    if len(group) != len(rows) or len(rows) < 2:
        raise BadSamples(f"learning needs two or more examples and one subject each, not {len(rows)} and {len(group)}")
    if not _have_partners(label, group):
        raise BadLabels("no two examples of different subjects share a label: there is nothing to learn from")
    mean, start = _start(rows, config)
    x = torch.from_numpy(rows - mean).float()
    matrix = _descend(x, torch.from_numpy(label), torch.from_numpy(group), torch.from_numpy(start).float(), config)
    return Projection("linear", mean.astype(np.float32), matrix.numpy(), encoder)


def neighbor_loss(
    projected: Float[Tensor, "row to"], label: Int[Tensor, " row"], group: Int[Tensor, " row"], temperature: float
) -> Float[Tensor, ""]:
    """Minus the log of the chance that a neighbor, drawn by softmax of the cosines, has the label.

    A row's candidates are the rows of other groups; rows without any of their own label among them do not count. Rows
    of equal labels are never pushed apart for being many: any of them will do.

    Args:
        projected: vectors.
        label: number of each row's label.
        group: number of each row's group.
        temperature: divides cosines.
    """
    unit = torch.nn.functional.normalize(projected, dim=1)
    allowed: Bool[Tensor, "row row"] = group[:, None] != group[None]
    positive = allowed & (label[:, None] == label[None])
    rows = positive.any(1)
    if not rows.any():
        return projected.sum() * 0
    logits = (unit @ unit.T)[rows] / temperature
    least = torch.finfo(logits.dtype).min
    right = logits.masked_fill(~positive[rows], least).logsumexp(1)
    return (logits.masked_fill(~allowed[rows], least).logsumexp(1) - right).mean()


def _descend(x: Tensor, label: Tensor, group: Tensor, start: Tensor, config: LinearConfig) -> Tensor:
    matrix = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([matrix], lr=config.learning_rate)
    for step in range(config.steps):
        drawn = torch.arange(len(x))
        if len(x) > config.batch:
            generator = numpy_generator(config.seed, step, "projection batch")
            drawn = torch.from_numpy(generator.choice(len(x), config.batch, replace=False))
        optimizer.zero_grad()
        loss = neighbor_loss(x[drawn] @ matrix, label[drawn], group[drawn], config.temperature)
        loss.backward()
        optimizer.step()
    return matrix.detach()


def _start(rows: NDArray[np.float64], config: LinearConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean, and the principal directions; what the vectors lack of the width begins near zero."""
    mean, directions = principal_directions(rows)
    generator = numpy_generator(config.seed, 0, "projection start")
    start = _SMALL * generator.standard_normal((rows.shape[1], config.width)) / np.sqrt(rows.shape[1])
    kept = min(config.width, rows.shape[1])
    start[:, :kept] = directions[:, :kept]
    return mean, start


def _have_partners(label: NDArray[np.int64], group: NDArray[np.int64]) -> bool:
    """Whether some label comes from two groups."""
    pairs = np.unique(np.stack([label, group], axis=1), axis=0)
    return bool(np.unique(pairs[:, 0], return_counts=True)[1].max(initial=0) > 1)


def _numbers(subjects: Sequence[Hashable] | NDArray[np.generic]) -> NDArray[np.int64]:
    """A number for every subject; who is not known is like nobody else."""
    known: dict[Hashable, int] = {}
    return np.asarray(
        [
            known.setdefault(row if subject in (None, "") else str(subject), len(known))
            for row, subject in enumerate(subjects)
        ],
        dtype=np.int64,
    )
