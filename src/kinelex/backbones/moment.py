"""MOMENT, a foundation model of time series, from its own package.

Source: Goswami et al., "MOMENT: A family of open time-series foundation models", ICML 2024; package ``momentfm``.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinelex.backbones.contract import InputContract
from kinelex.backbones.foreign_weights import load_strictly, read_tensors
from kinelex.backbones.hub_folder import hub_folder
from kinelex.backbones.per_channel import PerChannelEncoder
from kinelex.errors import MissingDependency, UnsupportedFormat

MOMENT_CONTRACT = InputContract(rate_hz=50.0, clip_steps=512, shorter="masked", gravity="either", needs=("acc", "gyro"))
"""It sees exactly 512 samples, 10 s at 50 Hz; shorter windows stand at their end, as in its own classification data.
It brings every series to mean 0 and spread 1, so that neither gravity nor strength is left."""

HUB_IDS = {f"moment-{size}": f"AutonLab/MOMENT-1-{size}" for size in ("small", "base", "large")}
FILES = ("config.json", "model.safetensors")


@dataclass(frozen=True, eq=False)
class MomentBackbone(PerChannelEncoder):
    """Any of the MOMENT models.

    Args:
        network: its method ``embed(x_enc=(series, 1, 512), input_mask=(series, 512))`` gives an object whose
            ``embeddings`` are ``(series, width)``.
        width: the length of what it gives.
        name: what it is called.
        contract: what it wants to be fed.
        trained_on: none of the catalog; but the archive of classification in its training data (section 3.1) is the one
            that BasicMotions is from.
    """

    network: Any
    width: int = 1024
    name: str = "moment-large"
    contract: InputContract = MOMENT_CONTRACT
    trained_on: tuple[str, ...] = ()

    @property
    def channel_dim(self) -> int:
        """As the network has it."""
        return self.width

    def encode_series(self, series: Tensor, valid: Tensor) -> Tensor:
        """Series to vectors, averaged over the patches that lie wholly within the window."""
        begun = valid.cummax(dim=1).values  # gaps are bridged; what is before the window is not signal
        found: Tensor = self.network.embed(x_enc=series[:, None], input_mask=begun.float()).embeddings
        return torch.nan_to_num(found)  # of a window shorter than a patch: there is nothing to average


def load_moment(name: str = "moment-small", weights: str | Path | None = None) -> MomentBackbone:
    """Read a MOMENT model from a folder with its ``model.safetensors``, or by its name from the hub.

    Args:
        name: ``"moment-small"``, ``"moment-base"`` or ``"moment-large"``.
        weights: a folder, or a hub id; the published one when left out.

    Raises:
        MissingDependency: the package is not installed.
        DownloadFailed: weights that are not on this machine and could not be fetched.
        UnreadableFile, UnsupportedFormat: a folder that holds no such model.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            package = import_module("momentfm")
    except ImportError as error:
        raise MissingDependency(
            f"MOMENT needs the package '{error.name}': pip install --no-deps momentfm (it asks for old versions of"
            ' numpy and transformers, and runs with new ones); pip install "kinelex[text]" brings transformers'
        ) from None
    folder = hub_folder(weights or HUB_IDS[name], "encoder", FILES)
    try:
        settings = dict(json.loads((folder / FILES[0]).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise UnsupportedFormat(f"'{folder}' holds no MOMENT model ({error}): get it again") from None
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):  # weights are drawn before they are read
        warnings.simplefilter("ignore")
        network: Any = package.MOMENTPipeline(settings, model_kwargs={"task_name": "embedding"})
        network.init()
    tensors = {key: tensor for key, tensor in read_tensors(folder / FILES[1]).items() if not key.startswith("head.")}
    load_strictly(network, tensors, folder, "MOMENT")
    return MomentBackbone(network, int(network.config.d_model), name)
