"""Pairs of earlier steps that a contrastive objective compares with beside its batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinelex.errors import BadRecipe


@dataclass(frozen=True, eq=False)
class Entries:
    """Pairs that went through a bank, the oldest first; no gradient flows into them.

    Args:
        windows: window vectors.
        texts: the text vector that each was paired with.
        label: number of each pair's label.
    """

    windows: Float[Tensor, "bank text"]
    texts: Float[Tensor, "bank text"]
    label: Int[Tensor, " bank"]

    def __len__(self) -> int:
        return len(self.label)


class MemoryBank:
    """The last pairs of window and text, first in, first out.

    A batch holds few labels; a bank shows each window more of them without computing anything again. Its vectors come
    from slightly older weights, so it should span few steps. It remembers labels, so that an earlier pair of the same
    label is never taken for a negative.

    Args:
        size: pairs that it holds at most; it holds fewer until that many were pushed.
        width: of the vectors.
        device: where it keeps them.

    Raises:
        BadRecipe: it could not hold a single pair.

    Source: the queue of MoCo (He et al. 2020, sec. 3.2), for pairs of two modalities and without a momentum encoder.
    """

    def __init__(self, size: int, width: int, device: torch.device | str = "cpu") -> None:
        if size < 1:
            raise BadRecipe(f"a memory bank of {size} pairs holds nothing: give it at least 1, or leave it out")
        self.size = size
        self._windows = torch.zeros(size, width, device=device)
        self._texts = torch.zeros(size, width, device=device)
        self._label = torch.zeros(size, dtype=torch.int64, device=device)
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @torch.no_grad()
    def push(
        self, windows: Float[Tensor, "row text"], texts: Float[Tensor, "row text"], label: Int[Tensor, " row"]
    ) -> None:
        """Take in the pairs of a batch, in its order, over the oldest ones.

        Raises:
            BadRecipe: a vector has no direction: it is zero, or not finite.
        """
        _check_directions("window", windows)
        _check_directions("text", texts)
        # Of a batch longer than the bank only the end would stay.
        windows, texts, label = windows[-self.size :], texts[-self.size :], label[-self.size :]
        count = len(label)
        slots = (self._next + torch.arange(count, device=self._label.device)) % self.size
        self._windows[slots] = windows.to(self._windows)
        self._texts[slots] = texts.to(self._texts)
        self._label[slots] = label.to(self._label)
        self._next = (self._next + count) % self.size
        self._count = min(self.size, self._count + count)

    def entries(self) -> Entries:
        """Copies of what it holds, which later pushes do not change."""
        oldest = self._next if self._count == self.size else 0
        slots = (oldest + torch.arange(self._count, device=self._label.device)) % self.size
        return Entries(self._windows[slots], self._texts[slots], self._label[slots])

    def state(self) -> dict[str, Tensor]:
        """Everything that it is, as tensors to save; `load` gives the same bank to the bit."""
        held = self.entries()
        return {"windows": held.windows, "texts": held.texts, "label": held.label}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Become the bank that `state` was taken from.

        Raises:
            BadRecipe: that bank held more, or vectors of another width.
        """
        count, width = state["windows"].shape
        if count > self.size or width != self._windows.shape[1]:
            raise BadRecipe(
                f"the saved memory bank holds {count} pairs of width {width}, this one at most {self.size} of width"
                f" {self._windows.shape[1]}: go on with the recipe that the run was begun with"
            )
        self._windows[:count] = state["windows"].to(self._windows)
        self._texts[:count] = state["texts"].to(self._texts)
        self._label[:count] = state["label"].to(self._label)
        self._next, self._count = count % self.size, count


def _check_directions(what: str, vectors: Float[Tensor, "row text"]) -> None:
    length = vectors.norm(dim=1)
    if bad := int((~(length.isfinite() & (length > 0))).sum()):
        raise BadRecipe(
            f"{bad} of {len(vectors)} {what} vectors for the memory bank are zero or not finite:"
            " lower optimizer.learning_rate"
        )
