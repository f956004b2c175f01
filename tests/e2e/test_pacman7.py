"""pacman 7, with the daemon as its Server and as its CacheServer."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Lab, Site, falsified, small_packages
from tests.e2e.lab.pacman7 import Pacman7
from tests.e2e.lab.slowness import assert_at_most
from tests.e2e.test_discovery import know_each_other, start
from tests.e2e.test_lan_upgrades import payload
from tests.e2e.test_packages_by_url import holding, urls

NAMES = small_packages()[:10]
# landlock_create_ruleset(2), asked for the version; a kernel without it lets pacman download only with its sandbox switched off.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
DOWNLOAD_USER = ("DownloadUser = nobody", *(() if LANDLOCK else ("DisableSandbox",)))


@pytest.fixture(params=["signed", "detached"])
def any_lab(request: pytest.FixtureRequest, make_lab: MakeLab, depot: Depot) -> Lab:
    """A LAN of three hosts with a mirror whose databases carry the signatures, and one whose databases do not."""
    return make_lab(hosts=3, sites=(Site(80, getattr(depot, request.param)),))


@pytest.fixture
def pacman7(any_lab: Lab, depot: Depot, request: pytest.FixtureRequest) -> Pacman7:
    """pacman 7 on the first host."""
    debian = Path(request.config.getoption("--pacman7"))
    assert (debian / "usr/bin/pacman").exists(), f"{debian} holds no pacman: make test-pacman7 makes it"
    return Pacman7(any_lab.hosts[0], debian, depot.keyring)


def configure(pacman: Pacman7, role: str, *options: str) -> None:
    """Makes the daemon pacman's Server or its CacheServer."""
    if role == "Server":
        pacman.configure([PACSERVE, MIRROR], options=options)
    else:
        pacman.configure([MIRROR], [PACSERVE], options)


ROLES = pytest.mark.parametrize("role", ["Server", "CacheServer"])
USERS = pytest.mark.parametrize("options", [(), DOWNLOAD_USER], ids=["root", "DownloadUser"])


@ROLES
@USERS
@pytest.mark.parametrize("source", ["cache", "peer", "mirror"])
def test_source(any_lab: Lab, depot: Depot, pacman7: Pacman7, *, role: str, options: tuple[str, ...], source: str) -> None:
    """Packages are installed from the local cache, a peer and the mirror, and nothing is downloaded twice."""
    host, other, _ = any_lab.hosts
    depot.settled()
    configure(pacman7, role, *options)
    everything = ("--cache-dir", str(depot.folder()))
    peer = Daemon(other, *everything)
    daemon = Daemon(host, *{"cache": everything, "peer": ("--pacserver", other.ip), "mirror": ()}[source])
    if source == "peer":
        daemon.wait_for("holds")
    done = pacman7.run("-Sy", *NAMES)
    assert pacman7.installed() == set(NAMES)
    assert len(any_lab.mirror.package_downloads()) == (len(NAMES) if source == "mirror" else 0)
    assert all(len(daemon.requests(file)) == 1 for file in depot.filenames(NAMES, signatures=False))
    assert "error" not in done.stderr
    daemon.stop()
    peer.stop()


@ROLES
def test_only_what_is_nowhere_comes_from_the_mirror(any_lab: Lab, depot: Depot, pacman7: Pacman7, role: str) -> None:
    """Of fifty packages two peers hold 45 between them: the mirror sees five downloads."""
    host, *others = any_lab.hosts
    names = small_packages()
    shelves = depot.shelf("first thirty", names[:30]), depot.shelf("next thirty", names[15:45])
    depot.settled()
    configure(pacman7, role)
    for other, shelf in zip(others, shelves, strict=True):
        Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, *(word for other in others for word in ("--pacserver", other.ip)))
    for other in others:
        daemon.wait_for(f"{other.ip}.* holds")
    done = pacman7.run("-Sy", *names)
    assert pacman7.installed() == set(names)
    assert sorted(request.name for request in any_lab.mirror.package_downloads()) == sorted(depot.filenames(names[45:], signatures=False))
    assert "too many errors" not in done.stdout + done.stderr
    daemon.stop()


