"""Backbones that were trained here, on disk: safetensors and JSON behind a manifest.

::

    FOLDER/manifest.json        which encoder, what it was trained on; size and hash of every other file
    FOLDER/config.json          its shape, where it has one
    FOLDER/model.safetensors    its weights, and what it standardizes with
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinelex.artifact import read_manifest, staged_folder, write_json, write_manifest
from kinelex.backbones.statistics import FEATURES, StatisticsBackbone
from kinelex.backbones.ts2vec import TS2VEC_CONTRACT, TS2Vec, TS2VecConfig
from kinelex.backbones.ts2vec_backbone import TS2VecBackbone
from kinelex.errors import CorruptArtifact

KIND = "backbone"
VERSION = 1
_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_NETWORK = "network."

Stored = StatisticsBackbone | TS2VecBackbone


def save_backbone(backbone: Stored, folder: str | Path) -> None:
    """Write a backbone that was trained here, whole or not at all; an earlier one in `folder` is replaced."""
    tensors = {"mean": torch.tensor(backbone.mean), "std": torch.tensor(backbone.std)}
    config: dict[str, object] = {}
    if isinstance(backbone, TS2VecBackbone):
        config = backbone.config.model_dump()
        tensors |= {_NETWORK + name: tensor.contiguous() for name, tensor in backbone.network.state_dict().items()}
    else:
        config = {"features": list(FEATURES)}
    fields = {
        "encoder": "ts2vec" if isinstance(backbone, TS2VecBackbone) else "statistics",
        "name": backbone.name,
        "trained_on": list(backbone.trained_on),
    }
    with staged_folder(folder) as draft:
        save_file(tensors, draft / _WEIGHTS)
        write_json(draft / _CONFIG, config)
        write_manifest(draft, KIND, VERSION, [_WEIGHTS, _CONFIG], fields)


def read_backbone(folder: str | Path) -> Stored:
    """Read a backbone that `save_backbone` wrote; every file is checked against its hash first.

    Raises:
        CorruptArtifact: a file is missing or not what was written, or its content does not fit together.
        UnsupportedFormat: written by a newer Kinelex.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, KIND, VERSION)
    try:
        tensors = load_file(folder / _WEIGHTS)
        config = json.loads((folder / _CONFIG).read_bytes())
        mean, std = tensors.pop("mean").numpy(), tensors.pop("std").numpy()
        name, trained_on = str(manifest["name"]), tuple(str(part) for part in manifest["trained_on"])
        if manifest["encoder"] == "ts2vec":
            shape = TS2VecConfig.model_validate(config)
            return TS2VecBackbone(_network(shape, tensors), shape, mean, std, name, trained_on)
        if manifest["encoder"] == "statistics" and config["features"] == list(FEATURES) and len(mean) == len(FEATURES):
            return StatisticsBackbone(mean.astype(np.float64), std.astype(np.float64), name, trained_on)
        raise ValueError(f"it is a '{manifest['encoder']}' with other features or of no known kind")
    except (SafetensorError, ValidationError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"backbone '{folder}' does not fit together ({error}): make it again") from None


def _network(config: TS2VecConfig, tensors: dict[str, Tensor]) -> TS2Vec:
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
        network = TS2Vec(len(TS2VEC_CONTRACT.channels), config)
    network.load_state_dict({name.removeprefix(_NETWORK): tensor for name, tensor in tensors.items()})
    return network.eval().requires_grad_(False)
