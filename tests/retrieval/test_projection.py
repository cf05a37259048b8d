"""Shorter vectors keep what matters, and the map that makes them is fitted once and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kinelex.artifact import read_manifest, write_manifest
from kinelex.errors import BadLabels, BadSamples, CorruptArtifact, UsageError
from kinelex.retrieval.projection import Projection, fit_pca, load_projection, save_projection
from kinelex.retrieval.projection_learning import LinearConfig, fit_linear, neighbor_loss


def vectors(seed: int, count: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, width)) * np.linspace(3, 0.2, width) + generator.standard_normal(width)


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    rows = vectors(0, 50, 8)
    found = fit_pca(rows, 3).apply(rows)
    left, values, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    expected = left[:, :3] * values[:3]
    signs = np.sign((found * expected).sum(axis=0))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected * signs, atol=1e-4)


def test_a_query_is_projected_by_the_fit_and_not_by_its_batch() -> None:
    projection = fit_pca(vectors(1, 40, 6), 2)
    queries = vectors(2, 9, 6) + 5
    together = projection.apply(queries)
    for row, query in enumerate(queries):
        np.testing.assert_array_equal(projection.apply(query[None])[0], together[row])
    queries[3, 2] = np.nan
    with_gap = projection.apply(queries)
    assert np.isnan(with_gap[3]).all()
    np.testing.assert_array_equal(np.delete(with_gap, 3, axis=0), np.delete(together, 3, axis=0))


def test_all_directions_keep_all_distances() -> None:
    rows = vectors(3, 30, 5)
    found = fit_pca(rows, 5).apply(rows).astype(np.float64)
    np.testing.assert_allclose(
        np.linalg.norm(found[:, None] - found, axis=2), np.linalg.norm(rows[:, None] - rows, axis=2), atol=1e-4
    )


def test_more_directions_than_there_are_is_an_error() -> None:
    for rows, width in ((vectors(4, 30, 5), 6), (vectors(4, 4, 5), 4), (vectors(4, 30, 5), 0)):
        with pytest.raises(UsageError, match="principal directions"):
            fit_pca(rows, width)
    with pytest.raises(BadSamples, match="finite"):
        fit_pca([[1.0, np.nan], [1, 2], [3, 4]], 1)
    with pytest.raises(BadSamples, match="5 numbers"):
        fit_pca(vectors(4, 30, 5), 2).apply(np.ones((2, 4)))
    with pytest.raises(BadSamples, match="mean"):
        Projection("pca", np.zeros(3, np.float32), np.zeros((4, 2), np.float32))


@pytest.mark.parametrize("kind", ["pca", "linear"])
def test_a_saved_projection_is_the_same_projection(tmp_path: Path, kind: str) -> None:
    rows = vectors(5, 30, 6)
    if kind == "pca":
        projection = fit_pca(rows, 4, encoder="small@12")
    else:
        config = LinearConfig(width=4, steps=3)
        projection = fit_linear(rows, ["a", "b", "c"] * 10, config, encoder="small@12")
    save_projection(projection, tmp_path / "p")
    again = load_projection(tmp_path / "p", encoder="small@12")
    assert (again.kind, again.encoder, again.width) == (kind, "small@12", 4)
    np.testing.assert_array_equal(again.apply(rows), projection.apply(rows))
    with pytest.raises(UsageError, match="small@12, not of other"):
        load_projection(tmp_path / "p", encoder="other")


def test_a_damaged_projection_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    save_projection(fit_pca(vectors(6, 30, 6), 4), folder)
    weights = folder / "projection.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CorruptArtifact, match="not the file that was written"):
        load_projection(folder)
    weights.write_bytes(content)
    for fields, files in (
        ({"projection": "random", "encoder": ""}, [weights.name]),
        ({"projection": "pca"}, []),
        ({}, []),
    ):
        write_manifest(folder, "projection", 1, files, fields)
        assert read_manifest(folder, "projection", 1)
        with pytest.raises(CorruptArtifact, match="does not fit together"):
            load_projection(folder)


def reference_loss(z: np.ndarray, label: np.ndarray, group: np.ndarray, temperature: float) -> float:
    """One row and one candidate at a time."""
    losses = []
    for i in range(len(z)):
        right = all_ = 0.0
        for j in range(len(z)):
            if group[i] == group[j]:
                continue
            chance = np.exp(z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) / temperature)
            all_ += chance
            right += chance * (label[i] == label[j])
        if right:
            losses.append(-np.log(right / all_))
    return float(np.mean(losses)) if losses else 0.0


def test_the_loss_is_minus_the_log_chance_of_a_neighbor_of_the_same_label() -> None:
    generator = np.random.default_rng(7)
    z, label, group = generator.standard_normal((12, 4)), generator.integers(4, size=12), generator.integers(5, size=12)
    found = neighbor_loss(*(torch.from_numpy(part) for part in (z, label, group)), 0.3)
    np.testing.assert_allclose(float(found), reference_loss(z, label, group, 0.3), rtol=1e-9)
    alone = torch.zeros(12, dtype=torch.int64)
    assert float(neighbor_loss(torch.from_numpy(z), torch.from_numpy(label), alone, 0.3)) == 0


def test_equal_labels_are_never_pushed_apart() -> None:
    # All of one label: nothing to push, whatever they look like.
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    label = torch.zeros(6, dtype=torch.int64)
    neighbor_loss(z, label, torch.arange(6), 0.1).backward()
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), 0, atol=1e-12)


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors whose labels show in two faint numbers, and whose subjects and noise in strong ones."""
    generator = np.random.default_rng(seed)
    label, subject = generator.integers(4, size=300), generator.integers(6, size=300)
    rows = 3 * generator.standard_normal((300, 12))
    rows[:, :6] += 6 * np.eye(6)[subject]
    rows[:, 10:] = np.stack([np.cos(label * np.pi / 2), np.sin(label * np.pi / 2)], axis=1)
    rows[:, 10:] += 0.2 * generator.standard_normal((300, 2))
    return rows, label, subject


