"""Made-up peers that change all the time: honest ones are used as ever, and the daemon's memory stays where it is."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PORT, Daemon, Depot, Host, Program, small_packages, wait_until

# Bytes by which the daemon may grow during the attack, and seconds in which an honest peer's news are known: twice what is promised.
GROWTH = 2 * 40_000_000
NEWS_WITHIN = 2 * 5.0
# Seconds of CPU in one of the attack, likewise.
CPU_SHARE = 2 * 0.1
# Seconds of the attack at least.
ATTACK = 15.0
PEERS, NAMES = 16, 36_000
_PROGRAM = Path(__file__).parent / "lab" / "changing_peers.py"


def test_changing_peers(make_lab: MakeLab, depot: Depot) -> None:
    """Sixteen peers at one address, each with other names at every poll, cost little; news of an honest peer are known as soon as ever."""
    lab = make_lab(hosts=3)
    host, honest, hostile = lab.hosts
    first, *others = small_packages()[:4]
    holder = Daemon(honest, "--multicast")
    daemon = Daemon(host, "--multicast")
    honest.pacman("-Sy", first)
    daemon.wait_for(f"{honest.ip}:{PORT} .*holds")
    host.pacman("-Sy", first)
    usual, began, spent = daemon.memory(), time.monotonic(), daemon.cpu()
    attacker = attack(hostile)
    wait_until(lambda: "/info" in attacker.text(), "the made-up peers to be asked", 30)
    for name in others:
        honest.pacman("-S", name)
        file = depot.packages[name].filename
        wait_until(partial(is_known, host, file), f"{name} to be known", NEWS_WITHIN)
        host.pacman("-S", name)
        assert holder.requests(file), f"{name} was not taken from the peer"
        assert daemon.memory() < usual + GROWTH
        time.sleep(ATTACK / len(others))
    assert daemon.memory() < usual + GROWTH
    assert daemon.cpu() - spent < CPU_SHARE * (time.monotonic() - began)
    assert host.installed() == {first, *others}
    for one in (daemon, holder):
        one.stop()


def is_known(host: Host, file: str) -> bool:
    """Whether the daemon of a host knows a peer that holds a file."""
    return b"it holds the file" in host.request(f"/why/{file}").body


def attack(host: Host) -> Program:
    """Starts the made-up peers."""
    command = [sys.executable, str(_PROGRAM), host.ip, str(PEERS), str(NAMES)]
    return Program(host, command, host.dir / "log" / "changing_peers.log", PORT)
