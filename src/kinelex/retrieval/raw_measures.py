"""How alike raw windows are: four measures, each a function of the examples that gives one of queries.

Each goes channel by channel, and a pair of windows is judged by the channels that both have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinelex.errors import MissingDependency
from kinelex.retrieval.raw_windows import Bools, Floats, RawWindows, centered
from kinelex.retrieval.wavelets import wavelet_features

Measure = Literal["dtw", "cross_correlation", "pearson", "wavelet"]
Similarity = Callable[[RawWindows], Floats]
"""Similarities ``(query, example)`` of queries with the examples it was made for; NaN for no common channel."""

# Pairs of a query and an example whose correlations over lags are held at once.
_PAIRS = 20_000


class RawSignalConfig(BaseModel):
    """How raw windows are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Measure = Field("dtw", description="What near means.")
    band: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="How far dtw may shift a sample, as a share of the window (Sakoe-Chiba band)."
    )
    longest_lag: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="How far cross_correlation may shift a window, as a share of it."
    )
    least_present: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="A channel counts if it has this share of its samples; with pearson, both of a pair at once."
    )


def _pearson(examples: RawWindows, config: RawSignalConfig) -> Similarity:
    least = config.least_present * examples.values.shape[2]
    stored, mine = centered(examples), examples.valid.astype(np.float64)

    def similarity(queries: RawWindows) -> Floats:
        total = np.zeros((len(queries), len(examples)))
        channels = np.zeros_like(total)
        x, theirs = centered(queries), queries.valid.astype(np.float64)
        for c in range(x.shape[1]):
            a, b, m, n = x[:, c], stored[:, c], theirs[:, c], mine[:, c]
            shared = m @ n.T
            counted = np.maximum(shared, 1)
            sum_a, sum_b = a @ n.T, m @ b.T
            variance_a = _positive(np.square(a) @ n.T - sum_a**2 / counted, np.square(a).sum(1)[:, None])
            variance_b = _positive(m @ np.square(b).T - sum_b**2 / counted, np.square(b).sum(1)[None])
            together = a @ b.T - sum_a * sum_b / counted
            product = variance_a * variance_b
            enough = shared >= least
            total += np.where(enough & (product > 0), together / np.sqrt(np.where(product > 0, product, 1)), 0)
            channels += enough
        return np.where(channels > 0, total / np.maximum(channels, 1), np.nan)

    return similarity


def _positive(variance: Floats, scale: Floats) -> Floats:
    """A sum of squares; zero where it is nothing but rounding."""
    return np.where(variance > 1e-10 * scale, variance, 0)


def _cross_correlation(examples: RawWindows, config: RawSignalConfig) -> Similarity:
    length = examples.values.shape[2]
    lags = int(config.longest_lag * length)
    # Padded, so that what leaves at one end does not come back at the other.
    size = 1 << int(np.ceil(np.log2(length + lags)))
    stored = np.fft.rfft(_directions(examples), size, axis=2)

    def similarity(queries: RawWindows) -> Floats:
        asked = np.fft.rfft(_directions(queries), size, axis=2)
        result = _common(queries, examples)
        step = max(1, _PAIRS // len(queries))
        for start in range(0, len(examples), step):
            block = slice(start, start + step)
            spectrum = np.einsum("qcf,ecf->qef", asked, stored[block].conj())
            series = np.fft.irfft(spectrum, size, axis=2)
            best = series[..., : lags + 1].max(axis=2)
            if lags:
                best = np.maximum(best, series[..., -lags:].max(axis=2))
            result[:, block] = best / result[:, block]
        return result

    return similarity


def _directions(windows: RawWindows) -> Floats:
    """Each channel around its mean, of length one; a flat one stays zero."""
    values = centered(windows)
    lengths = np.linalg.norm(values, axis=2, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))


