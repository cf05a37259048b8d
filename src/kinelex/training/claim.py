"""What a run is, written into its folder: a folder belongs to one run, and is not gone on with as another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from kinelex.artifact import write_json
from kinelex.errors import BadRecipe
from kinelex.training.corpus import Corpus, Track


def claim(folder: Path, recipe: BaseModel, inputs: Mapping[str, str], *, aside: Sequence[str] = ()) -> str:
    """Write down what the run in this folder is, and check that one that is there already ends in the same weights.

    Args:
        folder: of the run.
        recipe: kept as recipe.json, every default written out.
        inputs: hashes of what it learns from, by what that is; kept as inputs.json.
        aside: fields of the recipe that do not decide the weights.

    Returns:
        A hash of all that decides the weights.

    Raises:
        BadRecipe: the folder holds a run of another recipe, or with other inputs.
    """
    path, inputs_path = folder / "recipe.json", folder / "inputs.json"
    if path.is_file():
        try:
            before = type(recipe).model_validate_json(path.read_bytes())
            learned: dict[str, str] = json.loads(inputs_path.read_bytes())
        except (ValueError, OSError):
            before, learned = None, {}
        if before is None or _of_weights(before, aside) != _of_weights(recipe, aside):
            raise BadRecipe(f"'{folder}' holds a run of another recipe: choose another folder, or remove it")
        if other := [what for what in {**inputs, **learned} if learned.get(what) != inputs.get(what)]:
            raise BadRecipe(
                f"'{folder}' holds a run with other {' and '.join(other)}: choose another folder, or remove it"
            )
    write_json(inputs_path, inputs)
    write_json(path, recipe.model_dump(mode="json"))
    return hashlib.sha256((_of_weights(recipe, aside) + json.dumps(inputs)).encode()).hexdigest()


def recordings_hash(corpus: Corpus, tracks: Sequence[Track]) -> str:
    """Hash of some tracks of a corpus: what they are said to be, and every sample of them."""
    digest = hashlib.sha256(repr(tracks).encode())
    for track in tracks:
        digest.update(corpus.samples[track.start : track.start + track.steps].tobytes())
    return digest.hexdigest()


def _of_weights(recipe: BaseModel, aside: Sequence[str]) -> str:
    """The part of a recipe that decides the weights, as text."""
    return recipe.model_dump_json(exclude=set(aside))
