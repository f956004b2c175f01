"""Signatures: pacman asks for one where it was given the package, once, so that its own host has to have it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PACSERVE, Daemon, Depot, Lab, Program, Site, fake_peer, small_packages
from tests.e2e.lab.slowness import limit
from tests.e2e.test_discovery import know_each_other, start

NAMES = small_packages()[:20]
FAULTS = [
    "SignatureFails",
    "SignatureGone",
    "SignatureRedirected",
    "SignatureCut",
    "SignatureStalls",
    "SignatureMute",
    "SignatureForged",
]


@pytest.mark.parametrize(("fault", "hits"), [*((fault, "auto") for fault in FAULTS), ("SignatureCut", "redirect")])
def test_peer_without_signatures(make_lab: MakeLab, depot: Depot, fault: str, hits: str) -> None:
    """However a peer fails for signatures, the first run of pacman installs everything, and the packages come from that peer."""
    lab = make_lab(sites=(Site(80, depot.detached),))
    host, other = lab.hosts
    peer = fake_peer(other, fault, str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", hits)
    daemon.wait_for("holds")
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert not lab.mirror.package_downloads()
    assert all(f"/package/{depot.packages[name].filename}/data" in peer.text() for name in NAMES)
    daemon.stop()


@pytest.mark.parametrize("misses", ["auto", "redirect"])
def test_mirror_without_signatures(make_lab: MakeLab, depot: Depot, misses: str) -> None:
    """A signature that the mirror does not give comes from a peer, whether the mirror has a defect or has none."""
    for directive in (r"location ~ \.sig$ { return 503; }", r"location ~ \.sig$ { return 404; }"):
        lab = make_lab(sites=(Site(80, depot.detached, directive),))
        host, other = lab.hosts
        depot.settled()
        peer = Daemon(other, "--cache-dir", str(depot.folder()))
        daemon = Daemon(host, "--pacserver", other.ip, "--misses", misses)
        daemon.wait_for("holds")
        host.pacman("-Sy", *NAMES)
        assert host.installed() == set(NAMES)
        daemon.stop()
        peer.stop()


def test_database_that_carries_them(make_lab: MakeLab, depot: Depot) -> None:
    """Where the database carries the signatures nobody is asked for one."""
    lab = make_lab(sites=(Site(80, depot.signed),))
    host, other = lab.hosts
    peer = fake_peer(other, "SignatureForged", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert not [request for request in lab.mirror.requests("GET") if request.name.endswith(".zst.sig")]
    assert "GET" not in "".join(line for line in peer.text().splitlines() if ".sig" in line)
    daemon.stop()


def test_once_for_the_lan(make_lab: MakeLab, depot: Depot) -> None:
    """Where downloads are shared, each signature comes over the WAN once for all hosts that upgrade at the same time."""
    lab = make_lab(hosts=3, sites=(Site(80, depot.detached),))
    daemons = start(lab.hosts, "--multicast", "--misses", "auto")
    know_each_other(lab.hosts, daemons)
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-Sy", *NAMES], log=host.dir / "log" / "pacman.out.log") for host in lab.hosts]
    assert [pacman.wait(limit(60)) for pacman in running] == [0] * len(running)
    asked = [request.name for request in lab.mirror.requests("GET") if request.name.endswith(".zst.sig")]
    assert sorted(asked) == sorted(f"{depot.packages[name].filename}.sig" for name in NAMES)
    for daemon in daemons:
        daemon.stop()


@pytest.mark.parametrize("misses", ["fetch", "redirect"])
def test_stale_bytes(lab: Lab, depot: Depot, misses: str) -> None:
    """What a mirror sends behind a body is not taken for the answer to the next question, the one for the signature."""
    host, _ = lab.hosts
    script = Path(__file__).parent / "lab" / "stale_mirror.py"
    Program(lab.mirror, [sys.executable, str(script), "81", str(depot.detached)], lab.mirror.dir / "stale.log", 81)
    host.configure([PACSERVE, "http://10.78.0.2:81/$repo/os/$arch"])
    daemon = Daemon(host, "--misses", misses)
    for name in NAMES[:5]:
        file = depot.packages[name].filename
        for asked in (file, f"{file}.sig") if misses == "fetch" else (f"{file}.sig",):
            answer = host.request(f"/request/core/x86_64/{asked}")
            assert (answer.status, answer.body) == (200, (depot.folder() / asked).read_bytes())
    daemon.stop()
