"""Made-up movement, encoders of every kind, and the published weights where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kinelex.backbones import (
    STATISTICS_CONTRACT,
    TS2VEC_CONTRACT,
    AlignedBackbone,
    CallableClassifier,
    InputContract,
    LimuBertBackbone,
    LimuBertClassifier,
    MantisBackbone,
    MomentBackbone,
    TS2VecConfig,
    adapt_many,
    fit_statistics,
    fit_ts2vec,
)
from kinelex.backbones.limu_bert import GruHead, LimuBert
from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace
from kinelex.signal import Channel, Recording
from tests.hub_server import constants, hub_cache

__all__ = ["constants", "hub_cache"]

Moving = Callable[..., Recording]
GYRO = tuple(Channel("gyro", axis, "wrist") for axis in "xyz")
ACC = tuple(Channel("acc", axis, "wrist") for axis in "xyz")


def motion(times_s: NDArray[np.float64], kind: int) -> NDArray[np.float64]:
    """``(time, 6)`` of one of many movements, all of it slower than 5 Hz: the same at any rate."""
    random = np.random.default_rng(kind)
    samples = np.zeros((len(times_s), 6))
    for hz in random.uniform(0.4, 4.5, 4):
        size = random.normal(size=6) * np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0]) * (0.1 + kind % 3)
        samples += size * np.sin(2 * np.pi * hz * times_s[:, None] + random.uniform(0, 6, 6))
    up = random.normal(size=3)
    samples[:, :3] += 9.80665 * up / np.linalg.norm(up)
    return samples


@pytest.fixture(scope="session")
def moving() -> Moving:
    """A function that makes a recording of movements that follow each other, 6 s each."""

    def make(
        kinds: int = 4, rate_hz: float = 50.0, *, gyro: bool = True, placements: int = 1, gap: int | None = None
    ) -> Recording:
        times_s = np.arange(int(np.ceil(6 * kinds * rate_hz))) / rate_hz
        part = np.minimum((times_s / 6).astype(int), kinds - 1)
        samples = np.concatenate([motion(times_s[part == kind], kind) for kind in range(kinds)])
        if gap is not None:
            samples[part == gap] = np.nan
        channels: list[Channel] = []
        for place in ("wrist", "left thigh")[:placements]:
            channels += [Channel(c.sensor, c.axis, place) for c in (ACC + GYRO if gyro else ACC)]
        columns = samples if gyro else samples[:, :3]
        return Recording(np.tile(columns, placements), rate_hz, tuple(channels), name="made up")

    return make


class MeanAndSpread(torch.nn.Module):
    """Stands in for a general encoder of time series, which takes ``(series, 1, 512)``."""

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        assert series.shape[1:] == (1, 512) and torch.isfinite(series).all()
        spectrum = torch.fft.rfft(series[:, 0] - series[:, 0].mean(dim=1, keepdim=True)).abs()[:, :64]
        return torch.cat([series.mean(dim=2), series.std(dim=2), spectrum], dim=1)

    def embed(self, *, x_enc: torch.Tensor, input_mask: torch.Tensor) -> SimpleNamespace:
        assert input_mask.shape == (len(x_enc), 512) and set(input_mask.unique().tolist()) <= {0.0, 1.0}
        return SimpleNamespace(embeddings=self(x_enc * input_mask[:, None]))


def drawn(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The module with every weight drawn anew, so that no path through it is silent."""
    random = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5, generator=random)
        elif "gamma" not in name:
            torch.nn.init.normal_(parameter, std=0.1, generator=random)
    return module.eval().requires_grad_(False)


def aligned() -> AlignedBackbone:
    config = ModelConfig(width=16, layers=1, heads=2, queries=2, dropout=0.0, text_dim=24, placement_text=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AlignedModel.empty(config)
    for part in (model.channel_text, model.channel_fusion):
        for vectors in [] if part is None else part.buffers():
            vectors.fill_(True) if vectors.dtype == torch.bool else vectors.normal_(
                generator=torch.Generator().manual_seed(1)
            )
    vectors = np.random.default_rng(0).normal(size=(4, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return AlignedBackbone(
        Checkpoint(
            name="tiny",
            model=drawn(model),  # type: ignore[arg-type]
            labels=LabelTable(("walking", "running", "lying", "walking upstairs"), vectors),
            text_space=TextSpace(vectors.mean(0), anchors=vectors[:2], prototypes=vectors[1:]),
            text_encoder="fake@1",
            temperature=1.5,
            trained_on=("hapt",),
        )
    )


def limu_contract(steps: int, rate_hz: float) -> InputContract:
    return InputContract(rate_hz=rate_hz, clip_steps=steps, acc_unit=9.8)


@pytest.fixture(scope="session")
def backbones(moving: Moving) -> dict[str, object]:
    """One of each kind, without anybody's weights."""
    requests = [(moving(8), np.arange(0, 45, 3.0)), (moving(4, gyro=False), np.arange(0, 18, 3.0))]
    labels = ("walking", "sitting", "jogging")
    network, short = drawn(LimuBert(120)), drawn(LimuBert(20), 1)
    small = TS2VecConfig(width=8, depth=2, dim=16, steps=2, batch=4)
    return {
        "aligned": aligned(),
        "limu-bert": LimuBertBackbone(network, limu_contract(120, 20.0)),
        "limu-bert-x": LimuBertBackbone(short, limu_contract(20, 10.0), "limu-bert-x"),
        "limu-bert with a head": LimuBertClassifier(
            network, limu_contract(120, 20.0), head=drawn(GruHead(3), 2), labels=labels
        ),
        "statistics": fit_statistics(adapt_many(requests, 6.0, STATISTICS_CONTRACT)),
        "ts2vec": fit_ts2vec(adapt_many(requests, 6.0, TS2VEC_CONTRACT), small),
        "mantis": MantisBackbone(MeanAndSpread(), width=66),
        "moment": MomentBackbone(MeanAndSpread(), width=66),
        "function": CallableClassifier(
            lambda signal, valid: np.concatenate([signal.mean(axis=2), signal.std(axis=2)], axis=1),
            InputContract(rate_hz=30.0, clip_steps=100, shorter="wrapped", gravity="removed"),
            width=12,
            classifier=lambda signal, valid: np.full((len(signal), 3), 1 / 3),
            labels=labels,
        ),
    }


@pytest.fixture(scope="session")
def limu_weights(repository: Path) -> Path:
    """The folder of the published LIMU-BERT weights, which must be there where anything is shared."""
    shared = repository.parent / "shared"
    if not shared.is_dir():
        pytest.skip(f"needs the published weights, which are not at {shared}")
    folder = shared / "weights" / "limu_bert"
    assert (folder / "limu_bert_x.pt").is_file(), f"the published weights belong into {folder}"
    return folder
