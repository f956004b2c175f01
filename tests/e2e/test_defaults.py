"""What pacserve does without an option of delivery: alone, with peers, for clients that come back, and with mirrors that are difficult."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, PORT, Daemon, Depot, Host, Lab, Site, falsified, small_packages, wait_until
from tests.e2e.lab.slowness import assert_at_most
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_fetch import downloaded, upgrade_together
from tests.e2e.test_lan_upgrades import payload

NAMES = small_packages()[:6]
DEFAULT = ("--misses", "auto", "--hits", "auto")
# nginx's own password file: user "lan" with the password "secret".
PASSWORD = "lan:{PLAIN}secret\n"


def start(host: Host, *arguments: str) -> Daemon:
    """A daemon with the default of delivery, and a spool of its own."""
    return Daemon(host, *DEFAULT, "--spool", str(host.dir / "spool"), *arguments)


def spooled(host: Host) -> set[str]:
    """The packages that were downloaded by a host's daemon."""
    return {path.name for path in (host.dir / "spool" / "pkg").glob("*.pkg.tar.zst")}


def test_alone(lab: Lab, depot: Depot) -> None:
    """Alone on the LAN pacman is redirected to the mirror, and nothing is downloaded twice."""
    host, _ = lab.hosts
    daemon = start(host, "--multicast")
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stderr
    assert all(" 307 " in line for file in depot.filenames(NAMES, signatures=False) for line in daemon.requests(file))
    assert (spooled(host), len(lab.mirror.package_downloads())) == (set(), len(NAMES))
    daemon.stop()


def test_together(make_lab: MakeLab, depot: Depot) -> None:
    """When hosts that know each other upgrade at the same moment, each package comes over the WAN once, and the next host gets it from a peer."""
    lab = make_lab(hosts=5, wan_mbit=100, rtt_ms=20)
    *first, last = lab.hosts
    daemons = [start(host, "--multicast") for host in lab.hosts]
    know_each_other(lab.hosts, daemons)
    names = [*NAMES, "big"]
    for host in lab.hosts:
        host.pacman("-Sy")
    upgrade_together(first, names)
    assert_at_most(downloaded(lab), 1.05 * payload(depot, names), "bytes from the mirror")
    upgrade_together([last], names)
    assert_at_most(downloaded(lab), 1.05 * payload(depot, names), "bytes from the mirror")
    for daemon in daemons:
        daemon.stop()


def test_why(make_lab: MakeLab, depot: Depot) -> None:
    """What was downloaded for one host is had from it by the next one, as `why` has said."""
    lab = make_lab()
    host, other = lab.hosts
    daemons = [start(one, "--multicast") for one in lab.hosts]
    know_each_other(lab.hosts, daemons)
    host.pacman("-Sy", *NAMES)
    other.pacman("-Sy")
    filename = depot.packages[NAMES[0]].filename
    wait_until(lambda: b"it holds the file" in other.request(f"/why/{filename}").body, "the other host to know")
    why = json.loads(other.request(f"/why/{NAMES[0]}").body)
    used = next(candidate["who"] for candidate in why["candidates"] if candidate["verdict"] == "used")
    assert used == f"peer {host.ip}:{PORT}"
    other.pacman("-S", *NAMES)
    assert all(used in line for line in daemons[1].requests(depot.packages[NAMES[0]].filename))
    assert len(lab.mirror.package_downloads()) == len(NAMES)