def _wavelet(examples: RawWindows, config: RawSignalConfig) -> Similarity:
    raw = wavelet_features(examples.values)
    count = np.maximum(examples.present.sum(axis=0), 1)[:, None]
    counts = examples.present[..., None]
    mean = np.where(counts, raw, 0).sum(axis=0) / count
    std = np.sqrt(np.where(counts, np.square(raw - mean), 0).sum(axis=0) / count)
    # A feature that never varies is compared as it is.
    scale = np.where(std > 1e-9 * np.maximum(np.abs(mean), 1), std, 1)

    def standardized(features: Floats, present: Bools) -> Floats:
        return np.where(present[..., None], (features - mean) / scale, 0)

    stored = standardized(raw, examples.present)

    def similarity(queries: RawWindows) -> Floats:
        asked = standardized(wavelet_features(queries.values), queries.present)
        theirs, mine = queries.present.astype(np.float64), examples.present.astype(np.float64)
        squares = np.square(asked).sum(2) @ mine.T + theirs @ np.square(stored).sum(2).T
        products = asked.reshape(len(asked), -1) @ stored.reshape(len(stored), -1).T
        distance = np.maximum(squares - 2 * products, 0)
        return np.asarray(-distance / (_common(queries, examples) * raw.shape[2]))

    return similarity


def _dtw(examples: RawWindows, config: RawSignalConfig) -> Similarity:
    try:
        from aeon.distances import dtw_pairwise_distance
    except ImportError:
        raise MissingDependency(
            "dynamic time warping needs aeon, which is not installed: pip install 'kinelex[raw]'"
        ) from None
    scale = _spread(examples)
    length = examples.values.shape[2]

    def similarity(queries: RawWindows) -> Floats:
        result = _common(queries, examples)
        for theirs, asked in _by_channels(queries):
            for mine, stored in _by_channels(examples):
                both = theirs & mine
                if not both.any():
                    continue
                parts = queries.part(asked), examples.part(stored)
                # In one memory layout: for each, the code is compiled anew.
                a, b = (np.ascontiguousarray((part.values / scale)[:, both]) for part in parts)
                with _own_threads(), warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "unsafe cast")
                    cost = dtw_pairwise_distance(a, b, window=config.band)
                result[np.ix_(asked, stored)] = -cost / (both.sum() * length)
        return result

    return similarity


@contextmanager
def _own_threads() -> Iterator[None]:
    """Whatever number of threads the code inside leaves behind for the whole process, it is as before."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _spread(windows: RawWindows) -> Floats:
    """The standard deviation of each channel over all samples of all windows, ``(channel, 1)``; 1 where it is none."""
    count = np.maximum(windows.valid.sum(axis=(0, 2)), 1)
    mean = np.where(windows.valid, windows.values, 0).sum(axis=(0, 2)) / count
    away = np.where(windows.valid, windows.values - mean[:, None], 0)
    std = np.sqrt(np.square(away).sum(axis=(0, 2)) / count)
    return np.asarray(np.where(std > 1e-12 * np.maximum(np.abs(mean), 1), std, 1)[:, None])


def _by_channels(windows: RawWindows) -> list[tuple[Bools, NDArray[np.int64]]]:
    """The windows with each set of channels: few sets, as devices differ and windows of one do not."""
    sets, which = np.unique(windows.present, axis=0, return_inverse=True)
    return [(channels, np.flatnonzero(which.reshape(-1) == number)) for number, channels in enumerate(sets)]


def _common(queries: RawWindows, examples: RawWindows) -> Floats:
    """How many channels both have, ``(query, example)``; NaN for none."""
    count = queries.present.astype(np.float64) @ examples.present.T.astype(np.float64)
    return np.where(count > 0, count, np.nan)


MEASURES: dict[Measure, Callable[[RawWindows, RawSignalConfig], Callable[[RawWindows], Floats]]] = {
    "dtw": _dtw,
    "cross_correlation": _cross_correlation,
    "pearson": _pearson,
    "wavelet": _wavelet,
}
