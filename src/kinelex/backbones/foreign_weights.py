"""Weights that other people's programs wrote: read as numbers, or not at all."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from kinelex.errors import UnreadableFile, UnsupportedFormat


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The named tensors in a file of PyTorch (``.pt``) or safetensors; nothing in it is run.

    Raises:
        UnreadableFile: no such file, damaged, or with anything in it but tensors under their names.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableFile(f"there are no weights at '{path}': pass the file that their authors published")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how old the file is
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnreadableFile(
            f"'{path}' holds no weights that can be read safely ({reason}): nothing of it was run; get it again"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise UnreadableFile(f"'{path}' holds a {type(found).__name__}, not tensors under their names")
    tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if len(tensors) < len(found) or not tensors:
        other = next((key for key in found if key not in tensors), "nothing")
        raise UnreadableFile(f"'{path}' holds '{other}', which is no tensor: pass a file with a state_dict alone")
    return tensors


def load_strictly(network: nn.Module, tensors: dict[str, Tensor], path: str | Path, what: str) -> None:
    """Put tensors into a network; each must be there, have its shape, and none may be left over.

    Raises:
        UnsupportedFormat: they are not this network's; the message names the first that is not.
    """
    wanted = network.state_dict()
    for name in sorted({*wanted, *tensors}):
        mine, theirs = wanted.get(name), tensors.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            shapes = " and ".join("none" if t is None else str(tuple(t.shape)) for t in (mine, theirs))
            raise UnsupportedFormat(
                f"'{path}' does not hold the weights of {what}: of '{name}' are wanted and found {shapes}"
            )
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
