"""Fetching a file of a public data set: resumed, retried, from mirrors, checked; nothing partial under its final name.

What has arrived lies in ``.NAME.part`` with a note of what it is a part of, so that a download that broke off, was
killed or filled the disk goes on where it stopped. A file whose owner publishes no hash is held to the length that
the server tells and, for archives, to being one; its own hash is noted when it is first whole, and checked from then.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinelex.artifact import sha256, write_json
from kinelex.datasets.catalog import RemoteFile
from kinelex.errors import DownloadFailed

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Called with bytes that are here and bytes in all, None where the server does not tell."""

_BLOCK = 1 << 20
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which asking again can help."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Args:
        attempts: tries per address that bring nothing new; one that brought at least a byte does not count.
        timeout_s: seconds without a single byte after which a connection counts as lost.
        wait_s: seconds before the second try; doubled before each further one.
    """

    attempts: int = 4
    timeout_s: float = 30.0
    wait_s: float = 1.0


class _Refused(Exception):
    """This address does not have the file."""


class _Broken(Exception):
    """The transfer broke off; what has arrived is good."""


class _Wrong(Exception):
    """What has arrived is not the file."""


def download(
    file: RemoteFile, folder: str | Path, *, progress: Progress | None = None, patience: Patience | None = None
) -> Path:
    """Fetch a file into a folder, or find it there.

    Args:
        file: its name, its addresses, and its size and hash as far as published.
        folder: where it goes; made when missing.
        progress: told after every block.
        patience: how long to try.

    Returns:
        The path of the whole file.

    Raises:
        DownloadFailed: no address gave the whole file, or the disk is full; the message says what each answered. What
            has arrived stays, and the same call goes on there.
    """
    folder = Path(folder)
    target = folder / file.name
    if _is_whole(target, file):
        return target
    patience = patience or Patience()
    tell: Progress = progress or (lambda done, total: None)
    answers = []
    for url in file.urls:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = _Part(folder, file.name, url)
            try:
                _fetch_patiently(part, file, tell, patience)
                _check(part.path, file)
            except _Wrong:
                doubtful = part.pieces > 1 or not part.length_told
                part.drop()
                if not doubtful:
                    raise
                # Perhaps the pieces were of two versions of the file, or its end went missing: take it once more.
                _fetch_patiently(part, file, tell, patience)
                _check(part.path, file)
            _keep(part, target)
            return target
        except _Wrong as error:
            part.drop()
            answers.append(f"{url}: {error}")
        except (_Refused, _Broken) as error:
            answers.append(f"{url}: {error}")
        except OSError as error:
            raise DownloadFailed(_about_disk(error, folder, file)) from None
    raise DownloadFailed(
        f"'{file.name}' could not be fetched ({'; '.join(answers)}): try again later, or download it in a browser and"
        f" put it at '{target}'"
    )


class _Part:
    """What has arrived of a file from one address."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.path, self.note, self.url = folder / f".{name}.part", folder / f".{name}.part.json", url
        self.validator: str | None = None
        self.total: int | None = None
        self.pieces = 0
        self.length_told = True
        try:
            note = json.loads(self.note.read_bytes())
            if note["url"] == url and self.path.is_file():
                self.validator, self.total, self.pieces = note["validator"], note["bytes"], 1
                return
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self.drop()

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, validator: str | None, total: int | None) -> None:
        """Start from nothing with a file of this version and size."""
        self.drop()
        self.validator, self.total = validator, total
        write_json(self.note, {"url": self.url, "validator": validator, "bytes": total})

    def drop(self) -> None:
        """Forget what has arrived."""
        self.pieces, self.total = 0, None
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _fetch_patiently(part: _Part, file: RemoteFile, tell: Progress, patience: Patience) -> None:
    tries, most = 0, part.size
    while True:
        try:
            return _fetch(part, file, tell, patience)
        except _Broken as error:
            tries = 0 if part.size > most else tries + 1
            most = max(most, part.size)
            if tries >= patience.attempts:
                raise
            wait = patience.wait_s * 2 ** max(0, tries - 1)
            log.info("%s: %s; trying again in %.0f s, with %d bytes here", part.url, error, wait, part.size)
            time.sleep(wait)


