"""The repositories of the soak, of which new versions are published all the time."""

from __future__ import annotations

import os
import random
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab import Package, SigningKey, build
from tests.e2e.lab.depot import write_database

# Packages of each repository, whose sizes lie between these bounds in bytes.
_REPOSITORIES = {"core": 14, "extra": 8}
_SMALLEST, _LARGEST = 12_000, 3_000_000
# Databases whose packages the mirror still has: a host may have begun with an earlier one.
_KEPT_DATABASES = 4
# Packages of a publication.
_FEWEST_NEW, _MOST_NEW = 2, 6
# The part of the rebuilt packages that have as many bytes as before.
_SAME_SIZE = 0.1


@dataclass(frozen=True, slots=True)
class Publication:
    """
    New packages and the databases that name them, on the mirror.

    Attributes:
        began: Seconds by time.monotonic; `ended` likewise.
        rebuilt: True if packages were replaced under the same names.
    """

    began: float
    ended: float
    rebuilt: bool
    files: frozenset[str]


class Repository:
    """
    Signed repositories, their history, and the mirror's folder.

    Attributes:
        root: The folder that the mirror serves.
        keyring: The GnuPG home that trusts the packages.
        names: The names of all packages.
        builds: The SHA-256 and size of every build, by the name of its file: several where a package was rebuilt.
        databases: The number of each published database, by repository and content.
    """

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self.root, self.keyring = directory / "mirror", directory / "gnupg"
        self._chance = chance
        self._key = SigningKey(self.keyring)
        self._versions: dict[str, int] = {}
        self._requested: dict[str, int] = {}  # the sizes that builds were asked for, by package
        self._packages: dict[str, dict[str, Package]] = {}
        self._referred: dict[str, list[frozenset[str]]] = {repo: [] for repo in _REPOSITORIES}
        self._seeds = 0
        self.builds: dict[str, dict[str, int]] = {}
        self.databases: dict[str, dict[bytes, int]] = {repo: {} for repo in _REPOSITORIES}
        for repo, count in _REPOSITORIES.items():
            self._folder(repo).mkdir(parents=True)
            self._packages[repo] = {}
            self._publish(repo, [(f"{repo}{number:02}", self._size()) for number in range(count)], rebuilt=False)
        self.names: Sequence[str] = [name for packages in self._packages.values() for name in packages]

    @property
    def repositories(self) -> Sequence[str]:
        """The names of the repositories."""
        return tuple(_REPOSITORIES)

    @property
    def twins(self) -> frozenset[str]:
        """The package files of which two builds have the same size."""
        return frozenset(name for name, sizes in self.builds.items() if len(set(sizes.values())) < len(sizes))

    def publish(self, *, rebuilt: bool) -> Publication:
        """Publishes a new version of a few packages of a repository, or rebuilds a few under the same names."""
        began = time.monotonic()
        repo = self._chance.choice(self.repositories)
        names = self._chance.sample(sorted(self._packages[repo]), self._chance.randint(_FEWEST_NEW, _MOST_NEW))
        if not rebuilt:
            files = self._publish(repo, [(name, self._size()) for name in names], rebuilt=False)
        else:
            same = [self._chance.random() < _SAME_SIZE for _ in names]
            sizes = [self._requested[name] if keep else self._size() for name, keep in zip(names, same, strict=True)]
            files = self._publish(repo, list(zip(names, sizes, strict=True)), rebuilt=True)
        return Publication(began, time.monotonic(), rebuilt, files)

    def close(self) -> None:
        """Ends the agent that signing started."""
        self._key.close()

    def _publish(self, repo: str, wanted: Sequence[tuple[str, int]], *, rebuilt: bool) -> frozenset[str]:
        folder = self._folder(repo)
        with tempfile.TemporaryDirectory(dir=folder.parents[2], prefix=".new-") as name:
            staging = Path(name)
            new = [self._built(staging, name, size, rebuilt=rebuilt) for name, size in wanted]
            self._packages[repo].update({package.name: package for package in new})
            for package in new:
                self.builds.setdefault(package.filename, {})[package.sha256] = package.size
            write_database(staging, repo, self._packages[repo].values(), signatures=True)
            database = (staging / f"{repo}.db.tar.gz").read_bytes()
            self.databases[repo][database] = len(self.databases[repo])
            for package in new:
                for file in (package.filename, f"{package.filename}.sig"):
                    (staging / file).replace(folder / file)
            # Under its own name, not by a link, so that nothing is in between.
            (staging / f"{repo}.db.tar.gz").replace(folder / f"{repo}.db")
        self._prune(repo)
        return frozenset(package.filename for package in new)

    def _built(self, folder: Path, name: str, size: int, *, rebuilt: bool) -> Package:
        self._seeds += 1
        self._versions[name] = self._versions.get(name, 0) + (0 if rebuilt else 1)
        self._requested[name] = size
        package = self._key.sign(build(folder, name, f"1.{self._versions[name]}-1", size, seed=str(self._seeds)))
        for file in (package.path, package.path.with_name(f"{package.filename}.sig")):
            os.utime(file)  # a rebuilt package is younger than its predecessor
        return package

    def _prune(self, repo: str) -> None:
        """Removes the packages that no database of late names."""
        referred = self._referred[repo]
        referred.append(frozenset(package.filename for package in self._packages[repo].values()))
        del referred[:-_KEPT_DATABASES]
        kept = frozenset().union(*referred)
        for path in self._folder(repo).glob("*.pkg.tar.zst"):
            if path.name not in kept:
                path.unlink()
                path.with_name(f"{path.name}.sig").unlink()

    def _folder(self, repo: str) -> Path:
        return self.root / repo / "os" / "x86_64"

    def _size(self) -> int:
        """Returns a size: most packages are small."""
        return int(_SMALLEST * (_LARGEST / _SMALLEST) ** self._chance.random())


def expected(database: Path) -> Mapping[str, str]:
    """Returns the SHA-256 of each package file that a sync database names; nothing where there is none."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(database) as archive:
            for member in archive.getmembers():
                if member.name.endswith("/desc") and (stream := archive.extractfile(member)) is not None:
                    lines = stream.read().decode().splitlines()
                    found[lines[lines.index("%FILENAME%") + 1]] = lines[lines.index("%SHA256SUM%") + 1]
    except (OSError, tarfile.TarError, EOFError):
        return {}
    return found
