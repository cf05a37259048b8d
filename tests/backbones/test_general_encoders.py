"""Mantis and MOMENT: how they are fed, with stand-ins; their own packages, where they are, with weights drawn here."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinelex.backbones import MantisBackbone, MomentBackbone, load_backbone
from kinelex.backbones.mantis import MANTIS_CONTRACT
from kinelex.errors import UnreadableFile, UnsupportedFormat
from tests.backbones.conftest import MeanAndSpread, Moving


@pytest.mark.parametrize("kind", ["mantis", "moment"])
def test_channels_lie_side_by_side_and_one_that_is_missing_is_zero(
    backbones: dict[str, Any], moving: Moving, kind: str
) -> None:
    backbone = backbones[kind]
    both, acc = (backbone.embed(moving(1, gyro=gyro), [0.0], 6.0).reshape(6, 66) for gyro in (True, False))
    np.testing.assert_array_equal(both[:3], acc[:3])
    assert (acc[3:] == 0).all() and (both[3:] != 0).any(axis=1).all()
    assert not np.allclose(both[0], both[1])


def test_mantis_sees_the_whole_window_as_512_samples(moving: Moving) -> None:
    seen: list[torch.Size] = []

    def network(series: torch.Tensor) -> torch.Tensor:
        seen.append(series.shape)
        return series.mean(dim=2)

    for window_s in (2.0, 6.0, 24.0):
        MantisBackbone(network, width=1).embed(moving(4), [0.0], window_s)
    assert seen == [(6, 1, 512)] * 3
    assert MANTIS_CONTRACT.grid_hz(6.0) == pytest.approx(85.333, abs=1e-3)


def test_moment_sees_a_short_window_at_the_end_and_a_long_one_in_clips(moving: Moving) -> None:
    masks: list[torch.Tensor] = []

    class Network(MeanAndSpread):
        def embed(self, *, x_enc: torch.Tensor, input_mask: torch.Tensor) -> Any:
            masks.append(input_mask)
            return super().embed(x_enc=x_enc, input_mask=input_mask)

    backbone = MomentBackbone(Network(), width=66)
    backbone.embed(moving(4), [0.0], 6.0)
    assert (masks[0] == (torch.arange(512) >= 512 - 300)).all()
    backbone.embed(moving(4), [0.0], 24.0)
    assert masks[1].shape == (18, 512) and masks[1].all()  # three clips of 10.24 s cover 24 s


def drawn_weights(folder: Path, network: torch.nn.Module, config: dict[str, Any]) -> Path:
    folder.mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("name", "dim"), [("mantis", 6 * 256), ("mantis-v2", 6 * 512)])
def test_the_package_of_mantis_is_used_as_it_is_meant(moving: Moving, tmp_path: Path, name: str, dim: int) -> None:
    architecture = pytest.importorskip("mantis.architecture")
    kind = architecture.MantisV2 if name == "mantis-v2" else architecture.MantisV1
    torch.manual_seed(0)
    network = kind(device="cpu").eval()
    folder = drawn_weights(tmp_path / "mantis", network, {"hidden_dim": 256, "device": "cuda"})
    backbone = load_backbone(name, folder)
    vectors = backbone.embed(moving(2), [0.0, 5.0], 6.0)
    assert vectors.shape == (2, dim) and np.isfinite(vectors).all()
    # By hand: resampled by the contract, one channel after the other.
    if name == "mantis":
        from kinelex.backbones import adapt

        clips = adapt(moving(2), [0.0], 6.0, MANTIS_CONTRACT)
        with torch.inference_mode():
            wanted = torch.cat([network(torch.from_numpy(clips.signal[:, [c]])) for c in range(6)], dim=1)
        np.testing.assert_allclose(vectors[:1], wanted.numpy(), rtol=1e-4, atol=1e-5)
    (folder / "config.json").write_text("[")
    with pytest.raises(UnsupportedFormat, match=r"config\.json"):
        load_backbone(name, folder)


def test_the_package_of_moment_is_used_as_it_is_meant(moving: Moving, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("momentfm")
        config = {
            "task_name": "reconstruction", "model_name": "MOMENT", "transformer_type": "encoder_only",
            "d_model": 32, "seq_len": 512, "patch_len": 8, "patch_stride_len": 8,
            "transformer_backbone": "google/flan-t5-small", "revin_affine": False,
            "enable_gradient_checkpointing": False,
            "t5_config": {
                "d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4, "num_layers": 2, "vocab_size": 8,
                "model_type": "t5", "feed_forward_proj": "gated-gelu", "is_gated_act": True, "use_cache": False,
            },
        }  # fmt: skip
        torch.manual_seed(0)
        network = package.MOMENTPipeline(dict(config), model_kwargs={"task_name": "reconstruction"}).eval()
    backbone = load_backbone("moment-small", drawn_weights(tmp_path / "moment", network, config))
    vectors = backbone.embed(moving(2, gyro=False), [0.0, 5.0], 6.0)
    assert vectors.shape == (2, 6 * 32) and np.isfinite(vectors).all()
    assert (vectors[:, 96:] == 0).all()
    # What it gives for a window must not depend on what stands in the part that is masked.
    signal, mask = torch.randn(2, 1, 512), torch.ones(2, 512)
    mask[:, :208] = 0
    other = signal.clone()
    other[:, :, :208] = 5.0
    network.task_name = "embedding"
    first, second = (network.embed(x_enc=x, input_mask=mask).embeddings for x in (signal, other))
    torch.testing.assert_close(first, second)


def test_a_folder_without_weights_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("mantis.architecture")
    with pytest.raises(UnreadableFile, match="there are no weights"):
        load_backbone("mantis", tmp_path)
