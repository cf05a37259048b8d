"""A recipe is checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelex.errors import BadRecipe
from kinelex.training import Recipe
from tests.training.conftest import small_recipe


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("test_set", ["motionsense", "mobifall", "mobiact", "basic_motions"])
@pytest.mark.parametrize("field", ["train", "left_out"])
def test_test_sets_can_be_neither_trained_on_nor_selected_with(tmp_path: Path, test_set: str, field: str) -> None:
    other = "train: [hapt]\n" if field == "left_out" else ""
    with pytest.raises(BadRecipe, match="zero-shot test set"):
        Recipe.read(written(tmp_path, f"name: x\n{other}{field}: [{test_set}]\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\ntrain: [hapt]\nstep: 3\n", "step"),
        ("name: x\ntrain: []\n", "train"),
        ("name: x\ntrain: [hapt]\nleft_out: [hapt]\n", "both"),
        ("name: x\ntrain: [hapt]\nsteps: many\n", "steps"),
        ("name: x\ntrain: [hapt]\nmodel: {width: 30, heads: 4}\n", "multiple of heads"),
        ("- a\n- b\n", "list of fields"),
        ("a: [\n", "not YAML"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_a_wrong_recipe_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadRecipe, match=says):
        Recipe.read(written(tmp_path, text))


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"nowhere\.yaml"):
        Recipe.read(tmp_path / "nowhere.yaml")


def test_leaving_a_set_out_takes_it_from_training() -> None:
    recipe = small_recipe().leaving_out("sisfall")
    assert (recipe.train, recipe.left_out) == (("hapt",), ("sisfall",))
    with pytest.raises(BadRecipe):
        small_recipe().leaving_out("hapt", "sisfall")


def test_every_field_says_what_it_is() -> None:
    def fields(model: type) -> list[str]:
        return [name for name, field in model.model_fields.items() if not (field.description or field.default_factory)]

    for part in (Recipe, *(f.default_factory for f in Recipe.model_fields.values() if f.default_factory)):
        assert not fields(part), part


RECIPES = sorted(
    p for p in (Path(__file__).parents[2] / "recipes").glob("*.yaml") if p.stem not in ("ablation", "pretrain")
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_shipped_recipes_are_whole(path: Path) -> None:
    Recipe.read(path)


def test_people_in_two_sets_are_not_trained_on_in_one_and_left_out_in_the_other() -> None:
    with pytest.raises(ValueError, match="uci_har and hapt have the same people"):
        Recipe(name="leaky", train=("uci_har", "wisdm"), left_out=("hapt",))
    assert Recipe(name="honest", train=("wisdm",), left_out=("hapt", "uci_har")).left_out == ("hapt", "uci_har")