def right_neighbors(z: np.ndarray, label: np.ndarray, subject: np.ndarray) -> float:
    """How often the nearest window of somebody else has the label."""
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    cosine = np.where(subject[:, None] == subject, -np.inf, unit @ unit.T)
    return float((label[cosine.argmax(axis=1)] == label).mean())


def test_a_learned_map_finds_the_label_that_variance_hides() -> None:
    rows, label, subject = noisy(8)
    new_rows, new_label, new_subject = noisy(9)
    names = np.array(["lie", "sit", "walk", "run"])[label]
    config = LinearConfig(width=4, steps=150, learning_rate=0.03, batch=200)
    learned = fit_linear(rows, names, config, subjects=[f"person {one}" for one in subject])
    scores = [right_neighbors(one.apply(new_rows), new_label, new_subject) for one in (fit_pca(rows, 4), learned)]
    assert scores[0] < 0.5
    assert scores[1] > 0.8


def test_learning_is_a_function_of_its_seed() -> None:
    rows, label, _ = noisy(10)
    names = label.astype(str)

    def learned(seed: int) -> np.ndarray:
        return fit_linear(rows, names, LinearConfig(width=3, steps=4, batch=32, seed=seed)).matrix

    np.testing.assert_array_equal(learned(1), learned(1))
    assert (learned(1) != learned(2)).any()


def test_without_steps_it_is_the_principal_directions_and_may_be_wider_than_the_vectors() -> None:
    rows, label, _ = noisy(11)
    wide = fit_linear(rows, label.astype(str), LinearConfig(width=20, steps=0))
    assert wide.width == 20
    np.testing.assert_allclose(wide.apply(rows)[:, :12], fit_pca(rows, 12).apply(rows), atol=1e-4)
    assert np.abs(wide.apply(rows)[:, 12:]).max() < 0.1


def test_what_nothing_can_be_learned_from_is_refused() -> None:
    rows = vectors(12, 6, 4)
    with pytest.raises(BadLabels, match="5 labels"):
        fit_linear(rows, ["a"] * 5)
    with pytest.raises(BadLabels, match="nothing to learn"):
        fit_linear(rows, list("abcdef"))
    with pytest.raises(BadLabels, match="nothing to learn"):
        fit_linear(rows, list("aaabbb"), subjects=[1, 1, 1, 2, 2, 2])
    with pytest.raises(BadSamples, match="one subject each"):
        fit_linear(rows, list("aaabbb"), subjects=[1, 2])
    # Who is not known may be anybody's neighbor.
    fit_linear(rows, list("aaabbb"), LinearConfig(width=2, steps=1), subjects=["", "", None, "", "", ""])
