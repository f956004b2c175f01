"""The folder that downloads are written to and kept in."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import ConfigurationError, plain_reason, reason_of
from pacserve.http.validators import is_to_come
from pacserve.packages.files import ExpectedFile
from pacserve.packages.marks import mark
from pacserve.packages.names import is_signature, shared_file, signature_of
from pacserve.transfer import partial
from pacserve.transfer.partial import PARTIAL
from pacserve.transfer.stores import KeptFile, Store
from pacserve.transfer.unfinished import share_of
from pacserve.transfer.unfinished_store import UnfinishedStore
from pacserve.transfer.unverified import UnverifiedFiles

# Seconds without use after which a file that another package cache holds as well is given up: by then every host that was told a moment ago to
# fetch it from here has begun, and reads on.
UNUSED_TIME = 60.0
# The part of its limit that a spool is below it after files were removed, so that a full one is not read again for each file that arrives: with
# packages of 20 KB and 20,000 files that is once for a thousand.
_SLACK = 1 / 20
# Locked by the daemon that has the spool.  A folder with this file is a spool: in any other nothing is renamed or removed, ever.
_LOCK = ".pacserve-spool"
# Left behind by a daemon that ended as it should, so that the disk has everything that was written.
_CLEAN_END = ".clean"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Errors that say nothing of the folder: the disk is full, this process has too many files open, the user has cleaned up meanwhile, or the file can't
# be marked.
_NOT_THE_FOLDER = _FULL | {errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.ENOTSUP}


class _ForeignError(OSError):
    """The folder holds files that are not the spool's."""


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """
    A complete file of the spool.

    Attributes:
        used: When it was last read, as far as the file system notes that, or written, in seconds since the epoch.
        identity: The same for two names of one file: device and inode.
    """

    name: str
    size: int
    used: float
    identity: tuple[int, int]


# Gives when another place of this host last changed its own copy of a file, in seconds since the epoch; None where it has none.  In any thread.
Elsewhere = Callable[[SpooledFile], float | None]