def _fetch(part: _Part, file: RemoteFile, tell: Progress, patience: Patience) -> None:
    """One request; appends to what is here when the server agrees that it is the same file."""
    import urllib3

    if part.total is not None and part.size == part.total:
        return  # it arrived whole, and was killed before it got its name
    here = part.size if part.validator else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "kinelex"}
    if here:
        headers |= {"Range": f"bytes={here}-", "If-Range": part.validator or ""}
    retries = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=10)
    try:
        with urllib3.PoolManager() as pool:
            response = pool.request(
                "GET", part.url, headers=headers, preload_content=False, timeout=patience.timeout_s, retries=retries
            )
            try:
                total = _answer(response, part, file, here)
                _receive(response, part, total, tell)
            finally:
                response.close()
    except urllib3.exceptions.MaxRetryError as error:
        if isinstance(error.reason, urllib3.exceptions.ResponseError):
            raise _Refused("it redirects without end") from None
        raise _Broken(_in_words(error.reason or error)) from None
    except urllib3.exceptions.LocationValueError as error:
        raise _Refused(f"no such address ({error})") from None
    except urllib3.exceptions.HTTPError as error:
        raise _Broken(_in_words(error)) from None


def _answer(response: BaseHTTPResponse, part: _Part, file: RemoteFile, here: int) -> int | None:
    """Make ready for what the server is going to send; returns the size of the whole file where it is known."""
    status = response.status
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
        part.drop()
        raise _Broken("the server has fewer bytes than are here: starting over")
    if status in _PASSING:
        raise _Broken(f"the server answered {status}")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise _Refused(f"the server answered {status} {_phrase(status)}".rstrip())
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not file.name.endswith((".html", ".htm")):
        raise _Refused("the server sent a web page instead of the file")
    length = _number(response.headers.get("Content-Length"))
    if status == HTTPStatus.PARTIAL_CONTENT:
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != here:
            part.drop()
            raise _Broken("the server sent another part than was asked for: starting over")
        total = None if span[3] == "*" else int(span[3])
    else:
        etag = response.headers.get("ETag", "")
        # A weak tag does not promise the same bytes.
        part.begin(etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified"), length)
        total = length
    if total is not None and file.bytes is not None and total != file.bytes:
        raise _Wrong(f"the server has {total} bytes, the published size is {file.bytes}")
    part.length_told = total is not None
    total = total if total is not None else file.bytes
    free = shutil.disk_usage(part.path.parent).free
    if total is not None and total - part.size > free:
        raise OSError(errno.ENOSPC, f"{(total - part.size) / 1e6:.0f} MB to come, {free / 1e6:.0f} MB free")
    return total


def _receive(response: BaseHTTPResponse, part: _Part, total: int | None, tell: Progress) -> None:
    from urllib3.exceptions import ProtocolError

    part.pieces += 1
    with part.path.open("ab") as out:
        done = out.tell()
        tell(done, total)
        try:
            for block in response.stream(_BLOCK, decode_content=False):
                out.write(block)
                done += len(block)
                tell(done, total)
        except ProtocolError:
            raise _Broken(f"the connection ended after {done} of {total or 'unknown'} bytes") from None
        finally:
            out.flush()
            os.fsync(out.fileno())
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done} of {total} bytes")


def _is_whole(target: Path, file: RemoteFile) -> bool:
    """Whether the file is there; one that a person put there by hand counts when it passes the same checks."""
    if not target.is_file():
        return False
    try:
        _check(target, file)
        noted = _receipt(target).get("sha256")
        if noted is not None and file.sha256 is None and sha256(target) != noted:
            raise _Wrong("it changed since it was downloaded")
    except _Wrong as error:
        log.warning("'%s' is damaged (%s): fetching it again", target, error)
        return False
    return True


def _check(path: Path, file: RemoteFile) -> None:
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise _Wrong(f"it has {size} bytes, the published size is {file.bytes}")
    if file.sha256 is not None and sha256(path) != file.sha256:
        raise _Wrong("its SHA-256 is not the published one")
    suffix = Path(file.name).suffix.lower()
    readable = True
    if suffix == ".zip":
        readable = zipfile.is_zipfile(path)
    elif suffix in (".tar", ".gz", ".tgz", ".bz2", ".xz") and ".t" in file.name.lower():
        readable = tarfile.is_tarfile(path)
    if not readable:
        raise _Wrong(f"it is no {suffix[1:]} archive")
    if not size:
        raise _Wrong("it is empty")


def _keep(part: _Part, target: Path) -> None:
    write_json(_receipt_path(target), {"url": part.url, "bytes": part.size, "sha256": sha256(part.path)})
    os.replace(part.path, target)
    part.note.unlink(missing_ok=True)


def _receipt_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def _receipt(target: Path) -> dict[str, Any]:
    try:
        found = json.loads(_receipt_path(target).read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _about_disk(error: OSError, folder: Path, file: RemoteFile) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"no room for '{file.name}' in '{folder}' ({error.strerror}): free some space and call again,"
            " it goes on where it stopped"
        )
    return f"'{file.name}' cannot be written to '{folder}': {error.strerror or error}"


def _in_words(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return words.rpartition("object at")[2].partition(">: ")[2] or words or type(error).__name__


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
