"""Documents tell the truth: what they point at exists, and what they say is said the same way everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import kinelex
from kinelex.cli import COMMANDS

DOCUMENTS = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/gpu/QUEUE.md", "docs/tutorial.md",
    "docs/your-own-data.md", "docs/remembering.md", "docs/how-to.md", "docs/model.md", "docs/reports.md",
    "docs/experiments.md", "docs/reference.md", "docs/explanation.md",
)  # fmt: skip

FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:work|root|home|Users|tmp/\w+)/",
    "a registry's host": r"\b(?:pypi|pythonhosted|npmjs|download\.pytorch)\.org\b|--(?:extra-)?index-url",
    "an issue by its number": r"\bissues? #?\d+\b|\bGH-\d+\b",
    "a mark left behind": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "British spelling": r"\b(?:behaviour|colour|favour|centre|grey|normalis(?!ed\b)|optimis|recognis|regularis)\w*",
}


class StrictLoader(yaml.SafeLoader):
    """Refuses a mapping that has a key twice, which YAML loaders otherwise lose without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{node.start_mark}: {sorted(map(str, twice))} more than once"
        return super().construct_mapping(node, deep)


def texts(project_files: tuple[Path, ...]) -> dict[Path, str]:
    """The text of every file, but for the license and the list of forbidden words itself."""
    suffixes = {".py", ".md", ".toml", ".yaml", ".yml", ".cff", ".txt", ""}
    spared = {"LICENSE", Path(__file__).name}
    return {p: p.read_text() for p in project_files if p.suffix in suffixes and p.name not in spared}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_of_a_document_leads_somewhere(repository: Path, document: str) -> None:
    path = repository / document
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_in_a_document_exists(repository: Path, document: str) -> None:
    names = re.findall(r"`((?:src|tests|recipes|benchmarks|docs|\.ci)/[\w./-]*)`", (repository / document).read_text())
    assert [name for name in names if not (repository / name).exists()] == []


def test_the_project_map_is_the_package(repository: Path) -> None:
    page = (repository / "CONTRIBUTING.md").read_text()
    mapped = re.findall(r"^\| `([\w.]+)/?` \|", page, flags=re.MULTILINE)
    package = repository / "src" / "kinelex"
    there = {path.name for path in package.iterdir() if not path.name.startswith((".", "__pycache__"))}
    assert set(mapped) == there - {"py.typed"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_shown_in_a_document_exists(repository: Path, document: str) -> None:
    page = (repository / document).read_text()
    shown = re.findall(r"(?:`|^\$ (?:\.venv/bin/)?)kinelex ([a-z]+)", page, flags=re.MULTILINE)
    assert set(shown) <= set(COMMANDS)
    made = re.findall(r"(?:`|^\$ )make ((?:[a-z]+ ?)+)", page, flags=re.MULTILINE)
    assert {target for line in made for target in line.split()} <= set(make_targets(repository))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_has(project_files: tuple[Path, ...], repository: Path, what: str) -> None:
    found = [
        f"{path.relative_to(repository)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts(project_files).items()
        for match in re.finditer(FORBIDDEN[what], text)
    ]
    assert found == []


def test_all_yaml_loads_and_no_key_stands_twice(project_files: tuple[Path, ...]) -> None:
    files = [path for path in project_files if path.suffix in {".yaml", ".yml", ".cff"}]
    assert files
    for path in files:
        assert yaml.load(path.read_text(), StrictLoader), path


def test_no_file_is_a_drawer_for_leftovers(project_files: tuple[Path, ...], repository: Path) -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    names = [path.relative_to(repository).with_suffix("") for path in project_files]
    assert [name for name in names if drawers & set(name.parts)] == []


def test_the_version_is_the_same_everywhere(repository: Path) -> None:
    assert yaml.safe_load((repository / "CITATION.cff").read_text())["version"] == kinelex.__version__
    assert f"## [{kinelex.__version__}]" in (repository / "CHANGELOG.md").read_text()


def make_targets(repository: Path) -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", (repository / "Makefile").read_text(), flags=re.MULTILINE)


def test_make_alone_lists_every_target(repository: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    command = ["make", "--no-print-directory", "-C", str(repository)]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert make_targets(repository) == ["help", "demo", "test", "check", "bench", "clean"]
    assert [line.split()[1] for line in page.splitlines()] == make_targets(repository)


def test_every_dependency_is_pinned_and_nothing_else_decides(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values()), "a pin has a local or open version"
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    names = {re.split(r"[\[<>=!~ ]", line)[0].lower().replace("_", "-") for line in wanted} - {"kinelex"}
    assert names <= {name.lower().replace("_", "-") for name in pins}
    assert f"torch=={pins['torch']}\n" in (repository / "Makefile").read_text()
