"""Who may do what with a store's files: one writer at a time, and no file is removed while somebody reads.

Both are locks of the operating system (flock) on files that are otherwise of no interest: they end with the process
that holds them, however it ends, and hold between threads of one process too.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from kinelex.errors import StoreInUse

WRITER = "writer.lock"
READERS = "readers.lock"


class WriterLock:
    """The right to write to a store, from its making until `release`.

    Raises:
        StoreInUse: another writer has it; the message says who.
    """

    def __init__(self, folder: Path) -> None:
        # Appending: opening must not wipe out who has it.
        self._file = (folder / WRITER).open("ab+", buffering=0)
        if not _flock(self._file, shared=False, wait=False):
            self._file.seek(0)
            who = self._file.read(500).decode(errors="replace").strip() or "another process"
            self._file.close()
            raise StoreInUse(f"{who} is writing to '{folder}': wait until it has closed the store")
        # For readers who may not make files here.
        (folder / READERS).touch()
        self._process = os.getpid()
        who = f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%F %T} UTC"
        self._say(who)

    def release(self) -> None:
        """Let others write; in a process that was forked from the writer's, only stop holding on to it."""
        if not self._file.closed and os.getpid() == self._process:
            self._say("")
            # Said in so many words: closing alone would leave the lock to processes that were forked meanwhile.
            _unlock(self._file)
        self._file.close()

    def _say(self, who: str) -> None:
        # A full disk must not keep anybody from making room in the store.
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(who.encode())


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep every file of the store until the end of the block; any number of readers may at once."""
    path = folder / READERS
    try:
        if not path.exists():
            path.touch()
        file = path.open("rb", buffering=0)
    except OSError:
        # A folder that this process may not write to, and that came without a lock.
        yield
        return
    with file:
        _flock(file, shared=True, wait=True)
        try:
            yield
        finally:
            _unlock(file)


@contextmanager
def nobody_reading(folder: Path) -> Iterator[bool]:
    """Whether files may be removed until the end of the block: nobody reads, and whoever wants to waits."""
    with (folder / READERS).open("ab", buffering=0) as file:
        alone = _flock(file, shared=False, wait=False)
        try:
            yield alone
        finally:
            if alone:
                _unlock(file)


def _flock(file: FileIO, *, shared: bool, wait: bool) -> bool:
    import fcntl  # Windows has none, and the rest of Kinelex is to be importable there.

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _unlock(file: FileIO) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_UN)
