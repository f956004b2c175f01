"""Mirrors, daemons and disks that fail while apt is asking, and clients that ask what they may not."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import MakeAptLab
from tests.e2e.lab import Daemon, Program, Site, wait_until
from tests.e2e.lab.apt_host import APT_PORT, Apt, Form
from tests.e2e.lab.apt_lab import FAULTY_PORT, AptLab, assert_good, assert_whole, packages
from tests.e2e.lab.apt_packages import build_deb
from tests.e2e.lab.apt_repository import Suite
from tests.e2e.lab.slowness import limit

FAULTY = f"mirror.lab:{FAULTY_PORT}"
DEBS = packages(6, size=90_000)
NAMES = [deb.package for deb in DEBS]
# One more try takes a second; four, as apt has by itself, seven.
ONE_RETRY = 'Acquire::Retries "1";'


def start(lab: AptLab, *options: str) -> tuple[Apt, Daemon]:
    """Returns the only host, where apt asks the faulty mirror through pacserve, and that."""
    apt = lab.hosts[0]
    apt.use(Form.AUTO, *options)
    apt.sources(apt.line(apt.uri(host=FAULTY)))
    daemon = apt.start()
    return apt, daemon


def exchange(lab: AptLab, mirror: Program, kind: str) -> Program:
    """Puts a mirror of another kind into the place of one."""
    mirror.kill()
    return lab.faulty(kind)


@pytest.mark.parametrize("by_hash", [True, pytest.param(False, marks=pytest.mark.long)], ids=["by-hash", "by-name"])
@pytest.mark.parametrize("kind", ["Good", "CutsOnce", "FailsOnce", "Hints", "Unmeasured", "Chunks", "Closes", "Old", "Redirects"])
def test_harmless(make_apt_lab: MakeAptLab, kind: str, *, by_hash: bool) -> None:
    """Whatever apt would have met at the mirror itself, it gets everything through pacserve."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS, by_hash=by_hash))
    lab.faulty(kind)
    apt, daemon = start(lab)
    assert_good(apt.run("update"))
    assert_good(apt.run("install", *NAMES))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS}
    daemon.stop()


@pytest.mark.parametrize("kind", ["WrongIndexes", "LongIndexes", "Portal", "Fails"])
@pytest.mark.parametrize("by_hash", [True, False], ids=["by-hash", "by-name"])
def test_no_lists(make_apt_lab: MakeAptLab, kind: str, *, by_hash: bool) -> None:
    """Indexes that are not those of the release are no lists, and apt has those that it had; it has the new ones when the mirror is well."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS[:3], by_hash=by_hash))
    mirror = lab.faulty("Good")
    apt, daemon = start(lab, ONE_RETRY)
    apt.update()
    suite = Suite("stable", DEBS, by_hash=by_hash, revision=1)
    lab.debian.publish(suite)
    mirror = exchange(lab, mirror, kind)
    assert_whole(apt.run("update", check=False))
    assert apt.lists("_Packages")[0].read_bytes() == Suite("stable", DEBS[:3]).packages("amd64")
    exchange(lab, mirror, "Good")
    assert_good(apt.update())
    assert apt.lists("_Packages")[0].read_bytes() == suite.packages("amd64")
    daemon.stop()


@pytest.mark.parametrize("kind", ["WrongPackages", "CutsPackages", "RedirectsHome", "Absent"])
def test_no_packages(make_apt_lab: MakeAptLab, kind: str) -> None:
    """A mirror that gives no package right has apt fail, and not by bytes of two files; when it is well, the next run goes on."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    mirror = lab.faulty(kind)
    # A mirror that gives a wrong file twice in a row is left alone for a while.
    apt, daemon = start(lab, 'Acquire::Retries "0";')
    apt.update()
    done = apt.run("install", *NAMES[:2], check=False)
    assert done.returncode == 100
    assert_whole(done)
    assert ("404" in done.stderr) == (kind == "Absent")
    assert not daemon.requests("/status")
    exchange(lab, mirror, "Good")
    assert_good(apt.run("install", *NAMES[:2]))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS[:2]}
    daemon.stop()


