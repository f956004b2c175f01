"""Packages that mirrors give, of several sizes, and wrong ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.e2e.lab import Package, SigningKey, build_repository
from tests.e2e.lab.depot import write_database
from tests.e2e.lab.packages import EPOCH

REPO = "core"
_VERSION = "1-1"
# A wrong file differs in one byte of so many.
_WRONG_EVERY = 1 << 16


class Stock:
    """
    Packages of several sizes: of each size several of the same content under names of their own, since a spool has a name only once.

    Args:
        kinds: The bytes and the number of packages, by the beginning of their names.

    Attributes:
        root: That of mirrors; `wrong` the root of those whose files are wrong, once it is made.
    """

    def __init__(self, folder: Path, kinds: Mapping[str, tuple[int, int]]) -> None:
        folder.mkdir()
        self.root, self.wrong = folder / "right", folder / "wrong"
        self.key = SigningKey(folder / "gnupg")
        firsts = build_repository(self.root, self.key, REPO, [(f"{kind}0", _VERSION, size) for kind, (size, _) in kinds.items()])
        self._by_kind = {kind: [first] for kind, first in zip(kinds, firsts, strict=True)}
        for kind, (_, count) in kinds.items():
            self._by_kind[kind] += [_renamed(self._by_kind[kind][0], f"{kind}{number}") for number in range(1, count)]
        self._write_database()

    def names(self, kind: str) -> list[str]:
        """Returns the names of all packages of a kind; the first is one that pacman can install."""
        return [package.name for package in self._by_kind[kind]]

    def package(self, name: str) -> Package:
        """Returns the package of this name."""
        return next(package for packages in self._by_kind.values() for package in packages if package.name == name)

    def add_wrong(self, kind: str) -> None:
        """Gives the mirrors whose files are wrong those of a kind."""
        folder = self.wrong / REPO / "os" / "x86_64"
        folder.mkdir(parents=True)
        shutil.copy2(self._folder / f"{REPO}.db", folder / f"{REPO}.db")
        content = bytearray(self._by_kind[kind][0].path.read_bytes())
        for place in range(0, len(content), _WRONG_EVERY):
            content[place] ^= 1
        for package in self._by_kind[kind]:
            path = folder / package.filename
            path.write_bytes(content)
            os.utime(path, (EPOCH, EPOCH))

    def close(self) -> None:
        """Ends the agent of the key."""
        self.key.close()

    @property
    def _folder(self) -> Path:
        return self.root / REPO / "os" / "x86_64"

    def _write_database(self) -> None:
        (self._folder / f"{REPO}.db").unlink()
        write_database(self._folder, REPO, [package for packages in self._by_kind.values() for package in packages], signatures=True)


def _renamed(package: Package, name: str) -> Package:
    """Puts a package under another name beside it."""
    path = package.path.with_name(f"{name}-{package.version}-{package.arch}.pkg.tar.zst")
    path.hardlink_to(package.path)
    return replace(package, name=name, path=path)
