"""Repositories for apt: fifty packages as an upgrade has them, and many small ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.e2e.lab import SigningKey
from tests.e2e.lab.apt_packages import Deb, build_deb
from tests.e2e.lab.apt_repository import Repository, Suite

# The bytes of the smallest of an upgrade's packages, how many there are, and by how much each is larger than the one before: 32.7 MB, of which the
# largest is a tenth.
_SMALLEST, _COUNT, _GROWTH = 25_600, 50, 1.1028
_SMALL_SIZE, _SMALL_COUNT = 30_000, 34
_SUITE = "stable"


class AptStock:
    """
    One repository, signed, whose packages are noise that can't be compressed.

    Attributes:
        root: That of the mirror; the repository is its folder `debian`.
        upgrade: The names of the packages of an upgrade; `small` those of the small ones.
        key: The public key.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.root = folder / "www"
        self._signing = SigningKey(folder / "gnupg")
        self.keyring, self.key = self._signing.home, self._signing.public()
        upgrade = [build_deb(f"part{number:02}", size=round(_SMALLEST * _GROWTH**number)) for number in range(_COUNT)]
        small = [build_deb(f"crumb{number:02}", size=_SMALL_SIZE) for number in range(_SMALL_COUNT)]
        self.repository = Repository(self.root / "debian", self._signing)
        self.repository.publish(Suite(_SUITE, (*upgrade, *small)))
        self._sizes = {deb.package: len(deb.content) for deb in (*upgrade, *small)}
        self.upgrade, self.small = _names(upgrade), _names(small)

    def size(self, names: Sequence[str]) -> int:
        """Returns the bytes of the files of these packages."""
        return sum(self._sizes[name] for name in names)

    def close(self) -> None:
        """Ends the agent of the key."""
        self._signing.close()


def _names(debs: Sequence[Deb]) -> list[str]:
    return [deb.package for deb in debs]
