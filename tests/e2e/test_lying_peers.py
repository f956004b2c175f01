"""Peers that lie or attack: pacman succeeds, and the daemon neither falls nor grows."""

from __future__ import annotations

import time

import pytest

from tests.e2e.lab import Daemon, Depot, Lab, fake_peer, small_packages, wait_until
from tests.e2e.lab.slowness import limit

NAMES = small_packages()[:4]
KINDS = [
    "Claims",
    "HugeInfo",
    "InfoBomb",
    "SlowInfo",
    "ForeignNames",
    "Garbage",
    "Redirects",
    "ShortHead",
    "ChangesItsMind",
    "CutsShort",
    "Mute",
    "ManyHeaders",
]


@pytest.mark.parametrize("kind", KINDS)
def test_pacman_succeeds(lab: Lab, depot: Depot, kind: str) -> None:
    """Whatever one peer does, every package is installed within seconds, and the daemon's memory stays where it was."""
    host, other = lab.hosts
    honest = Daemon(host)
    usual = honest.memory()
    honest.stop()
    peer = fake_peer(other, kind, str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip)
    wait_until(lambda: "/info" in peer.text(), "the peer to be asked")
    time.sleep(0.5)
    started = time.monotonic()
    host.pacman("-Sy", *NAMES)
    assert time.monotonic() - started < limit(12)
    assert host.installed() == set(NAMES)
    assert daemon.memory() < usual + 60_000_000
    daemon.stop()


def test_redirects_are_not_followed(lab: Lab, depot: Depot) -> None:
    """A peer's redirect is no yes: nothing is asked at its target, and the mirror gives the package."""
    host, other = lab.hosts
    fake_peer(other, "Redirects", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    answer = host.request(f"/request/core/x86_64/{depot.packages['pkg00'].filename}")
    assert answer.status == 307
    assert answer.headers["location"].startswith("http://10.78.0.2/")
    daemon.stop()
