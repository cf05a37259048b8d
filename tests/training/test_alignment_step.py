"""The published way of comparing: a batch with itself and with a bank; and batches that go through in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kinelex.errors import BadRecipe
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder
from kinelex.model import AlignedModel
from kinelex.model.descriptions import Descriptions
from kinelex.training import Corpus, Recipe, train
from kinelex.training.alignment.run import update_on
from kinelex.training.alignment.step import AlignmentStep
from kinelex.training.batches import Batches, group_weights
from kinelex.training.machine import Precision, device_of
from kinelex.training.recipe import Sampling
from kinelex.training.text import encode_labels
from kinelex.training.updates import learning_rate
from tests.training.conftest import small_recipe

PUBLISHED = {
    "model": {
        "preset": "published", "width": 16, "layers": 1, "heads": 2, "expansion": 2, "head_layers": 1, "queries": 2,
        "grid_hz": 25.0,
    },
    "targets": {"contrast": "batch", "bank": 24, "pairs": {"positives": "identity", "soft_weight": 1.0}},
    "augmentation": {"patch_s": [1.0, 1.5]},
    "sampling": {"balance": "groups"},
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return resolve_text_encoder()


class Run:
    """A run as `train` sets it up, to look into."""

    def __init__(self, recipe: Recipe, corpus: Corpus, encoder: TextEncoder) -> None:
        vocabulary, cpu = Vocabulary.standard(), torch.device("cpu")
        self.recipe, self.batches = recipe, Batches(corpus, recipe, vocabulary)
        learned = recipe.model.label_side != "sentence"
        text = encode_labels(self.batches.labels, vocabulary, encoder, center=not learned, tokens=learned)
        torch.manual_seed(0)
        self.model = AlignedModel(recipe.model, Descriptions.encoded(recipe.model, encoder)).train()
        self.objective, self.precision = AlignmentStep(recipe, text, cpu), Precision(recipe, cpu)
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=1e-3)

    def update(self, step: int) -> float:
        parts = (self.recipe, self.objective, self.model, self.optimizer, self.precision)
        return update_on(self.batches.at(step), step, *parts)[0]


VARIANTS: list[dict[str, object]] = [
    {},
    {"model": {"width": 16, "layers": 1, "heads": 2, "output": "patch", "dropout": 0.2}},
    PUBLISHED,
    {**PUBLISHED, "model": {**PUBLISHED["model"], "output": "patch", "prototypes": 3}},  # type: ignore[dict-item]
    {"model": {"width": 16, "layers": 1, "heads": 2, "label_side": "attention", "prototypes": 2}},
    {"model": {"width": 16, "layers": 1, "heads": 2, "label_side": "mean"}, "targets": {"contrast": "batch"}},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=range(len(VARIANTS)))
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(
    changes: dict[str, object], corpus: Corpus, encoder: TextEncoder
) -> None:
    """Every window keeps all others as negatives; dropout is left out, since each part draws its own."""
    found = []
    for parts in (1, 4):
        recipe = small_recipe(**{**changes, "micro_batches": parts})
        model = recipe.model.model_copy(update={"dropout": 0.0})
        run = Run(recipe.model_copy(update={"model": model}), corpus, encoder)
        run.update(0)  # also fills the bank
        loss = run.update(1)
        found.append((loss, [p.grad.clone() for p in run.model.parameters() if p.grad is not None]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for whole, parted in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(whole, parted, atol=2e-4, rtol=2e-3)


def test_dropout_is_the_same_when_a_part_is_embedded_again(corpus: Corpus, encoder: TextEncoder) -> None:
    """Else the gradient of a vector would be passed on to another one."""
    recipe = small_recipe(micro_batches=2, model={"width": 16, "layers": 1, "heads": 2, "dropout": 0.5})
    run = Run(recipe, corpus, encoder)
    seen: list[torch.Tensor] = []
    run.model.register_forward_hook(lambda _, __, out: seen.append(out.detach()))
    run.update(0)
    assert len(seen) == 4
    for first, again in zip(seen[:2], seen[2:], strict=True):
        torch.testing.assert_close(first, again)


def test_the_bank_holds_the_pairs_of_past_batches_and_takes_part(corpus: Corpus, encoder: TextEncoder) -> None:
    run = Run(small_recipe(**PUBLISHED), corpus, encoder)
    bank = run.objective.bank
    assert bank is not None
    run.update(0)
    assert len(bank) == 16
    run.update(1)
    assert len(bank) == 24
    batch = run.batches.at(1)
    assert bank.entries().label[-16:].tolist() == batch.label.tolist()
    torch.testing.assert_close(bank.entries().windows.norm(dim=1), torch.ones(24))
    inputs = (batch.signal, batch.valid, batch.gravity, batch.placement)
    vectors = run.model.eval()(*inputs)[:, None]
    valid = torch.ones(16, 1, dtype=torch.bool)
    before = run.objective.loss(run.model, vectors, valid, batch.label, 2)
    run.objective.bank = None
    assert run.objective.loss(run.model, vectors, valid, batch.label, 2) < before, "fewer negatives"


def test_the_label_side_learns_unless_it_is_frozen(corpus: Corpus, encoder: TextEncoder) -> None:
    for trainable in (True, False):
        model = {**PUBLISHED["model"], "label_trainable": trainable}  # type: ignore[dict-item]
        run = Run(small_recipe(**{**PUBLISHED, "model": model}), corpus, encoder)
        assert run.model.label_pooling is not None
        before = [p.clone() for p in run.model.label_pooling.parameters()]
        run.update(0)
        moved = [not torch.equal(a, b) for a, b in zip(before, run.model.label_pooling.parameters(), strict=True)]
        assert all(moved) if trainable else not any(moved)


@pytest.mark.parametrize("changes", [PUBLISHED, {**PUBLISHED, "model": {**PUBLISHED["model"], "prototypes": 2}}])  # type: ignore[dict-item]
def test_a_published_run_resumes_to_the_bit_with_its_bank(
    changes: dict[str, object], corpus: Corpus, tmp_path: Path, encoder: TextEncoder
) -> None:
    recipe = small_recipe(**changes, steps=10)
    whole = train(recipe, corpus, tmp_path / "whole", encoder=encoder)
    train(recipe, corpus, tmp_path / "run", encoder=encoder)
    newest = max((tmp_path / "run" / "states").iterdir())
    (newest / "state.safetensors").write_bytes(b"gone")
    steps: list[int] = []
    resumed = train(recipe, corpus, tmp_path / "run", encoder=encoder, progress=lambda p: steps.append(p.step))
    assert steps == [9, 10]
    for name, tensor in whole.model.state_dict().items():
        assert tensor.equal(resumed.model.state_dict()[name]), name
    width = 384 * recipe.model.prototypes
    assert whole.labels.vectors.shape == (len(whole.labels.texts), width)
    assert (whole.labels.vectors == resumed.labels.vectors).all()


def test_half_precision_scales_its_loss_and_resumes(corpus: Corpus, encoder: TextEncoder) -> None:
    recipe = small_recipe(precision="fp16")
    run = Run(recipe, corpus, encoder)
    before = [p.clone() for p in run.model.parameters()]
    loss = run.update(0)
    reference = Run(small_recipe(), corpus, encoder)
    assert loss == pytest.approx(reference.update(0), rel=2e-2)
    run.update(1)
    assert run.precision.scaler.get_scale() > 1
    assert any(not torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    other = Precision(recipe, torch.device("cpu"))
    other.load(run.precision.state())
    assert other.scaler.state_dict() == run.precision.scaler.state_dict()


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(small_recipe(device="auto")).type == "cpu"
    with pytest.raises(BadRecipe, match="sees no GPU"):
        device_of(small_recipe(device="cuda"))


def test_groups_are_drawn_alike_up_to_a_cap() -> None:
    import numpy as np

    group = np.repeat([0, 1, 2], [400, 100, 1])
    even = group_weights(group, Sampling(balance="groups", group_cap=1000))
    assert [even[group == g].sum() for g in range(3)] == pytest.approx([1 / 3] * 3)
    capped = group_weights(group, Sampling(balance="groups", group_cap=20))
    assert capped.max() / capped.min() == pytest.approx(20)
    root = group_weights(group, Sampling(balance="groups", group_power=0.5, group_cap=1000))
    assert root[group == 0].sum() / root[group == 1].sum() == pytest.approx(2)


def test_the_learning_rate_ends_where_the_recipe_says() -> None:
    recipe = small_recipe(optimizer={"learning_rate": 1.0, "warmup_steps": 4, "end_share": 0.01}, steps=1000)
    assert learning_rate(0, recipe) == pytest.approx(0.25)
    assert learning_rate(999, recipe) == pytest.approx(0.01, abs=1e-3)