class Spool(Store):
    """
    Holds complete files in a folder `pkg`, which is a package cache like any other, and beside it the files that are still arriving, or did not
    become complete.

    Args:
        limit: Bytes of all files together that do not arrive just now; the least recently used go first, and a few more of them than need be.
        failed: Called with what is wrong and what to do, when the folder could not be used although it was open.  A full disk is no such case.

    Attributes:
        packages: The folder of the complete files.
        unfinished: The files that are not complete and survive.
        unverified: Complete files of a daemon that did not end as it should.
    """

    _log = Logger()

    def __init__(self, directory: str, limit: int, failed: Callable[[str], object] = lambda _: None) -> None:
        self.directory = directory
        self._unusable = failed
        self.packages = f"{directory}/pkg"
        self.unfinished = UnfinishedStore(directory)
        self.unverified = UnverifiedFiles(directory, self.packages, lambda: self._lock is not None)
        self._limit = limit
        self._lock: FileIO | None = None
        self._complaints = Complaints(self._log)
        # Bytes of the largest file that the disk had no room for, of which the log knows.
        self._refused: int | None = None
        # Bytes of the files when they were read last, None before that, and of those that were published since.
        self._counted: int | None = None
        self._added = 0

    def open(self, filled: str | None = None) -> None:
        """
        Makes the folder where it is missing, takes possession of it, and removes files of earlier daemons that nobody can go on with.

        Args:
            filled: The package cache that pacman fills, which does not become a spool, not even while it is empty.

        Raises:
            ConfigurationError: The folder can't be used, another daemon uses it, or it has packages and is no spool.
        """
        try:
            if filled is not None and not os.path.lexists(f"{self.directory}/{_LOCK}") and _is_same(self.packages, filled):
                raise _ForeignError(errno.EEXIST, "pacman keeps its own packages there")
            self._own()
        except OSError as error:
            self.close()
            raise ConfigurationError(self._explain(error)) from error
        folder = Path(self.directory)
        for path in folder.glob(f"{PARTIAL}*"):
            with contextlib.suppress(OSError):
                path.unlink()
        clean = True
        try:
            (folder / _CLEAN_END).unlink()
        except OSError:
            clean = False
        self.unfinished.open(clean=clean)
        if not clean:
            # The daemon before crashed, or the machine did: of files that were not written out the disk may hold zeros.
            for file in self.files():
                self.unverified.hide(file.name)

    def close(self) -> None:
        """Gives the folder up."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                Path(self.directory, _CLEAN_END).touch()
            self._lock.close()
            self._lock = None

    def _own(self) -> None:
        """
        Makes the folder where it is missing and takes possession of it, also when the user has cleaned up since.

        Raises:
            BlockingIOError: Another daemon has it.
            _ForeignError: The folder of the packages is not empty, and was never a spool's.
            OSError: The folder can't be used.
        """
        os.makedirs(self.packages, mode=0o755, exist_ok=True)  # noqa: PTH103
        with contextlib.suppress(FileNotFoundError):
            # The lock on a file that was removed says nothing of the one that has its name now.
            if self._lock is not None and os.path.samestat(os.fstat(self._lock.fileno()), os.lstat(f"{self.directory}/{_LOCK}")):
                return
        create = 0 if os.listdir(self.packages) else os.O_CREAT  # noqa: PTH208
        try:
            lock = FileIO(os.open(f"{self.directory}/{_LOCK}", os.O_RDWR | create | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644), "r+b")
        except FileNotFoundError:
            raise _ForeignError(errno.ENOTEMPTY, "it has files that pacserve did not put there") from None
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise
        if self._lock is not None:
            self._lock.close()
        self._lock = lock

    def has_room(self, size: int, sha256: bytes | None = None) -> bool:
        with self._noted():
            self._own()
            there = self.unfinished.taken(sha256, size)
            room = partial.has_room(self.directory, size - there)
            if not room and partial.has_room(self.directory, size - there - self.unfinished.removable(sha256)):
                while not (room := partial.has_room(self.directory, size - there)) and self.unfinished.remove_oldest(sha256):
                    pass
        if not room and self._refused is None:
            self._log.warn("the disk of the spool {folder} has no room: pacman is redirected until it has", folder=self.directory)
        if not room:
            self._refused = max(size, self._refused or 0)
        elif self._refused is not None and size >= self._refused:
            self._refused = None
        return room

    def create(self) -> FileIO:
        with self._noted():
            self._own()
            return partial.create(self.directory)

    def keep(self, name: str, expected: ExpectedFile | None) -> KeptFile | None:
        with self._noted():
            self._own()
        return self.unfinished.begin(name, expected)

    def beginning(self, expected: ExpectedFile | None) -> int:
        return self.unfinished.beginning(expected)

    def probe(self) -> None:
        """
        Writes a byte as a download would, and removes it.

        Raises:
            OSError: The folder can't be used.
        """
        with self._noted(), self.create() as file:
            try:
                os.pwrite(file.fileno(), b"\0", 0)
            finally:
                partial.discard(file)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Tells of an error of the folder, which is raised all the same."""
        try:
            yield
        except OSError as error:
            self.failed(error)
            raise

    def failed(self, error: OSError) -> None:
        reason = reason_of(error, self.directory)
        if error.errno not in _NOT_THE_FOLDER:
            self._unusable(self._explain(error))
        elif error.errno in _FULL:
            trouble = f"the disk of the spool {self.directory} is full: {reason}; make room there, or choose another folder with --spool"
            self._complaints.about("full", trouble)
        else:
            self._complaints.about(error.errno, f"a file of the spool {self.directory} could not be kept: {reason}")

    def _explain(self, error: OSError) -> str:
        """Returns what is wrong with the folder, and what to do."""
        if isinstance(error, _ForeignError):
            return (
                f"{self.packages} can't be the spool: {plain_reason(error)}, and pacserve removes old packages from its spool; "
                "choose a new or an empty folder with --spool"
            )
        if isinstance(error, BlockingIOError):
            return f"the spool {self.directory} is used by another pacserve: give each a folder of its own with --spool"
        reason = reason_of(error, self.directory)
        return f"the spool {self.directory} can't be used: {reason}; let pacserve write there, or choose another folder with --spool"

    def publish(self, file: FileIO, name: str, modified: int | None, package: bytes | None = None) -> None:
        """
        Gives a complete file its name.

        Args:
            name: The name of a package file or signature.
            modified: Its mtime in seconds since the epoch; None, or one to come, for now.
            package: The SHA-256 of the package that the file is, or signs.

        Raises:
            OSError: The file has gone, its name can't be taken, or it can't be marked as a mirror's signature.
            ValueError: No file of a package cache has such a name.
        """
        if shared_file(name) is None:
            raise ValueError(name)
        marks = package is not None and mark(file.fileno(), package)
        if not is_signature(name):
            self.remove(signature_of(name))  # it signs the file of that name that was here before
        elif not marks:
            raise OSError(errno.ENOTSUP, "its file system takes no extended attributes")
        found = os.fstat(file.fileno())
        now = found.st_mtime  # it was written a moment ago
        well = modified is not None and modified >= 0 and not is_to_come(modified, now)
        os.utime(file.fileno(), (now, modified if well and modified is not None else now))
        os.rename(partial.path_of(file), f"{self.packages}/{name}")  # noqa: PTH104
        self.unfinished.forget(file)
        self._added += found.st_size
        self._complaints.about("full", "")

    def discard(self, file: FileIO) -> None:
        self.unfinished.forget(file)
        partial.discard(file)

    def leave(self, file: FileIO) -> None:
        if not self.unfinished.leave(file):
            partial.discard(file)

    def remove(self, name: str) -> None:
        """Removes a complete file."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self.packages}/{name}")  # noqa: PTH108

    def files(self) -> Iterator[SpooledFile]:
        """Yields the complete files.  Others that lie there are not the spool's."""
        try:
            entries = list(os.scandir(self.packages))
        except OSError:
            return
        for entry in entries:
            if shared_file(entry.name) is None:
                continue
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                yield SpooledFile(entry.name, found.st_size, max(found.st_atime, found.st_ctime), (found.st_dev, found.st_ino))

    def give_up(self, elsewhere: Elsewhere, now: float) -> list[str]:
        """
        Removes the files that another package cache of this host holds as well, so that nothing is stored twice for long.

        A file that was read or written lately stays, and so does one that the other cache has got lately.  Where the file system does not note when a
        file is read, one that is being read may go: its readers read on, and the next ones get it from the other cache.

        Args:
            now: Seconds since the epoch.

        Returns:
            The names of the files.
        """
        removed = []
        for file in self.files():
            if self._lock is None:
                break  # it may be another daemon's by now
            if _is_recent(file.used, now):
                continue
            changed = elsewhere(file)
            if changed is not None and not _is_recent(changed, now):
                self.remove(file.name)
                removed.append(file.name)
        return removed

    @property
    def fits(self) -> bool:
        """
        True if the files are within the limit for certain, as far as this spool has written them.

        This costs nothing.  Files that others have put there count from the next `trim` on.
        """
        return self._counted is not None and self._counted + self._added <= self._limit

    def trim_unfinished(self, stated: Callable[[str], Collection[ExpectedFile]], now: float) -> list[str]:
        """
        Removes files that did not become complete, and that nobody will go on with.

        Args:
            stated: Gives what the databases state of a name.
            now: Seconds since the epoch.

        Returns:
            The names of the files.
        """
        return [] if self._lock is None else self.unfinished.trim(share_of(self._limit), now, stated)

    def trim(self, elsewhere: Elsewhere) -> list[str]:
        """
        Removes complete files if the spool is beyond its limit, first those that another package cache holds as well; readers of a file read on.

        Returns:
            The names of the files.
        """
        self._added = 0  # first: what is published while the folder is read counts twice rather than not at all
        kept = list(self.files())
        size = sum(file.size for file in kept) + sum(file.taken for file in self.unfinished.files())
        removed = []
        if size > self._limit:
            least = self._limit - int(self._limit * _SLACK)
            for file in sorted(kept, key=lambda file: (elsewhere(file) is None, file.used)):
                if size <= least:
                    break
                self.remove(file.name)
                removed.append(file.name)
                size -= file.size
        self._counted = size
        return removed


def _is_recent(moment: float, now: float) -> bool:
    """Returns whether a time is less than `UNUSED_TIME` ago.  One far ahead is not: the clock was set back, and would have to catch up first."""
    return abs(now - moment) < UNUSED_TIME


def _is_same(folder: str, other: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)
