"""Keeps in memory what the sync databases state of package files, and reads it again when pacman has written them."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.children import Run
from pacserve.packages.files import ExpectedFile
from pacserve.packages.names import parse_package_file
from pacserve.pacman.configuration import ConfigurationSource
from pacserve.waiting import Waiters

# Seconds that a request waits for a database that is being read; pacman itself waits 10 s for an answer.
READING_TIMEOUT = 3.0
# Seconds after which a database that could not be read is tried again, though it has not changed.
RETRY_INTERVAL = 60.0
# Child processes at the same time: one for each core of a small machine.
CHILDREN_LIMIT = 2
# The exit status of `pacserve.pacman.database_reader` where pyalpm is not installed.  Neither imports the other: the program does without Twisted.
NO_PYALPM = 69
# Packages of one database; Arch's largest has some 15,000.
PACKAGES_LIMIT = 500_000

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# Bits of a packed number: the size, and above it the digest with a bit more that says that there is one.
_SIZE_BITS = 52
_SIZE = (1 << _SIZE_BITS) - 1
_DIGEST = (1 << 256) - 1

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Database:
    """
    One repository's database.

    Attributes:
        stamp: Of the file that `sizes` was read from, or that could not be read.
        failed_at: When it could not be read, None if it could.
        reading: True if it is being read.
        ended: Those that wait for the end of that.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    stamp: Stamp | None = None
    failed_at: float | None = None
    reading: bool = False
    ended: Waiters = field(default_factory=Waiters)


