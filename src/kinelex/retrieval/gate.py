"""The gate: from the physical features of a window to how far retrieval is to be trusted in it.

A small network, a few thousand weights, stands beside model and memory and changes neither. It is written as a folder:
weights as safetensors, shape and purpose as JSON, behind a manifest with their hashes.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kinelex.artifact import read_manifest, staged_folder, write_json, write_manifest
from kinelex.errors import BadSamples, CorruptArtifact, UsageError
from kinelex.retrieval.compat import Compat, Normalization

KIND, VERSION = "gate", 1
FILES = ("gate.safetensors", "config.json", "trained_for.json")
_BLOCK = 65_536


class GateConfig(BaseModel):
    """Shape of a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: int = Field(gt=0, description="Physical features of a window.")
    hidden: int = Field(128, gt=0, description="Width of its one hidden layer.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the hidden units that are left out in training.")
    normalization: Normalization = Field(
        "standard",
        description="standard: each feature by its mean and deviation over the training windows; layernorm: all"
        " features of a window by theirs, as published.",
    )


class TrainedFor(BaseModel):
    """What a gate belongs to: beside another model, memory or features its weights mean nothing.

    A field that is left empty is not known, and is not compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = Field("", description="Name of the model beside which it was trained.")
    fingerprint: str = Field("", description="Fingerprint of that model's weights.")
    channels: tuple[str, ...] = Field((), description="The channels of a sensor, in the order of the features.")
    rate_hz: float | None = Field(None, gt=0, description="Samples per second of the windows.")
    window_s: float | None = Field(None, gt=0, description="Length of the windows in seconds.")
    labels: tuple[str, ...] = Field((), description="The classes that it was trained to decide between.")
    evidence: dict[str, str | int | float | bool] = Field(
        default={}, description="How evidence was made of neighbors: strategy, k, temperature."
    )
    sets: tuple[str, ...] = Field((), description="Data sets that its windows are from.")
    compat: Compat = Field(
        default_factory=Compat,
        description="Quirks of the public code that it was trained with; fuse needs the same ones. Training sets it.",
    )

    def differences(self, other: TrainedFor) -> list[str]:
        """The fields in which two purposes that both know them differ; labels and sets may."""
        names = ("backbone", "fingerprint", "channels", "rate_hz", "window_s", "evidence")
        both = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return [f"{name} {own}, not {theirs}" for name, own, theirs in both if own and theirs and own != theirs]


class GateNetwork(nn.Module):
    """Features to one logit: normalized, batch norm, linear, ReLU, dropout, linear.

    A feature that is missing (NaN) counts as an average one: it moves the logit neither way. Layer norm has no average
    to take and counts it as zero, as the public code does with channels that a sensor lacks.

    Source: the public code of MoRA; 2,237 weights with 15 features, 5,405 with 39, under layer norm.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: GateConfig) -> None:
        super().__init__()
        self.config = config
        self.layer_norm = nn.LayerNorm(config.features) if config.normalization == "layernorm" else None
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("deviation", torch.ones(config.features))
        self.net = nn.Sequential(
            nn.BatchNorm1d(config.features),
            nn.Linear(config.features, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 1),
        )

    def standardize_by(self, features: Float[Tensor, "window feature"]) -> None:
        """Take mean and deviation of each feature from training windows, over those that have it.

        A feature that does not vary, or that fewer than two windows have, is left at a deviation of one.
        """
        there = ~features.isnan()
        count = there.sum(0)
        values = torch.where(there, features, 0.0).double()
        mean = values.sum(0) / count.clamp(min=1)
        square = torch.where(there, (values - mean).square(), 0.0).sum(0) / count.clamp(min=1)
        deviation = square.sqrt()
        varies = (count > 1) & (deviation > 1e-6 * mean.abs()) & (deviation > 1e-12)
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(varies, deviation, 1.0))

    def forward(self, features: Float[Tensor, "window feature"]) -> Float[Tensor, " window"]:
        """The logit of the weight of retrieval."""
        if self.layer_norm is not None:
            normal = self.layer_norm(features.masked_fill(features.isnan(), 0.0))
        else:
            normal = ((features - self.mean) / self.deviation).masked_fill(features.isnan(), 0.0)
        logit: Tensor = self.net(normal)
        return logit.squeeze(1)


@dataclass(frozen=True, eq=False)
class Gate:
    """A trained gate.

    Args:
        network: its weights; they stay as they are.
        trained_for: what it belongs to.
    """

    network: GateNetwork
    trained_for: TrainedFor = field(default_factory=TrainedFor)

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", deepcopy(self.network).double().eval().requires_grad_(False))

    @property
    def config(self) -> GateConfig:
        """Its shape."""
        return self.network.config

    def weights(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """How far to trust retrieval in each window.

        Args:
            features: ``(window, feature)`` of `kinelex.retrieval.features.physical_features`; NaN where missing.

        Returns:
            ``(window,)`` in [0, 1]: 0 is the model alone, 1 are the neighbors alone.

        Raises:
            BadSamples: another number of features, or an infinite one.
        """
        table = np.asarray(features, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != self.config.features or np.isinf(table).any():
            raise BadSamples(
                f"this gate needs finite features (window, {self.config.features}), not {table.shape}: it was trained"
                f" for {', '.join(self.trained_for.channels) or 'other channels'}"
            )
        with torch.inference_mode():
            blocks = [self.network(torch.tensor(part)) for part in _blocks(table)]
        return np.asarray(torch.sigmoid(torch.cat(blocks)).numpy())

    def check_use(self, use: TrainedFor) -> None:
        """Say no to another purpose than the one it was trained for.

        Args:
            use: where it is to be used, as far as known.

        Raises:
            UsageError: something differs.
        """
        if different := self.trained_for.differences(use):
            raise UsageError(f"this gate was trained for {'; '.join(different)}: train one, or use a fixed weight")


def save_gate(gate: Gate, folder: str | Path) -> None:
    """Write a gate to `folder`, whole or not at all; an earlier one there is replaced."""
    weights, config, purpose = FILES
    with staged_folder(folder) as draft:
        save_file({name: tensor.contiguous() for name, tensor in gate.network.state_dict().items()}, draft / weights)
        write_json(draft / config, gate.config.model_dump(mode="json"))
        write_json(draft / purpose, gate.trained_for.model_dump(mode="json"))
        write_manifest(draft, KIND, VERSION, FILES, {})


def load_gate(folder: str | Path) -> Gate:
    """Read a gate from its folder; every file is checked against its hash first.

    Raises:
        CorruptArtifact: a file is missing or not what was written, or its content does not fit together.
        UnsupportedFormat: written by a newer Kinelex.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, KIND, VERSION)
    weights, config, purpose = FILES
    try:
        if missing := sorted(set(FILES) - set(manifest["files"])):
            raise ValueError(f"the manifest does not list {', '.join(missing)}")
        network = GateNetwork(GateConfig.model_validate_json((folder / config).read_bytes())).double()
        state = load_file(folder / weights)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
            raise ValueError("a weight is no number")
        network.load_state_dict(state)
        trained_for = TrainedFor.model_validate_json((folder / purpose).read_bytes())
    except (SafetensorError, RuntimeError, ValidationError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise CorruptArtifact(f"gate '{folder}' does not fit together ({error}): train it again") from None
    return Gate(network, trained_for)


def _blocks(table: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [table[start : start + _BLOCK] for start in range(0, max(1, len(table)), _BLOCK)]
