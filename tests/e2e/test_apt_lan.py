"""Several hosts with apt in one LAN, honest ones and others."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeAptLab
from tests.e2e.lab import Daemon, Host, fake_peer, small_packages, wait_until
from tests.e2e.lab.apt_host import Apt, Form
from tests.e2e.lab.apt_lab import AptLab, assert_good, packages, together
from tests.e2e.lab.apt_packages import build_deb
from tests.e2e.lab.apt_repository import Suite
from tests.e2e.lab.slowness import assert_at_most
from tests.e2e.test_discovery import know_each_other

# Its threads stay: a process that one of them has started ends with it.
_STARTERS = ThreadPoolExecutor(8)
NO_RETRY = 'Acquire::Retries "0";'
DEBS = packages(6, size=60_000)
NAMES = [deb.package for deb in DEBS]
SUITE = Suite("stable", DEBS, architectures=("amd64",))


def start(lab: AptLab, *options: str) -> list[Daemon]:
    """Starts pacserve on all hosts, which find each other; apt asks it, and never twice for the same."""
    for apt in lab.hosts:
        apt.use(Form.AUTO, NO_RETRY)
        apt.sources()
    daemons = list(_STARTERS.map(lambda apt: apt.start("--multicast", *options), lab.hosts))
    know_each_other([apt.host for apt in lab.hosts], daemons)
    return daemons


def content(suite: Suite, folder: Path) -> Path:
    """Returns a folder of the packages and indexes of a suite under the names by which hosts share them."""
    folder.mkdir()
    files = {f"{deb.package}_{deb.version.rpartition(':')[2]}_{deb.architecture}": deb.content for deb in suite.debs}
    files |= {path.rpartition("/")[2]: data for path, data in suite.indexes().items()}
    for label, data in files.items():
        (folder / f"{label}@{hashlib.sha256(data).hexdigest()}.blob").write_bytes(data)
    return folder


@pytest.mark.parametrize("hosts", [4, 8])
def test_at_the_same_moment(make_apt_lab: MakeAptLab, hosts: int) -> None:
    """Hosts that update and upgrade at the same moment have no error, though apt tries nothing twice, and share one download."""
    lab = make_apt_lab(hosts=hosts, wan_mbit=100, rtt_ms=20)
    debs = (*packages(20, size=60_000), build_deb("big", size=3_000_000))
    lab.debian.publish(Suite("stable", debs))
    daemons = start(lab)
    for arguments in (("update",), ("install", "--download-only", *(deb.package for deb in debs))):
        for done in together(lab.hosts, *arguments):
            assert_good(done)
    for apt in lab.hosts:
        assert apt.archives() == {deb.archive: deb.content for deb in debs}
    downloaded = sum(request.sent for request in lab.downloads())
    # Each host for itself would be as many times as much; on a busy machine some begin before they hear of the others.
    assert_at_most(downloaded, 1.5 * sum(len(deb.content) for deb in debs), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


def test_one_after_the_other(make_apt_lab: MakeAptLab) -> None:
    """When hosts upgrade one after the other without a pause, each package and each index comes over the WAN once."""
    lab = make_apt_lab(hosts=4)
    lab.debian.publish(SUITE)
    daemons = start(lab)
    for apt in lab.hosts:
        assert_good(apt.update())
        assert_good(apt.run("install", *NAMES))
        assert set(apt.installed()) == set(NAMES)
    names = [request.name for request in lab.lab.mirror.requests() if request.name != "InRelease"]
    assert len(names) == len(set(names)) == len(DEBS) + 1
    for daemon in daemons:
        daemon.stop()


def test_different_releases(make_apt_lab: MakeAptLab) -> None:
    """Hosts of other architectures, releases and mirrors share the packages whose bytes are the same."""
    lab = make_apt_lab(hosts=2, architectures=("amd64", "arm64"))
    shared = tuple(build_deb(f"all{number}", architecture="all") for number in range(4))
    own = build_deb("own", architecture="arm64")
    lab.debian.publish(Suite("stable", (*shared, build_deb("own"))))
    lab.repository("ubuntu").publish(Suite("testing", (*shared, own), pool="pool/universe"))
    second = lab.hosts[1]
    daemons = start(lab)
    second.sources(second.line(second.uri("ubuntu"), "testing"))
    names = [deb.package for deb in shared]
    for apt in lab.hosts:
        apt.update()
        assert_good(apt.run("install", "--download-only", *names, "own"))
    assert second.archives() == {deb.archive: deb.content for deb in (*shared, own)}
    assert sorted(request.name for request in lab.downloads()) == sorted(deb.file for deb in (*shared, own, build_deb("own")))
    for daemon in daemons:
        daemon.stop()


def test_beside_pacman(make_apt_lab: MakeAptLab) -> None:
    """A host with apt and one with pacman in one LAN find each other, share nothing and disturb nothing."""
    lab = make_apt_lab(hosts=2, pacman=True)
    lab.debian.publish(SUITE)
    apt, host = lab.hosts[0], lab.lab.hosts[1]
    apt.use(Form.AUTO, NO_RETRY)
    apt.sources()
    daemons = [apt.start("--multicast"), Daemon(host, "--multicast")]
    apt.update()
    assert_good(apt.run("install", *NAMES))
    host.pacman("-Sy", *small_packages()[:5])
    assert host.installed() == set(small_packages()[:5])
    assert "content" not in inventory(host)
    assert not inventory(apt.host)["files"]
    assert len(lab.downloads()) == len(DEBS)
    for daemon in daemons:
        assert "[warn]" not in daemon.text()
        daemon.stop()


def inventory(host: Host) -> dict[str, object]:
    """Returns what a host tells others that it holds."""
    document: dict[str, object] = json.loads(host.request("/info", source="127.0.0.1").body)
    return document


def test_central(make_apt_lab: MakeAptLab) -> None:
    """A host without pacserve asks that of another one, within the bases that are named there, and its files are shared as well."""
    lab = make_apt_lab(hosts=2)
    lab.debian.publish(SUITE)
    lab.repository("third").publish(Suite("stable", packages(1)))
    server, client = lab.hosts
    daemon = server.start("--clients", "10.77.0.0/24", "--apt-mirror", "http://mirror.lab/debian")
    client.use(Form.DIRECT, NO_RETRY, f'Acquire::http::Proxy "http://{server.host.ip}:9988";')
    client.sources()
    for _ in range(2):
        client.forget(lists=True)
        assert_good(client.update())
        # A list that a client was given is read from the next request on; with those of a distribution apt itself is busy for longer.
        wait_until(lambda: knows_list(server, client), "the list to be read")
        assert_good(client.run("install", *NAMES))
        assert set(client.installed()) == set(NAMES)
    assert len(lab.downloads()) == len(DEBS)
    client.sources(client.line(client.uri("third", "third.lab")))
    assert "403" in client.run("update", check=False).stderr
    daemon.stop()


def knows_list(server: Apt, client: Apt) -> bool:
    """Returns whether the list of a client is known, once the client has asked for something that nobody has."""
    client.host.request("http://mirror.lab/debian/none", server.host.ip, port=9988)
    return bool(list((server.host.dir / "state/apt/lists").glob("*.index")))


LIES = ["OtherBytes", "CutsShort", "Lengthens", "Redirects", "ForeignNames", "FeedsNonsense", "TakesClaims", "Garbage"]
MORE_LIES = ["Claims", "HugeInfo", "InfoBomb", "SlowInfo", "ShortHead", "ChangesItsMind", "Mute", "ManyHeaders", "Stalls", "HeadOnly", "Drips"]
MORE_LIES += ["Endless", "OtherPart"]


@pytest.mark.parametrize("kind", [*LIES, *(pytest.param(kind, marks=pytest.mark.long) for kind in MORE_LIES)])
def test_lying_peer(make_apt_lab: MakeAptLab, tmp_path: Path, kind: str) -> None:
    """Whatever a peer does, apt gets every package at its first try, and the daemon's memory stays where it was."""
    lab = make_apt_lab(hosts=2)
    lab.debian.publish(SUITE)
    apt, other = lab.hosts[0], lab.lab.hosts[1]
    peer = fake_peer(other, kind, str(content(SUITE, tmp_path / "content")))
    apt.use(Form.AUTO, NO_RETRY)
    apt.sources()
    daemon = apt.start("--pacserver", other.ip)
    apt.update()
    wait_until(lambda: "/info" in peer.text(), "the peer to be asked")
    usual = daemon.memory()
    assert_good(apt.run("install", *NAMES))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS}
    assert daemon.memory() < usual + 60_000_000
    daemon.stop()


def test_liars_together(make_apt_lab: MakeAptLab, tmp_path: Path) -> None:
    """Among liars of all kinds the honest ones are found, and the mirror is there for the rest."""
    kinds = ["OtherBytes", "CutsShort", "FeedsNonsense", "Endless", "OtherPart"]
    lab = make_apt_lab(hosts=2 + len(kinds))
    lab.debian.publish(SUITE)
    apt, honest = lab.hosts[:2]
    folder = content(SUITE, tmp_path / "content")
    liars = [fake_peer(host, kind, str(folder)) for host, kind in zip(lab.lab.hosts[2:], kinds, strict=True)]
    for one in (apt, honest):
        one.use(Form.AUTO, NO_RETRY)
        one.sources()
    peers = [word for host in lab.lab.hosts[1:] for word in ("--pacserver", host.ip)]
    daemons = [honest.start(), apt.start(*peers)]
    wait_until(lambda: all("/info" in liar.text() for liar in liars), "the peers to be asked")
    for one in (honest, apt):
        one.update()
        assert_good(one.run("install", *NAMES))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS}
    for daemon in daemons:
        daemon.stop()
