"""A pretrained encoder on disk, and how a model of another stage begins with it.

::

    FOLDER/manifest.json        what it was pretrained on; size and hash of every other file
    FOLDER/config.json          `ModelConfig` of the model that it is a part of
    FOLDER/model.safetensors    the weights up to the head, which pretraining never touches
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinelex.artifact import read_manifest, staged_folder, write_json, write_manifest
from kinelex.datasets.catalog import people_of
from kinelex.errors import BadRecipe, CorruptArtifact
from kinelex.model.aligned import AlignedModel
from kinelex.model.config import ModelConfig
from kinelex.training.recipe import Recipe

KIND = "pretrained-encoder"
VERSION = 1
FOLDER = "encoder"
"""Where in the folder of a pretraining run its encoder lies."""

PARTS = ("tokenizer", "channel_text", "time_scale", "blocks", "channel_fusion")
"""The encoder within an `AlignedModel`."""

SHAPE = (
    "width", "layers", "heads", "expansion", "norm", "tokenizer", "normalization", "patch_points", "position", "frame",
    "derived_channels", "cross_channel", "channel_text", "channel_fusion", "placement_text", "text_dim",
)  # fmt: skip
"""Fields of a model that decide which weights its encoder has, and what they mean. How long windows are does not."""

ON_GRID = ("grid_hz", "patch_s")
"""Fields that do as well where patches are not resized to a fixed number of points."""

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An encoder that has seen signal but no label.

    Args:
        folder: where it lies.
        config: of the model that it is a part of.
        weights: of that model, those of the encoder only.
        trained_on: names of the data sets it saw.
        fingerprint: SHA-256 of the weights.
    """

    folder: Path
    config: ModelConfig
    weights: Mapping[str, Tensor]
    trained_on: tuple[str, ...]
    fingerprint: str

    def check(self, recipe: Recipe) -> None:
        """See whether a training may begin with it.

        Raises:
            BadRecipe: the recipe's model has another shape, or leaves out people whose signal the encoder saw.
        """
        self._check_shape(recipe.model)
        people = {people_of(name) or name for name in self.trained_on}
        if seen := [name for name in recipe.left_out if name in self.trained_on or people_of(name) in people]:
            raise BadRecipe(
                f"recipe '{recipe.name}' leaves out {', '.join(seen)}, and the encoder in '{self.folder}' has seen the"
                " same people: pretrain another without them"
            )

    def into(self, model: AlignedModel) -> None:
        """Put the weights into a model, whose other weights stay as they are.

        Raises:
            BadRecipe: the model has another shape.
            CorruptArtifact: the weights are not those of the configuration beside them.
        """
        self._check_shape(model.config)
        wanted = encoder_weights(model.state_dict())
        if {name: t.shape for name, t in wanted.items()} != {name: t.shape for name, t in self.weights.items()}:
            raise CorruptArtifact(f"the weights in '{self.folder}' are not those of its {_CONFIG}: pretrain it again")
        model.load_state_dict(dict(self.weights), strict=False)

    def _check_shape(self, config: ModelConfig) -> None:
        fields = SHAPE if config.patch_points else SHAPE + ON_GRID
        for name in fields:
            mine, theirs = getattr(self.config, name), getattr(config, name)
            if mine != theirs:
                raise BadRecipe(
                    f"the encoder in '{self.folder}' was pretrained with model.{name} {mine} and is to be used with"
                    f" {theirs}: set model.{name} to {mine}, or pretrain another"
                )


def encoder_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of an `AlignedModel`'s weights that belong to its encoder."""
    return {name: tensor for name, tensor in state.items() if name.split(".")[0] in PARTS}


def save_pretrained(folder: str | Path, model: AlignedModel, *, name: str, trained_on: tuple[str, ...]) -> None:
    """Write the encoder of a model.

    Args:
        folder: where to; what lies there is replaced in one step.
        model: that it is a part of.
        name: what it is called.
        trained_on: names of the data sets it saw.
    """
    weights = encoder_weights(model.state_dict())
    with staged_folder(folder) as draft:
        save_file({key: t.detach().cpu().contiguous().clone() for key, t in weights.items()}, draft / _WEIGHTS)
        write_json(draft / _CONFIG, model.config.model_dump())
        write_manifest(draft, KIND, VERSION, [_WEIGHTS, _CONFIG], {"name": name, "trained_on": list(trained_on)})


def read_pretrained(folder: str | Path) -> Pretrained:
    """Read a pretrained encoder; every file is checked against its hash first.

    Args:
        folder: what `save_pretrained` wrote, or the pretraining run that it lies in.

    Raises:
        CorruptArtifact: a file is missing or not what was written, or its content does not fit together.
        UnsupportedFormat: written by a newer Kinelex.
    """
    folder = Path(folder)
    if (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    manifest = read_manifest(folder, KIND, VERSION)
    try:
        return Pretrained(
            folder=folder,
            config=ModelConfig.model_validate_json((folder / _CONFIG).read_bytes()),
            weights=load_file(folder / _WEIGHTS),
            trained_on=tuple(str(name) for name in manifest["trained_on"]),
            fingerprint=str(manifest["files"][_WEIGHTS]["sha256"]),
        )
    except (SafetensorError, ValidationError, OSError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"encoder '{folder}' does not fit together ({error}): pretrain it again") from None


def load_pretrained(model: AlignedModel, folder: str | Path) -> Pretrained:
    """Let a model begin with the encoder of a pretraining run; see `read_pretrained` and `Pretrained.into`."""
    pretrained = read_pretrained(folder)
    pretrained.into(model)
    return pretrained
