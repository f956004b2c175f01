"""Mirrors that are dead, incomplete or odd: pacman is sent to the first that has the file."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Lab, Mirror, Program, Site, changing_mirror, sh, small_packages
from tests.e2e.lab.slowness import limit

NAMES = small_packages()[:5]
DEAD = MIRROR.replace("10.78.0.2", "10.78.0.2:9")
ODD_MIRROR = MIRROR.replace("10.78.0.2", "10.78.0.2:81")


@pytest.fixture
def without_packages(depot: Depot, tmp_path: Path) -> Path:
    """The root of a mirror that has the database and none of the packages."""
    folder = tmp_path / "incomplete" / "core" / "os" / "x86_64"
    folder.mkdir(parents=True)
    shutil.copy2(depot.folder() / "core.db", folder / "core.db")
    return tmp_path / "incomplete"


def assert_from_good_mirror(lab: Lab, servers: list[str]) -> float:
    """pacman installs from port 80 without complaint.  Returns the seconds that it took."""
    host = lab.hosts[0]
    host.configure([PACSERVE, *servers, MIRROR])
    daemon = Daemon(host)
    started = time.monotonic()
    done = host.pacman("-Sy", *NAMES)
    took = time.monotonic() - started
    assert host.installed() == set(NAMES)
    assert {(request.port, request.status) for request in lab.mirror.package_downloads()} == {(80, 200)}
    assert "error" not in done.stderr
    daemon.stop()
    return took


def test_dead_then_incomplete_then_good(make_lab: MakeLab, depot: Depot, without_packages: Path) -> None:
    """With a dead mirror first and one without the packages second, the third gives them, and pacman sees no failure."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, without_packages)))
    assert_from_good_mirror(lab, [DEAD, ODD_MIRROR])


def test_empty_then_good(make_lab: MakeLab, depot: Depot, tmp_path: Path) -> None:
    """A mirror that has neither database nor packages is passed over."""
    (tmp_path / "empty").mkdir()
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, tmp_path / "empty")))
    assert_from_good_mirror(lab, [ODD_MIRROR])


@pytest.mark.parametrize(
    "directives",
    [
        "return 302 http://127.0.0.1:15678/package/pkg00-1.0.0-1-x86_64.pkg.tar.zst;",
        "return 302 http://localhost:80$request_uri;",
        "return 302 http://10.77.0.11:15678/request$request_uri;",
        "return 302 http://169.254.1.1$request_uri;",
        "return 302 http://[fe80::1]$request_uri;",
        "return 302 http://10.78.0.2:81$request_uri/again;",
        "return 302 ftp://10.78.0.2$request_uri;",
        "return 500;",
        "return 204;",
        "return 444;",
    ],
)
def test_answer_that_leads_nowhere(make_lab: MakeLab, depot: Depot, directives: str) -> None:
    """A mirror that redirects in circles, to this host or to places that are none, or that fails, is passed over."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, depot.signed, directives)))
    assert_from_good_mirror(lab, [ODD_MIRROR])


@pytest.mark.parametrize("options", [(), ("--misses", "fetch")])
def test_asks_to_be_left_alone(make_lab: MakeLab, depot: Depot, options: tuple[str, ...]) -> None:
    """A mirror that answers 503 with Retry-After is asked for nothing more while another one has what is wanted, and the status says why."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, depot.signed, "add_header Retry-After 300 always; return 503;")))
    host = lab.hosts[0]
    host.configure([PACSERVE, ODD_MIRROR, MIRROR])
    daemon = Daemon(host, *options)
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stderr
    assert [request.status for request in lab.mirror.requests() if request.port == 81] == [503]
    states = {mirror["url"]: mirror["state"] for mirror in json.loads(host.request("/status").body)["mirrors"]}
    assert states == {"http://10.78.0.2:81": "resting", "http://10.78.0.2": "well"}
    daemon.stop()


