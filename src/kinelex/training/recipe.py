"""A recipe: everything that decides what a training run does, validated once, kept with every result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kinelex.datasets.catalog import people_of
from kinelex.errors import BadRecipe
from kinelex.model.config import ModelConfig
from kinelex.training.objectives.info_nce import PairTargets

NEVER_TRAINED_ON = frozenset({"motionsense", "mobifall", "mobiact", "basic_motions"})
"""Zero-shot test sets, and MobiAct, whose people are MobiFall's: no recipe may train on them or select with them."""


def _no_test_set(names: tuple[str, ...]) -> tuple[str, ...]:
    if tests := sorted(NEVER_TRAINED_ON.intersection(names)):
        raise ValueError(f"{', '.join(tests)} is a zero-shot test set: it may not be trained on or selected with")
    return names


Share = Annotated[float, Field(ge=0, le=1)]
TrainingSets = Annotated[tuple[str, ...], AfterValidator(_no_test_set)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(_Section):
    """How often which data set, label and stretch of signal is drawn."""

    dataset_power: Share = Field(0.5, description="A data set counts as its hours to this power; 0 draws all alike.")
    label_power: Share = Field(0.3, description="Within a set, a label counts as its hours to this power.")
    balance: Literal["sets", "groups"] = Field(
        "sets",
        description="sets: by the two powers above; groups: every label group alike, whatever set it is from, as"
        " published.",
    )
    group_power: Share = Field(
        0.0, description="With balance groups, a group counts as its sessions to this power; 0 draws all alike."
    )
    group_cap: float = Field(
        20.0, gt=1, description="With balance groups, no session is drawn more than this much oftener than another."
    )
    weights: dict[str, float] = Field(default={}, description="Extra factor per data set; 1 where not named.")
    brief_kinds: tuple[str, ...] = Field(
        ("fall",), description="Kinds of label that last a moment: windows are drawn around the strongest movement."
    )
    known_placement: Share = Field(
        0.5, description="Share of windows whose placement a model with placement_text is told."
    )


class Augmentation(_Section):
    """How far training windows stray from their recording; see `kinelex.signal.augmentation`."""

    rotation: Share = Field(1.0, description="Share of windows turned by a random rotation, one for all sensors.")
    stretch: float = Field(0.15, ge=0, lt=1, description="Time is stretched by a factor up to exp of this, both ways.")
    shorten: Share = Field(
        0.0, description="Share of windows that end early, so that a short window is no hint at what it shows."
    )
    patch_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="Patch lengths in seconds, one of which is drawn per update; none: always the model's."
    )
    scale: float = Field(0.15, ge=0, lt=1, description="Amplitudes change by up to this share in half of the windows.")
    jitter: Share = Field(0.3, description="Share of windows with added sensor noise.")
    jitter_acc: float = Field(
        0.02,
        ge=0,
        description="Largest standard deviation of that noise, m/s²: little, because"
        " the sway of somebody standing still is hardly more.",
    )
    jitter_gyro: float = Field(0.005, ge=0, description="Likewise for the gyroscope, rad/s.")
    slower_rate: Share = Field(0.4, description="Share of windows low-passed as if recorded at 8 Hz or more.")
    remove_gravity: Share = Field(0.2, description="Share of windows whose acceleration loses gravity.")
    drop_sensor: Share = Field(0.25, description="Share of windows that lose their gyroscope, or accelerometer.")
    drop_channels: Share = Field(0.1, description="Share of windows that lose single axes.")


class Targets(_Section):
    """What a window should be near to: its own label, labels of its group, labels of like meaning."""

    contrast: Literal["labels", "batch"] = Field(
        "labels",
        description="labels: each window chooses among all training labels; batch: among the texts of its batch and of"
        " the memory bank, as published. The fields from group to windows_per_label are about labels, pairs and bank"
        " about batch.",
    )
    pairs: PairTargets = Field(default_factory=PairTargets, description="What counts as alike within a batch.")
    bank: int = Field(0, ge=0, description="Past windows and texts that each batch is also compared with.")
    group: Share = Field(0.5, description="Of the share for equal labels, how much goes to all labels of the group.")
    text: Share = Field(0.2, description="Share spread over labels by the similarity of their texts.")
    text_temperature: float = Field(0.5, gt=0, description="Of the z-scored text similarities.")
    smoothing: Share = Field(0.05, description="Share spread evenly over all labels.")
    windows_per_label: Share = Field(
        0.25, description="Weight of the other direction, in which each label picks its windows out of the batch."
    )
    prompts: Literal["sample", "mean"] = Field(
        "sample", description="sample: another synonym and template per label and step; mean: always their mean."
    )
    prompt_share: Share = Field(1.0, description="Of sampled prompts, the share that is not just the label itself.")
    center: bool = Field(
        True, description="Take the vocabulary's mean vector out of all sentence vectors; not where labels are learned."
    )
    leaning: bool = Field(True, description="Draw new texts to the phrases of training labels that are like them.")
    crowding: bool = Field(True, description="Compare texts by how crowded it is around them.")


