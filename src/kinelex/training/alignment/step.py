"""What a batch of embedded windows is compared with: the label side, the targets, and the memory bank."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kinelex.model.aligned import AlignedModel
from kinelex.training.memory_bank import Entries, MemoryBank
from kinelex.training.objectives.alignment import alignment_loss, target_matrix
from kinelex.training.objectives.info_nce import info_nce, pair_targets, positive_pairs, text_similarity
from kinelex.training.objectives.prototypes import prototype_loss, winning_prototypes
from kinelex.training.randomness import torch_generator
from kinelex.training.recipe import Recipe
from kinelex.training.text import TrainingText


class AlignmentStep:
    """The loss of one update, as the recipe's targets say.

    Args:
        recipe: targets, and how prompts are drawn.
        text: prompts of the training labels.
        device: of the model.
    """

    def __init__(self, recipe: Recipe, text: TrainingText, device: torch.device) -> None:
        self.recipe, self.targets = recipe, recipe.targets
        self.text = text.to(device)
        self.target = target_matrix(self.text.means, self.text.group, recipe.targets)
        in_batch = recipe.targets.contrast == "batch" and recipe.targets.bank
        self.bank = MemoryBank(recipe.targets.bank, recipe.model.text_dim, device) if in_batch else None
        self._to_push: tuple[Tensor, Tensor, Tensor] | None = None

    def loss(
        self,
        model: AlignedModel,
        vectors: Float[Tensor, "window piece text"],
        valid: Bool[Tensor, "window piece"],
        label: Int[Tensor, " window"],
        step: int,
    ) -> Float[Tensor, ""]:
        """The loss of a batch.

        Args:
            model: its label side and its scale take part.
            vectors: unit vectors of the windows, or of the patches of each.
            valid: which of them stand for measured signal.
            label: number of each window's label.
            step: decides which prompts are drawn.
        """
        rows = vectors[valid]
        window = repeat(torch.arange(len(label), device=label.device), "window -> window piece", piece=valid.shape[1])
        window = window[valid]
        if self.targets.contrast == "labels":
            every = torch.arange(len(self.text.labels), device=label.device)
            texts = self._texts(model, every, step)
            texts = texts[:, 0] if texts.shape[1] == 1 else texts
            return alignment_loss(
                rows, texts, label[window], self.target, model.scale, windows_per_label=self.targets.windows_per_label
            )
        return self._in_batch(rows, self._texts(model, label, step)[window], label[window], model.scale)

    def remember(self) -> None:
        """Take the pairs of the last loss into the bank."""
        if self.bank is not None and self._to_push is not None:
            self.bank.push(*self._to_push)
            self._to_push = None

    def state(self) -> dict[str, Tensor]:
        """What is to be saved to go on: the bank."""
        return {} if self.bank is None else {f"bank/{name}": value for name, value in self.bank.state().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a saved state."""
        if self.bank is not None and state:
            self.bank.load({name.removeprefix("bank/"): value for name, value in state.items() if "bank/" in name})

    def _texts(self, model: AlignedModel, label: Int[Tensor, " row"], step: int) -> Float[Tensor, "row prototype text"]:
        """Vectors of the labels of some rows, by prompts drawn for this step."""
        if self.targets.prompts == "mean" and model.label_pooling is None:
            return self.text.means[label][:, None]
        generator = torch_generator(self.recipe.seed, step, "prompts")
        share = self.targets.prompt_share if self.targets.prompts == "sample" else 0.0
        prompt = self.text.draw(label.cpu(), generator, share).to(label.device)
        if model.label_pooling is None:
            return self.text.prompts[prompt][:, None]
        pooled: Tensor = model.label_pooling(self.text.tokens[prompt], self.text.tokens_valid[prompt])
        return pooled

    def _in_batch(
        self,
        rows: Float[Tensor, "row text"],
        texts: Float[Tensor, "row prototype text"],
        label: Int[Tensor, " row"],
        scale: Float[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Rows against the texts of all rows and of the bank."""
        past: Entries | None = self.bank.entries() if self.bank is not None and len(self.bank) else None
        past_label = None if past is None else past.label
        # Frozen vectors of what the labels mean: targets that training cannot move.
        similarity = text_similarity(
            self.text.means[label], None if past_label is None else self.text.means[past_label]
        )
        target = pair_targets(similarity, label, self.targets.pairs, past_label)
        if texts.shape[1] == 1:
            loss = info_nce(rows, texts[:, 0], target, scale, past)
        else:
            positive = positive_pairs(label, past_label, self.targets.pairs.positives)
            loss = prototype_loss(rows, texts, positive, target, scale, past)
        if self.bank is not None:
            self._to_push = (rows.detach(), winning_prototypes(rows, texts).detach(), label)
        return loss
