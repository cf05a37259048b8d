"""Mantis, a foundation model of time series, from its own package.

Source: Feofanov et al., "Mantis: Lightweight calibrated foundation model for user-friendly time series classification",
2025; package ``mantis-tsfm`` and its documentation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from kinelex.backbones.contract import InputContract
from kinelex.backbones.foreign_weights import load_strictly, read_tensors
from kinelex.backbones.hub_folder import hub_folder
from kinelex.backbones.per_channel import PerChannelEncoder
from kinelex.errors import MissingDependency, UnsupportedFormat

Token = Literal["cls_token", "mean_token", "combined"]

MANTIS_CONTRACT = InputContract(rate_hz=None, clip_steps=512, gravity="either", needs=("acc", "gyro"))
"""A window of any length becomes 512 samples, as its authors advise; amplitude reaches it by the mean and spread of
each patch only."""

HUB_IDS = {
    "mantis": "paris-noah/Mantis-8M",
    "mantis-plus": "paris-noah/MantisPlus",
    "mantis-v2": "paris-noah/MantisV2",
}
FILES = ("config.json", "model.safetensors")


@dataclass(frozen=True, eq=False)
class MantisBackbone(PerChannelEncoder):
    """Any of the Mantis models.

    Args:
        network: takes ``(series, 1, 512)`` and gives ``(series, width)``.
        width: the length of what it gives.
        name: what it is called.
        contract: what it wants to be fed.
        trained_on: none is named.
    """

    network: Any
    width: int = 256
    name: str = "mantis"
    contract: InputContract = MANTIS_CONTRACT
    trained_on: tuple[str, ...] = ()

    @property
    def channel_dim(self) -> int:
        """As the network has it."""
        return self.width

    def encode_series(self, series: Tensor, valid: Tensor) -> Tensor:
        """Series to vectors; gaps are bridged already."""
        found: Tensor = self.network(series[:, None])
        return found


def load_mantis(
    name: str = "mantis", weights: str | Path | None = None, *, layer: int | None = None, token: Token | None = None
) -> MantisBackbone:
    """Read a Mantis model from a folder with its ``model.safetensors``, or by its name from the hub.

    Args:
        name: ``"mantis"``, ``"mantis-plus"`` or ``"mantis-v2"``.
        weights: a folder, or a hub id; the published one when left out.
        layer: of the transformer whose output is taken, counted from 0; -1 is the last. What the package advises when
            left out: the last, and 2 for the second version.
        token: what of that output is taken; ``"cls_token"``, and ``"combined"`` (with the mean over the others, twice
            as long) for the second version, when left out.

    Raises:
        MissingDependency: the package is not installed.
        DownloadFailed: weights that are not on this machine and could not be fetched.
        UnreadableFile, UnsupportedFormat: a folder that holds no such model.
    """
    try:
        architecture = import_module("mantis.architecture")
    except ImportError as error:
        raise MissingDependency(
            f"Mantis needs the package '{error.name}': pip install --no-deps mantis-tsfm (it asks for an old version of"
            " pandas, which its encoder does not use)"
        ) from None
    second = name == "mantis-v2"
    layer = (2 if second else -1) if layer is None else layer
    token = ("combined" if second else "cls_token") if token is None else token
    folder = hub_folder(weights or HUB_IDS[name], "encoder", FILES)
    settings = _settings(folder)
    with torch.random.fork_rng(devices=[]):  # its weights are drawn before they are read
        network: Any = (architecture.MantisV2 if second else architecture.MantisV1)(**settings, device="cpu")
    load_strictly(network, _tensors(folder), folder, "Mantis")
    network.return_transf_layer, network.output_token = layer, token
    width = int(network.hidden_dim) * (2 if token == "combined" else 1)
    return MantisBackbone(network, width, name)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / FILES[0]
    try:
        settings = dict(json.loads(path.read_bytes())) if path.is_file() else {}
    except (ValueError, TypeError) as error:
        raise UnsupportedFormat(f"'{path}' is no JSON object ({error}): get the model again") from None
    for name in ("device", "return_transf_layer", "output_token", "pre_training"):
        settings.pop(name, None)  # how it is used, which is said here
    return settings


def _tensors(folder: Path) -> dict[str, Tensor]:
    """The weights; earlier files call the transformer a ViT."""
    found = read_tensors(folder / FILES[1])
    return {name.replace("vit_unit.", "transf_unit.", 1): tensor for name, tensor in found.items()}
