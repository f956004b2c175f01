"""A machine that is short of something, or half written: the daemon goes on, and says once what is wrong."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest

from tests.e2e.lab import PACSERVE, Daemon, Depot, Lab, command, wait_until
from tests.e2e.lab.slowness import limit

NAME = "pkg00-1.0.0-1-x86_64.pkg.tar.zst"
REQUEST = f"/request/core/x86_64/{NAME}"
EX_CONFIG = 78  # sysexits.h
# Seconds in which a change of pacman.conf is noticed for certain: a look each second, and one second without a change.
_NOTICED = 4.0


def test_fifo(lab: Lab) -> None:
    """A FIFO among the files of pacman.conf stops nothing: what was read before stays in force, and the file that takes its place is read."""
    host, _ = lab.hosts
    included = host.path("/etc/mirrorlist")
    included.write_text("Server = http://10.78.0.2/$repo/os/$arch\n")
    host.write_configuration(host.configuration([PACSERVE], ["core"]) + "Include = /etc/mirrorlist\n")
    daemon = Daemon(host)
    daemon.findings()  # it is checked with the pacman.conf of the start
    assert host.request(REQUEST).headers["location"].startswith("http://10.78.0.2/")
    included.unlink()
    os.mkfifo(included)
    daemon.wait_for(r"\[warn\] /etc/mirrorlist is a FIFO", 10)
    for _ in range(20):
        began = time.monotonic()
        assert host.request(REQUEST).status == 307
        assert time.monotonic() - began < limit(2)
        time.sleep(0.1)
    included.unlink()
    included.write_text("Server = http://198.51.100.2/$repo/os/$arch\n")
    wait_until(lambda: host.request(REQUEST).headers["location"].startswith("http://198.51.100.2/"), "the new mirrorlist to be read", 15)
    assert daemon.text().count("[warn]") == 1
    daemon.stop()


@pytest.mark.parametrize("where", ["itself", "included"])
def test_fifo_at_the_start(lab: Lab, where: str) -> None:
    """With a FIFO among the files of pacman.conf it does not start, and says so at once instead of waiting for somebody to write."""
    host, _ = lab.hosts
    path = "/etc/pacman.conf" if where == "itself" else "/etc/mirrorlist"
    if where == "included":
        host.write_configuration(host.configuration([PACSERVE], ["core"]) + "Include = /etc/mirrorlist\n")
    host.path(path).unlink(missing_ok=True)
    os.mkfifo(host.path(path))
    done = host.run(command(), check=False, timeout=limit(20))
    assert done.returncode == EX_CONFIG
    assert f"{path} is a FIFO" in done.stderr
    assert done.stderr.count("\n") == 1


def test_empty_pacman_conf(lab: Lab) -> None:
    """A pacman.conf that was emptied leaves in force what was read before, one warning says so, and the next good one is read."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    daemon.findings()  # it is checked with the pacman.conf of the start
    host.write_configuration("")
    daemon.wait_for(r"\[warn\] .* names no repository any more.*what was read before stays in force", 10)
    assert host.request(REQUEST).status == 307
    time.sleep(_NOTICED)
    assert daemon.text().count("[warn]") == 1
    host.configure([PACSERVE, "http://198.51.100.2/$repo/os/$arch"])
    wait_until(lambda: host.request(REQUEST).headers["location"].startswith("http://198.51.100.2/"), "the new pacman.conf to be read", 15)
    daemon.stop()


def test_half_written_pacman_conf(lab: Lab) -> None:
    """A pacman.conf that is being written, line by line, is read when it is whole: no state in between ever counts."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    daemon.findings()  # it is checked with the pacman.conf of the start
    path = host.path("/etc/pacman.conf")
    lines = host.configuration([PACSERVE, "http://198.51.100.2/$repo/os/$arch"], ["extra", "core"]).splitlines(keepends=True)
    seen: list[str] = []
    with path.open("w") as file:
        for line in lines:
            file.write(line)
            file.flush()
            response = host.request(REQUEST)
            assert response.status == 307
            seen.append(response.headers["location"])
            time.sleep(0.4)
    assert all(location.startswith("http://10.78.0.2/") for location in seen[:-1])
    wait_until(lambda: host.request(REQUEST).headers["location"].startswith("http://198.51.100.2/"), "the new pacman.conf to be read", 15)
    assert "[warn]" not in daemon.text()
    daemon.stop()


def test_folders(lab: Lab, depot: Depot) -> None:
    """A state folder, a notify socket, a cache folder and a spool that can't be used, or can't any more, are one warning each; all else goes on."""
    host, _ = lab.hosts
    depot.settled()
    (host.dir / "file").touch()
    cache = host.dir / "cache-dir"
    cache.mkdir()
    (cache / NAME).write_bytes((depot.folder() / NAME).read_bytes())
    daemon = Daemon(
        host,
        *("--state", f"{host.dir}/file/state", "--cache-dir", str(cache), "--misses", "fetch", "--spool", "/run/spool"),
        env={"NOTIFY_SOCKET": "/nonexistent/notify"},
    )
    wait_until(lambda: host.request(f"/package/{NAME}").status == 200, "the new file to be settled")
    shutil.rmtree(cache)
    host.path("/run/spool").rename(host.path("/run/away"))
    host.path("/run/spool").touch()
    for _ in range(5):
        assert host.request(REQUEST).status == 307
        assert host.request(f"/package/{NAME}").status == 404
        assert host.request("/info").status == 200  # what peers ask has the folders looked at
        time.sleep(0.5)
    for words in ("the service manager can't be told", "the history can't be kept", str(cache), "the spool /run/spool can't be used"):
        daemon.wait_for(rf"\[warn\] .*{re.escape(words)}", 10)
    warnings = re.findall(r"\[warn\] (.*)", daemon.text())
    assert len(warnings) == len(set(warnings)) == 5, warnings  # the spool is a package cache as well
    daemon.stop()
