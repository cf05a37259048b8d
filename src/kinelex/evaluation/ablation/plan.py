"""What an ablation is to find out: a base recipe, variants of it, sets that are left out in turn, training seeds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kinelex.datasets.catalog import people_of
from kinelex.errors import BadRecipe
from kinelex.training import PretrainRecipe, Recipe
from kinelex.training.overrides import with_changes
from kinelex.training.recipe import TrainingSets

BASE = "base"
"""The variant without changes, which every ablation has and all others are compared with."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
TextSpaceKind = Literal["centered", "leaning", "crowding"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variant(_Section):
    """One thing changed, or another recipe."""

    recipe: dict[str, Any] | None = Field(
        None, description="The fields of a recipe in place of the base, or the path of one beside the file."
    )
    changes: dict[str, Any] = Field(
        default={}, description="Fields of the recipe by section or dotted path, such as model.width: 192."
    )
    pretrain: dict[str, Any] | None = Field(
        None,
        description="The fields of a pretraining recipe, or the path of one beside the file: each run begins with an"
        " encoder of its own, of the variant's model, which has not seen what the run leaves out.",
    )
    note: str = Field("", description="What is changed, in words, for the table.")


class Ablation(_Section):
    """Everything that decides the table."""

    name: Name = Field(description="What it is called; the file's name when left out.")
    note: str = Field("", description="What it is to find out, in words, for the head of the page.")
    base: dict[str, Any] = Field(description="The fields of a recipe, or the path of one beside the file.")
    common: dict[str, Any] = Field(
        default={}, description="Fields that are the same for all, whatever the recipe of each says."
    )
    folds: tuple[TrainingSets, ...] = Field(
        min_length=1, description="Sets that are left out together, and scored: one run of each variant for each."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0,), min_length=1, description="Training seeds: one run of each variant and fold for each."
    )
    variants: dict[Name, Variant] = Field(default={}, description="What is compared with the base.")
    text_spaces: tuple[TextSpaceKind, ...] = Field(
        (),
        description="Parts of the text space that every checkpoint is also scored with alone, which trains nothing:"
        " centered has neither of the other two.",
    )
    chosen: str | None = Field(None, description="The variant that was chosen; its temperature is printed.")

    @model_validator(mode="after")
    def _distinct(self) -> Ablation:
        if BASE in self.variants:
            raise ValueError(f"a variant cannot be called '{BASE}': that is the one without changes")
        sets = [name for fold in self.folds for name in fold]
        if twice := sorted({name for name in sets if sets.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is left out twice: name each set in one fold")
        if not all(self.folds) or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a fold without sets, or a seed twice")
        if self.chosen is not None and self.chosen not in self.every:
            raise ValueError(f"the chosen variant '{self.chosen}' is not among {', '.join(self.every)}")
        return self

    @cached_property
    def every(self) -> dict[str, Variant]:
        """The base and the variants."""
        return {BASE: Variant(), **self.variants}

    @property
    def sets(self) -> tuple[str, ...]:
        """Everything that is scored on, in the order of the folds."""
        return tuple(name for fold in self.folds for name in fold)


@dataclass(frozen=True)
class Run:
    """One training run of an ablation.

    Args:
        variant: name of the variant.
        fold: the sets that it leaves out.
        seed: its training seed.
        recipe: the whole recipe, resolved.
        pretrain: of the encoder that it begins with; none where it begins at random.
    """

    variant: str
    fold: tuple[str, ...]
    seed: int
    recipe: Recipe
    pretrain: PretrainRecipe | None = None

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.variant}-without-{'-'.join(self.fold)}-seed{self.seed}"

    @property
    def sets(self) -> tuple[str, ...]:
        """Everything that it learns from or leaves out."""
        return (*self.recipe.train, *self.recipe.left_out, *(self.pretrain.train if self.pretrain else ()))

    @property
    def steps(self) -> int:
        """Updates of both stages."""
        return self.recipe.steps + (self.pretrain.steps if self.pretrain else 0)

    def recipe_in(self, folder: Path) -> Recipe:
        """The recipe as it is trained in the folder of an ablation: with the encoder that is pretrained there."""
        if self.pretrain is None:
            return self.recipe
        return self.recipe.model_copy(update={"pretrained": str(self.pretraining_in(folder))})

    def pretraining_in(self, folder: Path) -> Path:
        """Where in the folder of an ablation its encoder is pretrained."""
        return folder / f"{self.name}-pretraining"


def read_ablation(path: str | Path) -> Ablation:
    """Read an ablation file, with the recipes that it names.

    Raises:
        BadRecipe: no such file, no YAML, a field that is unknown, missing or impossible, or likewise with the base.
    """
    path = Path(path)
    content = _yaml(path, "ablation")
    variants = content.get("variants")
    named = variants.values() if isinstance(variants, dict) else ()
    for holder, field in [(content, "base"), *((of, stage) for of in named for stage in ("recipe", "pretrain"))]:
        if isinstance(holder, dict) and isinstance(holder.get(field), str):
            holder[field] = _yaml(path.parent / holder[field], "recipe")
    try:
        return Ablation.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise BadRecipe(f"ablation '{path}': {_problems(error)}") from None


def runs_of(ablation: Ablation, seeds: Collection[int] | None = None) -> tuple[Run, ...]:
    """Every run, so ordered that each seed is complete before the next: the table has all rows early.

    Args:
        ablation: what is compared.
        seeds: in place of those of the file.

    Raises:
        BadRecipe: a variant whose recipe is not valid in every fold; the message names it.
    """
    plain = {name: _resolved(ablation, name, variant) for name, variant in ablation.every.items()}
    runs = []
    for seed in ablation.seeds if seeds is None else seeds:
        for fold in ablation.folds:
            for name, whole in plain.items():
                try:
                    left = whole.leaving_out(*fold)
                except BadRecipe as error:
                    raise BadRecipe(f"variant '{name}': {error}") from None
                recipe = left.model_copy(update={"seed": seed})
                runs.append(Run(name, fold, seed, recipe, _pretraining(ablation.every[name], name, recipe)))
    return tuple(runs)


def _pretraining(variant: Variant, name: str, recipe: Recipe) -> PretrainRecipe | None:
    """The pretraining that fits a run: its model and seed, and nobody whom it leaves out."""
    if variant.pretrain is None:
        return None
    try:
        plan = PretrainRecipe.model_validate(
            {**variant.pretrain, "name": name, "seed": recipe.seed, "model": recipe.model.model_dump()}
        )
        unseen = {people_of(s) or s for s in recipe.left_out}
        train = [s for s in plan.train if s not in recipe.left_out and (people_of(s) or s) not in unseen]
        return PretrainRecipe.model_validate({**plan.model_dump(), "train": train})
    except ValidationError as error:
        raise BadRecipe(f"variant '{name}', pretraining: {_problems(error)}") from None


def _resolved(ablation: Ablation, name: str, variant: Variant) -> Recipe:
    fields = ablation.base if variant.recipe is None else variant.recipe
    try:
        for changes in (ablation.common, variant.changes):
            fields = with_changes(fields, changes)
        return Recipe.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise BadRecipe(f"variant '{name}': {_problems(error)}") from None
    except BadRecipe as error:
        raise BadRecipe(f"variant '{name}': {error}") from None


def _yaml(path: Path, what: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRecipe(f"no {what} '{path}': {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{what} '{path}' is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise BadRecipe(f"{what} '{path}' is not a list of fields")
    return content


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in e['loc']) or 'fields'}: {e['msg']}" for e in error.errors())
