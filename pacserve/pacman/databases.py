"""Knows what the sync databases state of package files, and reads it again when pacman has written them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.children import Run
from pacserve.packages.files import ExpectedFile
from pacserve.packages.kept_files import Stamp, stamp_of
from pacserve.packages.names import parse_package_file
from pacserve.pacman.configuration import ConfigurationSource
from pacserve.pacman.kept_tables import KeptTables
from pacserve.pacman.tables import Table
from pacserve.waiting import Waiters

# Seconds that a request waits for a database that is being read; pacman itself waits 10 s for an answer.
READING_TIMEOUT = 3.0
# Seconds that this may become on a host that is short of CPU: a file of which nothing is known is fetched by each host for itself.
LONGEST_READING_TIMEOUT = 5.0
# Seconds after which a database that could not be read is tried again, though it has not changed.
RETRY_INTERVAL = 60.0
# Packages from which on a database is a distribution's.  Their files never change under a name, since no mirror and no cache could tell the versions
# apart; it is in a small database of one's own that a package is built again without a new release, and such a database is read in no time.
DISTRIBUTION_SIZE = 5000
# Child processes at the same time: one for each core of a small machine.
CHILDREN_LIMIT = 2
# The exit status of `pacserve.pacman.database_reader` where pyalpm is not installed.
NO_PYALPM = 69


@dataclass(slots=True)
class _Database:
    """
    One repository's database.

    Attributes:
        table: What it stated when it was last read; None while that is not known.
        stamp: Of the file that `table` was read from, or that could not be read.
        failed_at: When it could not be read, None if it could.
        packages: The names of its packages without versions; None where nobody has asked since it was read.
        reading: True if it is being read.
        ended: Those that wait for the end of that.
    """

    table: Table | None = None
    stamp: Stamp | None = None
    failed_at: float | None = None
    packages: frozenset[str] | None = None
    reading: bool = False
    ended: Waiters = field(default_factory=Waiters)

    def take(self, table: Table | None, stamp: Stamp | None) -> None:
        """Takes what is stated from now on."""
        if self.table is not None:
            self.table.close()
        self.table, self.stamp, self.failed_at, self.packages = table, stamp, None, None

    def answers(self, name: str | None) -> bool:
        """Returns whether a file may be looked up here while a newer version of the database is read; see `Databases.refresh`."""
        return name is not None and self.table is not None and len(self.table) >= DISTRIBUTION_SIZE and self.table.size(name) is not None


class Databases(Catalogue):
    """The sync databases of the repositories in pacman.conf, read by `pacserve.pacman.database_reader` in child processes."""

    _log = Logger()

    def __init__(self, configuration: ConfigurationSource, kept: KeptTables, run: Run, clock: IReactorTime, lateness: Lateness = PUNCTUAL) -> None:
        self._configuration = configuration
        self._kept = kept
        self._run = run
        self._clock = clock
        self._lateness = lateness
        self._databases: dict[str, _Database] = {}
        self._revision = 0
        self._children = DeferredSemaphore(CHILDREN_LIMIT)
        self._complained = False

    @property
    def revision(self) -> int:
        return self._revision

    async def refresh(self, repo: str, name: str | None = None) -> None:
        """
        Reads a database again if it changed.

        Most of a new database is what the former one stated.  So a request for a file that the former database knows does not wait for the new one,
        if both are large: such a database is a distribution's (see `DISTRIBUTION_SIZE`), and takes a second to be read on a small machine.  In all
        other cases the new database decides: a new version is in that alone, and a package that was built again under its old name has another size
        and digest there, with which a peer's old file would end pacman's transaction.
        """
        reading = self._begin_reading(repo)
        if reading is not None and not reading.answers(name):
            await self._wait_for(reading)

    async def refresh_all(self) -> None:
        await self._refresh(lambda database: True)

    async def refresh_unknown(self) -> None:
        await self._refresh(lambda database: database.table is None)

    async def read_all(self) -> bool:
        repositories = tuple(self._configuration.current().repositories)
        await self.refresh_all()
        databases = [self._databases[repo] for repo in repositories if repo in self._databases]
        for database in databases:
            while database.reading:
                await self._wait_for(database)
        return len(databases) == len(repositories) and all(database.failed_at is None for database in databases)

    def size(self, repo: str, name: str) -> int | None:
        table = self._table(repo)
        return None if table is None else table.size(name)

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        table = self._table(repo)
        stated = None if table is None else table.stated(name)
        return None if stated is None else ExpectedFile(*stated)

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        found = (self.expected(repo, name) for repo in self._configuration.current().repositories)
        return [expected for expected in found if expected is not None]

    def signature(self, repo: str, name: str) -> bytes | None:
        table = self._table(repo)
        return None if table is None else table.signature(name)

    def sizes(self, name: str) -> Sequence[int]:
        found = (self.size(repo, name) for repo in self._configuration.current().repositories)
        return [size for size in found if size is not None]

    def stated(self, name: str) -> Mapping[str, int]:
        found = {repo: self.size(repo, name) for repo in self._configuration.current().repositories}
        return {repo: size for repo, size in found.items() if size is not None}

    def packages(self, repo: str) -> Collection[str] | None:
        database = self._databases.get(repo)
        if database is None or database.table is None or database.failed_at is not None:
            return None
        if database.packages is None:
            parsed = map(parse_package_file, database.table.names(""))
            database.packages = frozenset(one.name for one in parsed if one is not None)
        return database.packages

    def find(self, text: str, most: int) -> Sequence[tuple[str, str]]:
        """
        Returns the package files whose name contains `text`, each with its repository, in pacman's order of these; the best matches first.

        Args:
            most: How many are given.
        """
        found: list[tuple[int, str, str]] = []
        for repo in self._configuration.current().repositories:
            table = self._table(repo)
            for name in () if table is None else table.names(text):
                parsed = parse_package_file(name)
                package = "" if parsed is None else parsed.name
                found.append((0 if text in (name, package) else 1 if package.startswith(text) else 2, repo, name))
        return [(repo, name) for _, repo, name in sorted(found, key=lambda one: one[0])[:most]]

    def close(self) -> None:
        """Closes the files; nothing is known after that."""
        for database in self._databases.values():
            database.take(None, None)

    async def _refresh(self, needed: Callable[[_Database], bool]) -> None:
        """Begins to read all databases that changed, and waits for those that are needed, at most `READING_TIMEOUT` for all together."""
        deadline = self._clock.seconds() + READING_TIMEOUT
        running = [self._begin_reading(repo) for repo in self._configuration.current().repositories]  # all begin before the first is waited for
        for database in running:
            if database is not None and database.reading and needed(database):
                await self._wait_for(database, deadline - self._clock.seconds())

    def _table(self, repo: str) -> Table | None:
        database = self._databases.get(repo)
        return None if database is None else database.table

    def _begin_reading(self, repo: str) -> _Database | None:
        """Begins to read a database that has changed; returns it if it is being read."""
        configuration = self._configuration.current()
        if repo not in configuration.repositories:
            return None
        database = self._databases.get(repo)
        if database is None:
            database = self._databases[repo] = _Database()
        if not database.reading:
            stamp = stamp_of(f"{configuration.database_dir.rstrip('/')}/sync/{repo}.db")
            if not self._outdated(database, stamp):
                return None
            if stamp is None:
                database.take(None, None)
                self._kept.forget(repo)
                self._revision += 1
                return None
            database.reading = True
            Deferred.fromCoroutine(self._read(configuration.database_dir, repo, database, stamp)).addBoth(lambda _: _end(database))
        return database if database.reading else None

    def _outdated(self, database: _Database, stamp: Stamp | None) -> bool:
        if database.stamp != stamp:
            return True
        return database.failed_at is not None and not 0 <= self._clock.seconds() - database.failed_at < RETRY_INTERVAL

    async def _wait_for(self, database: _Database, seconds: float = READING_TIMEOUT) -> None:
        """Waits for the end of a reading, but not too long, and without ending it for the others when this caller goes away."""
        if not await database.ended.wait_for(self._lateness.widened(seconds, LONGEST_READING_TIMEOUT), self._clock):
            self._log.debug("a database takes long to read")

    async def _read(self, database_dir: str, repo: str, database: _Database, stamp: Stamp) -> None:
        try:
            table = self._kept.find(repo, stamp)
            if table is None:
                table = await self._children.run(lambda: Deferred.fromCoroutine(self._new_table(database_dir, repo)))
        except FetchError as error:
            database.failed_at = self._clock.seconds()
            self._log.debug("the database of {repo} can't be read: {error}", repo=repo, error=error)
        except CancelledError:
            raise
        except Exception:
            database.failed_at = self._clock.seconds()
            self._log.failure("reading the database of {repo}", repo=repo)
        else:
            # What is in the table may be newer than what was there when the child was started.
            database.take(table, table.stamp)
            self._revision += 1
            return
        database.stamp = stamp

    async def _new_table(self, database_dir: str, repo: str) -> Table:
        """
        Returns what a child process reads from a database.

        Raises:
            FetchError: It can't be read.
        """

        async def write(descriptor: int) -> None:
            # -P: modules that lie in the folder where the daemon was started are none of ours.
            outcome = await self._run((sys.executable, "-P", "-m", "pacserve.pacman.database_reader", database_dir, repo), descriptor)
            if outcome.status == NO_PYALPM:
                if not self._complained:
                    self._complained = True
                    self._log.warn("pyalpm is not installed, so no database of pacman can be read: install pacserve with all that setup.cfg requires")
                raise FetchError("pyalpm is not installed")
            if outcome.status != 0:
                raise FetchError(outcome.complaint or f"exit status {outcome.status}")

        return await self._kept.made(repo, write)


def _end(database: _Database) -> None:
    """Lets the coroutines go on that wait for a reading."""
    database.reading = False
    database.ended.wake()
