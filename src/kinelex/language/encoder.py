"""Frozen text encoders: what Kinelex asks of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

_BATCH = 128


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into vectors; frozen, so that vectors can be kept for as long as `revision` stays the same."""

    @property
    def name(self) -> str:
        """The encoder's name, such as ``all-MiniLM-L6-v2``."""
        ...

    @property
    def revision(self) -> str:
        """What pins the weights: the first 12 hexadecimal digits of their SHA-256."""
        ...

    @property
    def dim(self) -> int:
        """The length of a text's vector."""
        ...

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors ``(text, token, width)`` of every token, and a mask ``(text, token)`` that is false on padding.

        The width is `dim` in a sentence encoder that pools by the mean; a text tower that projects, as CLIP's does, may
        have another.
        """
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of unit length."""
        ...


def identity(encoder: TextEncoder) -> str:
    """``name@revision``: what a checkpoint writes down about the encoder it was trained with."""
    return f"{encoder.name}@{encoder.revision}"


def batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Rows of texts to encode together, of similar length: little padding, hence little wasted work."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]
