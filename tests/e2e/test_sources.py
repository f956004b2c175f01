"""Real pacman gets signed packages from the local cache, from a peer and from the mirror, and each byte comes from where it should."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, ODD, PACSERVE, PORT, Daemon, Depot, Host, Lab, Site, small_packages, wait_until
from tests.e2e.lab.packages import EPOCH

NAMES = small_packages()[:5]


@pytest.fixture(params=["signed", "detached"])
def any_lab(request: pytest.FixtureRequest, make_lab: MakeLab, depot: Depot) -> Lab:
    """A LAN of three hosts with a mirror whose databases carry the signatures, and one whose databases do not."""
    return make_lab(hosts=3, sites=(Site(80, getattr(depot, request.param)),))


def assert_genuine(host: Host, depot: Depot, names: list[str]) -> None:
    """The packages are installed, and lie in pacman's cache as the mirror has them."""
    assert host.installed() == set(names)
    for name in names:
        got = host.pkg / depot.packages[name].filename
        assert got.read_bytes() == depot.packages[name].path.read_bytes()
        assert int(got.stat().st_mtime) == EPOCH


def test_local_cache(any_lab: Lab, depot: Depot) -> None:
    """Packages of a folder that pacman does not know are installed without a question to the mirror."""
    host, *_ = any_lab.hosts
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    done = host.pacman("-Sy", *NAMES)
    assert_genuine(host, depot, NAMES)
    assert {request.name for request in any_lab.mirror.requests() if "pkg" in request.name} == set()
    for file in depot.filenames(NAMES, signatures=False):
        (line,) = daemon.requests(file)
        assert " 200 " in line
        assert "cache" in line
    assert "error" not in done.stderr
    daemon.stop()


def test_peer(any_lab: Lab, depot: Depot) -> None:
    """Packages that a static peer holds come from there, and the mirror is only asked for signatures that no database carries."""
    host, other, _ = any_lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", f"{other.ip}:{PORT}")
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES)
    assert_genuine(host, depot, NAMES)
    assert not any_lab.mirror.package_downloads()
    for file in depot.filenames(NAMES, signatures=False):
        (asked,) = daemon.requests(file)
        assert f"peer {other.ip}:{PORT}" in asked
        assert " 307 " in asked
        (given,) = peer.requests(file)
        assert " 200 " in given
    assert "error" not in done.stderr
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("address", ["h2", "[{ip6}]", "{ip}:15678"])
def test_peer_written_otherwise(lab: Lab, depot: Depot, address: str) -> None:
    """A peer may be given by name, and by IPv6 address without a port; pacman is sent to its address."""
    host, other = lab.hosts
    depot.settled()
    Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", address.format(ip=other.ip, ip6=other.ip6))
    daemon.wait_for("holds")
    host.pacman("-Sy", *NAMES)
    assert_genuine(host, depot, NAMES)
    assert not lab.mirror.package_downloads()
    answer = host.request(f"/request/core/x86_64/{depot.packages['pkg20'].filename}")
    assert answer.headers["location"].startswith((f"http://{other.ip}:{PORT}/", f"http://[{other.ip6}]:{PORT}/"))
    daemon.stop()


def test_mirror(any_lab: Lab, depot: Depot) -> None:
    """What nobody on the LAN holds comes from the mirror, each file once."""
    host, *_ = any_lab.hosts
    daemon = Daemon(host)
    done = host.pacman("-Sy", *NAMES)
    assert_genuine(host, depot, NAMES)
    assert sorted(request.name for request in any_lab.mirror.package_downloads()) == sorted(depot.filenames(NAMES, signatures=False))
    for file in depot.filenames(NAMES, signatures=False):
        (line,) = daemon.requests(file)
        assert "mirror http://10.78.0.2/core/os/x86_64" in line
        assert " 307 " in line
    assert "error" not in done.stderr
    daemon.stop()


