"""The last good copies of indexes, on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import asdict, replace
from io import FileIO

from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import reason_of
from pacserve.indexes.freshness import Copy, copy_from
from pacserve.packages.files import FileRequest, HeldFile
from pacserve.transfer import partial

# Copies that are kept.  pacman.conf names a handful of repositories, each with two databases and their signatures.
COPIES_LIMIT = 128
# Bytes of the record of a copy.
_RECORD_LIMIT = 8192
_READ_BYTES = 1 << 20
_RECORD = ".json"
_OWN = re.compile(r"(?:\.partial-|[0-9a-f]{32}\.)(?:[0-9a-f]{16}|json)\Z")
# Not through links, and without waiting for the writer of a FIFO.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Copies:
    """
    Keeps each file with a record about it.  The record names the file and takes its place by rename, so that both change in one moment.

    Names are digests of repository, architecture and file name, so that no request leads out of the folder.

    Args:
        size_limit: Bytes that a copy may have.
        count_limit: Copies; the least recently used goes first.
    """

    _log = Logger()

    def __init__(self, directory: str, size_limit: int, count_limit: int = COPIES_LIMIT) -> None:
        self._directory = directory
        self._size_limit = size_limit
        self._count_limit = count_limit
        # Files whose content has the digest of the record, since it was read or written by this daemon.
        self._proven: set[str] = set()
        self._complaints = Complaints(self._log)

    def open(self) -> None:
        """Removes files that never became complete or have no record.  A folder that can't be used is logged, and holds nothing."""
        try:
            os.makedirs(self._directory, mode=0o755, exist_ok=True)  # noqa: PTH103
            names = [name for name in os.listdir(self._directory) if _OWN.match(name)]  # noqa: PTH208
        except OSError as error:
            self.failed(error)
            return
        kept: set[str] = set()
        for name in names:
            if name.endswith(_RECORD):
                copy = self._read(name)
                if copy is not None and name == f"{_key(copy)}{_RECORD}":
                    kept |= {name, _file(copy)}
        for name in names:
            if name not in kept:
                self._unlink(name)

    def failed(self, error: OSError) -> None:
        """Takes note of an error of the folder or of a file in it, and logs it once."""
        reason = reason_of(error, self._directory)
        trouble = f"databases can't be kept in {self._directory}: {reason}; let pacserve write there and see that the disk has room"
        self._complaints.about("folder", trouble)

    def find(self, request: FileRequest) -> Copy | None:
        """Returns the copy of a file, if there is one whose content has not changed: all of it is read once in the life of this daemon."""
        copy = self._read(f"{_key(request)}{_RECORD}")
        if copy is None or (copy.repo, copy.arch, copy.name) != (request.repo, request.arch, request.name):
            return None
        held = self.hold(copy)
        if held is None:
            return None
        with held.file as file:
            if _file(copy) not in self._proven:
                if _digest(file) != copy.sha256:
                    self._log.warn("the copy of {request} is damaged, and is fetched again", request=request)
                    self._remove(_key(copy))
                    return None
                self._proven.add(_file(copy))
        return copy

    def hold(self, copy: Copy) -> HeldFile | None:
        """Opens a copy, and notes that it was used; None where it has gone.  The caller closes it."""
        try:
            descriptor = os.open(f"{self._directory}/{_file(copy)}", _READ)
        except OSError:
            return None
        file = FileIO(descriptor, "rb")
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != copy.size:
            file.close()
            return None
        with contextlib.suppress(OSError):
            os.utime(f"{self._directory}/{_key(copy)}{_RECORD}")
        return HeldFile(copy.name, file, copy.size, int(found.st_mtime), f'"{copy.sha256}"')

    def has_room(self, size: int) -> bool:
        """Returns whether the disk takes a file of so many bytes, and is not full after that."""
        try:
            os.makedirs(self._directory, mode=0o755, exist_ok=True)  # noqa: PTH103 - the user may have cleaned up
            return partial.has_room(self._directory, size)
        except OSError:
            return False

    def create(self) -> FileIO:
        """
        Returns a new empty file, for `keep` or `discard`.

        Raises:
            OSError: It can't be made.
        """
        os.makedirs(self._directory, mode=0o755, exist_ok=True)  # noqa: PTH103 - the user may have cleaned up
        return partial.create(self._directory)

    def keep(self, file: FileIO, copy: Copy, stated: int | None) -> Copy:
        """
        Puts a complete file in the place of the copy that was there.

        Args:
            copy: The record of the file, but for `data`.
            stated: The Last-Modified that clients are told, in seconds since the epoch; None for now.

        Returns:
            The record with `data`.

        Raises:
            OSError: It can't be kept.
        """
        before = self._read(f"{_key(copy)}{_RECORD}")
        copy = replace(copy, data=secrets.token_hex(8))
        if stated is not None:
            os.utime(file.fileno(), (stated, stated))
        os.rename(partial.path_of(file), f"{self._directory}/{_file(copy)}")  # noqa: PTH104
        try:
            self.note(copy)
        except OSError:
            self._unlink(_file(copy))
            raise
        self._proven.add(_file(copy))
        if before is not None:
            self._unlink(f"{_key(copy)}.{before.data}")
        self._trim(_key(copy))
        self._complaints.about("folder", "")
        return copy

    def note(self, copy: Copy) -> None:
        """
        Writes the record of a copy.

        Raises:
            OSError: It can't be written.
        """
        with self.create() as record:
            try:
                record.write(json.dumps(asdict(copy)).encode())
                os.rename(partial.path_of(record), f"{self._directory}/{_key(copy)}{_RECORD}")  # noqa: PTH104
            except OSError:
                self.discard(record)
                raise

    def discard(self, file: FileIO) -> None:
        """Removes a file that did not become complete."""
        partial.discard(file)

    def _read(self, name: str) -> Copy | None:
        try:
            with FileIO(os.open(f"{self._directory}/{name}", _READ), "rb") as file:
                return decode(file.read(_RECORD_LIMIT), self._size_limit)
        except OSError:
            return None

    def _trim(self, newest: str) -> None:
        used: list[tuple[float, str]] = []
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            records = [entry for entry in entries if _OWN.match(entry.name) and entry.name.endswith(_RECORD)]
            used = [(entry.stat(follow_symlinks=False).st_mtime, entry.name.removesuffix(_RECORD)) for entry in records]
        old = [key for _, key in sorted(used) if key != newest]
        for key in old[: max(0, len(used) - self._count_limit)]:
            self._remove(key)

    def _remove(self, key: str) -> None:
        """Removes a copy; its readers read on."""
        self._unlink(f"{key}{_RECORD}")
        for name in list(self._files_of(key)):
            self._unlink(name)

    def _files_of(self, key: str) -> Iterator[str]:
        with contextlib.suppress(OSError):
            yield from (name for name in os.listdir(self._directory) if name.startswith(f"{key}.") and _OWN.match(name))  # noqa: PTH208

    def _unlink(self, name: str) -> None:
        self._proven.discard(name)
        with contextlib.suppress(OSError):
            os.unlink(f"{self._directory}/{name}")  # noqa: PTH108


def decode(data: bytes, size_limit: int) -> Copy | None:
    """Returns the copy that a record describes; None where it describes none.  It may have been damaged, or written by another program."""
    try:
        return copy_from(json.loads(data), size_limit)
    except (ValueError, RecursionError):
        return None


def _key(what: FileRequest | Copy) -> str:
    """Returns the name of a record without its suffix: a digest, since no part of a request has a slash."""
    return hashlib.blake2b(f"{what.repo}/{what.arch}/{what.name}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _file(copy: Copy) -> str:
    return f"{_key(copy)}.{copy.data}"


def _digest(file: FileIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()
