"""What the project consists of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project_files(repository: Path) -> tuple[Path, ...]:
    """Every file of the project that git tracks or would track; without git, what an archive of it holds."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
        names = [name for name in done.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(repository)) for path in repository.rglob("*")]
        names = [name for name in names if not any(_made(part) for part in Path(name).parent.parts)]
    return tuple(path for name in sorted(names) if (path := repository / name).is_file())


def _made(folder: str) -> bool:
    """Whether a folder was made by make or a tool."""
    return folder in {"__pycache__", "build", "dist"} or (folder.startswith(".") and folder != ".ci")