def test_databases_are_validated(lab: Lab) -> None:
    """The second `-Sy` is answered 304; `-Syy` is not.  A database of a few KB is sent through, and asked of the mirror each time."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    for arguments in ("-Sy", "-Sy", "-Syy"):
        host.pacman(arguments)
    statuses = [re.findall(r"core\.db: (\d+)", line) for line in daemon.requests("core.db")]
    assert statuses == [["200"], ["304"], ["200"]]
    assert [request.status for request in lab.mirror.requests("GET") if request.name == "core.db"] == [200, 200, 200]
    daemon.stop()


def test_only_what_is_nowhere_comes_from_the_mirror(any_lab: Lab, depot: Depot) -> None:
    """Of fifty packages two peers hold 45 between them: the mirror sees five downloads, and pacman has nothing to complain of."""
    host, *others = any_lab.hosts
    names = small_packages()
    shelves = depot.shelf("first thirty", names[:30]), depot.shelf("next thirty", names[15:45])
    depot.settled()
    for other, shelf in zip(others, shelves, strict=True):
        Daemon(other, "--cache-dir", str(shelf))
    daemon = Daemon(host, *(word for other in others for word in ("--pacserver", other.ip)))
    for other in others:
        daemon.wait_for(f"{other.ip}.* holds")
    done = host.pacman("-Sy", *names)
    assert_genuine(host, depot, names)
    assert sorted(request.name for request in any_lab.mirror.package_downloads()) == sorted(depot.filenames(names[45:], signatures=False))
    assert "too many errors" not in done.stdout + done.stderr
    assert "error" not in done.stderr
    daemon.stop()


def test_new_packages_of_a_peer_are_found(lab: Lab, depot: Depot) -> None:
    """What pacman on one host has just downloaded from the mirror, pacman on another gets from that host."""
    first, second = lab.hosts
    peer = Daemon(first)
    daemon = Daemon(second, "--pacserver", first.ip)
    first.pacman("-Sy", *NAMES)
    probe = f"/request/core/x86_64/{depot.packages[NAMES[0]].filename}"
    wait_until(lambda: first.ip in second.request(probe, method="HEAD").headers.get("location", ""), "the packages to be known", 40)
    second.pacman("-Sy", *NAMES)
    assert_genuine(second, depot, NAMES)
    assert {request.client for request in lab.mirror.package_downloads()} == {first.ip}
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("source", ["cache", "peer", "mirror"])
def test_resumed(lab: Lab, depot: Depot, source: str) -> None:
    """A download that was interrupted goes on where it stopped, from whoever has the file now."""
    host, other = lab.hosts
    big = depot.packages["big"]
    depot.settled()
    everything = ("--cache-dir", str(depot.folder()))
    peer = Daemon(other, *everything)
    daemon = Daemon(host, *{"cache": everything, "peer": ("--pacserver", other.ip), "mirror": ()}[source])
    if source == "peer":
        daemon.wait_for("holds")
    host.pacman("-Sy")
    with big.path.open("rb") as file:
        (host.pkg / f"{big.filename}.part").write_bytes(file.read(10_000_000))
    host.pacman("-S", "big")
    assert_genuine(host, depot, ["big"])
    downloads = [request for request in lab.mirror.package_downloads() if request.name == big.filename]
    if source == "mirror":
        assert [(request.status, request.range) for request in downloads] == [(206, "bytes=10000000-")]
    else:
        assert downloads == []
        (line,) = (daemon if source == "cache" else peer).requests(big.filename)
        assert " 206 " in line
        assert str(big.size - 10_000_000) in line
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("source", ["cache", "peer", "mirror"])
def test_odd_name(any_lab: Lab, depot: Depot, source: str) -> None:
    """A package with an epoch, plus signs and a tilde in its name and version is installed like any other."""
    host, other, _ = any_lab.hosts
    depot.settled()
    everything = ("--cache-dir", str(depot.folder()))
    peer = Daemon(other, *everything)
    daemon = Daemon(host, *{"cache": everything, "peer": ("--pacserver", other.ip), "mirror": ()}[source])
    if source == "peer":
        daemon.wait_for("holds")
    host.pacman("-Sy", ODD)
    assert_genuine(host, depot, [ODD])
    assert len(any_lab.mirror.package_downloads()) == (source == "mirror")
    daemon.stop()
    peer.stop()


def test_listed_twice_and_in_every_repository(lab: Lab, depot: Depot) -> None:
    """The daemon may stand in each repository, and more than once: nothing is asked in circles, and pacman does not give up on it."""
    host, _ = lab.hosts
    other_name = PACSERVE.replace("localhost", "127.0.0.1")
    repos = ["core", "extra", "multi", "third"]
    host.configure([PACSERVE, other_name, PACSERVE, MIRROR], repos)
    daemon = Daemon(host)
    done = host.pacman("-Sy", *NAMES, *repos[1:])
    assert_genuine(host, depot, [*NAMES, *repos[1:]])
    assert "too many errors" not in done.stdout + done.stderr
    assert all(len(daemon.requests(file)) == 1 for file in depot.filenames([*NAMES, *repos[1:]], signatures=False))
    daemon.stop()


def test_daemons_that_are_each_others_mirrors(lab: Lab, depot: Depot) -> None:
    """Two daemons in each other's mirrorlist send no request in circles, whether the file exists or not."""
    first, second = lab.hosts
    for host, other in ((first, second), (second, first)):
        host.configure([PACSERVE, PACSERVE.replace("localhost", other.ip), MIRROR])
    daemons = [Daemon(host, "--clients", "10.77.0.0/24") for host in lab.hosts]
    for host in lab.hosts:
        host.pacman("-Sy", *NAMES)
        assert_genuine(host, depot, NAMES)
    assert len(lab.mirror.package_downloads()) <= 2 * len(NAMES)
    absent = first.request("/request/core/x86_64/absent-1-1-any.pkg.tar.zst")
    assert absent.status == 404
    for daemon in daemons:
        for name in ("core.db", depot.packages[NAMES[0]].filename, "absent-1-1-any.pkg.tar.zst"):
            assert len(daemon.requests(name) + daemon.requests(name, "HEAD")) <= 4
        daemon.stop()


def test_mirror_that_is_this_daemon_by_another_name(lab: Lab, depot: Depot) -> None:
    """A Server line that points back at this daemon by any of its host's names or addresses is no mirror."""
    host, _ = lab.hosts
    names = (host.ip, f"[{host.ip6}]", "h1", "127.0.0.2", "[::1]")
    host.configure([PACSERVE, *(PACSERVE.replace("localhost", name) for name in names), MIRROR])
    daemon = Daemon(host)
    host.pacman("-Sy", *NAMES)
    assert_genuine(host, depot, NAMES)
    assert daemon.requests("", "HEAD") == []
    daemon.stop()
