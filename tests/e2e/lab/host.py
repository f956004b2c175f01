"""A machine of the LAN, with a pacman of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.e2e.lab.checkout import MOUNTED
from tests.e2e.lab.namespace import Namespace
from tests.e2e.lab.packages import LIVE_FILES

PACKAGE_DIR, DATABASE_DIR = "/var/cache/pacman/pkg", "/var/lib/pacman"
PACSERVE = "http://localhost:15678/request/$repo/$arch"
MIRROR = "http://10.78.0.2/$repo/os/$arch"

_FOLDERS = ("root", "pkg", "db", "etc", ".etc-work", "cache", ".cache-work", "lib", ".lib-work", "log")
_MOUNTS = """set -e
mount -t overlay overlay -o lowerdir=/etc,upperdir={dir}/etc,workdir={dir}/.etc-work /etc
mount -t overlay overlay -o lowerdir=/var/cache,upperdir={dir}/cache,workdir={dir}/.cache-work /var/cache
mount -t overlay overlay -o lowerdir=/var/lib,upperdir={dir}/lib,workdir={dir}/.lib-work /var/lib
mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/user
while [ $# -gt 0 ]; do mkdir "$1"; mount --bind "$2" "$1"; shift 2; done
mount --bind {dir}/pkg {pkg}
mount --bind {dir}/db {db}
mount -t sysfs sysfs /sys
hostname {name}; printf '%s\\n' {name} > /etc/hostname
printf '%s' {name} | md5sum | cut -c1-32 > /etc/machine-id
"""


class Host(Namespace):
    """
    A machine of the LAN: private overlays on /etc, /var/cache and /var/lib, so that daemons and pacman with hard-coded paths run unchanged.

    pacman installs into a root folder of its own, so nothing outside `dir` is written.

    Attributes:
        ip: Its IPv4 address; `ip6` its IPv6 address.
        port: The name of its port of the switch.
        pkg: Its package cache, seen from outside; `root` where it installs to.
    """

    def __init__(self, prefix: str, number: int, directory: Path) -> None:
        super().__init__(prefix, f"h{number}", directory)
        self.number, self.port = number, f"p{number}"
        self.ip, self.ip6 = f"10.77.0.{10 + number}", f"fd77::{10 + number:x}"
        self.pkg, self.root = directory / "pkg", directory / "root"

    def prepare(self, keyring: Path) -> None:
        """Makes the folders and mounts; `keyring` becomes pacman's GPGDir."""
        for name in _FOLDERS:
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        mounted = [str(path) for pair in MOUNTED.items() for path in pair]
        self.run(["sh", "-c", _MOUNTS.format(dir=self.dir, pkg=PACKAGE_DIR, db=DATABASE_DIR, name=self.name), "sh", *mounted])
        shutil.copytree(keyring, self.dir / "gnupg", ignore=LIVE_FILES)
        self.configure()

    def configure(
        self,
        servers: Sequence[str] = (PACSERVE, MIRROR),
        repos: Iterable[str] = ("core",),
        options: Iterable[str] = (),
    ) -> None:
        """Writes /etc/pacman.conf: signatures are required, `servers` (URL templates) are the mirrors of each of `repos`."""
        self.write_configuration(self.configuration(servers, repos, options))

    def configuration(self, servers: Iterable[str], repos: Iterable[str], options: Iterable[str] = ()) -> str:
        """The text of a pacman.conf."""
        lines = [
            "[options]",
            f"RootDir = {self.root}",
            f"DBPath = {DATABASE_DIR}",
            f"CacheDir = {PACKAGE_DIR}",
            f"LogFile = {self.dir}/log/pacman.log",
            f"GPGDir = {self.dir}/gnupg",
            f"HookDir = {self.dir}/hooks",
            "Architecture = x86_64",
            "SigLevel = Required DatabaseOptional",
            "ParallelDownloads = 5",
            *options,
        ]
        servers = tuple(servers)
        for repo in repos:
            lines += [f"[{repo}]", *(f"Server = {server}" for server in servers)]
        return "\n".join(lines) + "\n"

    def write_configuration(self, text: str) -> None:
        """Replaces /etc/pacman.conf."""
        self.path("/etc/pacman.conf").write_text(text)

    def pacman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """
        Runs pacman to its end.

        Raises:
            RuntimeError: It failed and `check` is set.
        """
        return self.run(["pacman", "--noconfirm", "--noprogressbar", *arguments], check=check)

    def installed(self) -> set[str]:
        """The names of the packages that are installed."""
        return set(self.run(["pacman", "-Qq"], check=False).stdout.split())

    def forget(self) -> None:
        """Uninstalls everything and empties the package cache, as if nothing had ever been downloaded; the databases stay."""
        for path in self.pkg.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        installed = self.installed()
        if installed:
            self.pacman("-Rdd", *sorted(installed))
