"""CLIP's text tower: a text's vector is its end-of-text token, projected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import CorruptArtifact
from kinelex.language.folder import CONFIG, FolderEncoder, read_json

MODEL_TYPES = ("clip", "clip_text_model")
"""What a folder says that it holds: both towers, of which the text's is read, or the text's alone."""


class ClipText(FolderEncoder):
    """The text tower of a CLIP model read from a folder (Radford et al., "Learning transferable visual models", 2021).

    Its transformer is causal: a token knows the words before it only, so the token that ends the text is the one that
    has seen all of it. A linear map takes that one into the space that texts share with images (section 2.4). Texts of
    more than 77 tokens, the two at the ends included, are cut off. The vectors equal those of
    ``CLIPTextModelWithProjection``, brought to unit length.

    Arguments and errors are those of `FolderEncoder`.
    """

    architecture = "CLIPTextModelWithProjection"

    def __init__(self, folder: str | Path, *, name: str | None = None, expected_sha256: str | None = None) -> None:
        super().__init__(folder, name=name, expected_sha256=expected_sha256)
        self._projection: NDArray[np.float32] = self._model.text_projection.weight.numpy()
        self.dim = len(self._projection)
        ends = {encoding.ids[-1] if encoding.ids else -1 for encoding in map(self._tokenizer.encode, ("", "a", "i o"))}
        if len(ends) != 1 or -1 in ends:
            raise CorruptArtifact(f"the tokenizer of '{folder}' does not mark where a text ends: get it again")

    def _sentences(self, tokens: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        ends = tokens[np.arange(len(tokens)), mask.sum(axis=1) - 1]
        return np.asarray(ends @ self._projection.T, np.float32)

    def _config(self, folder: Path) -> dict[str, Any]:
        # Where both towers are in one file, the length that they share stands above either's own settings.
        shared = read_json(folder / CONFIG).get("projection_dim")
        return {} if shared is None else {"projection_dim": int(shared)}
