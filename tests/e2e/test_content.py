"""Hosts that share content find each other, download it once, and leave hosts with pacman alone in peace."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PORT, Daemon, Host, Site, wait_until

APT_PORT = 9988
MIRROR_PORT = 8080
BASE = f"10.78.0.2:{MIRROR_PORT}/debian"
# A second and a half at 20 Mbit/s.
INDEX = Random(1).randbytes(4 << 20)
PATH = "main/binary-amd64/Packages"
BLOB = f"Packages@{sha256(INDEX).hexdigest()}.blob"
_RELEASE = """Origin: Test
Suite: s
Codename: s
Date: Mon, 02 Nov 2026 10:00:00 UTC
Acquire-By-Hash: yes
SHA256:
 {digest} {size} {path}
"""


def repository(folder: Path) -> Path:
    """A suite with one index; returns the folder that a mirror serves."""
    release = _RELEASE.format(digest=sha256(INDEX).hexdigest(), size=len(INDEX), path=PATH)
    for name, data in (("InRelease", release.encode()), (PATH, INDEX), (f"main/binary-amd64/by-hash/SHA256/{sha256(INDEX).hexdigest()}", INDEX)):
        file = folder / "debian" / "dists" / "s" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def without_pacman(host: Host) -> None:
    """Takes pacman away from a host: its configuration, and the program that reads it."""
    host.path("/etc/pacman.conf").unlink()
    host.run("mount --bind /dev/null /usr/bin/pacman-conf")
    host.run("mount --bind /dev/null /usr/bin/pacman")


def start(host: Host, peers: list[Host], *, named: bool, apt: bool = True) -> Daemon:
    """Starts a daemon that finds the others by multicast, or is told of them."""
    words = [word for peer in peers for word in ("--pacserver", peer.ip)] if named else ["--multicast", "--multicast-interval", "5"]
    words += ["--apt", "--apt-mirror", f"http://{BASE}"] if apt else []
    return Daemon(host, *words, "--spool", str(host.dir / "spool"))


def used(host: Host) -> set[str]:
    """The addresses of the peers that a host uses, by its status."""
    peers = json.loads(host.request("/status", headers={"Host": f"localhost:{PORT}"}).body)["peers"]
    return {str(peer["address"]).rpartition(":")[0] for peer in peers if peer["state"] in ("known", "unknown")}


def get(host: Host, path: str) -> bytes:
    """A file of the suite, as apt asks for it."""
    answer = host.request(f"/{BASE}/dists/s/{path}", port=APT_PORT)
    assert answer.status == 200, answer
    return answer.body


@pytest.mark.parametrize("named", [False, True], ids=["multicast", "named"])
def test_first_download(make_lab: MakeLab, tmp_path: Path, *, named: bool) -> None:
    """Hosts with apt alone and a host with both, all empty, agree on one download; a host with pacman alone is asked nothing and asks nothing."""
    lab = make_lab(hosts=4, sites=[Site(MIRROR_PORT, repository(tmp_path / "www"))], wan_mbit=20)
    sharing, other = lab.hosts[:3], lab.hosts[3]
    for host in sharing[:2]:
        without_pacman(host)
    daemons = [start(host, [one for one in lab.hosts if one is not host], named=named) for host in sharing]
    daemons.append(start(other, sharing, named=named, apt=False))
    for host in sharing:
        wait_until(lambda: used(host) >= {one.ip for one in sharing} - {host.ip}, "all to know each other", 20)  # noqa: B023 - called at once
    wait_until(lambda: used(other) == {sharing[2].ip}, "the host with both to be known", 20)
    assert [json.loads(host.request("/info").body).get("content") for host in lab.hosts] == [{}, {}, {}, None]

    for host in sharing:
        assert b"Acquire-By-Hash" in get(host, "InRelease")
    with ThreadPoolExecutor(len(sharing)) as pool:
        assert all(body == INDEX for body in pool.map(lambda host: get(host, PATH), sharing))
    downloads = [request for request in lab.mirror.requests("GET") if request.sent >= len(INDEX) // 2]
    assert sum(request.sent for request in downloads) < 1.2 * len(INDEX), downloads
    for host in sharing:
        wait_until(lambda: BLOB in json.loads(host.request("/info").body)["content"], "the index to be listed")  # noqa: B023 - called at once

    if not named:
        assert used(other) == {sharing[2].ip}
    assert "/fetch/" not in daemons[3].text()
    for daemon in daemons:
        daemon.stop()
