"""A gate in use: where a memory keeps it, whether it fits, and the answer that it makes of words and examples."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UnknownName, WrongEncoder
from kinelex.recognition.choices import Choices
from kinelex.recognition.recall import Asked, Found, Fused, chances_of

if TYPE_CHECKING:
    from kinelex.retrieval.evidence import LabelTable
    from kinelex.retrieval.gate import Gate, TrainedFor
    from kinelex.retrieval.store import Encoder

GATE = "gate"
"""The folder in a memory's folder."""

HEARD = 5
"""So many of the nearest neighbors are evidence, as published; fewer where no label has so many examples."""


@dataclass(frozen=True, eq=False)
class Gated:
    """Words and examples mixed by the weight that a gate gives each window: MoRA's equation 1.

    The examples' side is evidence as `kinelex.retrieval.evidence` makes it by default. A label whose words nobody
    understands has no chance by words; where that is all labels, the examples answer alone, and where a window has no
    neighbor, the words.

    Args:
        gate: trained for this model.
    """

    gate: Gate
    name = "gate"

    def __call__(self, asked: Asked, found: Found) -> Fused:
        """See `Fusion`.

        Raises:
            UsageError: the gate was trained for windows of another length.
        """
        from kinelex.backbones.physical import window_features
        from kinelex.retrieval.fusion import effective_weight, fuse
        from kinelex.retrieval.gate import TrainedFor

        self.gate.check_use(TrainedFor(window_s=asked.window_s))
        words, examples = both_sides(asked, found)
        said = self.gate.weights(window_features(asked.requests, asked.window_s))
        silent = np.isnan(asked.logits).any(axis=1)
        return Fused(
            chances=fuse(words, examples, said, compat=self.gate.trained_for.compat),
            by_words=words,
            by_examples=examples,
            weight=np.where(silent, np.nan, effective_weight(words, examples, said)),
        )


def both_sides(asked: Asked, found: Found) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a gate weighs: probabilities by the words and by the examples, ``(window, label)`` each.

    A row of NaN by words where nobody understands any, by both for a window without signal.
    """
    from kinelex.retrieval.evidence import EvidenceConfig, evidence

    # Those beyond the examples of the largest label would have to be of others.
    heard = found.classes[:, : max(1, min(HEARD, int(found.sizes.max())))]
    examples = evidence(heard, _alike(asked.choices), EvidenceConfig())
    examples[np.isnan(asked.logits).any(axis=1)] = np.nan
    return chances_of(asked.logits), examples


def purpose(encoder: Encoder, window_s: float | None = None) -> TrainedFor:
    """What a gate beside a model is trained for, and used for."""
    from kinelex.backbones.physical import FEATURE_CHANNELS, FEATURE_RATE_HZ
    from kinelex.retrieval.evidence import EvidenceConfig
    from kinelex.retrieval.gate import TrainedFor

    return TrainedFor(
        backbone=encoder.name,
        fingerprint=encoder.fingerprint,
        channels=FEATURE_CHANNELS,
        rate_hz=FEATURE_RATE_HZ,
        window_s=window_s,
        evidence={"k": HEARD, **EvidenceConfig().model_dump()},
    )


def gate_of(memory: str | Path) -> Path | None:
    """The folder of a memory's gate; None where it has none."""
    folder = Path(memory) / GATE
    return folder if folder.exists() else None


def gated(folder: str | Path, encoder: Encoder) -> Gated:
    """The gate in a folder, for a model.

    Raises:
        WrongEncoder: it was trained beside another model.
        UsageError: it was trained for other features or evidence.
        CorruptArtifact: a file of it is missing, or not what was written.
        UnsupportedFormat: a newer Kinelex wrote it.
    """
    from kinelex.retrieval.gate import load_gate

    gate = load_gate(folder)
    known = gate.trained_for
    if known.fingerprint and known.fingerprint != encoder.fingerprint:
        raise WrongEncoder(
            f"the gate in '{folder}' was trained beside '{known.backbone}' ({known.fingerprint[:12]}), not"
            f" '{encoder.name}' ({encoder.fingerprint[:12]}): train one beside this model, or go without"
        )
    # What a model is called does not matter.
    gate.check_use(purpose(encoder).model_copy(update={"backbone": ""}))
    return Gated(gate)


def keep_gate(gate: Gate, memory: Path) -> Path:
    """Write a gate into the folder of its memory; returns where it is.

    Raises:
        UnknownName: there is no memory.
        StoreInUse: somebody else is writing to it.
    """
    from kinelex.retrieval.gate import save_gate
    from kinelex.retrieval.store import ExampleStore

    # Whoever else writes there would take what is not finished for the remains of a crash.
    with ExampleStore.write(memory):
        save_gate(gate, memory / GATE)
    return memory / GATE


def forget_gate(memory: Path) -> None:
    """Remove the gate of a memory, whatever is left of it.

    Raises:
        UnknownName: there is no memory, or it has no gate.
        StoreInUse: somebody else is writing to it.
    """
    from kinelex.retrieval.store import ExampleStore

    with ExampleStore.write(memory):
        shutil.rmtree(own_gate(memory))


def own_gate(memory: Path) -> Path:
    """The folder of a memory's gate.

    Raises:
        UnknownName: it has none.
    """
    folder = gate_of(memory)
    if folder is None:
        raise UnknownName(f"the memory in '{memory}' has no gate: kinelex gate train makes one")
    return folder


def _alike(choices: Choices) -> LabelTable:
    """How alike the labels' words are; one whose words nobody understands is like itself alone."""
    from kinelex.retrieval.evidence import LabelTable

    count = len(choices.names)
    lengths = np.linalg.norm(choices.texts, axis=1, keepdims=True)
    texts = choices.texts.astype(np.float64) / np.maximum(lengths, 1e-12)
    table = np.eye(count)
    table[np.ix_(choices.understood, choices.understood)] = texts @ texts.T
    return LabelTable(choices.names, choices.names, table, np.eye(count, dtype=np.bool_))
