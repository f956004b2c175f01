"""A LAN in which one host has the version from before there was content of other package systems, and the other has today's."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.e2e.conftest import EARLIER, ROOT, MakeLab
from tests.e2e.lab import PACKAGE_DIR, Daemon, Depot, Host, wait_until
from tests.e2e.lab.slowness import limit
from tests.e2e.test_discovery import know_each_other
from tests.e2e.test_packages_by_url import urls

BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"
NAME = "nas"
OPTIONS = {"redirect": ("--misses", "redirect"), "fetch": ("--misses", "fetch")}
# Where the package is that only this version has: shows that the earlier one really runs.
_CHECK = "import pacserve.alpm.names, sys; sys.stdout.write(pacserve.__file__)"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the earlier version, taken from the history."""
    done = subprocess.run(["git", "-C", str(ROOT), "archive", EARLIER, "pacserve"], capture_output=True, check=True)
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    shown = subprocess.run([sys.executable, "-P", "-c", _CHECK], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True).stdout
    assert shown.startswith(str(folder))
    return folder


def start(hosts: list[Host], earlier: Path, depot: Depot, misses: str) -> list[Daemon]:
    """Starts the earlier version on the first host, and today's, which holds content as well, on the second."""
    daemons = []
    for host, version in zip(hosts, (earlier, None), strict=True):
        blobs = host.dir / "blobs"
        blobs.mkdir()
        (blobs / BLOB).write_bytes(b"content of another package system")
        arguments = ["--multicast", "--multicast-interval", "5", "--spool", str(host.dir / "spool"), *OPTIONS[misses]]
        arguments += ["--cache-dir", PACKAGE_DIR, "--cache-dir", str(blobs)]
        daemons.append(Daemon(host, *arguments, *([] if version else ["--host-name", NAME]), version=version))
    depot.settled()
    know_each_other(hosts, daemons)
    return daemons


def listed(host: Host, address: str) -> dict[str, object]:
    """The `/info` of a host, as another one sees it."""
    found: dict[str, object] = json.loads(host.request("/info", address).body)
    return found


@pytest.mark.parametrize("misses", OPTIONS)
def test_each_from_the_other(make_lab: MakeLab, depot: Depot, earlier: Path, misses: str) -> None:
    """Each version gets a package from the other without the mirror's help, though one lists content that the other does not know."""
    lab = make_lab()
    first, second = lab.hosts
    daemons = start(lab.hosts, earlier, depot, misses)
    for host, name in ((first, "pkg00"), (second, "pkg01")):
        host.pacman("-Sy", name)
    wait_until(lambda: BLOB in str(listed(first, second.ip).get("content")), "the content to be listed")
    assert "content" not in listed(second, first.ip)
    assert [listed(first, second.ip).get("name"), listed(second, first.ip).get("name")] == [NAME, None]
    for host, other, name in ((first, second, "pkg01"), (second, first, "pkg00")):
        file = depot.packages[name].filename
        wait_until(lambda: file in str(listed(host, other.ip)["files"]), f"{file} to be listed")  # noqa: B023 - called at once
        before = len(lab.mirror.package_downloads())
        host.pacman("-S", name)
        assert len(lab.mirror.package_downloads()) == before
        assert host.installed() == {"pkg00", "pkg01"}
    for host, daemon, name in ((first, daemons[0], "pkg01"), (second, daemons[1], "pkg00")):
        assert any("peer" in line for line in daemon.requests(depot.packages[name].filename)), host
    for daemon in daemons:
        assert "can't be read" not in daemon.text()
        daemon.stop()


def test_by_url(make_lab: MakeLab, depot: Depot, earlier: Path) -> None:
    """-U of several URLs that end at a peer of the earlier version installs all of them."""
    lab = make_lab()
    other, host = lab.hosts
    daemons = start(lab.hosts, earlier, depot, "redirect")
    names = ["pkg00", "pkg01", "pkg02"]
    other.pacman("-Sy", *names)
    host.pacman("-Sy")
    wait_until(lambda: depot.packages["pkg02"].filename in str(listed(host, other.ip)["files"]), "the packages to be listed")
    wait_until(lambda: "holds" in daemons[1].text(), "the peer to be known")
    host.pacman("-U", *urls(depot, names))
    assert host.installed() == set(names)
    # The earlier version does not state names.
    kept = {path.name for path in host.pkg.iterdir()}
    assert {name.removeprefix("data?") for name in kept} == set(depot.filenames(names))
    assert any(name.startswith("data?") for name in kept)
    for daemon in daemons:
        daemon.stop()


@pytest.mark.parametrize("names", [["big"], [f"pkg{number:02}" for number in range(20)]], ids=["big", "small"])
def test_both_at_once(make_lab: MakeLab, depot: Depot, earlier: Path, names: list[str]) -> None:
    """When both versions upgrade at the same moment, each package is downloaded once: claims and downloads are understood both ways."""
    lab = make_lab(wan_mbit=40)
    daemons = start(lab.hosts, earlier, depot, "fetch")
    for host in lab.hosts:
        host.pacman("-Sy")
    running = [host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", *names], log=host.dir / "log" / "p.log") for host in lab.hosts]
    assert [pacman.wait(limit(120)) for pacman in running] == [0, 0]
    assert [host.installed() for host in lab.hosts] == [set(names)] * 2
    files = sorted(request.name for request in lab.mirror.package_downloads())
    assert files == sorted(depot.filenames(names, signatures=False))
    for daemon in daemons:
        daemon.stop()


def test_taken_over(make_lab: MakeLab, depot: Depot, earlier: Path) -> None:
    """The spool, the kept databases and the history of the earlier version are taken over as they are."""
    lab = make_lab(hosts=1)
    (host,) = lab.hosts
    arguments = ("--misses", "fetch", "--spool", str(host.dir / "spool"))
    names = ["pkg00", "pkg01", "pkg02"]
    before = Daemon(host, *arguments, version=earlier)
    host.pacman("-Sy", *names)
    before.stop()
    daemon = Daemon(host, *arguments)
    status = json.loads(host.request("/status").body)
    assert status["spool"]["files"] >= len(names)
    assert sum(tally["requests"] for tally in status["traffic"]["tallies"]) >= len(names)
    for path in host.pkg.iterdir():
        path.unlink()
    asked = len(lab.mirror.requests())
    host.pacman("-Syw", *names)
    downloads = [request for request in lab.mirror.requests("GET")[asked:] if request.status == 200 and not request.name.endswith(".sig")]
    assert downloads == []
    daemon.stop()
