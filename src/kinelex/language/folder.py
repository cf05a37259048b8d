"""Text encoders that are read from a folder, in the files that the hub has of them."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinelex import artifact
from kinelex.errors import CorruptArtifact, NoTextEncoder, UnsupportedFormat
from kinelex.language.encoder import batches

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Either will do, and the first that is there is read: CLIP's older models are published as the second only."""
REVISION_DIGITS = 12


class FolderEncoder(ABC):
    """A frozen transformer and its tokenizer; subclasses say how a sentence vector comes from those of the tokens.

    Args:
        folder: holds ``config.json``, ``tokenizer.json`` and ``model.safetensors`` (or ``pytorch_model.bin``, read as
            numbers only: nothing in it is run).
        name: what to call it; the folder's name by default.
        expected_sha256: the hash that the weights must have, if it is known.

    Raises:
        CorruptArtifact: a file is missing or broken, or the weights are not the expected ones.
        UnsupportedFormat: the folder holds a model of another kind.
        NoTextEncoder: the package ``transformers`` is not installed.
    """

    architecture: ClassVar[str]
    """The class of the transformers package that reads the weights."""
    dim: int
    """The length of a text's vector."""

    def __init__(self, folder: str | Path, *, name: str | None = None, expected_sha256: str | None = None) -> None:
        folder = Path(folder)
        missing = [file for file in (CONFIG, TOKENIZER) if not (folder / file).is_file()]
        weights = next((folder / file for file in WEIGHTS if (folder / file).is_file()), None)
        if weights is None or missing:
            lacks = ", ".join(missing if weights else [*missing, WEIGHTS[0]])
            raise CorruptArtifact(f"'{folder}' is no text encoder, it lacks {lacks}: get it again")
        digest = artifact.sha256(weights)
        if expected_sha256 is not None and digest != expected_sha256:
            raise CorruptArtifact(
                f"'{weights}' is not the published file (SHA-256 {digest[:12]}..., expected "
                f"{expected_sha256[:12]}...): remove '{folder}' and get it again"
            )
        self.name = name or folder.name
        self.revision = digest[:REVISION_DIGITS]
        self._model, self._tokenizer = self._load(folder, weights)
        self._tokenizer.enable_truncation(max_length=self._longest(folder))
        self._tokenizer.enable_padding(pad_id=int(self._model.config.pad_token_id or 0))
        self.token_dim = int(self._model.config.hidden_size)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors ``(text, token, width)`` of every token, and a mask ``(text, token)`` that is false on padding.

        They leave the last layer, after its normalization. The tokens that the encoder itself adds at both ends are
        part of the sentence, as in its training.
        """
        import torch

        if not texts:
            return np.zeros((0, 0, self.token_dim), np.float32), np.zeros((0, 0), np.bool_)
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        with torch.inference_mode():
            tokens = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return tokens.numpy(), mask.bool().numpy()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of unit length."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        for rows in batches(texts):
            found = self._sentences(*self.encode_tokens([texts[row] for row in rows]))
            vectors[rows] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return vectors

    @abstractmethod
    def _sentences(self, tokens: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of any length, from those of the tokens."""

    def _longest(self, folder: Path) -> int:
        """The most tokens that a text may have; what is beyond is cut off."""
        return int(self._model.config.max_position_embeddings)

    def _config(self, folder: Path) -> dict[str, Any]:
        """What the configuration needs to be told beyond its file."""
        return {}

    def _load(self, folder: Path, weights: Path) -> tuple[Any, Any]:
        """The transformer and its tokenizer, from files alone and in silence."""
        config = self._config(folder)
        try:
            with _quiet():
                import transformers
                from tokenizers import Tokenizer

                model, found = getattr(transformers, self.architecture).from_pretrained(
                    str(folder),
                    local_files_only=True,
                    use_safetensors=weights.name == WEIGHTS[0],
                    output_loading_info=True,
                    **config,
                )
                # The file itself, not AutoTokenizer, which may ask the hub about a local folder.
                tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except ImportError as error:
            raise NoTextEncoder(
                f"reading the text encoder '{folder}' needs the package '{error.name}': "
                'pip install "kinelex[offline]" or "kinelex[text]"'
            ) from None
        except Exception as error:  # whatever a damaged file provokes inside the two libraries
            raise CorruptArtifact(f"'{folder}' cannot be read as a text encoder ({error}): get it again") from error
        # The library draws what the file lacks at random; only the head that nothing here uses may be absent.
        drawn = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
        if drawn or not hasattr(model.config, "hidden_size") or not hasattr(model.config, "max_position_embeddings"):
            lack = f"its weights lack '{drawn[0]}'" if drawn else f"it is a '{model.config.model_type}' model"
            raise UnsupportedFormat(f"'{folder}' is no text encoder that can be read, {lack}: choose another")
        return model.eval().requires_grad_(False).float(), tokenizer


def model_type(folder: Path) -> str:
    """The kind of transformer that a folder says it holds, nothing if it does not say."""
    path = folder / CONFIG
    return str(read_json(path).get("model_type", "")) if path.is_file() else ""


def read_json(path: Path) -> dict[str, Any]:
    """The object in one of the folder's JSON files.

    Raises:
        CorruptArtifact: the file holds something else.
    """
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
