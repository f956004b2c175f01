"""pacman 7 of a Debian 13 folder, on a host of the lab."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.lab.host import DATABASE_DIR, PACKAGE_DIR, Host
from tests.e2e.lab.packages import LIVE_FILES

_MOUNTS = """set -e; mkdir -p {dir}/upper {dir}/work {dir}/root
mount -t overlay overlay -o lowerdir={debian},upperdir={dir}/upper,workdir={dir}/work {dir}/root
cd {dir}/root; mkdir -p .{pkg} .{db} etc/pacman.d
mount --bind {pkg} .{pkg}; mount --bind {db} .{db}; mount --rbind /dev dev; mount -t proc proc proc
cp /etc/hosts etc/hosts"""


class Pacman7:
    """
    A system whose pacman is that of Debian 13 and whose package cache, databases, network and pacman.conf are those of the host, so that the host's
    daemon serves it.  The folder that it is taken from is not changed.
    """

    def __init__(self, host: Host, debian: Path, keyring: Path) -> None:
        self._host = host
        self._root = host.dir / "pacman7" / "root"
        host.run(["sh", "-c", _MOUNTS.format(dir=host.dir / "pacman7", debian=debian.resolve(), pkg=PACKAGE_DIR, db=DATABASE_DIR)])
        shutil.copytree(keyring, host.path(str(self._root / "etc/pacman.d/gnupg")), ignore=LIVE_FILES, dirs_exist_ok=True)

    def configure(self, servers: Iterable[str], cache_servers: Iterable[str] = (), options: Iterable[str] = ()) -> None:
        """Writes one pacman.conf for pacman and for the host."""
        lines = [
            "[options]",
            f"DBPath = {DATABASE_DIR}",
            f"CacheDir = {PACKAGE_DIR}",
            "Architecture = x86_64",
            "SigLevel = Required DatabaseOptional",
            "ParallelDownloads = 5",
            *options,
            "[core]",
            *(f"CacheServer = {server}" for server in cache_servers),
            *(f"Server = {server}" for server in servers),
        ]
        text = "\n".join(lines) + "\n"
        self._host.write_configuration(text)
        self._host.path(str(self._root / "etc/pacman.conf")).write_text(text)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """
        Runs pacman to its end.

        Raises:
            RuntimeError: It failed and `check` is set.
        """
        return self._host.run(["chroot", str(self._root), "pacman", "--noconfirm", *arguments], check=check)

    def installed(self) -> set[str]:
        """The names of the packages that are installed."""
        return set(self.run("-Qq", check=False).stdout.split())
