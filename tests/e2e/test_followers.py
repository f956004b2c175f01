"""Hosts that download one file at once in LANs of several speeds: each has it as fast as its LAN allows, and it comes over the WAN once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Depot, Host, Lab
from tests.e2e.lab.slowness import assert_at_most, limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_fetch import start_fetching

# Seconds that 24 MB take at the most, by the aims for these LANs, and twice as much where seconds are asserted.
SLOW_LAN, FAST_LAN = 2 * 10.0, 2 * 1.5 * 4.3


def install_at_once(hosts: Sequence[Host]) -> list[subprocess.Popen[bytes]]:
    """Starts pacman on all of these hosts."""
    return [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "pacman.out.log") for host in hosts]


def ready(lab: Lab) -> None:
    """Starts daemons that know each other, on hosts that know the packages."""
    daemons = start_fetching(lab, lab.hosts)
    know_each_other(lab.hosts, daemons)
    for host in lab.hosts:
        host.pacman("-Sy")


def check_wan(lab: Lab, depot: Depot) -> None:
    """The file came over the WAN once."""
    downloaded = sum(request.sent for request in lab.mirror.package_downloads())
    assert_at_most(downloaded, 1.03 * depot.packages["big"].size, "bytes from the mirror")


def test_lan_no_faster_than_the_wan(make_lab: MakeLab, depot: Depot) -> None:
    """Where LAN and WAN have 50 Mbit/s alike, eight hosts hand a file on from one to the next instead of sharing the uplink of one."""
    lab = make_lab(hosts=8, wan_mbit=50)
    ready(lab)
    for host in lab.hosts:
        lab.limit_port(host, 50)
    started = time.monotonic()
    running = install_at_once(lab.hosts)
    assert [pacman.wait(limit(60)) for pacman in running] == [0] * 8
    assert time.monotonic() - started <= limit(SLOW_LAN)
    assert all(host.installed() == {"big"} for host in lab.hosts)
    check_wan(lab, depot)


def test_slow_host_in_the_middle(make_lab: MakeLab, depot: Depot) -> None:
    """A host on 10 Mbit/s that asks second, and so would feed others, keeps none of them waiting, and gets the file as fast as it can."""
    lab = make_lab(hosts=8, wan_mbit=50)
    ready(lab)
    first, slow, *others = lab.hosts
    lab.limit_port(slow, 10)
    started = time.monotonic()
    running = []
    for hosts in ([first], [slow], others):
        running += install_at_once(hosts)
        time.sleep(0.3)
    (middle,) = running[1:2]
    assert [pacman.wait(limit(60)) for pacman in running if pacman is not middle] == [0] * 7
    assert time.monotonic() - started <= limit(FAST_LAN)
    assert middle.wait(limit(60)) == 0
    assert all(host.installed() == {"big"} for host in lab.hosts)
    check_wan(lab, depot)
