"""Real pacman on hosts that found each other by multicast."""

from __future__ import annotations

import time

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PORT, Daemon, Depot, Host, Lab, small_packages
from tests.e2e.lab.slowness import assert_at_most, limit
from tests.e2e.test_discovery import at, know_each_other, knows, start
from tests.e2e.test_peer_failures import FAILURES, GRACE, install

NAMES = small_packages()


def payload(depot: Depot, names: list[str]) -> int:
    """The bytes of the packages themselves."""
    return sum(depot.packages[name].path.stat().st_size for name in names)


def test_one_after_the_other(make_lab: MakeLab, depot: Depot) -> None:
    """When eight hosts upgrade one after the other without a pause, each package comes over the WAN once."""
    lab = make_lab(hosts=8)
    daemons = start(lab.hosts)
    know_each_other(lab.hosts, daemons)
    names = [*NAMES, "big"]
    for host in lab.hosts:
        done = host.pacman("-Sy", *names)
        assert host.installed() == set(names)
        assert "error" not in done.stderr
    downloaded = sum(request.sent for request in lab.mirror.package_downloads())
    assert_at_most(downloaded, 1.02 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons[:2]:
        daemon.stop()


def test_the_load_is_shared(make_lab: MakeLab, depot: Depot) -> None:
    """Of several holders each gives some of the packages."""
    lab = make_lab(hosts=4)
    depot.settled()
    host, *holders = lab.hosts
    peers = start(holders, "--multicast", "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--multicast")
    knows(daemon, at(*holders))
    host.pacman("-Sy", *NAMES)
    assert lab.mirror.package_downloads() == []
    shares = [len(peer.requests(".pkg.tar.zst")) for peer in peers]
    assert min(shares) >= 3, shares


@pytest.mark.parametrize("failure", FAILURES)
def test_failures(make_lab: MakeLab, depot: Depot, failure: str) -> None:
    """A peer that was found by multicast and has gone without a word costs at most 3 s."""
    lab = make_lab(hosts=3)
    host, other, alone = lab.hosts
    depot.settled()
    names = NAMES[:10]
    peer = Daemon(other, "--multicast", "--cache-dir", str(depot.folder()))
    Daemon(alone)
    baseline = install(alone, *names)
    daemon = Daemon(host, "--multicast")
    knows(daemon, at(other))
    FAILURES[failure](lab, other, peer)
    assert install(host, *names) <= baseline + limit(GRACE)
    assert host.installed() == set(names)
    daemon.stop()


def test_one_of_many_hangs(make_lab: MakeLab, depot: Depot) -> None:
    """Among several holders one that hangs costs nothing that a user would notice, and the mirror is not asked."""
    lab = make_lab(hosts=4)
    depot.settled()
    host, *holders = lab.hosts
    peers = start(holders, "--multicast", "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--multicast")
    knows(daemon, at(*holders))
    peers[0].freeze()
    started = time.monotonic()
    host.pacman("-Sy", *NAMES)
    assert time.monotonic() - started <= limit(GRACE)
    assert lab.mirror.package_downloads() == []
    daemon.stop()


def test_deleted(lab: Lab, depot: Depot) -> None:
    """pacman is never sent to a file that the peer has deleted a moment ago."""
    host, other = lab.hosts
    daemons = start(lab.hosts)
    other.pacman("-Sy", *NAMES[:5])
    know_each_other(lab.hosts, daemons)
    held_by(daemons[0], other, 5)
    time.sleep(1.2)  # until its last yes is not taken for granted any more
    for path in other.pkg.iterdir():
        path.unlink()
    done = host.pacman("-Sy", *NAMES[:5])
    assert host.installed() == set(NAMES[:5])
    assert "error" not in done.stderr
    assert len(lab.mirror.package_downloads()) == 10
    assert not [line for line in daemons[1].requests("", "GET") if "/package/" in line and " 404" in line]
    daemons[0].stop()


def test_goodbye_while_pacman_runs(make_lab: MakeLab, depot: Depot) -> None:
    """A peer that is shut down while pacman fetches from it gives what it has begun, and the rest comes from elsewhere."""
    lab = make_lab(hosts=3)
    host, leaving, staying = lab.hosts
    depot.settled()
    peers = start((leaving, staying), "--multicast", "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--multicast")
    knows(daemon, at(leaving, staying))
    host.pacman("-Sy")
    pacman = host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", *NAMES, "big"], log=host.dir / "log" / "pacman.out.log")
    peers[0].stop()
    assert pacman.wait(limit(60)) == 0
    assert host.installed() == {*NAMES, "big"}
    daemon.stop()


def held_by(daemon: Daemon, host: Host, count: int) -> None:
    """Waits until a daemon knows that a host holds so many packages."""
    name = f"/request/core/x86_64/pkg{count - 1:02}"
    daemon.wait_for(rf"{host.ip}:{PORT} .*holds")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = daemon.space.request(f"{name}-1.{(count - 1) % 7}.0-1-x86_64.pkg.tar.zst", method="HEAD")
        if host.ip in answer.headers.get("location", ""):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{host.ip} is not known to hold {name}")