@pytest.mark.parametrize("kind", ["WrongPackages", "Absent", "Fails"])
def test_next_source(make_apt_lab: MakeAptLab, kind: str) -> None:
    """apt gets a package from its next source where the first one does not give it: a 404 says so at once."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    mirror = lab.faulty("Good")
    apt, daemon = start(lab, ONE_RETRY)
    apt.sources(apt.line(apt.uri(host=FAULTY)), apt.line())
    apt.update()
    exchange(lab, mirror, kind)
    done = apt.run("install", *NAMES[:2])
    assert_whole(done)
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS[:2]}
    daemon.stop()


@pytest.mark.parametrize("sources", [1, 2])
def test_wrong_beginning(make_apt_lab: MakeAptLab, sources: int) -> None:
    """A client that has the beginning of a wrong file gets all of the right one, from the same mirror or from the next: never the rest alone."""
    lab = make_apt_lab(wan_mbit=24)
    deb = build_deb("big", size=3_000_000)
    lab.debian.publish(Suite("stable", (deb,)))
    mirror = lab.faulty("WrongPackages")
    apt, daemon = start(lab, 'Acquire::Retries "0";')
    apt.sources(*[apt.line(apt.uri(host=FAULTY)), apt.line()][:sources])
    apt.update()
    done = apt.run("install", "big", check=False)
    assert_whole(done)
    if sources == 1:
        assert done.returncode == 100
        (partial,) = (apt.dir / "cache/archives/partial").iterdir()
        assert deb.content[:2000] == partial.read_bytes()[:2000]
        assert not deb.content.startswith(partial.read_bytes())
        exchange(lab, mirror, "Good")
        assert_good(apt.run("install", "big"))
    assert apt.archives() == {deb.archive: deb.content}
    daemon.stop()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["Mute", "StallsOnce"])
def test_silent(make_apt_lab: MakeAptLab, kind: str) -> None:
    """A mirror that is silent for a long time costs one try, and nothing that apt has."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    mirror = lab.faulty("Good")
    apt, daemon = start(lab, 'Acquire::Retries "0";' if kind == "Mute" else ONE_RETRY)
    apt.update()
    mirror = exchange(lab, mirror, kind)
    assert_whole(apt.run("update"))
    assert_whole(apt.run("install", NAMES[0], check=kind != "Mute"))
    exchange(lab, mirror, "Good")
    assert_good(apt.run("install", *NAMES))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS}
    daemon.stop()


def test_mirror_killed_in_mid_file(make_apt_lab: MakeAptLab) -> None:
    """A mirror that ends in mid-file and is started again gives the rest of the file."""
    lab = make_apt_lab(wan_mbit=16)
    deb = build_deb("big", size=4_000_000)
    lab.debian.publish(Suite("stable", (deb,)))
    apt = lab.hosts[0]
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    before = lab.lab.mirror.wan_bytes()
    running = apt.host.spawn(apt.command("install", "big"), log=apt.host.dir / "log" / "apt.log")
    wait_until(lambda: lab.lab.mirror.wan_bytes() > before + 1_000_000, "a part of the file")
    lab.lab.mirror.kill()
    wait_until(lambda: not lab.lab.mirror.listens(80), "the mirror to end")
    lab.lab.mirror.start((Site(80, lab.root),))
    assert running.wait(limit(60)) == 0
    assert apt.archives() == {deb.archive: deb.content}
    assert [request.range for request in lab.downloads()][-1].startswith("bytes=")
    assert_whole(apt.run("update"))
    daemon.stop()


@pytest.mark.parametrize("moment", ["before", "in mid-file"])
def test_daemon_killed(make_apt_lab: MakeAptLab, moment: str) -> None:
    """Without pacserve apt goes to the mirror by itself, and completes what it has begun."""
    lab = make_apt_lab(wan_mbit=16)
    deb = build_deb("big", size=4_000_000)
    lab.debian.publish(Suite("stable", (deb, *DEBS)))
    apt = lab.hosts[0]
    apt.use(Form.AUTO, 'Acquire::Retries "0";')
    apt.sources()
    daemon = apt.start()
    apt.update()
    if moment == "in mid-file":
        before = lab.lab.mirror.wan_bytes()
        running = apt.host.spawn(apt.command("install", "big"), log=apt.host.dir / "log" / "apt.log")
        wait_until(lambda: lab.lab.mirror.wan_bytes() > before + 1_000_000, "a part of the file")
        daemon.kill()
        running.wait(limit(60))
    else:
        daemon.kill()
    assert_good(apt.update())
    assert_good(apt.run("install", "big", *NAMES))
    assert apt.archives() == {one.archive: one.content for one in (deb, *DEBS)}


