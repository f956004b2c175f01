"""The packages of the demo: the installed versions, and those of the upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.e2e.lab import Package, SigningKey, build
from tests.e2e.lab.depot import write_database

REPOSITORY = "core"
# Name, old version, new version, bytes of the new package.  The names are well known; the content is random.
_PACKAGES = (
    ("linux", "6.12.8-1", "6.12.9-1", 7_400_000),
    ("firefox", "133.0.3-1", "134.0-1", 5_800_000),
    ("gcc-libs", "14.2.0-1", "14.2.1-1", 2_700_000),
    ("systemd", "257.1-1", "257.2-1", 2_000_000),
    ("python", "3.13.0-1", "3.13.1-1", 1_600_000),
    ("git", "2.47.0-1", "2.47.1-1", 1_100_000),
    ("openssl", "3.4.0-1", "3.4.1-1", 800_000),
    ("vim", "9.1.0950-1", "9.1.1006-1", 700_000),
    ("bash", "5.2.032-1", "5.2.037-1", 400_000),
    ("curl", "8.11.0-1", "8.11.1-1", 300_000),
    ("tzdata", "2024a-2", "2025a-1", 150_000),
    ("zlib", "1:1.3.1-1", "1:1.3.1-2", 60_000),
)
_OLD_SIZE = 5_000


class Repository:
    """
    A signed repository, and the older versions of its packages.

    Attributes:
        root: The folder that the mirror serves.
        keyring: The GnuPG home that trusts the packages.
    """

    def __init__(self, directory: Path) -> None:
        self.root, old = directory / "mirror", directory / "old"
        folder = self.root / REPOSITORY / "os" / "x86_64"
        folder.mkdir(parents=True)
        old.mkdir()
        self.keyring = directory / "gnupg"
        key = SigningKey(self.keyring)
        try:
            self._old = [key.sign(build(old, name, version, _OLD_SIZE)) for name, version, _, _ in _PACKAGES]
            self.packages: Sequence[Package] = [key.sign(build(folder, name, version, size)) for name, _, version, size in _PACKAGES]
        finally:
            key.close()
        write_database(folder, REPOSITORY, self.packages, signatures=True)

    @property
    def old_files(self) -> list[str]:
        """The paths of the old packages."""
        return [str(package.path) for package in self._old]

    @property
    def size(self) -> int:
        """The bytes that one host has to download."""
        return sum(package.size for package in self.packages)

    @property
    def versions(self) -> set[str]:
        """The output of `pacman -Q` after the upgrade."""
        return {f"{package.name} {package.version}" for package in self.packages}
