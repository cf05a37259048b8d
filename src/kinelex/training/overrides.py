"""Single fields of a recipe set from outside: ``--set model.width=192``, or the changes of an ablation's variant.

A field is named by its dotted path. What is named is checked against the recipe's sections before anything is replaced,
so that a misspelled path cannot become a change that does nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel

from kinelex.errors import BadRecipe
from kinelex.training.recipe import Readable, Recipe

R = TypeVar("R", bound=Readable)

_PRESET = "model.preset"
"""Names a shape to start from; it is taken apart before the model's fields are checked, and so is none of them."""


def read_recipe(path: str | Path, assignments: Iterable[str] = (), **fields: Any) -> Recipe:
    """Read a YAML recipe with single fields set otherwise, before it is validated.

    Args:
        path: the recipe.
        assignments: ``FIELD=VALUE`` each, as for `parse_assignments`.
        fields: top-level fields that replace those of the file, such as ``seed=1``.

    Raises:
        BadRecipe: as `Recipe.read`; or an assignment that names no field, or has no value.
    """
    return read_as(Recipe, path, assignments, **fields)


def read_as(kind: type[R], path: str | Path, assignments: Iterable[str] = (), **fields: Any) -> R:
    """Read a YAML recipe of any stage as `read_recipe` does.

    Args:
        kind: of which stage.
        path: the recipe.
        assignments: ``FIELD=VALUE`` each, as for `parse_assignments`.
        fields: top-level fields that replace those of the file.
    """
    changes = parse_assignments(assignments, kind)
    content = with_changes(_content(Path(path)), changes, kind)
    touched = {name.split(".")[0] for name in changes}
    return kind.read(path, **{**{name: content[name] for name in touched}, **fields})


def parse_assignments(assignments: Iterable[str], kind: type[BaseModel] = Recipe) -> dict[str, Any]:
    """``["model.width=192", "train=hapt,dsads"]`` as a mapping from path to value.

    A value is YAML; where the field is a list, commas divide it.

    >>> parse_assignments(["model.width=192", "train=hapt, dsads", "sampling.weights={hapt: 2}"])
    {'model.width': 192, 'train': ['hapt', 'dsads'], 'sampling.weights': {'hapt': 2}}

    Raises:
        BadRecipe: no ``FIELD=VALUE``, a field that recipes do not have, one that is set twice, or a value that is not
            YAML.
    """
    changes: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise BadRecipe(f"'{text}' is no FIELD=VALUE: write it like model.width=192")
        if name in changes:
            raise BadRecipe(f"'{name}' is set twice: once is enough")
        annotations = _annotations(name, kind)
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BadRecipe(f"the value of '{name}' is not YAML, check its brackets and quotes: {error}") from None
        if isinstance(parsed, str) and any(map(_is_list, annotations)):
            parsed = [part.strip() for part in parsed.split(",")]
        changes[name] = parsed
    return changes


def with_changes(
    content: Mapping[str, Any], changes: Mapping[str, Any], kind: type[BaseModel] = Recipe
) -> dict[str, Any]:
    """The fields of a recipe, not validated yet, with some of them replaced.

    Args:
        content: as in a YAML recipe; it is left as it is.
        changes: new values by dotted path, or by section as a recipe has them: ``{"model.width": 192}`` and ``{"model":
            {"width": 192}}`` are the same change.
        kind: of which stage the recipe is.

    Raises:
        BadRecipe: a path that recipes do not have, or one that leads through something that is no section.

    >>> with_changes({"model": {"width": 64, "layers": 1}}, {"model": {"width": 192}, "steps": 10})
    {'model': {'width': 192, 'layers': 1}, 'steps': 10}
    """
    changed = dict(content)
    for name, value in _leaves(changes, kind):
        _annotations(name, kind)
        changed = _replaced(changed, name.split("."), value, name)
    return changed


def field_paths(kind: type[BaseModel] = Recipe) -> list[str]:
    """The dotted path of every section and field of a recipe."""
    return [*_walk((kind,), ""), _PRESET]


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # `Recipe.read` will say what is wrong with it
    return content if isinstance(content, dict) else {}


def _leaves(changes: Mapping[str, Any], kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of each field that is changed; a mapping that stands for a section is taken apart."""
    for name, value in changes.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and _sections(_annotations(path, kind)):
            yield from _leaves(value, kind, f"{path}.")
        else:
            yield path, value


def _replaced(content: Mapping[str, Any], parts: Sequence[str], value: Any, name: str) -> dict[str, Any]:
    first, *rest = parts
    if not rest:
        return {**content, first: value}
    inner = content.get(first)
    if inner is not None and not isinstance(inner, Mapping):
        raise BadRecipe(f"'{name}' cannot be set: its '{first}' is {inner!r} in the recipe, so set that as a whole")
    return {**content, first: _replaced(inner or {}, rest, value, name)}


def _annotations(name: str, kind: type[BaseModel]) -> list[Any]:
    """The types that the field at this path may have; none for the free entries of a mapping.

    Raises:
        BadRecipe: recipes have no such field; the message names the nearest.
    """
    if name == _PRESET:
        return [str]
    found: list[Any] = [kind]
    for part in name.split("."):
        sections = _sections(found)
        if not sections and any(get_origin(one) is dict for one in found):
            return []
        found = [
            one
            for section in sections
            if part in section.model_fields
            for one in _alternatives(section.model_fields[part].annotation)
        ]
        if not found:
            raise BadRecipe(f"recipes have no field '{name}': {_hint(name, kind)}")
    return found


def _hint(name: str, kind: type[BaseModel]) -> str:
    paths = field_paths(kind)
    last = name.rpartition(".")[2]
    elsewhere = [path for path in paths if path.rpartition(".")[2] == last]
    near = elsewhere or difflib.get_close_matches(name, paths, n=1, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(repr(path) for path in near)}?"
    return f"see kinelex.training.{kind.__name__}"


def _walk(sections: Sequence[type[BaseModel]], prefix: str) -> Iterator[str]:
    for section in sections:
        for name, field in section.model_fields.items():
            yield f"{prefix}{name}"
            yield from _walk(_sections(_alternatives(field.annotation)), f"{prefix}{name}.")


def _sections(annotations: Iterable[Any]) -> list[type[BaseModel]]:
    return [one for one in annotations if isinstance(one, type) and issubclass(one, BaseModel)]


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, without what is written around them."""
    if isinstance(annotation, type) or get_origin(annotation) in (dict, tuple, list, frozenset, set):
        return [annotation]
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _alternatives(get_args(annotation)[0])
    return [one for part in get_args(annotation) for one in _alternatives(part)] or [annotation]


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list, frozenset, set)
