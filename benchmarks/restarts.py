"""Upgrades by real pacman during which the daemon is restarted, with and without socket activation."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterator

from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, SkippedError
from tests.e2e.lab import Daemon, Depot, Service, Site, small_packages
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab.requirements import PREFIX, missing, trial
from tests.e2e.lab.restarts import Upgrade, restarted

NAME = "restarts"
_UPGRADES, _QUICK_UPGRADES = 100, 10
# Mbit/s: the big package takes about a second, so that its download is met as well.
_WAN_MBIT = 200
# The first few of the packages of an upgrade are held by a peer.
_NAMES = [*small_packages()[:16], "big"]
_HELD = 8


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures a host that upgrades by real pacman again and again, and whose daemon is restarted at a random moment of each upgrade.

    A peer has half of the packages; the rest is downloaded from a mirror and handed on.  Under socket activation the listening socket is the service
    manager's, so that connections wait for the new daemon.

    Raises:
        SkippedError: The LAN can't be made here.
    """
    reason = missing() or trial(lab.folder / "trial")
    if reason:
        raise SkippedError(reason.replace("end-to-end tests need", "needs"))
    depot = Depot(lab.path("depot"))
    count = _QUICK_UPGRADES if lab.quick else _UPGRADES
    try:
        for activated in (True, False):
            yield from _measure(lab, depot, count, activated=activated)
    except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(str(error)) from error


def _measure(lab: Lab, depot: Depot, count: int, *, activated: bool) -> Iterator[Result]:
    how = "socket activation" if activated else "no socket activation"
    folder = lab.folder / f"lan{activated:d}"
    with Hosts(folder, f"{PREFIX}-{os.getpid()}-r{activated:d}", depot.keyring, (Site(80, depot.signed),), hosts=2, wan_mbit=_WAN_MBIT) as lan:
        upgrades = _upgrades(lan, depot, count, activated=activated)
    failed = [upgrade for upgrade in upgrades if upgrade.status]
    yield Result(NAME, f"{how}: of {count} upgrades failed", len(failed), "", aim=Aim(0, least=False) if activated else None)
    yield Result(NAME, f"{how}: median of an upgrade", statistics.median(upgrade.seconds for upgrade in upgrades), "s")
    yield Result(NAME, f"{how}: longest upgrade", max(upgrade.seconds for upgrade in upgrades), "s")
    closed = [upgrade.closed * 1000 for upgrade in upgrades]
    yield Result(NAME, f"{how}: nothing listens, median", statistics.median(closed), "ms")
    yield Result(NAME, f"{how}: nothing listens, longest", max(closed), "ms")


def _upgrades(lan: Hosts, depot: Depot, count: int, *, activated: bool) -> list[Upgrade]:
    """Upgrades the first host, which knows the second as a peer."""
    host, other = lan.hosts
    depot.settled()
    Daemon(other, "--cache-dir", str(depot.shelf("half", _NAMES[:_HELD])))
    options = ("--pacserver", other.ip, "--misses", "auto", "--hits", "auto", "--spool", str(host.dir / "spool"))
    service = Service(host, *options, activated=activated)
    service.wait_for(r"peer \S+ holds")
    upgrades = list(restarted(service, host, _NAMES, count))
    service.stop()
    return upgrades