def test_disk_full(make_apt_lab: MakeAptLab) -> None:
    """Where nothing more can be kept, apt gets everything all the same."""
    lab = make_apt_lab()
    debs = packages(6, size=700_000)
    lab.debian.publish(Suite("stable", debs))
    apt = lab.hosts[0]
    apt.host.run(["sh", "-c", "mkdir /run/small && mount -t tmpfs -o size=1m tmpfs /run/small"])
    apt.use(Form.AUTO, 'Acquire::Retries "0";')
    apt.sources()
    daemon = apt.start("--spool", "/run/small/spool")
    apt.update()
    assert_good(apt.run("install", *(deb.package for deb in debs)))
    assert apt.archives() == {deb.archive: deb.content for deb in debs}
    daemon.stop()


def test_ten_at_once(make_apt_lab: MakeAptLab) -> None:
    """Of ten requests on one connection all are worked on while the first one is slow, and they are answered in their order."""
    lab = make_apt_lab()
    debs = packages(10)
    lab.debian.publish(Suite("stable", debs))
    mirror = lab.faulty("SlowFirst")
    apt, daemon = start(lab)
    apt.update()
    # As apt does it: one request first, and the others when that is answered.  By then the lists have been read.
    assert apt.host.request(f"http://{FAULTY}/debian/pool/main/l/lab01/{debs[1].file}", port=APT_PORT, method="HEAD").status == 200
    paths = [f"/debian/pool/main/l/{deb.package}/{deb.file}" for deb in debs]
    with apt.host.connect(port=APT_PORT) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"".join(f"GET http://{FAULTY}{path} HTTP/1.1\r\nHost: {FAULTY}\r\n\r\n".encode() for path in paths))
        for deb in debs:
            head = b"".join(iter(answers.readline, b"\r\n"))
            assert head.startswith(b"HTTP/1.1 200 "), head
            assert answers.read(len(deb.content)) == deb.content
    asked, slow = mirror.text().partition(f"done {paths[0]}")[::2]
    assert slow
    assert sorted(re.findall(r"^GET (/debian/pool\S*) ", asked, re.MULTILINE)) == sorted(paths)
    apt.forget()
    assert_good(apt.run("install", *(deb.package for deb in debs)))
    daemon.stop()


def test_old_client(make_apt_lab: MakeAptLab) -> None:
    """A client that speaks HTTP/1.0 gets files with their length, and its connection is closed."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    lab.faulty("Chunks")
    apt, daemon = start(lab)
    apt.update()
    for path, content in ((f"pool/main/l/lab00/{DEBS[0].file}", DEBS[0].content), ("dists/stable/main/binary-amd64/Packages", b"")):
        with apt.host.connect(port=APT_PORT) as connection:
            connection.sendall(f"GET http://{FAULTY}/debian/{path} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split()[1] == b"200"
        assert b"chunked" not in head.lower()
        assert body.endswith(content)
    daemon.stop()


REFUSED = {
    "foreign host": ("GET", "http://elsewhere.lab/debian/dists/stable/InRelease", "elsewhere.lab", 403),
    "foreign folder": ("GET", "http://mirror.lab/private/secret", "mirror.lab", 403),
    "foreign port": ("GET", "http://mirror.lab:22/debian/x", "mirror.lab:22", 403),
    "by path": ("GET", "/elsewhere.lab/debian/dists/stable/InRelease", "localhost:9988", 403),
    "https": ("GET", "/https://mirror.lab/debian/dists/stable/InRelease", "localhost:9988", 403),
    "here": ("GET", "http://localhost:15678/status", "localhost:15678", 403),
    "address": ("GET", "http://127.0.0.1:15678/status", "127.0.0.1:15678", 403),
    "up": ("GET", "http://mirror.lab/debian/../private/secret", "mirror.lab", 403),
    "up, encoded": ("GET", "http://mirror.lab/debian/%2e%2e/private/secret", "mirror.lab", 403),
    "up, encoded slashes": ("GET", "http://mirror.lab/debian/..%2fprivate%2fsecret", "mirror.lab", 403),
    "query": ("GET", "http://mirror.lab/debian/dists/stable/InRelease?x=1", "mirror.lab", 403),
    "password": ("GET", "http://me:secret@mirror.lab/debian/dists/stable/InRelease", "mirror.lab", 403),
    "forged Host": ("GET", "/mirror.lab/debian/dists/stable/InRelease", "evil.example", 421),
    "tunnel": ("CONNECT", "mirror.lab:443", "mirror.lab:443", 405),
    "post": ("POST", "http://mirror.lab/debian/dists/stable/InRelease", "mirror.lab", 405),
}


def test_refused(make_apt_lab: MakeAptLab) -> None:
    """Files of others than the sources of this host, tunnels, and what web pages forge are refused, and the mirror is asked nothing."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    lab.debian.write("../private/secret", b"of nobody else", 1_700_000_000)
    apt = lab.hosts[0]
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    before = len(lab.lab.mirror.requests())
    answers = {
        what: apt.host.request(target, port=APT_PORT, method=method, headers={"Host": host}) for what, (method, target, host, _) in REFUSED.items()
    }
    assert {what: answer.status for what, answer in answers.items()} == {what: row[3] for what, row in REFUSED.items()}
    assert b"of nobody else" not in b"".join(answer.body for answer in answers.values())
    assert b"https" in answers["tunnel"].body
    assert len(lab.lab.mirror.requests()) == before
    daemon.stop()