class Databases(Catalogue):
    """The sync databases of the repositories in pacman.conf, read by `pacserve.pacman.database_reader` in child processes."""

    _log = Logger()

    def __init__(self, configuration: ConfigurationSource, run: Run, clock: IReactorTime) -> None:
        self._configuration = configuration
        self._run = run
        self._clock = clock
        self._databases: dict[str, _Database] = {}
        self._revision = 0
        self._children = DeferredSemaphore(CHILDREN_LIMIT)
        self._complained = False

    @property
    def revision(self) -> int:
        return self._revision

    async def refresh(self, repo: str) -> None:
        configuration = self._configuration.current()
        if repo not in configuration.repositories:
            return
        database = self._databases.get(repo)
        if database is None:
            database = self._databases[repo] = _Database()
        if not database.reading:
            stamp = _stamp(configuration.database_dir, repo)
            if not self._outdated(database, stamp):
                return
            if stamp is None:
                database.sizes, database.stamp, database.failed_at = {}, None, None
                self._revision += 1
                return
            database.reading = True
            Deferred.fromCoroutine(self._read(configuration.database_dir, repo, database, stamp)).addBoth(lambda _: _end(database))
            if not database.reading:
                return
        await self._wait_for(database)

    async def refresh_all(self) -> None:
        await gatherResults([Deferred.fromCoroutine(self.refresh(repo)) for repo in self._configuration.current().repositories])

    async def read_all(self) -> bool:
        repositories = tuple(self._configuration.current().repositories)
        await self.refresh_all()
        databases = [self._databases[repo] for repo in repositories if repo in self._databases]
        for database in databases:
            while database.reading:
                await self._wait_for(database)
        return len(databases) == len(repositories) and all(database.failed_at is None for database in databases)

    def size(self, repo: str, name: str) -> int | None:
        database = self._databases.get(repo)
        packed = None if database is None else database.sizes.get(name)
        return None if packed is None else packed & _SIZE

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        database = self._databases.get(repo)
        packed = None if database is None else database.sizes.get(name)
        if packed is None:
            return None
        digest = packed >> _SIZE_BITS
        return ExpectedFile(packed & _SIZE, (digest & _DIGEST).to_bytes(32, "big") if digest else None)

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        found = (self.expected(repo, name) for repo in self._configuration.current().repositories)
        return [expected for expected in found if expected is not None]

    def sizes(self, name: str) -> Sequence[int]:
        repositories = self._configuration.current().repositories
        return [database.sizes[name] & _SIZE for repo, database in self._databases.items() if repo in repositories and name in database.sizes]

    def find(self, text: str, most: int) -> Sequence[tuple[str, str]]:
        """
        Returns the package files whose name contains `text`, each with its repository, in pacman's order of these; the best matches first.

        Args:
            most: How many are given.
        """
        found: list[tuple[int, str, str]] = []
        for repo in self._configuration.current().repositories:
            database = self._databases.get(repo)
            for name in () if database is None else database.sizes:
                if text in name:
                    parsed = parse_package_file(name)
                    package = "" if parsed is None else parsed.name
                    found.append((0 if text in (name, package) else 1 if package.startswith(text) else 2, repo, name))
        return [(repo, name) for _, repo, name in sorted(found, key=lambda one: one[0])[:most]]

    def _outdated(self, database: _Database, stamp: Stamp | None) -> bool:
        if database.stamp != stamp:
            return True
        return database.failed_at is not None and not 0 <= self._clock.seconds() - database.failed_at < RETRY_INTERVAL

    async def _wait_for(self, database: _Database) -> None:
        """Waits for the end of a reading, but not too long, and without ending it for the others when this caller goes away."""
        if not await database.ended.wait_for(READING_TIMEOUT, self._clock):
            self._log.debug("a database takes long to read")

    async def _read(self, database_dir: str, repo: str, database: _Database, stamp: Stamp) -> None:
        try:
            database.sizes = await self._children.run(lambda: Deferred.fromCoroutine(self._sizes(database_dir, repo)))
            database.failed_at = None
            self._revision += 1
        except FetchError as error:
            database.failed_at = self._clock.seconds()
            self._log.debug("the database of {repo} can't be read: {error}", repo=repo, error=error)
        except CancelledError:
            raise
        except Exception:
            database.failed_at = self._clock.seconds()
            self._log.failure("reading the database of {repo}", repo=repo)
        database.stamp = stamp

    async def _sizes(self, database_dir: str, repo: str) -> Mapping[str, int]:
        # -P: modules that lie in the folder where the daemon was started are none of ours.
        outcome = await self._run((sys.executable, "-P", "-m", "pacserve.pacman.database_reader", database_dir, repo))
        if outcome.status == NO_PYALPM:
            if not self._complained:
                self._complained = True
                self._log.warn("pyalpm is not installed, so no database of pacman can be read: install pacserve with all that setup.cfg requires")
            raise FetchError("pyalpm is not installed")
        if outcome.status != 0:
            raise FetchError(outcome.complaint or f"exit status {outcome.status}")
        sizes: dict[str, int] = {}
        for raw in BytesIO(outcome.output):  # line by line: all of them at once would be some megabytes more
            name, _, rest = raw.decode("utf-8", "replace").rstrip("\r\n").partition("\t")
            size, _, digest = rest.partition("\t")
            if not (size.isascii() and size.isdigit() and len(size) <= 15):
                continue
            parsed = parse_package_file(name)
            if parsed is not None and not parsed.signature and int(size) > 0:  # libalpm gives 0 where the database states no size
                sizes[name] = _packed(int(size), digest)
                if len(sizes) >= PACKAGES_LIMIT:
                    break
        return sizes


def _end(database: _Database) -> None:
    """Lets the coroutines go on that wait for a reading."""
    database.reading = False
    database.ended.wake()


def _packed(size: int, digest: str) -> int:
    """Returns size and SHA-256 as one number, which takes a third of the memory of two values; 15,000 packages have one each."""
    if not _SHA256.match(digest):
        return size
    return ((1 << 256) + int(digest, 16) << _SIZE_BITS) + size


def _stamp(database_dir: str, repo: str) -> Stamp | None:
    try:
        found = os.stat(f"{database_dir.rstrip('/')}/sync/{repo}.db")  # noqa: PTH116 - for every request: a Path takes five times as long
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None  # opening a pipe would wait for a writer
    return (found.st_mtime_ns, found.st_ino, found.st_size)
