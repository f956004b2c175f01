"""A LAN of hosts with apt, and repositories on its mirror."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

from tests.e2e.lab.apt_host import Apt
from tests.e2e.lab.apt_packages import Deb, build_deb
from tests.e2e.lab.apt_repository import Repository
from tests.e2e.lab.daemon import Program
from tests.e2e.lab.mirror import MirrorRequest
from tests.e2e.lab.network import Lab
from tests.e2e.lab.packages import SigningKey

FAULTY_PORT = 81
_FAULTY = Path(__file__).with_name("apt_mirror.py")
# What apt says where a mirror, or a cache between, gave files that do not belong together.
TORN = ("Hash Sum mismatch", "Mirror sync in progress", "unexpected size", "Clearsigned file isn't valid", "BADSIG", "Splitting up")


class AptLab:
    """
    A LAN whose hosts have apt.

    Args:
        lab: The LAN; its mirror serves `root`.
        debian: The folder of the Debian whose apt is used, in the place of this machine's.
        architectures: Those of the first hosts.

    Attributes:
        root: The folder of the mirror: a repository is a folder in it.
        debian: The repository that sources mean when nothing else is said.
    """

    def __init__(self, lab: Lab, root: Path, key: SigningKey, debian: Path | None = None, architectures: Sequence[str] = ()) -> None:
        self.lab, self.root, self._key = lab, root, key
        public = key.public()
        names = itertools.chain(architectures, itertools.repeat("amd64"))
        self.hosts = [Apt(host, public, debian, name) for host, name in zip(lab.hosts, names, strict=False)]
        self.debian = self.repository("debian")

    def repository(self, path: str) -> Repository:
        """Returns the repository below a folder of the mirror."""
        return Repository(self.root / path, self._key)

    def faulty(self, kind: str) -> Program:
        """Starts a mirror of the same files with a fault on a port of its own; `kind` is a class of apt_mirror.py."""
        mirror = self.lab.mirror
        log = mirror.dir / f"{kind}.log"
        return Program(mirror, [sys.executable, str(_FAULTY), kind, str(self.root), str(FAULTY_PORT)], log, FAULTY_PORT)

    def downloads(self, ending: str = ".deb") -> list[MirrorRequest]:
        """The GETs for files whose names end so that the mirror answered with bytes."""
        return [request for request in self.lab.mirror.requests("GET") if request.name.endswith(ending) and request.status in (200, 206)]


def packages(count: int, version: str = "1.0-1", size: int = 30_000) -> tuple[Deb, ...]:
    """Returns packages `lab00`, `lab01` and so on; every third one is of all architectures."""
    return tuple(build_deb(f"lab{number:02}", version, size, architecture="amd64" if number % 3 else "all") for number in range(count))


def together(hosts: Sequence[Apt], *arguments: str) -> list[CompletedProcess[str]]:
    """Runs apt-get on all hosts at the same moment."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(lambda apt: apt.run(*arguments, check=False), hosts))


def assert_good(done: CompletedProcess[str]) -> None:
    """
    Asserts that a run of apt has done all that was wanted.

    Raises:
        AssertionError: It failed, or left something out.
    """
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "\nW: " not in f"\n{said}", said
    assert "Err:" not in said, said
    assert_whole(done)


def assert_whole(done: CompletedProcess[str]) -> None:
    """
    Asserts that a run of apt met no files that do not belong together.

    Raises:
        AssertionError: It did.
    """
    said = done.stdout + done.stderr
    assert not [words for words in TORN if words in said], said
