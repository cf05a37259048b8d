"""LIMU-BERT, LIMU-BERT-X and their classifiers as backbones, from the files that their authors published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kinelex.artifact import sha256
from kinelex.backbones.clip_encoder import ClipClassifier, ClipEncoder
from kinelex.backbones.contract import InputContract
from kinelex.backbones.foreign_weights import load_strictly, read_tensors
from kinelex.backbones.limu_bert import PUBLISHED, WIDTH, GruHead, LimuBert, Published
from kinelex.errors import BadLabels, UnsupportedFormat

ACC_UNIT = 9.8
"""m/s² by which its authors divide acceleration; not quite g."""
_STEPS_OF_X = 20
_POSITIONS = "transformer.embed.pos_embed.weight"
_LABELS = "lin0.bias"


@dataclass(frozen=True, eq=False)
class LimuBertBackbone(ClipEncoder):
    """A window's vector is the mean over its tokens.

    The mean is ours: its authors put a recurrent classifier on the tokens (`LimuBertClassifier`). A rotation sensor
    that is missing reads zero, as in masking during its pretraining.

    Args:
        network: the encoder.
        contract: what it wants to be fed.
        name: what it is called.
        trained_on: names of the data sets that its weights saw, where that is known.
    """

    network: LimuBert
    contract: InputContract
    name: str = "limu-bert"
    trained_on: tuple[str, ...] = ()

    @property
    def dim(self) -> int:
        """72."""
        return WIDTH

    @torch.inference_mode()
    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Clips to the mean of their tokens."""
        tokens = self.network(torch.from_numpy(signal))
        return np.asarray(tokens.mean(dim=1).numpy(), dtype=np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class LimuBertClassifier(LimuBertBackbone, ClipClassifier):
    """The encoder with one of the published classifiers behind it.

    Args:
        head: the classifier; it was trained on tokens of one encoder, and means nothing behind another.
        labels: what it knows, in the order of its rows.
    """

    head: GruHead
    labels: tuple[str, ...]

    @torch.inference_mode()
    def classify(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Clips to probabilities of `labels`."""
        return np.asarray(self.head(self.network(torch.from_numpy(signal))).numpy(), dtype=np.float32)


def load_limu_bert(
    weights: str | Path,
    *,
    rate_hz: float | None = None,
    head: str | Path | None = None,
    labels: tuple[str, ...] = (),
) -> LimuBertBackbone | LimuBertClassifier:
    """Read LIMU-BERT (clips of 120 samples) or LIMU-BERT-X (clips of 20) from a file of weights.

    Published files are known by their content, whatever they are called, and say what they were trained on.

    Args:
        weights: the encoder's ``.pt`` file.
        rate_hz: of the signal that it was trained on. When left out 20 for LIMU-BERT, and 10 for LIMU-BERT-X, as its
            paper has it; the example beside its code feeds it 20 Hz.
        head: the ``.pt`` file of a classifier that was trained behind this encoder.
        labels: what that knows, in its order; published ones need none.

    Raises:
        UnreadableFile: a file that is missing, damaged, or holds anything but tensors.
        UnsupportedFormat: tensors of something else.
        BadLabels: a head whose labels are not known, or not as many as it has.
    """
    tensors = read_tensors(weights)
    if _POSITIONS not in tensors:
        raise UnsupportedFormat(f"'{weights}' does not hold the weights of LIMU-BERT: it lacks '{_POSITIONS}'")
    network = LimuBert(len(tensors[_POSITIONS]))
    load_strictly(network, tensors, weights, "LIMU-BERT")
    is_x = network.steps == _STEPS_OF_X
    known = _known(weights, "limu-bert-x" if is_x else "limu-bert")
    contract = InputContract(
        rate_hz=rate_hz or (10.0 if is_x else 20.0),
        clip_steps=network.steps,
        shorter="kept",
        missing="filled",
        acc_unit=ACC_UNIT,
        gravity="kept",
    )
    if head is None:
        return LimuBertBackbone(network, contract, known.name, known.trained_on)
    behind, names, seen = _read_head(head, labels)
    trained_on = tuple(dict.fromkeys((*known.trained_on, *seen)))
    return LimuBertClassifier(network, contract, known.name, trained_on, head=behind, labels=names)


def _read_head(path: str | Path, labels: tuple[str, ...]) -> tuple[GruHead, tuple[str, ...], tuple[str, ...]]:
    tensors = read_tensors(path)
    if _LABELS not in tensors:
        raise UnsupportedFormat(f"'{path}' does not hold a classifier of LIMU-BERT: it lacks '{_LABELS}'")
    head = GruHead(len(tensors[_LABELS]))
    load_strictly(head, tensors, path, "a classifier of LIMU-BERT")
    known = _known(path, Path(path).stem)
    names = labels or known.labels
    if len(names) != head.lin0.out_features:
        raise BadLabels(
            f"the classifier in '{path}' tells {head.lin0.out_features} activities apart, and {len(names)} labels are"
            " known for it: pass labels in the order of its training"
        )
    return head, names, known.trained_on


def _known(path: str | Path, otherwise: str) -> Published:
    return PUBLISHED.get(sha256(path), Published(otherwise))
