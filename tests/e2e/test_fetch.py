"""`--misses fetch`: what nobody on the LAN has is downloaded once, and handed on meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Daemon, Depot, Host, Lab, command, fake_peer, falsified, small_packages, truncated, wait_until
from tests.e2e.lab.slowness import assert_at_most, limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_lan_upgrades import payload
from tests.e2e.test_peer_failures import FAILURES

NAMES = small_packages()[:10]


def test_fetched(lab: Lab, depot: Depot) -> None:
    """pacman gets what is downloaded for it, and a peer gets it from the spool."""
    host, other = lab.hosts
    spool = host.dir / "spool"
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(spool))
    done = host.pacman("-Sy", *NAMES, "big")
    assert host.installed() == {*NAMES, "big"}
    assert "error" not in done.stderr
    assert all(" 200 " in line and "download" in line for file in depot.filenames(NAMES, signatures=False) for line in daemon.requests(file))
    assert {path.name for path in (spool / "pkg").glob("*.pkg.tar.zst")} == set(depot.filenames([*NAMES, "big"], signatures=False))
    for path in host.pkg.iterdir():
        path.unlink()
    peer = Daemon(other, "--pacserver", host.ip, "--misses", "fetch", "--spool", str(other.dir / "spool"))
    peer.wait_for("holds")
    before = len(lab.mirror.package_downloads())
    assert before == len(NAMES) + 1
    other.pacman("-Sy", *NAMES)
    assert len(lab.mirror.package_downloads()) == before
    daemon.stop()
    peer.stop()


def test_together(make_lab: MakeLab, depot: Depot) -> None:
    """Clients that ask for one file at the same moment share one download."""
    lab = make_lab(hosts=4, wan_mbit=50)
    host, *clients = lab.hosts
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"), "--clients", "10.77.0.0/24")
    for client in clients:
        client.configure(servers=[f"http://{host.ip}:15678/request/$repo/$arch"])
        client.pacman("-Sy")
    running = [client.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=client.dir / "log" / "p.log") for client in clients]
    assert [pacman.wait(limit(60)) for pacman in running] == [0, 0, 0]
    assert len(lab.mirror.package_downloads()) == 1
    daemon.stop()


@pytest.mark.parametrize("mbit", [100, 12])
def test_eight_together(make_lab: MakeLab, depot: Depot, mbit: int) -> None:
    """When eight hosts upgrade at the same moment, each package comes over the WAN once."""
    lab = make_lab(hosts=8, wan_mbit=mbit, rtt_ms=20)
    daemons = start_fetching(lab, lab.hosts)
    know_each_other(lab.hosts, daemons)
    names = [*small_packages(), "big"]
    for host in lab.hosts:
        host.pacman("-Sy")
    upgrade_together(lab.hosts, names)
    assert_at_most(downloaded(lab), 1.05 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons[:2]:
        daemon.stop()


def test_one_after_the_other(make_lab: MakeLab, depot: Depot) -> None:
    """When eight hosts upgrade one after the other, each package comes over the WAN once."""
    lab = make_lab(hosts=8)
    know_each_other(lab.hosts, start_fetching(lab, lab.hosts))
    names = [*small_packages(), "big"]
    for host in lab.hosts:
        host.pacman("-Sy", *names)
        assert host.installed() == set(names)
    assert_at_most(downloaded(lab), 1.02 * payload(depot, names), "bytes from the mirror")


@pytest.mark.parametrize("failure", ["killed", "unplugged", "frozen"])
def test_holder_fails(make_lab: MakeLab, depot: Depot, failure: str) -> None:
    """When the host that downloads a big file fails in the middle of it, those who follow it end well, and fetch what is missing."""
    lab = make_lab(hosts=4, wan_mbit=40)
    daemons = start_fetching(lab, lab.hosts)
    know_each_other(lab.hosts, daemons)
    for host in lab.hosts:
        host.pacman("-Sy")
    before, sent = [received(host) for host in lab.hosts], lab.mirror.wan_bytes()
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "p.log") for host in lab.hosts]
    half = depot.packages["big"].size // 2
    wait_until(lambda: all(received(host) - had > half for host, had in zip(lab.hosts, before, strict=True)), "half of the file", 30)
    index = next(number for number, host in enumerate(lab.hosts) if lab.mirror.run(f"ss -Htn state established dst {host.ip}").stdout.strip())
    FAILURES[failure](lab, lab.hosts[index], daemons[index])
    for number, pacman in enumerate(running):
        if number != index:
            assert pacman.wait(limit(60)) == 0
            assert lab.hosts[number].installed() == {"big"}
    assert lab.mirror.wan_bytes() - sent <= 1.6 * depot.packages["big"].size


@pytest.mark.parametrize("hits", ["redirect", "relay"])
@pytest.mark.parametrize("misses", ["redirect", "fetch"])
def test_combinations(make_lab: MakeLab, depot: Depot, hits: str, misses: str) -> None:
    """Each combination of the two options gives pacman what is in a peer's cache and what is nowhere on the LAN."""
    lab = make_lab()
    host, other = lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.shelf("some", small_packages()[:5])))
    other.pacman("-Sy")
    daemon = Daemon(host, "--pacserver", other.ip, "--misses", misses, "--hits", hits, "--spool", str(host.dir / "spool"))
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stderr
    assert len(lab.mirror.package_downloads()) == 5
    (line,) = daemon.requests(depot.packages["pkg00"].filename)
    assert ("relayed" in line) == (hits == "relay")
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("kind", ["falsified", "truncated"])
def test_relay_of_a_wrong_file(lab: Lab, depot: Depot, kind: str) -> None:
    """With --hits relay a peer whose files are wrong breaks nothing, and is not asked again."""
    host, other = lab.hosts
    shelf = depot.damaged_shelf(f"fetch-{kind}", NAMES, falsified if kind == "falsified" else truncated)
    depot.settled()
    Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", "--spool", str(host.dir / "spool"))
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stdout + done.stderr
    if kind == "falsified":
        assert 1 <= daemon.text().count("gave a wrong file") <= 5  # as many as pacman fetches at the same time
    daemon.stop()


