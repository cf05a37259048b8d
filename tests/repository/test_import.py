"""`import kinelex` costs nothing, and every public name is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kinelex

HEAVY = ("aeon", "cyclopts", "matplotlib", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "torch", "transformers")


def loaded_after(statement: str) -> list[str]:
    """The heavy packages in a fresh interpreter that ran one statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_nothing_else() -> None:
    assert loaded_after("import kinelex") == []


def test_an_error_type_can_be_caught_without_numpy() -> None:
    assert loaded_after("import kinelex; kinelex.KinelexError") == []


@pytest.mark.parametrize("name", kinelex.__all__)
def test_a_public_name_resolves(name: str) -> None:
    assert getattr(kinelex, name) is not None
    assert name in dir(kinelex)


def test_public_names_agree_with_those_shown_to_type_checkers() -> None:
    assert set(kinelex._HOMES) | {"__version__"} == set(kinelex.__all__)
    source = Path(kinelex.__file__).read_text()
    shown = source[source.index("if TYPE_CHECKING:") : source.index("_HOMES = {")]
    assert all(name in shown for name in kinelex._HOMES)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kinelex.nothing


def test_the_package_is_typed() -> None:
    assert Path(kinelex.__file__).with_name("py.typed").is_file()
