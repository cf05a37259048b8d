"""Every part by itself: any number of channels at any rate, nothing that is not measured, and the published sizes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kinelex.model import AlignedModel, ModelConfig
from kinelex.model.channel_text import ChannelTextFusion
from kinelex.model.config import presets
from kinelex.model.descriptions import TOKENS, Descriptions
from kinelex.model.heads import AlignmentHead, QueryPooling
from kinelex.model.label_pooling import LabelAttentionPooling, MeanLabelPooling
from kinelex.model.multi_query import MultiQueryAttention
from kinelex.model.patches import cut_patches, enough_measured, standardized
from kinelex.model.tokenizers import tokenizer
from kinelex.model.transformer import DualBranchBlock

SMALL = ModelConfig(width=16, layers=1, heads=2, queries=2, text_dim=24, label_heads=2)
TOKENIZERS = ("features", "cnn", "spectral_temporal", "strided")
CHANNELS = st.integers(1, 45)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def everything(*shape: int) -> Tensor:
    return torch.ones(*shape, dtype=torch.bool)


def described(config: ModelConfig, channels: int, seed: int = 0) -> Descriptions:
    valid = torch.arange(TOKENS) < 5
    return Descriptions(
        channels=randn(channels, config.text_dim, seed=seed),
        placements=randn(3, config.text_dim, seed=seed),
        tokens=randn(channels, TOKENS, config.text_dim, seed=seed),
        tokens_valid=valid.expand(channels, -1).clone(),
    )


@pytest.mark.parametrize("name", TOKENIZERS)
@given(rate_hz=st.floats(10.0, 100.0), channels=CHANNELS, patch_s=st.sampled_from([0.75, 1.0, 1.25, 2.0, 2.5]))
@settings(max_examples=10, deadline=None)
def test_patches_of_any_rate_and_number_of_channels_become_tokens(
    name: str, rate_hz: float, channels: int, patch_s: float
) -> None:
    config = ModelConfig.model_validate(
        {**SMALL.model_dump(), "grid_hz": rate_hz, "patch_points": 64, "tokenizer": name, "hop_s": None}
    )
    steps = config.window_steps
    signal = randn(2, channels, steps)
    patches, measured = cut_patches(signal, everything(2, channels, steps), config, patch_s)
    tokens = tokenizer(config)(patches, measured)
    assert patches.shape == (2, patches.shape[1], channels, 64)
    assert abs(patches.shape[1] - int(6.0 / patch_s)) <= 1
    assert tokens.shape == (*patches.shape[:3], 16)
    assert tokens.isfinite().all()
    assert enough_measured(measured).all()


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("normalization", ["physical", "zscore"])
def test_tokenizers_see_no_sample_that_was_not_measured(name: str, normalization: str) -> None:
    config = ModelConfig.model_validate({**SMALL.model_dump(), "tokenizer": name, "normalization": normalization})
    valid = torch.rand(3, 4, 150, generator=torch.Generator().manual_seed(1)) < 0.8
    signal = randn(3, 4, 150)
    torch.manual_seed(0)
    part = tokenizer(config)
    found = [part(*cut_patches(signal.masked_fill(~valid, junk) * valid, valid, config)) for junk in (0.0, 9e3)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_only_physical_tokens_know_how_strong_a_movement_was(name: str) -> None:
    signal, valid = randn(2, 3, 150), everything(2, 3, 150)
    for normalization, same in (("zscore", True), ("physical", False)):
        config = ModelConfig.model_validate({**SMALL.model_dump(), "tokenizer": name, "normalization": normalization})
        torch.manual_seed(0)
        part = tokenizer(config)
        quiet, loud = (part(*cut_patches(signal * gain, valid, config)) for gain in (1.0, 3.0))
        assert bool((quiet - loud).abs().max() < 1e-3) is same


@pytest.mark.parametrize(("name", "keeps"), [("cnn", False), ("strided", True)])
def test_strided_tokens_know_in_which_order_things_happened(name: str, keeps: bool) -> None:
    """A bump early in the patch or late in it: their mean over the patch is the same."""
    config = ModelConfig.model_validate({**SMALL.model_dump(), "tokenizer": name, "patch_points": 64})
    bump = torch.zeros(1, 1, 1, 64)
    bump[..., 16:24] = torch.hann_window(8)
    late = bump.roll(24, -1)
    torch.manual_seed(0)
    part = tokenizer(config)
    apart = (part(bump, everything(1, 1, 1, 64)) - part(late, everything(1, 1, 1, 64))).abs().max()
    assert bool(apart > 1e-3) is keeps


def test_resized_patches_follow_the_signal() -> None:
    """A straight line stays one, whatever the length of a patch and the number of its points."""
    config = ModelConfig.model_validate({**SMALL.model_dump(), "grid_hz": 20.0, "patch_points": 64, "hop_s": None})
    line = torch.arange(120.0).expand(1, 1, 120)
    patches, _ = cut_patches(line, everything(1, 1, 120), config, 1.25)
    length = 1.25 * 20
    expected = torch.arange(4)[:, None] * length + (torch.arange(64) + 0.5) * length / 64 - 0.5
    torch.testing.assert_close(patches[0, :, 0], expected.clamp(0, 119))


def test_a_patch_that_does_not_move_stays_zero_when_standardized() -> None:
    patches = torch.full((1, 2, 1, 50), 9.81) + torch.tensor([0.0, 1e-7])[None, :, None, None]
    assert standardized(patches, everything(1, 2, 1, 50)).abs().max() == 0


@given(channels=CHANNELS, patches=st.integers(1, 8), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_blocks_fusion_and_heads_take_any_number_of_channels(channels: int, patches: int, seed: int) -> None:
    torch.manual_seed(seed)
    tokens, valid = randn(3, patches, channels, 16, seed=seed), torch.rand(3, patches, channels) < 0.7
    valid[:, 0, 0] = True
    for config in (SMALL, SMALL.model_copy(update={"norm": "post", "cross_channel": False})):
        mixed = DualBranchBlock(config)(tokens, valid)
        assert mixed.shape == tokens.shape
    fused = ChannelTextFusion(SMALL, described(SMALL, channels))(mixed)
    assert fused.shape == tokens.shape
    of_patches = SMALL.model_copy(update={"output": "patch"})
    for head in (QueryPooling(SMALL), AlignmentHead(SMALL), AlignmentHead(of_patches)):
        found = head.patches(fused, valid)
        assert found.shape == (3, patches, 24)
        assert found.isfinite().all()
        if not (isinstance(head, AlignmentHead) and head.pooling is None):
            assert head.windows(fused, valid).shape == (3, 24)


@pytest.mark.parametrize("head", [QueryPooling(SMALL), AlignmentHead(SMALL)])
def test_a_head_looks_at_valid_tokens_only(head: nn.Module) -> None:
    tokens, valid = randn(2, 3, 4, 16), everything(2, 3, 4)
    valid[0, 1] = False
    valid[:, :, 2] = False
    changed = torch.where(valid[..., None], tokens, 5.0)
    torch.testing.assert_close(head.windows(tokens, valid), head.windows(changed, valid))


def test_one_vector_per_patch_comes_from_that_patch_alone() -> None:
    model = AlignedModel.empty(SMALL.model_copy(update={"output": "patch", "head": "alignment", "layers": 0})).eval()
    signal, place = randn(2, 6, 150), torch.zeros(2).long()
    valid, gravity = everything(2, 6, 150), torch.zeros(2, dtype=torch.bool)
    before, seen = model.patch_vectors(signal, valid, gravity, place)
    signal[:, :, 100:] += 3.0  # only the last patches reach there
    after, _ = model.patch_vectors(signal, valid, gravity, place)
    assert seen.all()
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert (before[:, 4] - after[:, 4]).abs().max() > 1e-3
    window = model(signal, valid, gravity, place)
    torch.testing.assert_close(window, nn.functional.normalize(after.mean(1), dim=-1))


def test_a_gate_decides_how_much_of_the_words_a_token_takes_in() -> None:
    fusion = ChannelTextFusion(SMALL, described(SMALL, 3))
    tokens = randn(2, 4, 3, 16)
    open_gate = fusion(tokens)
    assert (open_gate - tokens).abs().max() > 1e-3
    nn.init.constant_(fusion.gate_token.bias, -50.0)
    torch.testing.assert_close(fusion(tokens), tokens)


def test_words_that_are_padding_are_not_read() -> None:
    fusion = ChannelTextFusion(SMALL, described(SMALL, 3))
    words, valid = fusion.tokens.clone(), fusion.tokens_valid
    words[:, 5:] = 7.0
    torch.testing.assert_close(fusion.meanings(words, valid), fusion.meanings(fusion.tokens, valid))


@pytest.mark.parametrize("share", [True, False])
def test_queries_gather_any_number_of_tokens(share: bool) -> None:
    pooling = MultiQueryAttention(16, 4, 2, self_attention=share)
    for count in (1, 3, 45):
        assert pooling(randn(2, count, 16), everything(2, count)).shape == (2, 16)


@pytest.mark.parametrize("prototypes", [1, 3])
def test_labels_have_unit_vectors_and_padding_is_not_read(prototypes: int) -> None:
    config = ModelConfig.model_validate({**SMALL.model_dump(), "label_side": "attention", "prototypes": prototypes})
    torch.manual_seed(0)
    pooling = LabelAttentionPooling(config)
    words, valid = randn(5, 7, 24), torch.arange(7)[None] < torch.tensor([7, 3, 1, 5, 2])[:, None]
    vectors = pooling(words, valid)
    assert vectors.shape == (5, prototypes, 24)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(5, prototypes))
    torch.testing.assert_close(pooling(torch.where(valid[..., None], words, 4.0), valid), vectors)
    if prototypes > 1:
        assert (vectors[:, 0] - vectors[:, 1]).abs().max() > 1e-2, "prototypes have queries of their own"


def test_the_mean_label_side_begins_as_the_plain_mean_of_tokens() -> None:
    pooling = MeanLabelPooling(SMALL)
    words, valid = randn(4, 6, 24), torch.arange(6)[None] < torch.tensor([6, 2, 3, 1])[:, None]
    mean = torch.stack([row[keep].mean(0) for row, keep in zip(words, valid, strict=True)])
    torch.testing.assert_close(pooling(words, valid)[:, 0], nn.functional.normalize(mean, dim=-1))


def parameters(module: nn.Module | None) -> float:
    return 0.0 if module is None else sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize("name", ["base", "published"])
def test_the_large_presets_have_the_published_sizes(name: str) -> None:
    """Encoder 9.5 M, head 8.7 M, label pooling 1.3 M; the published channel-text fusion is counted by itself."""
    model = AlignedModel.empty(ModelConfig.model_validate({"preset": name}))
    encoder = parameters(model.tokenizer) + parameters(model.channel_text) + parameters(model.blocks)
    assert encoder == pytest.approx(9.5, rel=0.06)
    assert parameters(model.pooling) == pytest.approx(8.7, rel=0.02)
    assert parameters(model.label_pooling) == pytest.approx(1.3, rel=0.04)
    assert parameters(model) - parameters(model.channel_fusion) == pytest.approx(19.5, rel=0.03)


SWITCHES = [
    *({"preset": name} for name in presets()),
    *({"tokenizer": name} for name in TOKENIZERS[1:]),
    {"head": "alignment", "query_self_attention": False},
    {"head": "alignment", "output": "patch"},
    {"output": "patch"},
    {"norm": "post", "cross_channel": False, "position": "index"},
    {"channel_fusion": True, "channel_text": False},
    {"label_side": "mean"},
    {"label_side": "attention", "prototypes": 3},
    {"label_side": "attention", "label_trainable": False},
]


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_no_parameter_is_left_without_a_gradient(changes: dict[str, object]) -> None:
    small = {"width": 16, "heads": 2, "layers": 2, "queries": 2, "label_heads": 2, "text_dim": 24, "expansion": 2}
    config = ModelConfig.model_validate({**small, **changes, **small})
    torch.manual_seed(0)
    model = AlignedModel(config, Descriptions(*(
        value.clone() if value.dtype == torch.bool else torch.randn_like(value)
        for value in vars(Descriptions.empty(config)).values()
    ))).train()  # fmt: skip
    if model.channel_fusion is not None:
        model.channel_fusion.tokens_valid[:, :5] = True
    for parameter in model.parameters():
        if parameter.ndim > 1:  # also what starts at zero, so that every path is visible
            nn.init.normal_(parameter, std=0.3)
    signal = randn(4, 6, config.window_steps)
    inputs = (signal, everything(*signal.shape), torch.ones(4, dtype=torch.bool), torch.zeros(4).long())
    vectors = model(*inputs)
    loss = (model.scale * vectors * randn(*vectors.shape, seed=1)).sum()
    if model.label_pooling is not None:
        labels = model.label_pooling(randn(5, 7, 24), everything(5, 7))
        loss = loss + (labels * randn(*labels.shape, seed=2)).sum()
    loss.backward()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert not [name for name, p in learned.items() if p.grad is None or not p.grad.abs().max() > 0]
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert bool(frozen) is not config.label_trainable
    assert all(name.startswith("label_pooling.") for name in frozen)


def test_a_preset_is_a_beginning_and_an_unknown_one_is_refused() -> None:
    config = ModelConfig.model_validate({"preset": "base", "width": 96})
    assert (config.width, config.layers, config.head) == (96, 4, "alignment")
    assert "preset" not in config.model_dump()
    with pytest.raises(ValueError, match="choose among tiny, small, base, published"):
        ModelConfig.model_validate({"preset": "huge"})


COMPILED = """
import sys
import torch
from kinelex.model import AlignedModel, ModelConfig

small = {"width": 16, "heads": 2, "layers": 1, "queries": 2, "expansion": 2}
for name in sys.argv[1:]:
    model = AlignedModel.empty(ModelConfig.model_validate({"preset": name, **small})).eval()
    signal = torch.randn(3, 6, model.config.window_steps)
    inputs = (signal, torch.ones_like(signal).bool(), torch.ones(3).bool(), torch.zeros(3).long())
    whole = torch.compile(model.encode, fullgraph=True, backend="eager")(*inputs)
    for one, other in zip(whole, model.encode(*inputs), strict=True):
        torch.testing.assert_close(one, other)
"""


def test_a_model_compiles_without_a_break() -> None:
    """One graph from signal to tokens; in a process of its own, where no shapes are checked while it runs."""
    subprocess.run([sys.executable, "-c", COMPILED, "small", "base", "published"], check=True)
