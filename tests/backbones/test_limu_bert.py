"""LIMU-BERT against its formulas, with the published weights, and on real people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf, expit, softmax

from kinelex.backbones import LimuBertBackbone, LimuBertClassifier, load_backbone, load_limu_bert
from kinelex.backbones.foreign_weights import read_tensors
from kinelex.backbones.limu_bert import PUBLISHED
from kinelex.errors import BadLabels, UnreadableFile, UnsupportedFormat
from kinelex.language import Vocabulary
from kinelex.readers import read_sessions
from kinelex.signal import Recording
from tests.backbones.conftest import Moving

Floats = NDArray[np.float64]
Weights = Mapping[str, Floats]
BASES = {"hhar": ("hhar",), "motion": ("motionsense",), "shoaib": ("shoaib",), "uci": ("hapt", "uci_har")}


def weights_of(path: Path) -> dict[str, Floats]:
    return {name: tensor.double().numpy() for name, tensor in read_tensors(path).items()}


def linear(w: Weights, name: str, x: Floats) -> Floats:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(w: Weights, name: str, x: Floats) -> Floats:
    away = x - x.mean(axis=-1, keepdims=True)
    return w[f"{name}.gamma"] * away / np.sqrt((away**2).mean(axis=-1, keepdims=True) + 1e-12) + w[f"{name}.beta"]


def gelu(x: Floats) -> Floats:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def tokens_of(w: Weights, clip: Floats) -> Floats:
    """One clip ``(step, channel)`` through the encoder, head by head and sum by sum."""
    t = "transformer."
    h = norm(w, t + "embed.norm", linear(w, t + "embed.lin", clip)) + w[t + "embed.pos_embed.weight"][: len(clip)]
    h = norm(w, t + "embed.norm", h)
    for _ in range(4):
        q, k, v = (linear(w, t + f"attn.proj_{name}", h) for name in "qkv")
        heads = []
        for first in range(0, 72, 18):
            part = slice(first, first + 18)
            heads.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(18), axis=1) @ v[:, part])
        h = np.concatenate(heads, axis=1)
        h = norm(w, t + "norm1", h + linear(w, t + "proj", h))
        h = norm(w, t + "norm2", h + linear(w, t + "pwff.fc2", gelu(linear(w, t + "pwff.fc1", h))))
    return h


def gru(w: Weights, name: str, layer: int, x: Floats) -> Floats:
    """One layer over all steps: reset, update and new gate, in PyTorch's order."""
    wi, wh, bi, bh = (w[f"{name}.{part}_l{layer}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = np.zeros(wh.shape[1])
    states = []
    for step in x:
        ri, zi, ni = np.split(wi @ step + bi, 3)
        rh, zh, nh = np.split(wh @ h + bh, 3)
        keep = expit(zi + zh)
        h = (1 - keep) * np.tanh(ni + expit(ri + rh) * nh) + keep * h
        states.append(h)
    return np.stack(states)


def some_clips(steps: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(3, 6, steps)) + random.normal(size=(3, 6, 1))).astype(np.float32)


@pytest.mark.parametrize("file", ["limu_bert_x", *(f"pretrain_base_{base}" for base in BASES)])
def test_published_weights_do_what_the_formulas_say(limu_weights: Path, file: str) -> None:
    path = limu_weights / f"{file}.pt"
    backbone = load_limu_bert(path)
    w = weights_of(path)
    steps = len(w["transformer.embed.pos_embed.weight"])
    for length in (steps, steps // 2):  # a shorter clip takes the first positions
        clips = some_clips(length)
        wanted = np.stack([tokens_of(w, clip.T.astype(np.float64)) for clip in clips])
        found = backbone.network(torch.from_numpy(clips)).numpy()
        np.testing.assert_allclose(found, wanted, atol=2e-4)
        np.testing.assert_allclose(backbone.encode(clips, np.isfinite(clips)), wanted.mean(axis=1), atol=2e-4)


def test_the_reconstruction_is_the_decoder_on_normalized_hidden_tokens(limu_weights: Path) -> None:
    path = limu_weights / "limu_bert_x.pt"
    w, clips = weights_of(path), some_clips(20)
    hidden = [gelu(linear(w, "linear", tokens_of(w, clip.T.astype(np.float64)))) for clip in clips]
    wanted = np.stack([linear(w, "decoder", norm(w, "norm", h)).T for h in hidden])
    found = load_limu_bert(path).network.reconstruct(torch.from_numpy(clips)).numpy()
    np.testing.assert_allclose(found, wanted, atol=5e-4)


@pytest.mark.parametrize("base", BASES)
def test_published_classifiers_do_what_the_formulas_say(limu_weights: Path, base: str) -> None:
    body, head = limu_weights / f"pretrain_base_{base}.pt", limu_weights / f"classifier_gru_{base}.pt"
    backbone = load_limu_bert(body, head=head)
    assert isinstance(backbone, LimuBertClassifier)
    w, behind, clips = weights_of(body), weights_of(head), some_clips(120)
    for clip, found in zip(clips, backbone.classify(clips, np.isfinite(clips)), strict=True):
        pieces = tokens_of(w, clip.T.astype(np.float64)).reshape(6, 20, 72)
        last = [gru(behind, "gru1", 0, gru(behind, "gru0", 1, gru(behind, "gru0", 0, piece)))[-1] for piece in pieces]
        wanted = softmax([linear(behind, "lin0", state) for state in last], axis=1).mean(axis=0)
        np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert backbone.trained_on == BASES[base]
    assert all(Vocabulary.standard().find(label) for label in backbone.labels)


def test_a_file_is_known_by_what_is_in_it(limu_weights: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "model.pt"
    renamed.write_bytes((limu_weights / "pretrain_base_motion.pt").read_bytes())
    backbone = load_backbone("limu-bert", renamed)
    assert isinstance(backbone, LimuBertBackbone) and not isinstance(backbone, LimuBertClassifier)
    assert (backbone.name, backbone.trained_on) == ("limu-bert-motion", ("motionsense",))
    assert (backbone.contract.rate_hz, backbone.contract.clip_s) == (20.0, 6.0)
    assert (backbone.contract.acc_unit, backbone.contract.gyro_unit, backbone.contract.gravity) == (9.8, 1.0, "kept")


def test_limu_bert_x_sees_two_seconds_at_ten_hertz_or_what_it_is_told(limu_weights: Path) -> None:
    path = limu_weights / "limu_bert_x.pt"
    assert load_limu_bert(path).contract.clip_s == 2.0
    told = load_backbone("limu-bert-x", path, rate_hz=20.0)
    assert isinstance(told, LimuBertBackbone) and told.contract.clip_s == 1.0


def test_every_published_file_is_there_and_known(limu_weights: Path) -> None:
    names = {load_name(path) for path in limu_weights.glob("*.pt")}
    assert names == {published.name for published in PUBLISHED.values()}


def load_name(path: Path) -> str:
    from kinelex.artifact import sha256

    return PUBLISHED[sha256(path)].name


def hapt(recordings_dir: Path, sessions: int) -> Iterator[Recording]:
    return islice(read_sessions(recordings_dir / "sessions" / "hapt.parquet"), sessions)


def test_the_published_classifier_recognizes_the_people_it_was_trained_on(
    limu_weights: Path, recordings_dir: Path
) -> None:
    # Units, axes, rate, the order of labels and which file belongs to which: all must be right for this.
    backbone = load_limu_bert(limu_weights / "pretrain_base_uci.pt", head=limu_weights / "classifier_gru_uci.pt")
    assert isinstance(backbone, LimuBertClassifier)
    right = []
    for recording in hapt(recordings_dir, 40):
        label = Vocabulary.standard().label_for("hapt", recording.intervals[0].label).text
        if label in backbone.labels and recording.duration_s >= 6:
            shares = backbone.predict_proba(recording, [0.0, 3.0], 6.0, backbone.labels)
            right += [backbone.labels[i] == label for i in shares[np.isfinite(shares).all(axis=1)].argmax(axis=1)]
    assert len(right) >= 20
    assert np.mean(right) >= 0.8


def test_weights_of_something_else_are_named(tmp_path: Path, limu_weights: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"layer.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(UnsupportedFormat, match=r"lacks 'transformer\.embed\.pos_embed\.weight'"):
        load_limu_bert(path)
    tensors = read_tensors(limu_weights / "limu_bert_x.pt")
    torch.save({**tensors, "extra": torch.zeros(3)}, path)
    with pytest.raises(UnsupportedFormat, match=r"of 'extra' are wanted and found none and \(3,\)"):
        load_limu_bert(path)
    torch.save({name: tensor for name, tensor in tensors.items() if name != "fc.bias"}, path)
    with pytest.raises(UnsupportedFormat, match=r"of 'fc.bias' are wanted and found \(72,\) and none"):
        load_limu_bert(path)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("it ran",))


def test_a_file_that_would_run_something_is_refused_unrun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"weight": Harmful()}, path)
    with pytest.raises(UnreadableFile, match="nothing of it was run"):
        load_limu_bert(path)
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a file of weights", b"PK\x03\x04half a zip"])
def test_damaged_files_are_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"weights\.pt"):
        load_limu_bert(path)
    with pytest.raises(UnreadableFile, match="there are no weights"):
        load_limu_bert(tmp_path / "none.pt")


