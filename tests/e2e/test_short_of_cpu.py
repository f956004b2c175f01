"""Hosts whose CPU is short: everything is late, and nothing is fetched twice for that."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeLab, require
from tests.e2e.lab import Depot, small_packages
from tests.e2e.lab.shortage import why_not
from tests.e2e.lab.slowness import limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_fetch import downloaded, start_fetching
from tests.e2e.test_lan_upgrades import payload

# Eight quarters of a core are all that a machine of two has.
pytestmark = pytest.mark.alone
# Seconds: at a quarter of a core pacman alone takes a good part of a minute to check the signatures.
_UPGRADE_TIMEOUT = 240


@pytest.fixture(autouse=True)
def quota() -> None:
    require(why_not())


def test_eight_together(make_lab: MakeLab, depot: Depot) -> None:
    """Eight hosts that have a quarter of a core each, and fetch an upgrade at the same moment, get each package over the WAN once or little more."""
    lab = make_lab(hosts=8, wan_mbit=100, rtt_ms=20)
    for host in lab.hosts:
        host.confine(0.25)
    daemons = start_fetching(lab, lab.hosts)
    know_each_other(lab.hosts, daemons)
    names = [*small_packages(), "big"]
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-Syw", *names], log=host.dir / "log" / "p.log") for host in lab.hosts]
    assert [pacman.wait(limit(_UPGRADE_TIMEOUT)) for pacman in running] == [0] * len(running)
    filenames = set(depot.filenames(names, signatures=False))
    assert all(filenames <= {path.name for path in host.pkg.iterdir()} for host in lab.hosts)
    assert downloaded(lab) <= 1.1 * payload(depot, names)
