"""The rules of `tests/conftest.py` and of the pytest settings hold: shown on a small project that breaks them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import warnings
import pytest
import numpy
from kinelex.model.shaped import transpose

def test_that_needs_recordings(recordings_dir):
    pytest.skip("not now")

def test_that_expects_to_fail(recordings_dir):
    pytest.xfail("known")

def test_that_skips_for_another_reason():
    pytest.skip("not here")

def test_that_warns():
    warnings.warn("careful", stacklevel=1)

def test_with_a_wrong_shape():
    transpose(numpy.zeros((2, 3)))
"""

SHAPED = """
from __future__ import annotations
from jaxtyping import Float
from numpy import ndarray

def transpose(x: Float[ndarray, "row column"]) -> Float[ndarray, "column row"]:
    return x
"""


@pytest.fixture
def outcomes(repository: Path, tmp_path: Path):
    """Runs the small project, with or without recordings beside it, and gives the letter of each test's outcome."""
    project = tmp_path / "project"
    (project / "src" / "kinelex" / "model").mkdir(parents=True)
    (project / "tests").mkdir()
    for name in ("pyproject.toml", "tests/conftest.py", "src/kinelex/__init__.py"):
        shutil.copy(repository / name, project / name)
    (project / "src" / "kinelex" / "model" / "__init__.py").touch()
    (project / "src" / "kinelex" / "model" / "shaped.py").write_text(SHAPED)
    (project / "tests" / "test_small.py").write_text(TESTS)

    def run(*, recordings: bool) -> dict[str, str]:
        if recordings:
            (tmp_path / "shared" / "data").mkdir(parents=True)
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests"]
        page = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False).stdout
        return dict(re.findall(r"::(test_\w+) ([A-Z]+)", page))

    return run


def test_where_the_recordings_are_a_skip_for_want_of_them_fails(outcomes) -> None:
    assert outcomes(recordings=True) == {
        "test_that_needs_recordings": "FAILED",
        "test_that_expects_to_fail": "XFAIL",
        "test_that_skips_for_another_reason": "SKIPPED",
        "test_that_warns": "FAILED",
        "test_with_a_wrong_shape": "FAILED",
    }


def test_elsewhere_it_is_a_skip(outcomes) -> None:
    found = outcomes(recordings=False)
    assert found["test_that_needs_recordings"] == found["test_that_expects_to_fail"] == "SKIPPED"