def test_a_head_of_unknown_labels_needs_them(limu_weights: Path, tmp_path: Path) -> None:
    body, head = limu_weights / "pretrain_base_uci.pt", tmp_path / "mine.pt"
    torch.save({name: t + 0.01 for name, t in read_tensors(limu_weights / "classifier_gru_uci.pt").items()}, head)
    with pytest.raises(BadLabels, match="6 activities apart, and 0 labels"):
        load_limu_bert(body, head=head)
    named = load_limu_bert(body, head=head, labels=("a", "b", "c", "d", "e", "f"))
    assert isinstance(named, LimuBertClassifier) and named.labels == ("a", "b", "c", "d", "e", "f")


def test_real_weights_keep_neighbors_at_half_the_rate(limu_weights: Path, moving: Moving) -> None:
    starts = np.arange(0, 120, 6.0) + 0.5
    for file in ("limu_bert_x.pt", "pretrain_base_hhar.pt"):
        backbone = load_limu_bert(limu_weights / file)
        fast, slow = (backbone.embed(moving(20, rate_hz), starts, 5.0) for rate_hz in (50.0, 25.0))
        distance = np.linalg.norm(fast[:, None] - slow[None], axis=2)
        np.testing.assert_array_equal(distance.argmin(axis=1), np.arange(20))
