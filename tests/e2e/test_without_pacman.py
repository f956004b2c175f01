"""A host without pacman, libalpm and a compiler, installed as the README says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab, require
from tests.e2e.lab import PORT, Daemon, Depot, Host, Program, wait_until
from tests.e2e.lab.slowness import limit

ROOT = Path(__file__).parents[2]
# Debian's own, since netifaces comes as a package of Debian there.
PYTHON = "/usr/bin/python3"
CONTENT = b"a package of Debian, or of anything else"
BLOB = f"zlib1g_1.2.13-1_amd64@{sha256(CONTENT).hexdigest()}.blob"


def has_netifaces() -> bool:
    """Whether Debian's package of netifaces is there."""
    return subprocess.run([PYTHON, "-c", "import netifaces"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` of an environment that was made as the README says, where a compiler can't be used."""
    require("" if has_netifaces() else f"the package python3-netifaces is missing for {PYTHON}")
    folder = tmp_path_factory.mktemp("opt")
    folder.chmod(0o755)
    assert "\nmake install PACMAN=no\n" in (ROOT / "README.md").read_text().partition("A host without pacman, ")[2]
    environment = {**os.environ, "CC": "/bin/false", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)
    command = ["make", "install", "PACMAN=no", f"PREFIX={folder}", f"SYSCONFDIR={folder}/etc", f"PYTHON={PYTHON}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=250)
    unreachable = "No matching distribution" in done.stderr or "Temporary failure in name resolution" in done.stderr
    require("no package registry can be reached" if unreachable else "")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    yield folder / "lib/pacserve/bin"
    shutil.rmtree(folder)


def without_pacman(host: Host) -> None:
    """Takes pacman away from a host: its configuration, and the program that reads it."""
    host.path("/etc/pacman.conf").unlink()
    host.run("mount --bind /dev/null /usr/bin/pacman-conf")
    host.run("mount --bind /dev/null /usr/bin/pacman")


def blobs(host: Host) -> Path:
    """A folder of a host with a file that is shared by content."""
    folder = host.dir / "blobs"
    folder.mkdir()
    (folder / BLOB).write_bytes(CONTENT)
    return folder


def peers(host: Host) -> list[dict[str, object]]:
    """The peers that a host's daemon tells of."""
    found: list[dict[str, object]] = json.loads(host.request("/status", headers={"Host": f"localhost:{PORT}"}).body)["peers"]
    return found


def test_without_pacman(make_lab: MakeLab, depot: Depot, installed: Path) -> None:
    """It starts, says in one line what is missing, shares content with hosts that have pacman, and takes pacman up when it comes."""
    assert subprocess.run([str(installed / "python"), "-c", "import pyalpm"], capture_output=True, check=False).returncode != 0
    lab = make_lab()
    host, other = lab.hosts
    without_pacman(host)
    words = [str(installed / "pacserve"), "--multicast", "--multicast-interval", "5", "--cache-dir", str(blobs(host)), "--state", str(host.dir / "s")]
    daemon = Program(host, words, host.dir / "log" / "pacserve.log", PORT)
    daemon.wait_for("no pacman here: there is no /etc/pacman.conf")
    wait_until(lambda: BLOB in json.loads(host.request("/info").body).get("content", {}), "the file to be listed")
    info = json.loads(host.request("/info").body)
    assert (info["arch"], info["files"], info["content"]) == ([], {}, {BLOB: len(CONTENT)})
    assert other.request(f"/package/{BLOB}", host.ip).body == CONTENT

    refused = host.request("/request/core/x86_64/core.db")
    assert (refused.status, b"no pacman here: there is no /etc/pacman.conf" in refused.body) == (404, True)
    for path in ("/", "/status", "/metrics"):
        assert host.request(path, headers={"Host": f"localhost:{PORT}"}).status == 200, path
    for command, status, words_of_it in (("status", 0, "no pacman here"), ("doctor", 0, "no pacman here"), ("why zlib", 1, "no pacman here")):
        done = host.run([str(installed / "pacsrv"), *command.split()], check=False)
        assert words_of_it in done.stdout + done.stderr, command
        assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (status, False), done.stdout + done.stderr

    named = Daemon(other, "--pacserver", host.ip)
    wait_until(lambda: [peer["files"] for peer in peers(other)] == [1], "the content to be known")
    named.stop()
    found = Daemon(other, "--multicast", "--multicast-interval", "5", "--cache-dir", str(blobs(other)))
    for one in (host, other):
        wait_until(lambda: [peer["files"] for peer in peers(one)] == [1], "hosts with content to find each other", 20)  # noqa: B023 - called at once
    found.stop()

    (host.dir / "db" / "sync").mkdir()
    shutil.copy(depot.folder() / "core.db", host.dir / "db" / "sync")
    host.run("umount /usr/bin/pacman-conf")
    host.configure()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("pacman is here now")
    assert json.loads(host.request("/info").body)["arch"] == ["x86_64"]
    assert host.request(f"/request/core/x86_64/{depot.packages['pkg00'].filename}").status == 307
    daemon.wait_for("pyalpm is not installed")
    assert daemon.text().count("no pacman here") == 1
    daemon.process.terminate()
    assert daemon.process.wait(limit(15)) == 0
    assert "Traceback" not in daemon.text()
