"""A trained model on disk: safetensors and JSON behind a manifest, nothing that could run.

::

    FOLDER/manifest.json        name, text encoder, calibration; size and hash of every other file
    FOLDER/config.json          `ModelConfig`
    FOLDER/model.safetensors    the weights
    FOLDER/labels.safetensors   vectors of the standard vocabulary, and what the text space is made of
    FOLDER/labels.json          their texts, in the same order
    FOLDER/card.md              what it was trained on, how well it does, what it cannot do
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kinelex.artifact import MANIFEST, read_manifest, sha256, staged_folder, write_json, write_manifest, write_text
from kinelex.errors import CorruptArtifact
from kinelex.language.encoder import TextEncoder
from kinelex.language.resolution import resolve_text_encoder
from kinelex.model.aligned import AlignedModel
from kinelex.model.config import ModelConfig
from kinelex.model.embedding import Precision, embed_windows
from kinelex.model.text_space import TextSpace
from kinelex.signal.recording import Recording

KIND = "checkpoint"
VERSION = 1
FILES = ("model.safetensors", "labels.safetensors", "labels.json", "config.json", "card.md", MANIFEST)
"""What a checkpoint's folder holds."""


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels whose text vectors a checkpoint carries.

    Args:
        texts: the labels in words.
        vectors: ``(label, text)`` raw unit vectors of the label side, averaged over prompts; with several prototypes
            per label they lie side by side.
    """

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that is needed to turn windows into probabilities of labels.

    Args:
        name: what it is called, such as ``"small"``.
        model: the weights, in evaluation mode.
        labels: the vectors of the standard vocabulary.
        text_space: how the text encoder's vectors are seen.
        text_encoder: name and revision of the text encoder, ``name@revision``.
        temperature: divides the logits; found on a data set that was left out of training.
        card: the model card, Markdown.
        fingerprint: SHA-256 of the weights.
        trained_on: names of the data sets it saw.
        precision: of the network's products: fp32, or bf16, which is about twice as fast on processors made for it.
    """

    name: str
    model: AlignedModel
    labels: LabelTable
    text_space: TextSpace
    text_encoder: str
    temperature: float = 1.0
    card: str = ""
    fingerprint: str = ""
    trained_on: tuple[str, ...] = ()
    precision: Precision = "fp32"

    @property
    def scale(self) -> float:
        """Factor from cosine to logit, as learned."""
        return float(self.model.scale.detach())

    def embed(
        self, recording: Recording, starts_s: ArrayLike, window_s: float, batch_windows: int = 512
    ) -> NDArray[np.float32]:
        """Windows of a recording to unit vectors in the text space.

        Args:
            recording: any rate, any channels; placements are embedded one by one and averaged.
            starts_s: ``(window,)`` seconds at which the windows begin.
            window_s: their length in seconds.
            batch_windows: how many go through the network at once; bounds the memory.

        Returns:
            ``(window, text)`` float32; a row of NaN where a window has too little signal for one token.
        """
        starts = np.asarray(starts_s, dtype=np.float64)
        return embed_windows(self.model, [(recording, starts)], window_s, batch_windows, self.precision)[0]

    def embed_many(
        self, requests: Sequence[tuple[Recording, NDArray[np.float64]]], window_s: float, batch_windows: int = 512
    ) -> list[NDArray[np.float32]]:
        """Windows of many recordings, each with its starts in seconds, in shared batches; see `embed`."""
        return embed_windows(self.model, requests, window_s, batch_windows, self.precision)

    def label_encoder(self, encoder: TextEncoder | None = None) -> TextEncoder | str:
        """What turns texts into raw label vectors for this checkpoint.

        Args:
            encoder: its frozen text encoder, where that is at hand.

        Returns:
            The text encoder, or its name and revision, where labels are sentence vectors; where the checkpoint learned
            to pool their words, the text encoder with that pooling.

        Raises:
            NoTextEncoder: the pooling was learned, and its text encoder was not found.
        """
        pooling = self.model.label_pooling
        if pooling is None:
            return encoder or self.text_encoder
        from kinelex.language.pooled import PooledEncoder

        def pool(tokens: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
            with torch.inference_mode():
                vectors: Tensor = pooling(torch.from_numpy(tokens), torch.from_numpy(mask))
            return np.asarray(vectors.flatten(1).numpy(), dtype=np.float32)

        found = encoder or resolve_text_encoder(self.text_encoder)
        return PooledEncoder(found, pool, fingerprint_of(pooling), cache=True)

    def described(self, **changes: Any) -> Checkpoint:
        """The same weights with other calibration or card."""
        return replace(self, **changes)


def fingerprint_of(module: nn.Module) -> str:
    """The first hexadecimal digits of a hash of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Write a checkpoint to `folder`, whole or not at all; an earlier one there is replaced."""
    with staged_folder(folder) as draft:
        weights = {name: tensor.contiguous() for name, tensor in checkpoint.model.state_dict().items()}
        save_file(weights, draft / "model.safetensors")
        save_arrays(
            {
                "vectors": checkpoint.labels.vectors,
                "center": checkpoint.text_space.center,
                "anchors": checkpoint.text_space.anchors,
                "prototypes": checkpoint.text_space.prototypes,
            },
            draft / "labels.safetensors",
        )
        write_json(draft / "labels.json", list(checkpoint.labels.texts))
        write_json(draft / "config.json", checkpoint.model.config.model_dump())
        write_text(draft / "card.md", checkpoint.card)
        files = [name for name in FILES if name != MANIFEST]
        fields = {
            "name": checkpoint.name,
            "text_encoder": checkpoint.text_encoder,
            "temperature": checkpoint.temperature,
            "trained_on": list(checkpoint.trained_on),
        }
        write_manifest(draft, KIND, VERSION, files, fields)


def load_checkpoint(name_or_folder: str | Path) -> Checkpoint:
    """Read a checkpoint from its folder, or a shipped one by its name; every file is checked against its hash first.

    Raises:
        CorruptArtifact: a file is missing or not what was written, or its content does not fit together.
        UnsupportedFormat: written by a newer Kinelex.
    """
    folder = Path(name_or_folder)
    shipped = Path(__file__).parents[1] / "weights" / str(name_or_folder)
    if not folder.is_dir() and shipped.is_dir():
        folder = shipped
    manifest = read_manifest(folder, KIND, VERSION)
    try:
        config = ModelConfig.model_validate_json((folder / "config.json").read_bytes())
        texts = tuple(str(text) for text in json.loads((folder / "labels.json").read_bytes()))
        with safe_open(folder / "labels.safetensors", framework="numpy") as arrays:
            vectors = arrays.get_tensor("vectors")
            space = TextSpace(*(arrays.get_tensor(name) for name in ("center", "anchors", "prototypes")))
        model = AlignedModel.empty(config)
        model.load_state_dict(load_file(folder / "model.safetensors"))
        width = config.prototypes * config.text_dim
        if vectors.shape != (len(texts), width) or space.center.shape != (config.text_dim,):
            raise ValueError(f"{len(texts)} labels with vectors of shape {vectors.shape}")
        for trained in (space.anchors, space.prototypes):
            if len(trained) and trained.shape[1:] != (config.text_dim,):
                raise ValueError(f"training labels of shape {trained.shape}")
        return Checkpoint(
            name=str(manifest["name"]),
            model=model.eval(),
            labels=LabelTable(texts, vectors),
            text_space=space,
            text_encoder=str(manifest["text_encoder"]),
            temperature=float(manifest["temperature"]),
            card=(folder / "card.md").read_text(encoding="utf-8"),
            fingerprint=sha256(folder / "model.safetensors"),
            trained_on=tuple(manifest["trained_on"]),
        )
    except (SafetensorError, RuntimeError, ValidationError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"checkpoint '{folder}' does not fit together ({error}): get or train it again") from None
