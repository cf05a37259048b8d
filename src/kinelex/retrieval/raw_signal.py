"""Neighbors by the signal itself, without any network: what an encoder must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kinelex.errors import BadSamples, UsageError
from kinelex.retrieval.neighbors import Neighbors, ranked
from kinelex.retrieval.raw_measures import MEASURES, RawSignalConfig
from kinelex.retrieval.raw_windows import prepared

_QUERIES = 256


class RawSignalIndex:
    """Searches windows by their samples; the same `Neighbors` as a vector index gives.

    Every query is compared with every example, at a cost of milliseconds to seconds per query: a yardstick for
    encoders, not a way to serve. Missing samples and channels do not count: a channel with too few samples is left out,
    smaller gaps are bridged by straight lines (Pearson's correlation leaves them out instead). Two windows without a
    common channel are no neighbors, however many are asked for. The measures are

    ``dtw``
        Minus the cost of the best alignment, all channels bent together, per sample and common channel. Channels are
        divided by their standard deviation over the examples, so that amplitudes count and units do not.
    ``cross_correlation``
        The largest value over lags, one lag for all channels, of the mean over channels of the correlation coefficient.
        What a lag moves out of the window counts as zero.
    ``pearson``
        The mean over channels of the correlation of the two series, as they lie.
    ``wavelet``
        Minus the mean squared distance of `kinelex.retrieval.wavelets.wavelet_features`, standardized over the
        examples.

    A series that is flat correlates with nothing: 0.

    Args:
        ids: of the examples, ``(window,)``.
        signal: ``(window, channel, sample)``; NaN is missing.
        valid: likewise; false is missing too.
        config: how windows are compared.

    Raises:
        BadSamples: tables of other shapes.
        UsageError: an id is listed twice or negative.
        TooShort: windows too short for the wavelets.
        MissingDependency: the package of the measure is not installed.

    Source: Sakoe and Chiba 1978, IEEE TASSP 26 (dtw); Paparrizos and Gravano, "k-Shape", 2015, section 3.1
    (coefficient-normalized cross-correlation); MoRA's public code, whose "DTW" is the discrete wavelet transform.
    """

    def __init__(
        self, ids: ArrayLike, signal: ArrayLike, valid: ArrayLike | None = None, config: RawSignalConfig | None = None
    ) -> None:
        self.config = config or RawSignalConfig()
        self._ids = np.asarray(ids, dtype=np.int64).reshape(-1)
        self._examples = prepared(signal, valid, self.config.least_present)
        if len(self._ids) != len(self._examples):
            raise BadSamples(
                f"there are {len(self._ids)} ids for {len(self._examples)} windows: pass one id per window"
            )
        if len(np.unique(self._ids)) != len(self._ids) or self._ids.min(initial=0) < 0:
            raise UsageError("ids of windows count from 0, and each is listed once")
        self._similarity = MEASURES[self.config.measure](self._examples, self.config)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, signal: ArrayLike, k: int, valid: ArrayLike | None = None) -> Neighbors:
        """The nearest examples of every query.

        Args:
            signal: ``(query, channel, sample)``, with the channels and the length of the examples.
            k: how many.
            valid: likewise; false is missing.

        Raises:
            UsageError: k below 1.
            BadSamples: other channels or another length.
        """
        if k < 1:
            raise UsageError(f"a search for {k} neighbors finds nothing: ask for k=1 or more")
        queries = prepared(signal, valid, self.config.least_present)
        if queries.values.shape[1:] != self._examples.values.shape[1:]:
            raise BadSamples(
                f"the examples are (channel, sample) = {self._examples.values.shape[1:]}, the queries"
                f" {queries.values.shape[1:]}: give both the same channels, rate and length"
            )
        blocks = [queries.part(slice(start, start + _QUERIES)) for start in range(0, len(queries), _QUERIES)]
        if not len(self):
            return Neighbors.none(len(queries), k)
        return Neighbors.stacked([ranked(self._similarity(block), self._ids, k) for block in blocks], k)
