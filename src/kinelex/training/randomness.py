"""Randomness as a function of (seed, step, purpose): nothing to save, so that resuming is exact."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def seed_of(seed: int, step: int, purpose: str) -> int:
    """A 63-bit number that differs for every (seed, step, purpose)."""
    digest = hashlib.blake2b(f"{seed}/{step}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def torch_generator(seed: int, step: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh PyTorch generator for one purpose at one step."""
    return torch.Generator(device).manual_seed(seed_of(seed, step, purpose))


def numpy_generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """A fresh NumPy generator for one purpose at one step."""
    return np.random.default_rng(seed_of(seed, step, purpose))
