"""Sentence encoders: a text's vector is the mean over its tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UnsupportedFormat
from kinelex.language.folder import FolderEncoder, read_json


class SentenceEncoder(FolderEncoder):
    """A sentence encoder read from a folder: a transformer whose sentence vector is the mean over its tokens.

    Made for ``all-MiniLM-L6-v2`` (Wang et al., "MiniLM", 2020) and ``all-mpnet-base-v2`` (Song et al., "MPNet", 2020),
    both fine-tuned on sentence pairs by the authors of sentence-transformers, it reads every sentence-transformers
    folder that pools by the mean and normalizes. The vectors equal those of ``SentenceTransformer.encode``.

    Arguments and errors are those of `FolderEncoder`; UnsupportedFormat also if the folder's sentence vector is not the
    mean over its tokens.
    """

    architecture = "AutoModel"

    def __init__(self, folder: str | Path, *, name: str | None = None, expected_sha256: str | None = None) -> None:
        _check_pooling(Path(folder))
        super().__init__(folder, name=name, expected_sha256=expected_sha256)
        self.dim = self.token_dim

    def _sentences(self, tokens: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        weights = mask[:, :, None].astype(np.float32)
        return np.asarray((tokens * weights).sum(axis=1) / weights.sum(axis=1), np.float32)

    def _longest(self, folder: Path) -> int:
        settings = folder / "sentence_bert_config.json"
        stated = read_json(settings).get("max_seq_length") if settings.is_file() else None
        # MPNet counts positions from the one after its padding token, hence has fewer than its table has rows.
        table = getattr(getattr(self._model, "embeddings", None), "position_embeddings", None)
        padding = getattr(table, "padding_idx", None)
        fits = super()._longest(folder) - (0 if padding is None else padding + 1)
        return min(int(stated or fits), fits)


def _check_pooling(folder: Path) -> None:
    path = folder / "1_Pooling" / "config.json"
    settings = read_json(path) if path.is_file() else {}
    # The second name is that of newer folders.
    if not settings.get("pooling_mode_mean_tokens", settings.get("pooling_mode", "mean") == "mean"):
        raise UnsupportedFormat(f"'{folder}' does not pool by the mean over tokens: choose a text encoder that does")
