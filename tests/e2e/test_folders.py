"""Real pacman installs from a repository of this host (`file://`) through pacserve, with peers and mirrors around it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.lab import MIRROR, PACSERVE, PORT, Daemon, Depot, Host, Lab, small_packages

NAMES = small_packages()[:3]
AUTO = ("--misses", "auto", "--hits", "auto")


def repository(host: Host, depot: Depot, repo: str) -> Path:
    """A repository below /var/lib of the host: a pool, and a folder of links to it, as Arch's mirrors have."""
    folder, pool = host.path("/var/lib/repositories") / repo, host.path("/var/lib/repositories/pool")
    for each in (folder, pool):
        each.mkdir(parents=True, exist_ok=True)
    for path in depot.folder(repo).iterdir():
        if ".pkg.tar" in path.name:
            shutil.copy2(path, pool / path.name)
            (folder / path.name).symlink_to(f"../pool/{path.name}")
        else:
            shutil.copy2(path, folder / path.name, follow_symlinks=False)
    return folder


def configure(host: Host, *sections: tuple[str, tuple[str, ...]]) -> None:
    """Writes a pacman.conf with these repositories, each with its Server lines behind pacserve's."""
    lines = [f"[{repo}]\nServer = {PACSERVE}\n" + "".join(f"Server = {server}\n" for server in servers) for repo, servers in sections]
    host.write_configuration(host.configuration((), ()) + "".join(lines))


def pacsrv(host: Host, *words: str) -> str:
    """What pacsrv says."""
    return host.run([sys.executable, "-m", "pacserve.cli.pacsrv", *words], check=False).stdout


@pytest.fixture
def three_folders(lab: Lab, depot: Depot) -> Lab:
    """A LAN whose first host has three repositories of its own besides `core`, which comes from the mirror."""
    host, _ = lab.hosts
    for repo in ("extra", "multi", "third"):
        repository(host, depot, repo)
    configure(host, *((repo, (f"file:///var/lib/repositories/{repo}",)) for repo in ("extra", "multi", "third")), ("core", (MIRROR,)))
    return lab


def test_beside_peers_and_mirror(three_folders: Lab, depot: Depot) -> None:
    """Three such repositories do not make pacman leave out pacserve; no other host is asked for their files, and the rest comes as ever."""
    host, other = three_folders.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()), "--cache-dir", str(depot.folder("extra")), *AUTO, "--spool", str(other.dir / "spool"))
    daemon = Daemon(host, "--pacserver", f"{other.ip}:{PORT}", *AUTO, "--spool", str(host.dir / "spool"), user="")
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES, "extra", "multi", "third")
    assert host.installed() == {*NAMES, "extra", "multi", "third"}
    assert "too many errors" not in done.stdout + done.stderr
    assert "error" not in done.stderr
    for name in ("extra", "multi", "third"):
        for file in (f"{name}.db", depot.packages[name].filename):
            (line,) = daemon.requests(file)
            assert f" 200 from folder /var/lib/repositories/{name}, " in line
            assert peer.requests(file) + peer.requests(file, "HEAD") == []
        assert not [request for request in three_folders.mirror.requests() if request.name.startswith(name)]
    for file in depot.filenames(NAMES, signatures=False):
        assert any(f"peer {other.ip}" in line for line in daemon.requests(file))
    host.path(f"/var/cache/pacman/pkg/{depot.packages['extra'].filename}").unlink()
    why = json.loads(pacsrv(host, "why", "extra", "--json"))
    assert ("folder /var/lib/repositories/extra", "used") in [(one["who"], one["verdict"]) for one in why["candidates"]]
    daemon.stop()
    peer.stop()


def test_databases_are_validated(three_folders: Lab, depot: Depot) -> None:
    """A database that has not changed is not sent again, and a new one is, also by `-Syy`."""
    host, _ = three_folders.hosts
    daemon = Daemon(host)
    for _ in range(2):
        host.pacman("-Sy")
    database = host.path("/var/lib/repositories/extra/extra.db.tar.gz")
    os.utime(database, (database.stat().st_mtime + 5,) * 2)
    for words in ("-Sy", "-Syy"):
        host.pacman(words)
    assert [" 304 " in line for line in daemon.requests("extra.db")] == [False, True, False, False]
    # A package in the cache without its signature: pacman asks whether it has changed before it asks for the signature.
    host.pacman("-Sw", "extra")
    signature = host.pkg / f"{depot.packages['extra'].filename}.sig"
    signature.unlink()
    host.pacman("-S", "extra")
    assert host.installed() == {"extra"}
    daemon.stop()


def test_folder_and_mirror(lab: Lab, depot: Depot) -> None:
    """In a section with both the order is that of pacman.conf; where the first lacks a file, or is away, the other has it."""
    host, _ = lab.hosts
    folder = repository(host, depot, "core")
    shared = "file:///var/lib/repositories/core"
    configure(host, ("core", (shared, MIRROR)))
    daemon = Daemon(host)
    absent = depot.packages[NAMES[1]].filename
    (folder / absent).unlink()
    host.pacman("-Sy", *NAMES)
    assert [request.name for request in lab.mirror.package_downloads()] == [absent]
    host.forget()
    configure(host, ("core", (MIRROR, shared)))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("pacman.conf was read again")
    host.pacman("-Syyw", NAMES[0])
    assert [request.name for request in lab.mirror.package_downloads()] == [absent, depot.packages[NAMES[0]].filename]
    host.forget()
    host.run("ip route add unreachable 10.78.0.2")
    host.pacman("-S", NAMES[2])
    assert any("from folder" in line for line in daemon.requests(depot.packages[NAMES[2]].filename))
    daemon.stop()


def test_unreadable(three_folders: Lab) -> None:
    """
    A folder that the daemon's user may not read is named once in the log and by the doctor, and pacman has it by itself.

    The database has not changed when it is asked for again: then pacman (6.0, 7.0) takes the status of its first source for that of `file://`.
    """
    host, _ = three_folders.hosts
    host.path("/var/lib/repositories/extra").chmod(0o700)
    daemon = Daemon(host, user="65534")
    for _ in range(2):
        host.pacman("-Sy", "multi", "extra")
    assert host.installed() == {"multi", "extra"}
    (warning,) = [line for line in daemon.text().splitlines() if "warn" in line and "repositories/extra" in line]
    assert "permission denied" in warning
    found = json.loads(pacsrv(host, "doctor", "--json"))["findings"]
    (wrong,) = [one for one in found if one["level"] == "wrong"]
    assert "/var/lib/repositories/extra" in wrong["text"]
    assert "permission denied" in wrong["text"]
    daemon.stop()
