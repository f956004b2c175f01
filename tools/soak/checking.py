"""Compares what lies in package caches with what the mirror has published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tools.soak.repository import Repository, expected
from tools.soak.runs import Record
from tools.soak.station import Station


class Checker:
    """Looks at each package once for each time that it lands in a cache."""

    def __init__(self, repository: Repository, record: Record) -> None:
        self._repository, self._record = repository, record
        self._seen: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def databases(self, station: Station) -> Mapping[str, str]:
        """Returns the SHA-256 of the packages that the sync databases of a host name."""
        return {name: digest for repo in self._repository.repositories for name, digest in expected(_database(station, repo)).items()}

    def age(self, station: Station) -> int | None:
        """Returns the sum of the numbers of a host's databases; None where one is of no publication."""
        numbers = []
        for repo in self._repository.repositories:
            path = _database(station, repo)
            if not path.exists():
                return None
            number = self._repository.databases[repo].get(path.read_bytes())
            if number is None:
                self._record.wrong_files.append(f"{station.name}: {repo}.db was never published")
                return None
            numbers.append(number)
        return sum(numbers)

    def earlier(self, station: Station) -> frozenset[str]:
        """Returns the packages in pacman's cache that are earlier builds than the newest of their names."""
        found = set()
        for path in _files(station.cache):
            builds = self._repository.builds.get(path.name)
            if builds is not None and self._digest(path)[0] != next(reversed(builds)):
                found.add(path.name)
        return frozenset(found)

    def check(self, station: Station, *, exact: bool) -> int:
        """
        Checks what has landed on a host, and returns the bytes in pacman's cache of it.

        Args:
            exact: True if pacman has ended well, so that what landed in its cache is what its databases say.
        """
        wanted = self.databases(station) if exact else {}
        total = 0
        for folder in (station.cache, station.spool):
            for path in _files(folder):
                digest, landed = self._digest(path)
                if not landed or not digest:
                    continue
                builds = self._repository.builds.get(path.name, {})
                if digest not in builds:
                    self._record.wrong_files.append(f"{station.name}: {path.name} in {folder} has {path.stat().st_size} bytes that no build had")
                    continue
                self._record.landed[digest] = builds[digest]
                if folder != station.cache:
                    continue
                total += builds[digest]
                if wanted.get(path.name, digest) != digest:
                    self._record.wrong_files.append(f"{station.name}: {path.name} is another build than the database names")
        return total

    def _digest(self, path: Path) -> tuple[str, bool]:
        """Returns the SHA-256 of a file, and whether it is new there; nothing if it has gone meanwhile."""
        try:
            state = path.stat()
            identity = state.st_ino, state.st_mtime_ns, state.st_size
            known = self._seen.get(path)
            if known is not None and known[0] == identity:
                return known[1], False
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return "", False
        self._seen[path] = identity, digest
        return digest, True


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name.endswith(".pkg.tar.zst")]
    except OSError:
        return []


def _database(station: Station, repo: str) -> Path:
    return station.host.dir / "db" / "sync" / f"{repo}.db"
