"""Recordings of any rate and any channels to the model's input, and through it.

The only place where the outside's ``(time, channel)`` becomes the model's ``(window, channel, step)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from kinelex.model.aligned import AlignedModel
from kinelex.model.channels import MEASURED
from kinelex.model.config import ModelConfig
from kinelex.model.placements import placement_row
from kinelex.signal.recording import Recording
from kinelex.signal.resampling import resample

Precision = Literal["fp32", "bf16"]

_MARGIN_S = 1.0
"""Signal on both sides of a stretch that is resampled with it, beyond the filter's reach at any rate above 16 Hz."""

_STRETCH_S = 1800.0
"""Recordings are resampled in stretches of about this length, so that a day costs no more memory than half an hour."""


def on_grid(recording: Recording, placement: str, grid_hz: float) -> NDArray[np.float32]:
    """One placement's accelerometer and gyroscope on the model's grid.

    Returns:
        ``(time, 6)`` float32 in the order of `MEASURED`; NaN where missing or not measured at all.
    """
    columns = [
        (MEASURED.index(f"{channel.sensor}_{channel.axis}"), i)
        for i, channel in enumerate(recording.channels)
        if channel.placement == placement and channel.sensor != "mag"
    ]
    if not columns:
        return np.full((int(np.ceil(recording.duration_s * grid_hz)), len(MEASURED)), np.nan, np.float32)
    resampled = resample(recording.samples[:, [i for _, i in columns]], recording.rate_hz, grid_hz)
    grid = np.full((len(resampled), len(MEASURED)), np.nan, np.float32)
    grid[:, [slot for slot, _ in columns]] = resampled
    return grid


def embed_windows(
    model: AlignedModel,
    requests: Sequence[tuple[Recording, NDArray[np.float64]]],
    window_s: float,
    batch_windows: int = 512,
    precision: Precision = "fp32",
) -> list[NDArray[np.float32]]:
    """Embed windows of several recordings in shared batches.

    Args:
        model: in evaluation mode.
        requests: recordings, each with the starts of its windows in seconds.
        window_s: length of all windows.
        batch_windows: windows per pass through the network.
        precision: bf16 multiplies with half the bits, about twice as fast on processors made for it.

    Returns:
        Per request ``(window, text)`` unit vectors; NaN where no placement had signal for one token.
    """
    sums = [np.zeros((len(starts), model.config.text_dim), np.float32) for _, starts in requests]
    steps = max(model.config.patch_steps, round(window_s * model.config.grid_hz))
    signals: list[NDArray[np.float32]] = []
    owners: list[tuple[int, int, bool, int]] = []

    def flush() -> None:
        if not owners:
            return
        signal = torch.from_numpy(np.stack(signals)).transpose(1, 2)
        request, window, gravity, place = (torch.tensor(column) for column in zip(*owners, strict=True))
        vectors, usable = _forward(model, signal, gravity, place, precision)
        for i in np.flatnonzero(usable):
            sums[int(request[i])][int(window[i])] += vectors[i]
        signals.clear()
        owners.clear()

    for r, (recording, starts) in enumerate(requests):
        for placement in recording.placements:
            row = placement_row(placement)
            for w, cut in _cuts(recording, placement, starts, model.config.grid_hz, steps):
                signals.append(cut)
                owners.append((r, w, recording.gravity, row))
                if len(owners) >= batch_windows:
                    flush()
    flush()
    for vectors in sums:
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            vectors /= length  # 0/0 is NaN: nothing was seen
    return sums


@dataclass(frozen=True, eq=False)
class WindowInputs:
    """What goes into the model for many windows, one row per window and placement, to be embedded again and again.

    Args:
        signal: ``(row, 6, step)`` acc in m/s², gyro in rad/s; 0 where not valid.
        valid: which samples were measured.
        gravity: whether acceleration contains gravity.
        placement: row of the model's placement vectors.
        owner: number of the window that each row belongs to.
        windows: how many windows there are; one may be without any row.
    """

    signal: Float[Tensor, "row 6 step"]
    valid: Bool[Tensor, "row 6 step"]
    gravity: Bool[Tensor, " row"]
    placement: Int[Tensor, " row"]
    owner: Int[Tensor, " row"]
    windows: int

    def of(self, windows: NDArray[np.integer]) -> WindowInputs:
        """The rows of some windows, which are numbered anew in the order given."""
        number = torch.full((self.windows,), -1, dtype=torch.long)
        number[torch.from_numpy(np.asarray(windows, dtype=np.int64))] = torch.arange(len(windows))
        rows = torch.nonzero(number[self.owner] >= 0)[:, 0]
        rows = rows[torch.argsort(number[self.owner[rows]], stable=True)]
        return WindowInputs(
            self.signal[rows], self.valid[rows], self.gravity[rows], self.placement[rows],
            number[self.owner[rows]], len(windows),
        )  # fmt: skip