class Optimizer(_Section):
    """AdamW with linear warm-up and cosine decay."""

    learning_rate: float = Field(1e-3, gt=0, description="At its highest.")
    weight_decay: float = Field(0.05, ge=0, description="On matrices only.")
    warmup_steps: int = Field(50, ge=0, description="Steps of linear warm-up.")
    end_share: Share = Field(0.0, description="Share of the learning rate that is left at the end.")
    clip_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")


class Averaging(_Section):
    """An exponential average of the weights is what is kept: single checkpoints swing."""

    start_share: float = Field(0.25, ge=0, lt=1, description="Share of the steps after which averaging begins.")
    decay: float = Field(0.995, ge=0, lt=1, description="Weight of the average so far, per step.")


R = TypeVar("R", bound=BaseModel)


class Readable(_Section):
    """A recipe of any stage: a file of fields, each of which is checked."""

    @classmethod
    def read(cls: type[R], path: str | Path, **changes: Any) -> R:
        """Read a YAML recipe.

        Args:
            path: the file.
            changes: top-level fields that replace those of the file.

        Raises:
            BadRecipe: no such file, no YAML, or a field that is unknown, missing or impossible.
        """
        path = Path(path)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadRecipe(f"no recipe '{path}': {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise BadRecipe(f"recipe '{path}' is not YAML: {error}") from None
        if not isinstance(content, dict):
            raise BadRecipe(f"recipe '{path}' is not a list of fields")
        try:
            return cls.model_validate({**content, **changes})
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in e['loc']) or 'recipe'}: {e['msg']}" for e in error.errors()
            )
            raise BadRecipe(f"recipe '{path}': {problems}") from None


class Recipe(Readable):
    """A training run of the aligned model."""

    name: str = Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="What the model will be called.")
    train: TrainingSets = Field(min_length=1, description="Imported data sets to train on.")
    left_out: TrainingSets = Field(
        default=(), description="Training sets kept out, to select with and to calibrate the probabilities on."
    )
    without: tuple[str, ...] = Field(
        default=(),
        description="Label groups of which nothing is trained on: to see what a model makes of activities that are new"
        " to it.",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        description="Divides the logits where nothing is left out to fit it on: found once, by leaving sets out.",
    )
    seed: int = Field(0, ge=0, description="Decides every random choice.")
    steps: int = Field(2000, gt=0, description="Updates of the weights.")
    batch_windows: int = Field(256, gt=1, description="Windows per update.")
    micro_batches: int = Field(
        1,
        gt=0,
        description="Parts in which a batch goes through the network, for less memory; every window still has all"
        " others of the batch as negatives.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the processor multiplies it fast, else fp32."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU if there is one.")
    compile: bool = Field(False, description="Compile the network with torch.compile.")
    pretrained: str | None = Field(None, description="Folder of a pretraining run whose encoder this run begins with.")
    text_encoder: str | None = Field(
        None,
        description="Name, folder or hub id of the frozen text encoder; all-MiniLM-L6-v2 when left out. Its vectors are"
        " as wide as model.text_dim.",
    )
    threads: int = Field(2, gt=0, description="CPU threads; part of the recipe, because sums depend on it.")
    save_every: int = Field(100, gt=0, description="Steps between two checkpoints to resume from.")
    log_every: int = Field(10, gt=0, description="Steps between two lines of metrics.")
    model: ModelConfig = Field(default_factory=ModelConfig, description="Shape of the model.")
    sampling: Sampling = Field(default_factory=Sampling)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    targets: Targets = Field(default_factory=Targets)
    optimizer: Optimizer = Field(default_factory=Optimizer)
    averaging: Averaging = Field(default_factory=Averaging)

    @model_validator(mode="after")
    def _disjoint(self) -> Recipe:
        if both := sorted(set(self.train) & set(self.left_out)):
            raise ValueError(f"{', '.join(both)} cannot be both trained on and left out")
        if self.batch_windows % self.micro_batches:
            raise ValueError(f"batch_windows {self.batch_windows} is not a multiple of micro_batches")
        if self.augmentation.patch_s and self.model.patch_points is None:
            raise ValueError("augmentation.patch_s needs model.patch_points: tokens of one size")
        people = {people_of(name): name for name in self.train if people_of(name)}
        if same := [f"{people[word]} and {name}" for name in self.left_out if (word := people_of(name)) in people]:
            raise ValueError(f"{', '.join(same)} have the same people: they are trained on or left out together")
        return self

    def leaving_out(self, *names: str) -> Recipe:
        """This recipe without `names` in training, left out in place of what it leaves out.

        Raises:
            BadRecipe: nothing to train on would be left, or a zero-shot test set was named.
        """
        train = [name for name in self.train if name not in names]
        try:
            return Recipe.model_validate({**self.model_dump(), "train": train, "left_out": names})
        except ValidationError as error:
            raise BadRecipe(f"recipe '{self.name}' cannot leave out {', '.join(names)}: {error}") from None
