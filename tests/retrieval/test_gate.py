"""A gate: its network as published, missing features that sway nothing, and a folder that says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from kinelex.artifact import MANIFEST, write_json, write_manifest
from kinelex.errors import BadSamples, CorruptArtifact, UnsupportedFormat, UsageError
from kinelex.retrieval.gate import FILES, KIND, VERSION, Gate, GateConfig, GateNetwork, TrainedFor, load_gate, save_gate

Table = NDArray[np.float64]
PURPOSE = TrainedFor(
    backbone="small",
    fingerprint="abc",
    channels=("acc_x", "acc_y", "acc_z"),
    rate_hz=20.0,
    labels=("walking", "running"),
    evidence={"strategy": "independent", "k": 5, "temperature": 20.0},
)


def network(features: int = 15, seed: int = 0, **shape: object) -> GateNetwork:
    """A network of which nothing is at its initial value, normalization included."""
    made = GateNetwork(GateConfig(features=features, **shape)).double()  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in made.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            spread = any(word in name for word in ("deviation", "running_var"))
            tensor.copy_(drawn.abs() + 0.5 if spread else 0.3 * drawn)
    return made


def table(windows: int = 9, features: int = 15, seed: int = 0) -> Table:
    return np.random.default_rng(seed).normal(size=(windows, features)) * 3


def reference(made: GateNetwork, features: Table) -> Table:
    """The published network, from its formulas."""
    p = {name: tensor.numpy() for name, tensor in made.state_dict().items()}
    if "layer_norm.weight" in p:
        filled = np.nan_to_num(features)
        mean, spread = filled.mean(axis=1, keepdims=True), filled.var(axis=1, keepdims=True)
        x = (filled - mean) / np.sqrt(spread + 1e-5) * p["layer_norm.weight"] + p["layer_norm.bias"]
    else:
        x = np.nan_to_num((features - p["mean"]) / p["deviation"])
    x = (x - p["net.0.running_mean"]) / np.sqrt(p["net.0.running_var"] + 1e-5) * p["net.0.weight"] + p["net.0.bias"]
    hidden = np.maximum(x @ p["net.1.weight"].T + p["net.1.bias"], 0)
    return np.asarray(1 / (1 + np.exp(-(hidden @ p["net.4.weight"].T + p["net.4.bias"])[:, 0])))


@pytest.mark.parametrize("normalization", ["standard", "layernorm"])
def test_the_weight_is_that_of_the_published_network(normalization: str) -> None:
    made, features = network(normalization=normalization), table()
    features[2, 4] = np.nan
    weights = Gate(made).weights(features)
    np.testing.assert_allclose(weights, reference(made, features), rtol=1e-9)
    assert weights.shape == (9,)
    assert ((weights >= 0) & (weights <= 1)).all()
    assert np.ptp(weights) > 0.1


@pytest.mark.parametrize(("features", "published"), [(15, 2240), (39, 5408)])
def test_it_has_as_many_weights_as_published(features: int, published: int) -> None:
    """Three of those weigh the losses against each other and are not part of the network."""
    made = GateNetwork(GateConfig(features=features, normalization="layernorm"))
    assert sum(parameter.numel() for parameter in made.parameters()) + 3 == published


def test_a_missing_feature_counts_as_an_average_one() -> None:
    made, features = network(), table()
    average = features.copy()
    average[:, 3] = made.mean[3].item()
    features[:, 3] = np.nan
    np.testing.assert_allclose(Gate(made).weights(features), Gate(made).weights(average), rtol=1e-12)
    nothing = Gate(made).weights(np.full((1, 15), np.nan))
    assert np.isfinite(nothing).all()


def test_features_are_standardized_by_those_that_have_them() -> None:
    made = GateNetwork(GateConfig(features=4)).double()
    features = torch.tensor([[1.0, 5.0, torch.nan, 7.0], [3.0, 5.0, torch.nan, torch.nan]], dtype=torch.float64)
    made.standardize_by(features)
    assert made.mean.tolist() == [2.0, 5.0, 0.0, 7.0]
    assert made.deviation.tolist() == [1.0, 1.0, 1.0, 1.0], "what does not vary keeps its unit"
    many = torch.from_numpy(table(500, 4))
    made.standardize_by(many)
    np.testing.assert_allclose(made.mean, many.numpy().mean(axis=0))
    np.testing.assert_allclose(made.deviation, many.numpy().std(axis=0))


def test_one_window_is_weighed_the_same_in_any_company() -> None:
    gate, features = Gate(network()), table(300)
    together = gate.weights(features)
    np.testing.assert_allclose([gate.weights(features[i : i + 1])[0] for i in range(9)], together[:9], rtol=1e-12)
    np.testing.assert_allclose(gate.weights(features.astype(np.float32)), together, rtol=1e-3)
    assert gate.weights(features[:0]).shape == (0,)


def test_a_gate_stays_as_it_is_whatever_becomes_of_the_network() -> None:
    made, features = network(), table()
    gate = Gate(made)
    before = gate.weights(features)
    with torch.no_grad():
        made.net[1].weight.zero_()
    made.train()
    np.testing.assert_array_equal(gate.weights(features), before)


@pytest.mark.parametrize("wrong", [np.zeros((2, 14)), np.zeros(15), np.full((1, 15), np.inf)])
def test_other_features_than_it_was_trained_with_are_told(wrong: Table) -> None:
    with pytest.raises(BadSamples, match=r"finite features \(window, 15\).*acc_x, acc_y, acc_z"):
        Gate(network(), PURPOSE).weights(wrong)


def test_another_use_than_it_was_trained_for_is_refused() -> None:
    gate = Gate(network(), PURPOSE)
    gate.check_use(PURPOSE)
    gate.check_use(TrainedFor(backbone="small"))  # what is not known is not compared
    gate.check_use(PURPOSE.model_copy(update={"labels": ("swimming",)}))  # features know no labels
    with pytest.raises(UsageError, match=r"trained for fingerprint abc, not xyz; rate_hz 20\.0, not 50\.0"):
        gate.check_use(TrainedFor(fingerprint="xyz", rate_hz=50.0))


@pytest.mark.parametrize("normalization", ["standard", "layernorm"])
def test_a_gate_comes_back_from_its_folder_to_the_bit(tmp_path: Path, normalization: str) -> None:
    gate, features = Gate(network(normalization=normalization, hidden=16), PURPOSE), table()
    save_gate(gate, tmp_path / "gate")
    save_gate(gate, tmp_path / "gate")  # replaces what is there
    again = load_gate(tmp_path / "gate")
    np.testing.assert_array_equal(again.weights(features), gate.weights(features))
    assert again.trained_for == PURPOSE
    assert again.config == gate.config
    assert sorted(path.name for path in (tmp_path / "gate").iterdir()) == sorted([*FILES, MANIFEST])


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    save_gate(Gate(network(hidden=2), PURPOSE), tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 12):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CorruptArtifact, match=name):
            load_gate(tmp_path)
    path.unlink()
    with pytest.raises(CorruptArtifact, match=f"lacks '{name}'"):
        load_gate(tmp_path)


def test_what_is_no_gate_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorruptArtifact, match="it is no gate"):
        load_gate(tmp_path / "nothing")
    save_gate(Gate(network()), tmp_path / "gate")
    manifest = json.loads((tmp_path / "gate" / MANIFEST).read_bytes())
    write_json(tmp_path / "gate" / MANIFEST, {**manifest, "version": VERSION + 1})
    with pytest.raises(UnsupportedFormat, match="upgrade kinelex"):
        load_gate(tmp_path / "gate")
    write_json(tmp_path / "gate" / MANIFEST, {**manifest, "kind": "checkpoint"})
    with pytest.raises(CorruptArtifact, match="not a gate"):
        load_gate(tmp_path / "gate")
    write_json(tmp_path / "gate" / MANIFEST, {**manifest, "files": {}})
    with pytest.raises(CorruptArtifact, match="does not list"):
        load_gate(tmp_path / "gate")


def test_files_that_do_not_fit_together_are_told(tmp_path: Path) -> None:
    """Whole by their hashes, and no gate all the same."""
    gate = Gate(network(), PURPOSE)
    state = {name: tensor.clone() for name, tensor in gate.network.state_dict().items()}
    wrong = {
        "another width": lambda: write_json(tmp_path / "config.json", GateConfig(features=14).model_dump()),
        "no width": lambda: write_json(tmp_path / "config.json", {"hidden": 128}),
        "no purpose": lambda: (tmp_path / "trained_for.json").write_text("{"),
        "no weights": lambda: (tmp_path / "gate.safetensors").write_bytes(b"{}"),
        "no numbers": lambda: save_file({**state, "mean": state["mean"] * torch.nan}, tmp_path / "gate.safetensors"),
        "one less": lambda: save_file({k: v for k, v in state.items() if k != "mean"}, tmp_path / "gate.safetensors"),
    }
    for change in wrong.values():
        save_gate(gate, tmp_path)
        assert set(load_file(tmp_path / "gate.safetensors")) == set(state)
        change()
        write_manifest(tmp_path, KIND, VERSION, FILES, {})
        with pytest.raises(CorruptArtifact, match="does not fit together"):
            load_gate(tmp_path)


def test_a_shape_is_checked() -> None:
    with pytest.raises(ValidationError):
        GateConfig(features=0)
    with pytest.raises(ValidationError):
        GateConfig(features=15, layers=2)  # type: ignore[call-arg]
