"""Frozen text encoders: what Kinelex asks of one, and the small default."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kinelex import artifact
from kinelex.errors import CorruptArtifact, NoTextEncoder, UnsupportedFormat

WEIGHTS = "model.safetensors"
NEEDED_FILES = ("config.json", "tokenizer.json", WEIGHTS)
REVISION_DIGITS = 12
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
        """The length of a vector."""
        ...

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors ``(text, token, dim)`` of every token, and a mask ``(text, token)`` that is false on padding."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of unit length."""
        ...


def identity(encoder: TextEncoder) -> str:
    """``name@revision``: what a checkpoint writes down about the encoder it was trained with."""
    return f"{encoder.name}@{encoder.revision}"


class MiniLM:
    """A sentence encoder read from a folder: a transformer whose sentence vector is the mean over its tokens.

    Made for ``all-MiniLM-L6-v2`` (Wang et al., "MiniLM", 2020; fine-tuned on sentence pairs by the authors of
    sentence-transformers), it reads every sentence-transformers folder that pools by the mean and normalizes. The
    vectors equal those of ``SentenceTransformer.encode``.

    Args:
        folder: holds ``config.json``, ``tokenizer.json`` and ``model.safetensors``.
        name: what to call it; the folder's name by default.
        expected_sha256: the hash that the weights must have, if it is known.

    Raises:
        CorruptArtifact: a file is missing or broken, or the weights are not the expected ones.
        UnsupportedFormat: the folder's sentence vector is not the mean over its tokens.
        NoTextEncoder: the package ``transformers`` is not installed.
    """

    def __init__(self, folder: str | Path, *, name: str | None = None, expected_sha256: str | None = None) -> None:
        folder = Path(folder)
        missing = [file for file in NEEDED_FILES if not (folder / file).is_file()]
        if missing:
            raise CorruptArtifact(f"'{folder}' is no text encoder, it lacks {', '.join(missing)}: get it again")
        _check_pooling(folder)
        digest = artifact.sha256(folder / WEIGHTS)
        if expected_sha256 is not None and digest != expected_sha256:
            raise CorruptArtifact(
                f"'{folder / WEIGHTS}' is not the published file (SHA-256 {digest[:12]}..., expected "
                f"{expected_sha256[:12]}...): remove '{folder}' and get it again"
            )
        self.name = name or folder.name
        self.revision = digest[:REVISION_DIGITS]
        self._model, self._tokenizer = _load(folder)
        self.dim = int(self._model.config.hidden_size)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors ``(text, token, dim)`` of every token, and a mask ``(text, token)`` that is false on padding.

        The tokens that the encoder itself adds at both ends are part of the sentence, as in its training.
        """
        import torch

        if not texts:
            return np.zeros((0, 0, self.dim), np.float32), np.zeros((0, 0), np.bool_)
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        with torch.inference_mode():
            tokens = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return tokens.float().numpy(), mask.bool().numpy()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of unit length: the mean over each text's tokens."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        # Texts of similar length together: little padding, hence little wasted work.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            tokens, mask = self.encode_tokens([texts[row] for row in rows])
            weights = mask[:, :, None].astype(np.float32)
            means = (tokens * weights).sum(axis=1) / weights.sum(axis=1)
            vectors[rows] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return vectors


def _check_pooling(folder: Path) -> None:
    path = folder / "1_Pooling" / "config.json"
    if path.is_file() and not _read_json(path).get("pooling_mode_mean_tokens", True):
        raise UnsupportedFormat(f"'{folder}' does not pool by the mean over tokens: choose a text encoder that does")


def _load(folder: Path) -> tuple[Any, Any]:
    """The transformer and its tokenizer, from files alone and in silence."""
    try:
        with _quiet():
            from tokenizers import Tokenizer
            from transformers import AutoModel

            model = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
            # The file itself, not AutoTokenizer, which may ask the hub about a local folder.
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except ImportError as error:
        raise NoTextEncoder(
            f"reading the text encoder '{folder}' needs the package '{error.name}': "
            'pip install "kinelex[offline]" or "kinelex[text]"'
        ) from None
    except Exception as error:  # whatever a damaged file provokes inside the two libraries
        raise CorruptArtifact(f"'{folder}' cannot be read as a text encoder ({error}): get it again") from error
    settings = folder / "sentence_bert_config.json"
    longest = _read_json(settings).get("max_seq_length") if settings.is_file() else None
    tokenizer.enable_truncation(max_length=int(longest or model.config.max_position_embeddings))
    tokenizer.enable_padding(pad_id=int(model.config.pad_token_id or 0))
    return model.requires_grad_(False), tokenizer


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CorruptArtifact(f"'{path}' is no JSON object ({error}): get the text encoder again") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, notices or warnings of the transformers package for a while."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()