def test_redirecting(make_lab: MakeLab, depot: Depot) -> None:
    """A mirror that redirects to another host is a good mirror."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, depot.signed, "return 302 http://198.51.100.2$request_uri;")))
    host, _ = lab.hosts
    host.configure([PACSERVE, ODD_MIRROR])
    daemon = Daemon(host)
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    daemon.stop()


@pytest.mark.parametrize("status", [405, 501])
def test_no_head(make_lab: MakeLab, depot: Depot, status: int) -> None:
    """A mirror that refuses HEAD counts as having the file."""
    lab = make_lab(sites=(Site(81, depot.signed, f"if ($request_method = HEAD) {{ return {status}; }}"),))
    host, _ = lab.hosts
    host.configure([PACSERVE, ODD_MIRROR])
    daemon = Daemon(host)
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert all(daemon.requests(file) for file in depot.filenames(NAMES, signatures=False))
    daemon.stop()


def test_silent_then_good(lab: Lab) -> None:
    """While the first mirror accepts connections and says nothing, the second is asked: pacman hardly waits."""
    silent = "import socket, time; s = socket.create_server(('', 81)); time.sleep(3600)"
    Program(lab.mirror, [sys.executable, "-c", silent], lab.mirror.dir / "silent.log", 81)
    assert assert_from_good_mirror(lab, [ODD_MIRROR]) < 8


@pytest.mark.parametrize(("misses", "kind"), [("redirect", "package"), ("fetch", "database")])
def test_black_holes(lab: Lab, depot: Depot, misses: str, kind: str) -> None:
    """Behind 30 addresses that drop everything a good mirror answers the first request in time, and the next at once; pacman sees no error."""
    host, _ = lab.hosts
    sh(f"ip -n {lab.lan.netns} route add blackhole 203.0.113.0/24")
    host.configure([PACSERVE, *(MIRROR.replace(Mirror.ip, f"203.0.113.{number}") for number in range(1, 31)), MIRROR])
    daemon = Daemon(host, "--misses", misses, "--spool", str(host.dir / "spool"))
    first, second = ("core.db", "core.db") if kind == "database" else (depot.packages[name].filename for name in ("pkg00", "pkg01"))
    for name, most in ((first, 7.5), (second, 1.5)):
        started = time.monotonic()
        answer = host.request(f"/request/core/x86_64/{name}")
        assert answer.status in (200, 307)
        assert Mirror.ip in answer.headers.get("location", Mirror.ip)
        assert time.monotonic() - started < limit(most)
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stderr
    daemon.stop()


@pytest.mark.parametrize("careless", [False, True])
def test_changed_between_two_halves(lab: Lab, careless: bool) -> None:
    """A file that the only mirror replaces while it is fetched is never spliced, though its size and date stay, and no database knows it."""
    host, _ = lab.hosts
    program = Path(changing_mirror.__file__)
    Program(lab.mirror, [sys.executable, str(program), "81", *(["--careless"] if careless else [])], lab.mirror.dir / "changing.log", 81)
    host.configure([PACSERVE, ODD_MIRROR])
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"))
    try:
        got = host.request("/request/core/x86_64/new-1-1-any.pkg.tar.zst").body
    except ConnectionResetError:  # the client has bytes of the first file, so that only a new request helps
        got = b""
    assert got in (changing_mirror.FIRST[: len(got)], changing_mirror.SECOND)
    assert host.request("/request/core/x86_64/new-1-1-any.pkg.tar.zst").body == changing_mirror.SECOND
    daemon.stop()


def test_all_dead(lab: Lab, depot: Depot) -> None:
    """When no mirror answers, the daemon says so within 8 seconds and does not claim that the file does not exist."""
    host, _ = lab.hosts
    host.configure([PACSERVE, DEAD, "http://10.78.0.3/$repo/os/$arch"])
    daemon = Daemon(host)
    started = time.monotonic()
    answer = host.request(f"/request/core/x86_64/{depot.packages['pkg00'].filename}")
    assert time.monotonic() - started < limit(9)
    assert answer.status == 504
    assert answer.body.strip().count(b"\n") == 0
    assert b"10.78.0.2:9" in answer.body
    daemon.stop()


def test_absent_everywhere(lab: Lab) -> None:
    """A file that the only mirror does not have is answered 404."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    answer = host.request("/request/core/x86_64/absent-1-1-any.pkg.tar.zst")
    assert answer.status == 404
    assert b"10.78.0.2" in answer.body
    daemon.stop()
