"""The facts that the doctor judges.  Values only: the checks judge them without any input of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacserve.config.settings import DEFAULT_APT_PORT, DEFAULT_PORT
from pacserve.pacsrv.configuration import Section
from pacserve.pacsrv.words import DEFAULT_CONFIGURATION
from pacserve.report.status import Status


@dataclass(frozen=True, slots=True)
class Folder:
    """
    A folder, as the daemon's user sees it.

    Attributes:
        problem: Why the folder or a file in it can't be read; empty where all can.
        doubt: Why that could not be found out; empty where it could.
        missing: True if the folder does not exist.
        free: Bytes that an ordinary user may still write there; None where that is not known.
    """

    path: str
    problem: str = ""
    doubt: str = ""
    missing: bool = False
    free: int | None = None


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """
    How far another host's clock is ahead of this one.

    Attributes:
        seconds: HTTP rounds them to whole ones.
    """

    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AptFacts:
    """
    How apt of this host is configured, as far as that concerns pacserve.

    Attributes:
        wanted: True if the options of the service say that pacserve answers apt.
        port: Where it should answer then.
        configured: True if pacserve's file is in apt.conf.d.
        detector: The program that apt asks for its proxy; empty where it asks none.
        fault: Why apt fails with that program; empty where it works.
        proxy: What that program says now; empty where it says nothing.
        proxies: The proxies that apt is told otherwise, by host; the empty name stands for all.
        silence: Why nothing answers on the port, or at the proxy; empty where pacserve answers, None where that was not tried.
        lists: The indexes that apt has fetched, as the daemon's user sees them; None where that was not tried.
        direct: The https sources, which apt asks without a proxy.
        unknown: The http sources for which the program names no proxy, though it does for others.
        daemon_proxy: True if the options of the service name a proxy for the daemon.
    """

    wanted: bool = False
    port: int = DEFAULT_APT_PORT
    configured: bool = False
    detector: str = ""
    fault: str = ""
    proxy: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    silence: str | None = None
    lists: Folder | None = None
    direct: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    daemon_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Everything that the checks judge.

    Attributes:
        port: Where the daemon should listen.
        silence: Why the daemon does not answer; empty where it does.
        status: The daemon's state; None where it did not tell it, for the reason `no_status`.
        now: Seconds since the epoch.
        pacman: Major and minor version; None where there is no pacman.
        configuration: The path of pacman.conf.
        sections: The repositories of pacman.conf; None where it can't be read, for the reason `unreadable`.
        signature_levels: The SigLevel that pacman-conf prints, by repository.
        xfer_command: The command that downloads in pacman's place; empty where pacman does so itself.
        cache_dirs: The package caches in pacman's order.
        spool: None where the daemon keeps no downloads.
        apt: None on a host without apt.
    """

    port: int
    now: float
    silence: str = ""
    status: Status | None = None
    no_status: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    pacman: tuple[int, int] | None = None
    configuration: str = DEFAULT_CONFIGURATION
    sections: tuple[Section, ...] | None = None
    unreadable: str = ""
    signature_levels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    xfer_command: str = ""
    cache_dirs: tuple[Folder, ...] = ()
    spool: Folder | None = None
    clocks: tuple[ClockOffset, ...] = ()
    apt: AptFacts | None = None

    @property
    def answers_apt(self) -> bool:
        """True if pacserve answers apt, or should."""
        return (self.status is not None and self.status.apt is not None) or (self.apt is not None and self.apt.wanted)

    @property
    def setup(self) -> str:
        """The command that sets up the configuration and the port that were examined."""
        port = f" --port {self.port}" if self.port != DEFAULT_PORT else ""
        configuration = f" --config {self.configuration}" if self.configuration != DEFAULT_CONFIGURATION else ""
        apt = " --apt" if self.apt is not None and self.apt.wanted else ""
        return f"pacsrv{port} setup{apt}{configuration}"
