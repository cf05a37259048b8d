"""Single fields of a recipe can be set from outside, and only fields that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadRecipe
from kinelex.training import Recipe
from kinelex.training.overrides import field_paths, parse_assignments, read_recipe, with_changes

TEXT = """
name: x
train: [hapt, wisdm]
steps: 10
model: {width: 64, layers: 1}
sampling: {weights: {hapt: 2.0}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "x.yaml"
    target.write_text(TEXT)
    return target


def test_what_is_set_takes_the_place_of_what_the_file_says_and_nothing_else_changes(path: Path) -> None:
    plain = Recipe.read(path)
    changed = read_recipe(path, ["model.width=192", "train=hapt,dsads", "optimizer.learning_rate=3e-4"], seed=7)
    assert (changed.model.width, changed.train, changed.seed) == (192, ("hapt", "dsads"), 7)
    assert changed.optimizer.learning_rate == 3e-4
    back = {"model": plain.model, "train": plain.train, "optimizer": plain.optimizer, "seed": plain.seed}
    assert changed.model_copy(update=back) == plain
    assert read_recipe(path) == plain


def test_it_is_set_before_the_recipe_is_validated(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(TEXT.replace("steps: 10", "steps: many").replace("width: 64", "width: 30"))
    assert read_recipe(broken, ["steps=5", "model.width=32"]).steps == 5
    with pytest.raises(BadRecipe, match=r"broken\.yaml.*steps"):
        read_recipe(broken, ["model.width=32"])
    with pytest.raises(BadRecipe, match="zero-shot test set"):
        read_recipe(broken, ["steps=5", "train=motionsense"])


def test_a_shape_is_named_like_a_field(tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text("name: x\ntrain: [hapt]\n")
    assert read_recipe(bare, ["model.preset=tiny", "model.layers=3"]).model.model_dump(
        include={"width", "layers"}
    ) == {"width": 64, "layers": 3}  # fmt: skip


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("model.widht=3", r"no field 'model\.widht': did you mean 'model\.width'"),
        ("learning_rate=1", r"did you mean 'optimizer\.learning_rate'"),
        ("qqqqqqqqqqqq=1", "no field 'qqqqqqqqqqqq': see"),
        ("steps.more=1", r"no field 'steps\.more'"),
        ("train.0=hapt", r"no field 'train\.0'"),
        ("model.width", "FIELD=VALUE"),
        ("=3", "FIELD=VALUE"),
        ("steps=", "FIELD=VALUE"),
        ("model={width: 3", "not YAML"),
        ("model=small", "model"),
    ],
)
def test_what_cannot_be_set_is_named_with_the_nearest_field(path: Path, assignment: str, says: str) -> None:
    with pytest.raises(BadRecipe, match=says):
        read_recipe(path, [assignment])


def test_a_field_is_set_once(path: Path) -> None:
    with pytest.raises(BadRecipe, match="'steps' is set twice"):
        read_recipe(path, ["steps=1", "steps=2"])


def test_a_section_that_the_file_fills_with_one_word_cannot_be_set_in_part() -> None:
    with pytest.raises(BadRecipe, match=r"'model\.width' cannot be set: its 'model' is 'small'"):
        with_changes({"model": "small"}, {"model.width": 3})
    assert with_changes({"model": None}, {"model.width": 3}) == {"model": {"width": 3}}


def test_a_file_that_is_no_recipe_is_named_as_ever(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"nowhere\.yaml"):
        read_recipe(tmp_path / "nowhere.yaml", ["steps=3"])


def test_sections_and_dotted_paths_are_the_same_change() -> None:
    content = {"model": {"width": 64, "layers": 1}}
    by_section = with_changes(content, {"model": {"width": 192, "heads": 3}, "sampling": {"weights": {"hapt": 1}}})
    by_path = with_changes(content, {"model.width": 192, "model.heads": 3, "sampling.weights": {"hapt": 1}})
    assert by_section == by_path == {
        "model": {"width": 192, "layers": 1, "heads": 3}, "sampling": {"weights": {"hapt": 1}}
    }  # fmt: skip
    assert content == {"model": {"width": 64, "layers": 1}}, "what was given stays as it was"


def test_entries_of_a_free_mapping_are_set_one_by_one_or_together() -> None:
    content = {"sampling": {"weights": {"hapt": 2.0}}}
    one = with_changes(content, parse_assignments(["sampling.weights.wisdm=3"]))
    assert one == {"sampling": {"weights": {"hapt": 2.0, "wisdm": 3}}}
    together = with_changes(content, parse_assignments(["sampling.weights={wisdm: 3}"]))
    assert together == {"sampling": {"weights": {"wisdm": 3}}}


@given(st.data())
def test_every_field_of_a_recipe_can_be_set(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(field_paths()))
    value = data.draw(st.integers() | st.booleans())
    found: Any = with_changes({}, {path: value})
    for part in path.split("."):
        found = found[part]
    assert found == value
