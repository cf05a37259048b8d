"""The official files of a public data set: downloaded and unpacked, or put there by a person and checked.

::

    ROOT/downloads/hapt/hapt.zip     as the owner serves it
    ROOT/raw/hapt/…                  unpacked, in the owner's own layout
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kinelex.artifact import staged
from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.download import Patience, download
from kinelex.datasets.store import data_root
from kinelex.datasets.unpacking import is_archive, unpack
from kinelex.errors import DownloadFailed, UnreadableFile

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, bytes done, and bytes in all, None where nobody tells."""


def raw_folder(entry: CatalogEntry, root: str | Path | None = None) -> Path:
    """Where the official files of a set lie, or go."""
    return (data_root() if root is None else Path(root)) / "raw" / entry.name


def missing(entry: CatalogEntry, folder: Path) -> list[str]:
    """The patterns of the entry that no file in the folder matches; none when the set is there."""
    return [pattern for pattern in entry.expects if next(folder.glob(pattern), None) is None]


def get(
    entry: CatalogEntry,
    root: str | Path | None = None,
    *,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Get the official files of a set; what is there already is not fetched again.

    Args:
        entry: from the catalog.
        root: the folder of all data sets, `data_root` when left out.
        progress: told about downloads and unpacking.
        patience: how long to try every address.

    Returns:
        The folder of its files.

    Raises:
        DownloadFailed: no address gave a file, or the owner wants to be asked; the message says what to do.
        UnreadableFile: what came, or what was put there, is damaged or another set.
        UnsafeArchive: an archive that would write elsewhere, or unpack without end.
    """
    tell: Progress = progress or (lambda what, done, total: None)
    folder = raw_folder(entry, root)
    if folder.is_dir() and not missing(entry, folder):
        return folder
    if entry.access == "open":
        _fetch(entry, folder, tell, patience)
    else:
        _unpack_what_was_put(entry, folder, tell)
    if lacks := missing(entry, folder):
        raise UnreadableFile(
            f"what is in '{folder}' is not '{entry.name}' as the catalog knows it: no file like {', '.join(lacks)}"
            f" (it should hold: {entry.layout})"
        )
    return folder


def _fetch(entry: CatalogEntry, folder: Path, tell: Progress, patience: Patience | None) -> None:
    downloads = folder.parents[1] / "downloads" / entry.name
    for file in entry.files:
        path = download(file, downloads, progress=partial(tell, f"downloading {file.name}"), patience=patience)
        # A set of several files keeps them apart; one archive is the set.
        home = folder if len(entry.files) == 1 else folder / Path(file.name).stem
        if is_archive(path):
            unpack(path, home, progress=partial(tell, f"unpacking {file.name}"))
        elif path.suffix.lower() in (".rar", ".7z"):
            raise UnreadableFile(
                f"'{path}' needs a program of its own (such as 7z): unpack it into '{home}' and call again"
            )
        else:
            with staged(home / file.name) as draft:
                shutil.copyfile(path, draft)


def _unpack_what_was_put(entry: CatalogEntry, folder: Path, tell: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        steps = " ".join(f"({i}) {step}" for i, step in enumerate(entry.how, 1))
        raise DownloadFailed(f"'{entry.name}' cannot be downloaded by a program: {steps} The folder is '{folder}'.")
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_archive(path):
            home = path.with_name(path.name.split(".")[0])
            unpack(path, home, progress=partial(tell, f"unpacking {path.name}"))