SHA256 = "0" * 64
HOSTILE = {
    "names": "".join(
        f"\nPackage: {name}\nVersion: 1\nArchitecture: amd64\nFilename: {file}\nSize: {size}\nSHA256: {digest}\n"
        for name, file, size, digest in (
            ("up", "../../../etc/shadow", 5, SHA256),
            ("rooted", "/etc/shadow", 5, SHA256),
            ("url", "http://127.0.0.1:15678/status", 5, SHA256),
            ("negative", "pool/negative", -5, SHA256),
            ("huge", "pool/huge", 10**30, SHA256),
            ("empty", "", 5, SHA256),
            ("short", "pool/short", 5, "00"),
            ("lied", "pool/lied", 5, "g" * 64),
            ("label", "pool/a@b/c%2fd.deb", 5, SHA256),
        )
    ).encode(),
    "huge": b"\nPackage: long\nVersion: 1\nArchitecture: amd64\nDescription: " + b"x" * 8_000_000 + b"\n",
    "many fields": b"\nPackage: fields\nVersion: 1\nArchitecture: amd64\n" + b"".join(b"Field-%d: x\n" % number for number in range(200_000)),
    "many": b"".join(
        b"\nPackage: p%d\nVersion: 1\nArchitecture: amd64\nFilename: pool/p%d\nSize: 1\nSHA256: %064d\n" % (n, n, n) for n in range(40_000)
    ),
    "deep": b"\nPackage: deep\nVersion: 1\nArchitecture: amd64\nFilename: " + b"a/" * 100_000 + b"deep.deb\nSize: 5\nSHA256: " + b"0" * 64 + b"\n",
    "binary": b"\n" + bytes(range(256)) * 2000 + b"\n\n\n\0\0\0\r\r\r\n",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_lists(make_apt_lab: MakeAptLab, kind: str) -> None:
    """A repository whose lists are made to do harm does none: packages of others are installed, and the daemon does not grow."""
    lab = make_apt_lab()
    lab.debian.publish(Suite("stable", DEBS))
    lab.repository("third").publish(Suite("stable", packages(1), architectures=("amd64",), extra=HOSTILE[kind]))
    apt = lab.hosts[0]
    apt.use(Form.AUTO)
    apt.sources()
    daemon = apt.start()
    apt.update()
    usual = daemon.memory()
    apt.sources(apt.line(), apt.line(apt.uri("third", "third.lab")))
    assert_whole(apt.run("update", check=False))
    if apt.run("install", *NAMES, check=False).returncode:  # apt itself can't read them
        apt.sources()
        apt.update()
        assert_good(apt.run("install", *NAMES))
    assert apt.archives() == {deb.archive: deb.content for deb in DEBS}
    assert len(lab.downloads()) == len(DEBS)
    assert daemon.memory() < usual + 40_000_000
    assert not daemon.requests("/status")
    daemon.stop()