def window_inputs(
    requests: Sequence[tuple[Recording, NDArray[np.float64]]], window_s: float, config: ModelConfig
) -> WindowInputs:
    """Windows of several recordings as the model's input tensors, for training on them.

    Args:
        requests: recordings, each with the starts of its windows in seconds; windows are numbered in this order.
        window_s: length of all windows.
        config: of the model that they are for.
    """
    steps = max(config.patch_steps, round(window_s * config.grid_hz))
    first = np.cumsum([0, *(len(starts) for _, starts in requests)])
    signals: list[NDArray[np.float32]] = []
    owners: list[tuple[int, bool, int]] = []
    for number, (recording, starts) in enumerate(requests):
        for placement in recording.placements:
            row = placement_row(placement)
            for window, cut in _cuts(recording, placement, starts, config.grid_hz, steps):
                signals.append(cut)
                owners.append((int(first[number]) + window, recording.gravity, row))
    signal = np.stack(signals) if signals else np.empty((0, steps, len(MEASURED)), np.float32)
    measured = torch.from_numpy(signal).transpose(1, 2)
    return WindowInputs(
        signal=torch.nan_to_num(measured),
        valid=torch.isfinite(measured),
        gravity=torch.tensor([gravity for _, gravity, _ in owners], dtype=torch.bool),
        placement=torch.tensor([row for _, _, row in owners], dtype=torch.long),
        owner=torch.tensor([window for window, _, _ in owners], dtype=torch.long),
        windows=int(first[-1]),
    )


def embed_inputs(model: AlignedModel, inputs: WindowInputs, batch_windows: int = 512) -> NDArray[np.float32]:
    """Embed windows that are tensors already; the same vectors as `embed_windows`.

    Returns:
        ``(window, text)`` unit vectors; NaN where no placement had signal for one token.
    """
    sums = np.zeros((inputs.windows, model.config.text_dim), np.float32)
    for first in range(0, len(inputs.owner), batch_windows):
        part = slice(first, first + batch_windows)
        measured = inputs.signal[part].masked_fill(~inputs.valid[part], torch.nan)
        vectors, usable = _forward(model, measured, inputs.gravity[part], inputs.placement[part])
        np.add.at(sums, inputs.owner[part].numpy()[usable], vectors[usable])
    with np.errstate(invalid="ignore", divide="ignore"):
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)  # 0/0 is NaN: nothing was seen
    return sums


@torch.inference_mode()
def _forward(
    model: AlignedModel, signal: Tensor, gravity: Tensor, place: Tensor, precision: Precision = "fp32"
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    valid = torch.isfinite(signal)
    usable = model.has_tokens(valid)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        vectors = model(torch.nan_to_num(signal), valid, gravity, place)
    return vectors.numpy(), usable.numpy()


def _cuts(
    recording: Recording, placement: str, starts_s: NDArray[np.float64], grid_hz: float, steps: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Number and ``(step, 6)`` of every window, resampled stretch by stretch."""
    window_s = steps / grid_hz
    order = np.argsort(starts_s, kind="stable")
    at = 0
    while at < len(order):
        first_s = float(starts_s[order[at]])
        until = at
        while until < len(order) and starts_s[order[until]] < first_s + _STRETCH_S:
            until += 1
        last_s = float(starts_s[order[until - 1]]) + window_s
        # Whole source samples that fall on the grid as nearly as the rates allow.
        low_s = max(0.0, first_s - _MARGIN_S)
        low = int(low_s * recording.rate_hz)
        high = min(len(recording.samples), int(np.ceil((last_s + _MARGIN_S) * recording.rate_hz)))
        if high > low:
            stretch = Recording(
                recording.samples[low:high], recording.rate_hz, recording.channels, gravity=recording.gravity
            )
            grid = on_grid(stretch, placement, grid_hz)
        else:
            grid = np.empty((0, len(MEASURED)), np.float32)
        offset_s = low / recording.rate_hz
        for w in order[at:until]:
            begin = round((float(starts_s[w]) - offset_s) * grid_hz)
            cut = np.full((steps, len(MEASURED)), np.nan, np.float32)
            part = grid[begin : begin + steps]
            cut[: len(part)] = part
            yield int(w), cut
        at = until
