"""Windows as statistics of their wavelet coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import MissingDependency, TooShort

Floats = NDArray[np.float64]

WAVELET, LEVELS = "db4", 3
STATISTICS = ("mean", "std", "energy", "max", "skew", "kurtosis")
"""Of the coefficients of each band; with four bands, 24 features per channel."""


def wavelet_features(signal: Floats) -> Floats:
    """Six statistics of every band of a wavelet transform, per channel.

    Args:
        signal: ``(window, channel, sample)`` without gaps.

    Returns:
        ``(window, channel, 24)``: for the approximation and then the details from coarse to fine, `STATISTICS`; the
        energy is the sum of squares, skew and kurtosis (0 for a normal distribution) of a flat band are 0.

    Raises:
        TooShort: fewer samples than three levels of the wavelet take.
        MissingDependency: PyWavelets is not installed.
    """
    try:
        import pywt
    except ImportError:
        raise MissingDependency(
            "wavelet features need PyWavelets, which is not installed: pip install 'kinelex[raw]'"
        ) from None
    needed = (pywt.Wavelet(WAVELET).dec_len - 1) * 2**LEVELS
    if signal.shape[-1] < needed:
        raise TooShort(f"wavelet features need windows of {needed} samples, not {signal.shape[-1]}: use longer windows")
    bands = pywt.wavedec(signal, WAVELET, level=LEVELS, axis=-1)
    largest = np.abs(signal).max(axis=-1)
    return np.concatenate([_statistics(np.asarray(band, dtype=np.float64), largest) for band in bands], axis=-1)


def _statistics(band: Floats, largest: Floats) -> Floats:
    mean, std = band.mean(axis=-1), band.std(axis=-1)
    # Rounding leaves a flat band with a spread that is tiny beside the signal, and whose shape means nothing.
    flat = std <= 1e-9 * largest
    centered = (band - mean[..., None]) / np.where(flat, 1, std)[..., None]
    skew, kurtosis = (centered**3).mean(axis=-1), (centered**4).mean(axis=-1) - 3
    shape = [np.where(flat, 0, skew), np.where(flat, 0, kurtosis)]
    return np.stack([mean, std, np.square(band).sum(axis=-1), band.max(axis=-1), *shape], axis=-1)
