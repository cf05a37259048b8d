"""The recipe of a pretraining run: what is hidden and filled in, and what is contrasted, without any label."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kinelex.model.config import ModelConfig
from kinelex.training.masking import Masking
from kinelex.training.objectives.reconstruction import Level
from kinelex.training.recipe import Augmentation, Averaging, Optimizer, Readable, Recipe, Sampling, Share, TrainingSets


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Drawing(_Section):
    """How often which data set is drawn; within a set every hour counts alike, whatever is done in it."""

    dataset_power: Share = Field(0.5, description="A data set counts as its hours to this power; 0 draws all alike.")
    weights: dict[str, float] = Field(default={}, description="Extra factor per data set; 1 where not named.")
    known_placement: Share = Field(
        0.5, description="Share of windows whose placement a model with placement_text is told."
    )


class Filling(_Section):
    """Hidden patches are predicted from those in sight."""

    weight: float = Field(1.0, ge=0, description="In the sum of objectives, each over its running mean; 0: not at all.")
    level: Level = Field(
        "physical",
        description="physical: patches as they were measured; normalized: each less its mean and over its deviation, as"
        " published.",
    )
    dropped_channels: bool = Field(
        True,
        description="Whether channels that are hidden altogether are to be predicted from the others; as published,"
        " they are not.",
    )


class Contrast(_Section):
    """A patch among what is in sight and the same patch in another view are nearer than any two others."""

    weight: float = Field(1.0, ge=0, description="In the sum of objectives, each over its running mean; 0: not at all.")
    temperature: float = Field(0.2, gt=0, description="Divides the cosines.")
    width: int = Field(256, gt=0, description="Of the vectors that are compared.")


class View(_Section):
    """How the other view differs from a window; see `kinelex.signal.augmentation`."""

    rotation: Share = Field(1.0, description="Share of windows turned by a random rotation, one for all sensors.")
    scale: float = Field(0.15, ge=0, lt=1, description="Amplitudes change by up to this share in half of the windows.")
    jitter: Share = Field(0.8, description="Share of windows with added sensor noise.")
    jitter_acc: float = Field(0.02, ge=0, description="Largest standard deviation of that noise, m/s².")
    jitter_gyro: float = Field(0.005, ge=0, description="Likewise for the gyroscope, rad/s.")
    slower_rate: Share = Field(0.4, description="Share of windows low-passed as if recorded at 8 Hz or more.")


class PretrainRecipe(Readable):
    """A pretraining run: the encoder of an aligned model, before it has seen any label."""

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="What the encoder will be called.")
    train: TrainingSets = Field(
        min_length=1,
        description="Imported data sets to learn from; what is left out of a training that begins with this encoder"
        " must not be among them.",
    )
    seed: int = Field(0, ge=0, description="Decides every random choice.")
    steps: int = Field(800, gt=0, description="Updates of the weights.")
    batch_windows: int = Field(256, gt=1, description="Windows per update.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the processor multiplies it fast, else fp32."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU if there is one.")
    text_encoder: str | None = Field(
        None,
        description="Name, folder or hub id of the frozen text encoder, which says what channels mean;"
        " all-MiniLM-L6-v2 when left out. Its vectors are as wide as model.text_dim.",
    )
    threads: int = Field(2, gt=0, description="CPU threads; part of the recipe, because sums depend on it.")
    save_every: int = Field(100, gt=0, description="Steps between two checkpoints to resume from.")
    log_every: int = Field(10, gt=0, description="Steps between two lines of metrics.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="Shape of the model.")
    masking: Masking = Field(default_factory=Masking, description="What is hidden.")
    reconstruction: Filling = Field(default_factory=Filling)
    contrast: Contrast = Field(default_factory=Contrast)
    view: View = Field(default_factory=View)
    sampling: Drawing = Field(default_factory=Drawing)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    optimizer: Optimizer = Field(default_factory=Optimizer)
    averaging: Averaging = Field(default_factory=Averaging)

    @model_validator(mode="after")
    def _consistent(self) -> PretrainRecipe:
        if not self.reconstruction.weight and not self.contrast.weight:
            raise ValueError("reconstruction.weight and contrast.weight are both 0: nothing would be learned")
        if self.augmentation.patch_s and self.model.patch_points is None:
            raise ValueError("augmentation.patch_s needs model.patch_points: tokens of one size")
        return self

    def as_recipe(self) -> Recipe:
        """The same run as the recipe of a training that heeds no label: what batches and the machine are set up by."""
        same = set(PretrainRecipe.model_fields) & set(Recipe.model_fields) - {"sampling"}
        # Within a set, each label by its hours is each hour alike.
        drawn = Sampling(**self.sampling.model_dump(), balance="sets", label_power=1.0, brief_kinds=())
        return Recipe(**{name: getattr(self, name) for name in same}, sampling=drawn)
