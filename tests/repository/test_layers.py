"""Imports only go down the list of folders: a folder uses what stands above it, never what stands below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LAYERS = (
    "errors", "artifact", "hub", "signal", "readers", "datasets", "language", "model", "training", "retrieval",
    "backbones", "recognition", "evaluation", "serving", "scale", "cli",
)  # fmt: skip
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "kinelex"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(path: Path) -> set[str]:
    """The first name after ``kinelex.`` in every import of a file, wherever it stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            modules = [node.module or ""]
            if node.module == "kinelex":
                modules = [f"kinelex.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in modules if name.startswith("kinelex.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    home = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert home in LAYERS, f"'{home}' has no place in the list: give it one"
    allowed = set(LAYERS[: LAYERS.index(home) + 1])
    assert imported(path) & set(LAYERS) <= allowed
