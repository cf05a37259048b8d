"""What a user gets: the built packages hold everything that the code reads, and nothing big that it does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(repository: Path, project_files: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and a source archive, built from a copy of the project's files, without the network."""
    copy, out = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("built")
    for path in project_files:
        target = copy / path.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return out


def test_the_wheel_holds_every_file_of_the_package(
    built: Path, repository: Path, project_files: tuple[Path, ...]
) -> None:
    source = repository / "src"
    expected = {p.relative_to(source).as_posix() for p in project_files if p.is_relative_to(source)}
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
        entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert "kinelex = kinelex.cli:main" in wheel.read(entry_points).decode()
    assert found == expected
    assert {"kinelex/py.typed", "kinelex/cli/__init__.py"} <= found
    assert [name for name in found if name.endswith(".yaml")], "vocabulary and templates are data of the package"


def test_both_packages_stay_small(built: Path) -> None:
    for path in built.iterdir():
        assert path.stat().st_size < 12e6, f"{path.name} has {path.stat().st_size / 1e6:.1f} MB"


def test_the_source_archive_holds_the_project(built: Path, repository: Path, project_files: tuple[Path, ...]) -> None:
    spared = {".gitattributes", ".gitignore"}
    expected = {path.relative_to(repository).as_posix() for path in project_files} - spared
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - spared - {"PKG-INFO"} == expected
