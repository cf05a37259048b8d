"""What a batch teaches without labels: to fill in what was hidden of it, and to know its patches in another view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from kinelex.model.aligned import AlignedModel
from kinelex.model.config import ModelConfig
from kinelex.model.descriptions import Descriptions
from kinelex.model.patches import cut_patches, enough_measured
from kinelex.signal import augmentation
from kinelex.training.batches import Batch
from kinelex.training.machine import Precision
from kinelex.training.masking import Hidden, Masking, hide
from kinelex.training.objectives.patch_contrast import BalancedSum, patch_contrast
from kinelex.training.objectives.reconstruction import Reconstruction, reconstruction_loss
from kinelex.training.pretraining.recipe import PretrainRecipe, View
from kinelex.training.randomness import torch_generator


@dataclass(frozen=True, eq=False)
class Covered:
    """A batch of which something is hidden.

    Args:
        signal: the patches as they are, on the model's scales.
        measured: which of their samples were.
        there: which patches of which channels rest on enough of them to be tokens.
        seen: the patches as they are in sight: made of samples that are not hidden, derived channels too.
        seen_measured: which of their samples are.
        hidden: the tokens of which too little is in sight.
    """

    signal: Float[Tensor, "window patch channel point"]
    measured: Bool[Tensor, "window patch channel point"]
    there: Bool[Tensor, "window patch channel"]
    seen: Float[Tensor, "window patch channel point"]
    seen_measured: Bool[Tensor, "window patch channel point"]
    hidden: Hidden


class Pretrainer(nn.Module):
    """A model, and what only its pretraining needs.

    Args:
        config: the model's shape.
        described: the text vectors of channels and placements.
        compared: width of the vectors in which patches are compared.

    Source: the published aligned model, first stage (mask token, linear decoder, two-layer projection).
    """

    def __init__(self, config: ModelConfig, described: Descriptions, compared: int) -> None:
        super().__init__()
        self.model = AlignedModel(config, described)
        self.mask_token = nn.Parameter(torch.randn(config.width) * 0.02)
        self.decoder = nn.Linear(config.width, config.points)
        self.projection = nn.Sequential(
            nn.Linear(config.width, config.width), nn.GELU(), nn.Linear(config.width, compared)
        )

    def fill(
        self, covered: Covered, batch: Batch, patch_s: float | None = None
    ) -> Float[Tensor, "window patch channel width"]:
        """Tokens after the blocks, where those that are hidden went in as the mask token.

        A mask token says what its channel measures and, as any other, when; nothing of the signal.
        """
        tokens = self.model.tokens(covered.seen, covered.seen_measured, batch.placement)
        blank = self.mask_token
        if self.model.channel_text is not None:
            blank = blank + self.model.channel_text(batch.placement)[:, None]
        tokens = torch.where(covered.hidden.tokens[..., None], blank, tokens)
        return self.model.mixed(tokens, covered.there, patch_s)[0]

    def compared(
        self, tokens: Float[Tensor, "window patch channel width"], there: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch compared"]:
        """One vector per patch to compare it by, from the mean of its channels."""
        count = there.sum(2, keepdim=True).clamp(min=1)
        mean = tokens.masked_fill(~there[..., None], 0.0).sum(2) / count
        projected: Tensor = self.projection(mean)
        return projected


def cover(
    model: AlignedModel, batch: Batch, masking: Masking, generator: Generator, patch_s: float | None = None
) -> Covered:
    """Hide parts of a batch so that nothing tells of them.

    Patches overlap, and derived channels are made of several measured ones: a token that is merely left out can be read
    off its neighbors. So samples are hidden, as if they had never been measured, and the model's channels are made
    of the others. A patch is hidden when less than half of it is in sight, a derived channel when it lacks an axis. A
    window of which nothing would be in sight stays as it is.

    Args:
        model: whose patches they are.
        batch: windows.
        masking: what to hide of the measured channels.
        generator: source of randomness.
        patch_s: length of the patches in seconds, instead of the configured one.
    """
    config = model.config
    _, measured = cut_patches(batch.signal, batch.valid, config, patch_s)
    chosen = hide(enough_measured(measured), masking, generator).tokens
    concealed = samples_of(chosen, batch.valid.shape[2], config, patch_s)
    in_sight = batch.valid & ~concealed
    some = enough_measured(cut_patches(batch.signal, in_sight, config, patch_s)[1]).flatten(1).any(1)
    in_sight = torch.where(some[:, None, None], in_sight, batch.valid)

    signal, measured = model.patches(batch.signal, batch.valid, batch.gravity, patch_s)
    there = enough_measured(measured)
    seen, seen_measured = model.patches(batch.signal.masked_fill(~in_sight, 0.0), in_sight, batch.gravity, patch_s)
    visible = enough_measured(seen_measured) & there
    hidden = there & ~visible
    return Covered(signal, measured, there, seen, seen_measured, Hidden(hidden, hidden & ~visible.any(1, keepdim=True)))


def samples_of(
    chosen: Bool[Tensor, "window patch channel"], steps: int, config: ModelConfig, patch_s: float | None = None
) -> Bool[Tensor, "window channel step"]:
    """Every sample that any of the chosen patches is made of."""
    step = torch.arange(steps, dtype=torch.float32, device=chosen.device)
    when, _ = cut_patches(step[None, None], torch.ones_like(step, dtype=torch.bool)[None, None], config, patch_s)
    first, last = when[0, :, 0].amin(1).floor(), when[0, :, 0].amax(1).ceil()  # (patch,)
    within = (step >= first[:, None]) & (step <= last[:, None])  # (patch, step)
    return rearrange(chosen.float(), "window patch channel -> window channel patch") @ within.float() > 0


def other_view(batch: Batch, view: View, grid_hz: float, generator: Generator) -> Batch:
    """The same windows as another device, worn otherwise, would have recorded them."""
    signal, valid = augmentation.rotate(batch.signal, batch.valid, generator, share=view.rotation)
    signal = augmentation.slower_rate(signal, generator, grid_hz=grid_hz, share=view.slower_rate)
    signal = augmentation.scale(signal, generator, most=view.scale)
    signal = augmentation.jitter(signal, generator, share=view.jitter, acc=view.jitter_acc, gyro=view.jitter_gyro)
    return Batch(signal.masked_fill(~valid, 0.0), valid, batch.gravity, batch.placement, batch.label)


class PretrainingStep:
    """The loss of one update, as the recipe's objectives say.

    Each objective is divided by its own running mean, so that weights say what they seem to.

    Args:
        recipe: what is hidden, changed and weighed.
    """

    def __init__(self, recipe: PretrainRecipe) -> None:
        self.recipe = recipe
        weights = {"reconstruction": recipe.reconstruction.weight, "contrast": recipe.contrast.weight}
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self._balance = {name: BalancedSum((name,)) for name in self.weights}

    def loss(
        self, learner: Pretrainer, batch: Batch, step: int, precision: Precision, patch_s: float | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """The balanced loss of a batch, and what each objective was.

        Args:
            learner: what is to learn.
            batch: windows; what they show is not looked at.
            step: decides what is hidden and how the other view differs.
            precision: what the network runs in.
            patch_s: length of the patches in seconds, instead of the configured one.

        Returns:
            The sum to minimize, whose value tells little, and by name: loss (the weighted sum before balancing), each
            objective, and the reconstruction's error on hidden patches and on dropped channels.
        """
        recipe = self.recipe
        hiding = torch_generator(recipe.seed, step, "masking")
        covered = cover(learner.model, batch, recipe.masking, hiding, patch_s)
        with precision.autocast():
            tokens = learner.fill(covered, batch, patch_s)
        losses: dict[str, Tensor] = {}
        told: dict[str, float] = {}
        if "reconstruction" in self.weights:
            filled = self._filled(learner, covered, tokens, precision)
            losses["reconstruction"] = filled.loss
            told = {"hidden_patches": float(filled.patches), "dropped_channels": float(filled.channels)}
        if "contrast" in self.weights:
            losses["contrast"] = self._contrasted(learner, batch, covered, tokens, step, precision, patch_s)
        balanced = [weight * self._balance[name]({name: losses[name]}) for name, weight in self.weights.items()]
        plain = {name: float(value.detach()) for name, value in losses.items()}
        whole = sum(weight * plain[name] for name, weight in self.weights.items())
        return torch.stack(balanced).sum(), {"loss": whole, **plain, **told}

    def state(self) -> dict[str, Tensor]:
        """What is to be saved to go on: the running means."""
        return {f"balance/{name}": one.state()[name] for name, one in self._balance.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a saved state."""
        if state:
            for name, one in self._balance.items():
                one.load({name: state[f"balance/{name}"]})

    def _filled(
        self,
        learner: Pretrainer,
        covered: Covered,
        tokens: Float[Tensor, "window patch channel width"],
        precision: Precision,
    ) -> Reconstruction:
        with precision.autocast():
            predicted = learner.decoder(tokens)
        how = self.recipe.reconstruction
        return reconstruction_loss(
            predicted.float(),
            covered.signal,
            covered.measured,
            covered.hidden,
            level=how.level,
            dropped_channels=how.dropped_channels,
        )

    def _contrasted(
        self,
        learner: Pretrainer,
        batch: Batch,
        covered: Covered,
        tokens: Float[Tensor, "window patch channel width"],
        step: int,
        precision: Precision,
        patch_s: float | None,
    ) -> Float[Tensor, ""]:
        """What is left of the batch against the whole of its other view."""
        recipe = self.recipe
        generator = torch_generator(recipe.seed, step, "view", batch.signal.device)
        other = other_view(batch, recipe.view, recipe.model.grid_hz, generator)
        with precision.autocast():
            inputs = (other.signal, other.valid, other.gravity, other.placement, patch_s)
            other_tokens, other_there = learner.model.encode(*inputs)
            one = learner.compared(tokens, covered.there)
            two = learner.compared(other_tokens, other_there)
        valid = covered.there.any(2) & other_there.any(2)
        return patch_contrast(one.float(), two.float(), valid, temperature=recipe.contrast.temperature)
