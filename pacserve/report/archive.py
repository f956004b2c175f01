"""The traffic by hour and by day, kept over restarts in a small SQLite database.  Everything here blocks, so it runs in a thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pacserve.report.ledger import DAY, DAYS, HOUR, HOURS, Counts, History, no_counts
from pacserve.report.origins import Origin

_VERSION = 1
# Seconds to wait for another process that holds the database.
_LOCK_TIMEOUT = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS counted
  (length INTEGER NOT NULL, began INTEGER NOT NULL, origin TEXT NOT NULL, requests INTEGER NOT NULL, size INTEGER NOT NULL,
   PRIMARY KEY (length, began, origin));
CREATE TABLE IF NOT EXISTS served (length INTEGER NOT NULL, began INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (length, began));
CREATE TABLE IF NOT EXISTS since (began REAL NOT NULL);
"""


class Archive:
    """
    Keeps the traffic of the last `HOURS` hours and `DAYS` days.

    Args:
        path: The database file; its folder is made if it is missing.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, now: float) -> History:
        """
        Returns the traffic that was counted.  A file that is damaged or of another program is set aside, and a new one begun.

        Args:
            now: Seconds since the epoch.

        Raises:
            OSError: The database can't be read.
        """
        try:
            return self._read(now)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(str(error)) from error
            Path(self._path).replace(f"{self._path}.damaged")
        try:
            return self._read(now)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def write(self, history: History) -> None:
        """
        Replaces the hours and days with the same beginning by these, and forgets the oldest.

        Raises:
            OSError: The database can't be written, for example because the disk is full.
        """
        try:
            with self._open() as database:
                database.execute("DELETE FROM since")
                database.execute("INSERT INTO since VALUES (?)", (history.since,))
                _put(database, HOUR, HOURS, history.hours)
                _put(database, DAY, DAYS, history.days)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def _read(self, now: float) -> History:
        with self._open() as database:
            found = database.execute("SELECT began FROM since").fetchone()
            return History(float(found[0]) if found else now, _get(database, HOUR, HOURS), _get(database, DAY, DAYS))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        Path(self._path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT)) as database, database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"version {version}")
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version = {_VERSION}")
            yield database


def _put(database: sqlite3.Connection, length: int, most: int, periods: Sequence[Counts]) -> None:
    for counts in periods:
        rows = [(length, counts.began, origin.value, count, counts.sizes.get(origin, 0)) for origin, count in counts.requests.items()]
        database.executemany("INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("INSERT OR REPLACE INTO served VALUES (?, ?, ?)", (length, counts.began, counts.served))
    kept = [began for (began,) in database.execute("SELECT began FROM served WHERE length = ? ORDER BY began DESC LIMIT ?", (length, most))]
    oldest = kept[-1] if kept else 0
    database.execute("DELETE FROM counted WHERE length = ? AND began < ?", (length, oldest))
    database.execute("DELETE FROM served WHERE length = ? AND began < ?", (length, oldest))


def _get(database: sqlite3.Connection, length: int, most: int) -> list[Counts]:
    """Returns the periods of a length, the oldest first."""
    periods: dict[int, Counts] = {}
    for began, size in database.execute("SELECT began, size FROM served WHERE length = ? ORDER BY began LIMIT ?", (length, most)):
        periods[began] = no_counts(began)
        periods[began].served = size
    known = {origin.value: origin for origin in Origin}
    for began, name, requests, size in database.execute("SELECT began, origin, requests, size FROM counted WHERE length = ?", (length,)):
        if began in periods and name in known:
            periods[began].requests[known[name]] = requests
            periods[began].sizes[known[name]] = size
    return list(periods.values())