@pytest.mark.parametrize("kind", ["ChangesItsMind", "CutsShort", "Stalls", "Lengthens", "Mute", "Garbage"])
def test_relay_of_a_bad_peer(lab: Lab, depot: Depot, kind: str) -> None:
    """With --hits relay a peer that does not give what it has said that it has costs some seconds, and pacman sees no error."""
    host, other = lab.hosts
    peer = fake_peer(other, kind, str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", "--spool", str(host.dir / "spool"))
    wait_until(lambda: "/info" in peer.text(), "the peer to be asked")
    done = host.pacman("-Sy", *NAMES[:4])
    assert host.installed() == set(NAMES[:4])
    assert "error" not in done.stdout + done.stderr
    daemon.stop()


def test_taken_claims(lab: Lab, depot: Depot) -> None:
    """A peer that claims every file and downloads none costs a few seconds, and pacman sees no error."""
    host, other = lab.hosts
    daemon = Daemon(host, "--pacserver", other.ip, "--misses", "fetch", "--spool", str(host.dir / "spool"))
    host.pacman("-Sy")
    peer = fake_peer(other, "TakesClaims", str(depot.folder()))
    wait_until(lambda: "claimed" in peer.text(), "the peer to claim everything", 20)
    done = host.pacman("-S", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stdout + done.stderr
    assert "/fetch/" in peer.text()
    daemon.stop()


def test_disk_full(lab: Lab, depot: Depot) -> None:
    """Where the spool's disk is full pacman is sent to the mirror."""
    host, _ = lab.hosts
    spool = host.dir / "spool"
    spool.mkdir()
    host.run(f"mount -t tmpfs -o size=1m tmpfs {spool}")
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(spool))
    host.pacman("-Sy", *NAMES, "big")
    assert host.installed() == {*NAMES, "big"}
    daemon.stop()


def test_spool_removed(lab: Lab) -> None:
    """A spool that somebody removes while the daemon runs is made again."""
    host, _ = lab.hosts
    spool = host.dir / "spool"
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(spool))
    shutil.rmtree(spool)
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert len(list((spool / "pkg").glob("*.pkg.tar.zst"))) == len(NAMES)
    daemon.stop()


def test_spool_in_use(lab: Lab) -> None:
    """A second daemon on the same spool does not start, and says why."""
    host, _ = lab.hosts
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"))
    done = host.run(command("--port", "15680", "--misses", "fetch", "--spool", str(host.dir / "spool")), check=False, timeout=limit(20))
    assert done.returncode == 78
    assert "--spool" in done.stderr
    daemon.stop()


def test_crash(lab: Lab, depot: Depot) -> None:
    """After a crash only files are offered that are what the databases state."""
    host, other = lab.hosts
    spool = host.dir / "spool"
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(spool))
    host.pacman("-Sy", *NAMES)
    daemon.kill()
    torn = spool / "pkg" / depot.packages[NAMES[0]].filename
    torn.write_bytes(bytes(torn.stat().st_size))
    again = Daemon(host, "--misses", "fetch", "--spool", str(spool), "--cache-dir", str(host.dir / "empty"))
    wait_until(lambda: len(list((spool / "pkg").glob("*.pkg.tar.zst"))) == len(NAMES) - 1, "the spool to be checked", 20)
    assert not torn.exists()
    assert other.request(f"/package/{depot.packages[NAMES[1]].filename}", host.ip).status == 200
    again.stop()


def start_fetching(lab: Lab, hosts: Sequence[Host]) -> list[Daemon]:
    """Starts a daemon on each host that fetches into a spool of its own."""
    return [Daemon(host, "--multicast", "--misses", "fetch", "--spool", str(host.dir / "spool")) for host in hosts]


def upgrade_together(hosts: Sequence[Host], names: Sequence[str]) -> None:
    """Runs pacman on all hosts at the same moment."""
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", *names], log=host.dir / "log" / "p.log") for host in hosts]
    assert [pacman.wait(limit(120)) for pacman in running] == [0] * len(hosts)
    for host in hosts:
        assert host.installed() == set(names)


def downloaded(lab: Lab) -> int:
    """The bytes of packages that the mirror has sent."""
    return sum(download.sent for download in lab.mirror.package_downloads())


def received(host: Host) -> int:
    """The bytes that a host has received so far."""
    lines = host.run("cat /proc/net/dev").stdout.splitlines()[2:]
    return sum(int(line.split(":")[1].split()[0]) for line in lines if line.split(":")[0].strip() != "lo")
