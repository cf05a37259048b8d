"""Which index a memory is searched with, and a built one beside the examples, so that nobody builds it twice.

::

    MEMORY/index.json   which engine, how tuned; the exact one without it
    MEMORY/index/       what that engine had built, where building takes long; safe to remove
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from kinelex.artifact import read_manifest, staged_folder, write_manifest, write_text
from kinelex.errors import ArtifactError, CorruptArtifact, StoreInUse
from kinelex.retrieval.indexes import FaissIndex, IndexConfig, VectorIndex, open_index
from kinelex.retrieval.store import ExampleStore

CHOICE = "index.json"
BUILT = "index"
KIND = "vector-index"
VERSION = 1

KEPT_FROM = 1000
"""With fewer vectors, building an index takes no longer than reading one."""
_CHANGED = 0.1
"""Share of the vectors that may be new or gone before an index is written again."""


def chosen(folder: str | Path) -> IndexConfig:
    """The index that was chosen for a memory; the exact one where none was.

    Raises:
        CorruptArtifact: the file is no choice of an index.
    """
    path = Path(folder) / CHOICE
    try:
        return IndexConfig.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return IndexConfig()
    except (OSError, ValidationError) as error:
        raise CorruptArtifact(f"'{path}' names no index ({error}): choose one again") from None


def choose(folder: str | Path, config: IndexConfig) -> None:
    """Search a memory with this index from now on, whoever opens it.

    Raises:
        StoreInUse: somebody else is writing to the memory.
    """
    # Whoever else writes there would take what is not finished for the remains of a crash.
    with ExampleStore.write(folder):
        write_text(Path(folder) / CHOICE, config.model_dump_json(indent=1) + "\n")
        shutil.rmtree(Path(folder) / BUILT, ignore_errors=True)


def open_built(folder: str | Path, width: int, config: IndexConfig) -> VectorIndex:
    """The index that was kept with a memory; an empty one where none was, or it is of another kind, or damaged."""
    with suppress(ArtifactError):
        built = Path(folder) / BUILT
        if config.engine == "faiss" and (built / "manifest.json").exists():
            of = read_manifest(built, KIND, VERSION)
            if (of.get("width"), of.get("config")) == (width, config.model_dump(mode="json")):
                return FaissIndex.read(built, width, config.metric, config.faiss)
    return open_index(width, config)


def keep_built(folder: str | Path, index: VectorIndex, config: IndexConfig, changed: int) -> bool:
    """Write an index beside its examples, where reading it saves time.

    Args:
        folder: of the memory.
        index: as it is now.
        config: what it was made from.
        changed: vectors that came or went since it was last written.

    Returns:
        Whether it was written; a folder that cannot be written to, or that somebody else writes to, is no error, as
        anybody can build it again.
    """
    if not isinstance(index, FaissIndex) or len(index) < KEPT_FROM or changed < _CHANGED * len(index):
        return False
    with suppress(OSError, StoreInUse), ExampleStore.write(folder), staged_folder(Path(folder) / BUILT) as draft:
        files = index.write(draft)
        write_manifest(draft, KIND, VERSION, files, {"width": index.width, "config": config.model_dump(mode="json")})
        return True
    return False
