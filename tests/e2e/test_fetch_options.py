"""What the options of delivery make of a LAN: mixed ones, bad peers, both kinds of database, limits, and static peers."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PORT, Daemon, Depot, Host, Lab, Site, command, fake_peer, falsified, small_packages, wait_until
from tests.e2e.lab.slowness import assert_at_most, limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_fetch import downloaded, upgrade_together
from tests.e2e.test_lan_upgrades import payload

NAMES = small_packages()[:10]
COMBINATIONS = tuple(itertools.product(("redirect", "fetch"), ("redirect", "relay")))
# Bytes per second that the limits are tested with, and seconds of it that may flow at once.
WAN_LIMIT, LAN_LIMIT = 4 << 20, 10 << 20
BURST = 0.25
# A file that nobody's database knows, so that any bytes will do.
SIZE = 6 << 20


def spool(host: Host) -> tuple[str, str]:
    """The arguments that give a host a spool of its own."""
    return "--spool", str(host.dir / "spool")


def start_mixed(lab: Lab) -> list[Daemon]:
    """Starts daemons with each combination of the two options in turn, which find each other."""
    options = zip(lab.hosts, itertools.cycle(COMBINATIONS))
    daemons = [Daemon(host, "--multicast", "--misses", misses, "--hits", hits, *spool(host)) for host, (misses, hits) in options]
    know_each_other(lab.hosts, daemons)
    return daemons


def test_mixed_together(make_lab: MakeLab, depot: Depot) -> None:
    """When hosts of all four combinations upgrade at once, those that fetch share one download, and each of the others costs one at most."""
    lab = make_lab(hosts=8, wan_mbit=100, rtt_ms=20)
    daemons = start_mixed(lab)
    names = [*NAMES, "big"]
    for host in lab.hosts:
        host.pacman("-Sy")
    upgrade_together(lab.hosts, names)
    for host in lab.hosts:
        assert "error" not in (host.dir / "log" / "p.log").read_text()
    assert_at_most(downloaded(lab), 5.05 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


@pytest.mark.parametrize("reverse", [False, True])
def test_mixed_one_after_the_other(make_lab: MakeLab, depot: Depot, reverse: bool) -> None:
    """When hosts of all four combinations upgrade one after the other, each package comes over the WAN once, whoever begins."""
    lab = make_lab(hosts=4)
    daemons = start_mixed(lab)
    names = [*NAMES, "big"]
    for host in reversed(lab.hosts) if reverse else lab.hosts:
        done = host.pacman("-Sy", *names)
        assert host.installed() == set(names)
        assert "error" not in done.stdout + done.stderr
    assert_at_most(downloaded(lab), 1.02 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


@pytest.mark.parametrize("kind", ["Claims", "Redirects", "ShortHead", "ManyHeaders", "HeadOnly", "Drips", "Endless", "OtherPart"])
def test_relay_of_a_bad_peer(lab: Lab, depot: Depot, kind: str) -> None:
    """With --hits relay a peer that lies in yet another way costs some seconds, pacman sees no error, and the daemon does not grow."""
    host, other = lab.hosts
    peer = fake_peer(other, kind, str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", *spool(host))
    usual = daemon.memory()
    wait_until(lambda: "/info" in peer.text(), "the peer to be asked")
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stdout + done.stderr
    assert daemon.memory() < usual + 60_000_000
    daemon.stop()


def test_relay_of_deleted_files(lab: Lab, depot: Depot) -> None:
    """With --hits relay a peer whose files have been deleted since it listed them gives none, and pacman sees no error."""
    host, other = lab.hosts
    peer = Daemon(other)
    other.pacman("-Sy", *NAMES)
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", *spool(host))
    daemon.wait_for("holds")
    for path in other.pkg.iterdir():
        path.unlink()
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stdout + done.stderr
    daemon.stop()
    peer.stop()


def test_relay_between_a_good_and_a_wrong_peer(make_lab: MakeLab, depot: Depot) -> None:
    """With --hits relay a peer with wrong files is found out once and then left, and the one with right files is used."""
    lab = make_lab(hosts=3)
    host, good, bad = lab.hosts
    names = small_packages()
    shelf = depot.damaged_shelf("options-falsified", names, falsified)
    depot.settled()
    honest = Daemon(good, "--cache-dir", str(depot.folder()))
    liar = Daemon(bad, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", good.ip, "--pacserver", bad.ip, "--hits", "relay", *spool(host))
    for peer in (good, bad):
        daemon.wait_for(rf"{peer.ip}:{PORT} .*holds")
    done = host.pacman("-Sy", *names)
    assert host.installed() == set(names)
    assert "error" not in done.stdout + done.stderr
    assert daemon.text().count("gave a wrong file") <= 5
    assert len(lab.mirror.package_downloads()) <= 5
    for running in (daemon, honest, liar):
        running.stop()


def test_follow_of_a_wrong_holder(lab: Lab, depot: Depot) -> None:
    """A peer that claims every file and gives wrong bytes to who follows it spoils one run of pacman at most, and is not followed again."""
    host, other = lab.hosts
    daemon = Daemon(host, "--pacserver", other.ip, "--misses", "fetch", *spool(host))
    host.pacman("-Sy")
    peer = fake_peer(other, "FeedsNonsense", str(depot.folder()))
    wait_until(lambda: "claimed" in peer.text(), "the peer to claim everything", 20)
    host.pacman("-S", *NAMES, check=False)
    followed = peer.text().count("/fetch/")
    assert followed
    host.pacman("-S", *NAMES)
    assert host.installed() == set(NAMES)
    assert peer.text().count("/fetch/") == followed
    daemon.stop()


@pytest.mark.parametrize("signatures", ["signed", "detached"])
def test_both_kinds_of_database(make_lab: MakeLab, depot: Depot, signatures: str) -> None:
    """With signatures in the database or beside the packages, what is fetched is accepted where signatures are required, here and by a peer."""
    lab = make_lab(hosts=3, sites=(Site(80, getattr(depot, signatures)),))
    host, *others = lab.hosts
    for one in lab.hosts:
        one.configure(options=["LocalFileSigLevel = Required", "RemoteFileSigLevel = Required"])
    daemons = [Daemon(one, "--multicast", "--misses", "fetch", "--hits", "relay", *spool(one)) for one in lab.hosts]
    know_each_other(lab.hosts, daemons)
    host.pacman("-Sy", *NAMES, "big")
    for one in others:
        one.pacman("-Sy")
    upgrade_together(others, [*NAMES, "big"])
    assert host.installed() == {*NAMES, "big"}
    assert len(lab.mirror.package_downloads()) == len(NAMES) + 1
    for daemon in daemons:
        daemon.stop()


def test_static_peers(make_lab: MakeLab, depot: Depot) -> None:
    """In a LAN without IPv6 and multicast hosts that name each other share one download as well."""
    lab = make_lab(hosts=3, ipv6=False, wan_mbit=50, rtt_ms=20)
    daemons = []
    for host in lab.hosts:
        others = [argument for other in lab.hosts if other is not host for argument in ("--pacserver", other.ip)]
        daemons.append(Daemon(host, "--misses", "fetch", *spool(host), *others))
    for daemon in daemons:
        for host in lab.hosts:
            if daemon.space is not host:
                daemon.wait_for(rf"{host.ip}:{PORT} .*(holds|is asked)", 40)
    names = [*NAMES, "big"]
    for host in lab.hosts:
        host.pacman("-Sy")
    upgrade_together(lab.hosts, names)
    assert_at_most(downloaded(lab), 1.05 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


def test_spool_of_a_relay_in_use(lab: Lab) -> None:
    """A daemon that relays has its spool for itself, as one that fetches has, and a crash gives the spool free."""
    host, _ = lab.hosts
    arguments = ("--hits", "relay", *spool(host))
    daemon = Daemon(host, *arguments)
    done = host.run(command("--port", "15680", *arguments), check=False, timeout=limit(20))
    assert done.returncode == 78
    assert str(host.dir / "spool") in done.stderr
    daemon.kill()
    Daemon(host, *arguments).stop()


@pytest.fixture
def unknown(depot: Depot, tmp_path: Path) -> Path:
    """The root of a mirror with two files that its database does not know."""
    folder = tmp_path / "mirror" / "core" / "os" / "x86_64"
    folder.mkdir(parents=True)
    (folder / "core.db").write_bytes((depot.folder() / "core.db").read_bytes())
    for name in ("one", "two"):
        (folder / f"{name}-1-1-any.pkg.tar.zst").write_bytes(os.urandom(SIZE))
    tmp_path.chmod(0o755)
    return tmp_path / "mirror"


class Transfer(threading.Thread):
    """
    Gets a file.

    Attributes:
        body: What has come.
        seconds: How long that took, when it has ended.
    """

    def __init__(self, asker: Host, address: str, target: str) -> None:
        super().__init__()
        self._socket = asker.connect(address)
        self._target = target
        self.body = b""
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        begun = time.monotonic()
        with self._socket as connection:
            connection.settimeout(30)
            connection.sendall(f"GET {self._target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            pieces = []
            while piece := connection.recv(1 << 16):
                pieces.append(piece)
        self.seconds = time.monotonic() - begun
        self.body = b"".join(pieces).partition(b"\r\n\r\n")[2]


def assert_limited(transfers: Sequence[Transfer], contents: Sequence[bytes], limit: int) -> None:
    """All bytes came, not earlier than the limit allows, and no transfer much earlier than the other."""
    for transfer in transfers:
        transfer.join()
    assert [transfer.body for transfer in transfers] == list(contents)
    took = [transfer.seconds for transfer in transfers]
    assert max(took) >= sum(map(len, contents)) / limit - BURST - 0.1
    assert min(took) >= 0.7 * max(took)


def test_wan_limit(make_lab: MakeLab, unknown: Path) -> None:
    """What two clients fetch at once takes as long as the limit wants, and neither gets much more than the other."""
    lab = make_lab(sites=(Site(80, unknown),))
    host, _ = lab.hosts
    daemon = Daemon(host, "--misses", "fetch", "--wan-limit", str(WAN_LIMIT), *spool(host))
    files = ("one-1-1-any.pkg.tar.zst", "two-1-1-any.pkg.tar.zst")
    transfers = [Transfer(host, "127.0.0.1", f"/request/core/x86_64/{file}") for file in files]
    assert_limited(transfers, [(unknown / "core" / "os" / "x86_64" / file).read_bytes() for file in files], WAN_LIMIT)
    daemon.stop()


def test_lan_limit(lab: Lab, depot: Depot) -> None:
    """What two peers get at once takes as long as the limit wants, and neither gets much more than the other."""
    host, other = lab.hosts
    depot.settled()
    daemon = Daemon(host, "--lan-limit", str(LAN_LIMIT), "--cache-dir", str(depot.folder()))
    content = depot.packages["big"].path.read_bytes()
    target = f"/package/{depot.packages['big'].filename}"
    transfers = [Transfer(other, host.ip, f"{target}/data") for _ in range(2)]
    assert_limited(transfers, [content, content], LAN_LIMIT)
    daemon.stop()


def test_lan_limit_of_a_relay(lab: Lab, depot: Depot) -> None:
    """What is relayed from a peer takes as long as the limit wants, and pacman waits for it."""
    host, other = lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", "--lan-limit", str(LAN_LIMIT), *spool(host))
    daemon.wait_for("holds")
    host.pacman("-Sy")
    started = time.monotonic()
    done = host.pacman("-S", "big")
    assert time.monotonic() - started >= depot.packages["big"].size / LAN_LIMIT - BURST - 0.1
    assert host.installed() == {"big"}
    assert "error" not in done.stdout + done.stderr
    assert not lab.mirror.package_downloads()
    daemon.stop()
    peer.stop()


def test_lowest_limit(lab: Lab) -> None:
    """With the lowest limit all five transfers of pacman go on, so that it does not give up on any."""
    host, _ = lab.hosts
    daemon = Daemon(host, "--misses", "fetch", "--wan-limit", "64k", *spool(host))
    names = small_packages()[40:]
    done = host.pacman("-Sy", *names)
    assert host.installed() == set(names)
    assert "error" not in done.stdout + done.stderr
    daemon.stop()