@ROLES
@USERS
def test_left_overs_in_the_cache(any_lab: Lab, depot: Depot, pacman7: Pacman7, role: str, options: tuple[str, ...]) -> None:
    """What an interrupted pacman 7 left in `download-*` folders is neither served nor listed, and what it downloads anew is."""
    host, other, _ = any_lab.hosts
    depot.settled()
    configure(pacman7, role, *options)
    for name in NAMES[:3]:
        folder = host.pkg / f"download-{name}"
        folder.mkdir(mode=0o700)
        (folder / depot.packages[name].filename).write_bytes(depot.packages[name].path.read_bytes())
        (folder / (depot.packages[name].filename + ".part")).write_bytes(b"x" * 5000)
    daemon = Daemon(host)
    assert b"pkg0" not in host.request("/info").body
    pacman7.run("-Sy", *NAMES)
    assert pacman7.installed() == set(NAMES)
    peer = Daemon(other, "--pacserver", host.ip)
    peer.wait_for("holds")
    before = len(any_lab.mirror.package_downloads())
    other.pacman("-Sy", *NAMES)
    assert len(any_lab.mirror.package_downloads()) == before
    daemon.stop()
    peer.stop()


@ROLES
@pytest.mark.parametrize("failure", ["killed", "frozen"])
def test_peer_fails(any_lab: Lab, depot: Depot, pacman7: Pacman7, role: str, failure: str) -> None:
    """A peer that has gone without a word does no harm."""
    host, other, _ = any_lab.hosts
    depot.settled()
    configure(pacman7, role)
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    getattr(peer, {"killed": "kill", "frozen": "freeze"}[failure])()
    pacman7.run("-Sy", *NAMES)
    assert pacman7.installed() == set(NAMES)
    daemon.stop()


@ROLES
def test_no_signature_on_the_peer(any_lab: Lab, depot: Depot, pacman7: Pacman7, role: str) -> None:
    """A peer that holds packages without their signatures gives the packages, and somebody else gives the signatures."""
    host, other, _ = any_lab.hosts
    shelf = depot.shelf("no signatures", NAMES, signatures=False)
    depot.settled()
    configure(pacman7, role)
    peer = Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    pacman7.run("-Sy", *NAMES)
    assert pacman7.installed() == set(NAMES)
    assert not any_lab.mirror.package_downloads()
    daemon.stop()
    peer.stop()


@ROLES
def test_wrong_bytes_on_the_peer(any_lab: Lab, depot: Depot, pacman7: Pacman7, role: str) -> None:
    """A peer with the wrong bytes under the right name fails one run at most, and the second one heals."""
    host, other, _ = any_lab.hosts
    configure(pacman7, role)
    shelf = depot.damaged_shelf("wrong bytes", NAMES, falsified)
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    assert pacman7.run("-Sy", *NAMES, check=False).returncode != 0
    pacman7.run("-Sy", *NAMES)
    assert pacman7.installed() == set(NAMES)
    daemon.stop()
    peer.stop()


def test_one_after_the_other(make_lab: MakeLab, depot: Depot, request: pytest.FixtureRequest) -> None:
    """When eight hosts that found each other upgrade one after the other without a pause, each package comes over the WAN once."""
    lab = make_lab(hosts=8)
    daemons = start(lab.hosts)
    know_each_other(lab.hosts, daemons)
    names = [*small_packages(), "big"]
    pacmans = [Pacman7(host, Path(request.config.getoption("--pacman7")), depot.keyring) for host in lab.hosts]
    for pacman in pacmans:
        configure(pacman, "Server")
    for pacman in pacmans:
        done = pacman.run("-Sy", *names)
        assert pacman.installed() == set(names)
        assert "error" not in done.stderr
    downloaded = sum(download.sent for download in lab.mirror.package_downloads())
    assert_at_most(downloaded, 1.02 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


def test_by_url(any_lab: Lab, depot: Depot, pacman7: Pacman7) -> None:
    """-U of several URLs that end at a peer installs all of them, and keeps each under its name."""
    host, other, _ = any_lab.hosts
    configure(pacman7, "Server")
    pacman7.run("-Sy")
    names = NAMES[:3]
    peer, daemon = holding(host, other, depot, names)
    pacman7.run("-U", *urls(depot, names))
    assert pacman7.installed() == set(names)
    assert {path.name for path in host.pkg.iterdir()} == set(depot.filenames(names))
    for file in depot.filenames(names, signatures=False):
        assert " 307 from peer " in daemon.requests(file)[-1]
    for one in (peer, daemon):
        one.stop()
