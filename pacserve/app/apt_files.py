"""Everything that apt of this host knows and keeps, wired together: its sources, its lists, and its archives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pacserve.apt.archive_source import ArchiveSource
from pacserve.apt.archives import Archives
from pacserve.apt.bases import Bases
from pacserve.apt.lists import VerifiedLists, kept_indexes
from pacserve.apt.passed_lists import PassedFolder, SourceFilesAndPassed
from pacserve.apt.targets import target_of
from pacserve.cache.merged import MergedPackages
from pacserve.config.settings import Settings
from pacserve.fetch.urls import is_localhost, literal_address, parse_url
from pacserve.lateness import Lateness
from pacserve.network.addresses import LocalAddresses
from pacserve.packages.children import Run
from pacserve.packages.inventory import LocalPackages

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Means:
    """
    The parts of the process that looking after apt's files needs.

    Attributes:
        run: Runs apt's own programs.
        wall: Gives the seconds since the epoch.
    """

    run: Run
    in_thread: InThread
    clock: IReactorTime
    wall: Callable[[], float]
    lateness: Lateness


class Here:
    """
    Knows by which names and addresses the port for apt is asked.

    Args:
        names: Those of this host.
    """

    def __init__(self, machine: LocalAddresses, names: frozenset[str], port: int) -> None:
        self._machine = machine
        self._names = names
        self._port = port

    def __call__(self, authority: str) -> bool:
        """Returns whether a host, with a port where there is one, means the port for apt."""
        try:
            url = parse_url(f"http://{authority}/")
        except ValueError:
            return False
        if url.port != self._port:
            return False
        address = literal_address(url.host)
        if address is None:
            return is_localhost(url.host) or url.host in self._names
        return address.is_loopback or address.is_unspecified or self._machine.owns(address)


class AptFiles:
    """
    Knows the lists that apt of this host has verified, and the files that it keeps.

    Attributes:
        lists: What its lists state.
        archives: What it keeps.
        passed: The lists of other repositories that clients were given.
        source: Where the resolver finds that.
        is_here: Returns whether a host means the port for apt.
        in_thread: Reads and copies files in a thread.
        run: Runs apt's own programs.
    """

    def __init__(self, settings: Settings, is_here: Callable[[str], bool], means: Means) -> None:
        folder = f"{settings.state}/apt"
        self.is_here, self.in_thread, self.run = is_here, means.in_thread, means.run
        self.passed = PassedFolder(f"{folder}/passed", Bases(tuple(filter(None, map(target_of, settings.apt_mirrors)))))
        sources = SourceFilesAndPassed(means.run, settings.apt_mirrors, is_here, self.passed)
        self.lists = VerifiedLists(sources, kept_indexes(f"{folder}/lists"), means.run, means.clock, means.lateness)
        self.archives = Archives(means.run, self.lists, f"{folder}/archives", means.in_thread, means.clock, means.wall)
        self.source = ArchiveSource(self.archives)

    def start(self) -> None:
        """Reads what there is, and looks for changes from then on."""
        self.lists.start()
        self.archives.start()

    def stop(self) -> None:
        """Looks no more."""
        self.archives.stop()
        self.lists.stop()


def with_archives(packages: LocalPackages, files: AptFiles | None) -> LocalPackages:
    """Returns the files that hosts of the LAN may have: with those that apt keeps, where apt is answered."""
    return packages if files is None else MergedPackages(packages, files.archives)