def test_second_pacstrap(lab: Lab, depot: Depot) -> None:
    """A second pacstrap of the same host within the hour has its packages from the LAN as well, checked this time."""
    host, other = lab.hosts
    depot.settled()
    peer = start(other, "--cache-dir", str(depot.folder()))
    daemon = start(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    host.pacman("-Sy")
    for number in range(3):
        folder = host.dir / f"new-root-{number}"
        folder.mkdir()
        done = host.pacman("-Sw", "--cachedir", str(folder), *NAMES)
        assert "error" not in done.stderr
        assert {path.name for path in folder.glob("*.pkg.tar.zst")} == set(depot.filenames(NAMES, signatures=False))
        shutil.rmtree(host.dir / "spool" / "pkg")  # otherwise the spool would be the answer
        (host.dir / "spool" / "pkg").mkdir()
    assert lab.mirror.package_downloads() == []
    lines = daemon.requests(depot.packages[NAMES[0]].filename)
    assert [" 307 " in lines[0], *("relayed" in line for line in lines[1:])] == [True, True, True]
    daemon.stop()
    peer.stop()


def test_lying_peer(lab: Lab, depot: Depot) -> None:
    """Where a peer gives wrong bytes one transaction fails; the next one gets the files checked, and succeeds."""
    host, other = lab.hosts
    shelf = depot.damaged_shelf("defaults", NAMES, falsified)
    depot.settled()
    start(other, "--cache-dir", str(shelf))
    daemon = start(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    assert host.pacman("-Sy", *NAMES, check=False).returncode != 0
    host.pacman("-S", *NAMES)
    assert host.installed() == set(NAMES)
    daemon.stop()


def test_no_database(lab: Lab, depot: Depot) -> None:
    """What no database of the daemon knows comes from a peer only in the size that a mirror states."""
    host, other = lab.hosts
    right, wrong = (depot.packages[name] for name in NAMES[:2])
    shelf = depot.shelf("unknown", [NAMES[0]])
    (shelf / wrong.filename).write_bytes(b"another file of that name")
    depot.settled()
    peer = start(other, "--cache-dir", str(shelf))
    daemon = start(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    there = host.request(f"/request/core/x86_64/{right.filename}")
    assert there.headers["location"].startswith(f"http://{other.ip}:{PORT}/package/")
    elsewhere = host.request(f"/request/core/x86_64/{wrong.filename}")
    assert b"another" not in elsewhere.body
    assert other.ip not in elsewhere.headers.get("location", "")
    daemon.stop()
    peer.stop()


def test_spool_cannot_be_used(lab: Lab) -> None:
    """Where the spool can't be used one line says so, and pacman is redirected."""
    host, other = lab.hosts
    (host.dir / "spool").write_text("a file in its place")
    peer = start(other)
    daemon = start(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert daemon.text().count("pacman is redirected") == 1
    daemon.stop()
    peer.stop()


@pytest.mark.parametrize("misses", ["auto", "redirect", "fetch"])
def test_password(make_lab: MakeLab, depot: Depot, misses: str) -> None:
    """A password in a Server line is shown to no client, also where the mirror redirects on itself, and the files of that mirror are sent through."""
    passwords = depot.folder().parent / "passwords"
    passwords.write_text(PASSWORD)
    moved = f"location ^~ /again/ {{ alias {depot.signed}/; }} location ~ zst$ {{ return 302 /again$request_uri; }}"
    lab = make_lab(sites=(Site(80, depot.signed, f"auth_basic lan; auth_basic_user_file {passwords}; {moved}"),))
    host, client = lab.hosts
    host.configure(servers=[PACSERVE, MIRROR.replace("http://", "http://lan:secret@")])
    client.configure(servers=[f"http://{host.ip}:{PORT}/request/$repo/$arch"])
    daemon = Daemon(host, "--misses", misses, "--hits", "auto", "--spool", str(host.dir / "spool"), "--clients", "10.77.0.0/24")
    for one in (host, client):
        one.pacman("-Sy", *NAMES)
        assert one.installed() == set(NAMES)
    answer = client.request(f"/request/core/x86_64/{depot.packages[NAMES[0]].filename}", host.ip)
    assert (answer.status, answer.headers.get("location")) == (200, None)
    told = [host.request(path).body for path in ("/", "/status", f"/why/{NAMES[0]}", f"/why/{depot.packages[NAMES[0]].filename}", "/metrics")]
    for text in (daemon.text().encode(), *told):
        assert text
        assert b"secret" not in text
        assert b64encode(b"lan:secret") not in text
    daemon.stop()


def test_mirror_refuses_head(make_lab: MakeLab, depot: Depot) -> None:
    """A mirror that refuses HEAD is asked by GET, in the place where it stands."""
    refusing = Site(80, depot.signed, "if ($request_method = HEAD) { return 405; }")
    lab = make_lab(sites=(refusing, Site(8081, depot.folder())))
    host, _ = lab.hosts
    daemon = start(host)
    done = host.pacman("-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert "error" not in done.stderr
    assert all("307" in line for line in daemon.requests(depot.packages[NAMES[0]].filename))
    daemon.stop()


def test_mirror_undecided(make_lab: MakeLab, depot: Depot) -> None:
    """Where no mirror says yes or no pacman is sent to the first that answers, and meets what it would have met without pacserve."""
    broken = Site(80, depot.signed, "location ~ pkg { return 503; }")
    lab = make_lab(sites=(broken,))
    host, _ = lab.hosts
    daemon = start(host)
    host.pacman("-Sy")
    package = f"/request/core/x86_64/{depot.packages[NAMES[0]].filename}"
    answer = host.request(package)
    assert answer.status == 307
    assert answer.headers["location"].startswith("http://10.78.0.2/")
    assert host.request(f"{package}.sig").status == 200  # from the database, which carries it
    missing = host.request("/request/core/x86_64/absent.db")
    assert missing.status == 404
    daemon.stop()
