"""Peers that die, hang, or hold the wrong thing: pacman succeeds all the same, and hardly later."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Daemon, Depot, Host, Lab, Site, falsified, small_packages, truncated, wait_until
from tests.e2e.lab.slowness import limit

NAMES = small_packages()[:10]
# Seconds that a peer which fails may cost; twice of it is allowed for, since the machine may be busy.
GRACE = 2 * 3.0
# Seconds after which pacman gives up on a transfer that stalls, at the latest; likewise.
STALL = 2 * 17.0

Break = Callable[[Lab, Host, Daemon], None]
FAILURES: dict[str, Break] = {
    "killed": lambda lab, host, peer: peer.kill(),
    "unplugged": lambda lab, host, peer: lab.unplug(host),
    "blackholed": lambda lab, host, peer: lab.blackhole(host),
    "frozen": lambda lab, host, peer: peer.freeze(),
}


def install(host: Host, *names: str) -> float:
    """Installs packages, and returns how many seconds that took."""
    started = time.monotonic()
    host.pacman("-Sy", *names)
    return time.monotonic() - started


@pytest.mark.parametrize("failure", FAILURES)
def test_before_pacman_starts(make_lab: MakeLab, depot: Depot, failure: str) -> None:
    """A peer that was fine a moment ago and has gone without a word costs at most 3 s."""
    lab = make_lab(hosts=3)
    host, other, alone = lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    Daemon(alone)
    baseline = install(alone, *NAMES)
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    FAILURES[failure](lab, other, peer)
    assert install(host, *NAMES) <= baseline + limit(GRACE)
    assert host.installed() == set(NAMES)
    daemon.stop()


@pytest.mark.parametrize("failure", FAILURES)
def test_before_the_daemon_starts(make_lab: MakeLab, depot: Depot, failure: str) -> None:
    """A peer that was never there, or hangs since before this daemon started, costs at most 3 s."""
    lab = make_lab(hosts=3)
    host, other, alone = lab.hosts
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    Daemon(alone)
    baseline = install(alone, *NAMES)
    FAILURES[failure](lab, other, peer)
    daemon = Daemon(host, "--pacserver", other.ip)
    assert install(host, *NAMES) <= baseline + limit(GRACE)
    assert host.installed() == set(NAMES)
    daemon.stop()


def start_big_download(host: Host, depot: Depot) -> subprocess.Popen[bytes]:
    """Starts pacman, and returns when a part of the big package has arrived."""
    part = host.pkg / f"{depot.packages['big'].filename}.part"
    pacman = host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "pacman.out.log")
    wait_until(lambda: pacman.poll() is not None or (part.exists() and part.stat().st_size > 3_000_000), "a part of the file")
    assert pacman.poll() is None
    return pacman


def pair(lab: Lab, depot: Depot, host: Host, other: Host) -> tuple[Daemon, Daemon]:
    """Starts a daemon and its peer, which takes some 8 s for the big package."""
    lab.limit_sending(other, 24)
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    host.pacman("-Sy")
    return daemon, peer


def test_killed_in_mid_file(lab: Lab, depot: Depot) -> None:
    """When a peer dies in the middle of a file, pacman goes on from the mirror where it stopped, at most 3 s later."""
    host, other = lab.hosts
    depot.settled()
    daemon, peer = pair(lab, depot, host, other)
    pacman = start_big_download(host, depot)
    peer.kill()
    assert pacman.wait(limit(GRACE)) == 0
    assert host.installed() == {"big"}
    (rest,) = lab.mirror.package_downloads()
    assert rest.status == 206
    daemon.stop()


def test_stalled_in_mid_file(make_lab: MakeLab, depot: Depot) -> None:
    """When a peer stalls in the middle of a file, pacman waits no longer than it waits for any server, and goes on from the mirror."""
    lab = make_lab(hosts=6)
    depot.settled()
    running = []
    for failure, host, other in zip(("unplugged", "blackholed", "frozen"), lab.hosts[:3], lab.hosts[3:], strict=True):
        daemon, peer = pair(lab, depot, host, other)
        pacman = start_big_download(host, depot)
        FAILURES[failure](lab, other, peer)
        running.append((failure, time.monotonic(), host, daemon, pacman))
    for failure, broken, host, daemon, pacman in running:
        assert pacman.wait(limit(STALL)) == 0, failure
        assert time.monotonic() - broken <= limit(STALL), failure
        assert host.installed() == {"big"}
        daemon.stop()


@pytest.mark.parametrize("signatures", ["signed", "detached"])
def test_no_signature(make_lab: MakeLab, depot: Depot, signatures: str) -> None:
    """A peer that holds packages without their signatures gives the packages, and somebody else gives the signatures."""
    lab = make_lab(sites=(Site(80, getattr(depot, signatures)),))
    host, other = lab.hosts
    shelf = depot.shelf("no signatures", NAMES, signatures=False)
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    install(host, *NAMES)
    assert host.installed() == set(NAMES)
    assert not lab.mirror.package_downloads()
    daemon.stop()
    peer.stop()


def test_truncated(lab: Lab, depot: Depot) -> None:
    """A peer that holds half of each package is not used: the database states another size."""
    host, other = lab.hosts
    shelf = depot.damaged_shelf("truncated", NAMES, truncated)
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    install(host, *NAMES)
    assert host.installed() == set(NAMES)
    assert len(lab.mirror.package_downloads()) == len(NAMES)
    assert not peer.requests(".pkg.tar.zst")
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("signatures", ["signed", "detached"])
def test_other_file_of_the_same_name_and_size(make_lab: MakeLab, depot: Depot, signatures: str) -> None:
    """A peer whose file has the right name and size and the wrong bytes fails one run of pacman, and the second one heals."""
    lab = make_lab(sites=(Site(80, getattr(depot, signatures)),))
    host, other = lab.hosts
    shelf = depot.damaged_shelf("wrong bytes", NAMES, falsified)
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    first = host.pacman("-Sy", *NAMES, check=False)
    assert first.returncode != 0
    assert len(peer.requests(".pkg.tar.zst")) == len(NAMES)
    install(host, *NAMES)
    assert host.installed() == set(NAMES)
    assert len(peer.requests(".pkg.tar.zst")) == len(NAMES)
    daemon.stop()
    peer.stop()
