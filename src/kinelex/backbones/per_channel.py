"""General encoders of time series, which know nothing of sensors: each channel by itself, side by side."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinelex.backbones.clip_encoder import ClipEncoder


class PerChannelEncoder(ClipEncoder):
    """A window's vector holds that of each channel of its contract, in order; zeros where a channel was not measured.

    So that windows with and without a gyroscope are compared by what both have.
    """

    @property
    @abstractmethod
    def channel_dim(self) -> int:
        """The length of one channel's vector."""

    @property
    def dim(self) -> int:
        """One vector per channel."""
        return len(self.contract.channels) * self.channel_dim

    @abstractmethod
    def encode_series(self, series: Tensor, valid: Tensor) -> Tensor:
        """Single channels ``(series, step)`` and which samples were measured to vectors ``(series, channel_dim)``."""

    @torch.inference_mode()
    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Clips to vectors, channel by channel."""
        measured = valid.any(axis=2)
        vectors = np.zeros((*signal.shape[:2], self.channel_dim), np.float32)
        if measured.any():
            series = torch.from_numpy(signal[measured]), torch.from_numpy(valid[measured])
            vectors[measured] = self.encode_series(*series).numpy()
        return vectors.reshape(len(signal), -1)
