"""pacsrv: real pacman through pacserve without a word in pacman.conf, and what people are told."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, PORT, Daemon, Depot, Host, Lab, small_packages, wait_until
from tests.e2e.lab.host import DATABASE_DIR
from tests.e2e.lab.pacman7 import Pacman7
from tests.e2e.lab.slowness import limit
from tests.e2e.test_pacman7 import DOWNLOAD_USER

NAMES = small_packages()[:3]
PACSRV = (sys.executable, "-m", "pacserve.cli.pacsrv")
QUIET = ("--noconfirm", "--noprogressbar")


def pacsrv(host: Host, *arguments: str, check: bool = True, env: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs pacsrv to its end."""
    return host.run(["env", "-u", "http_proxy", *env, *PACSRV, *arguments], check=check)


def plain(host: Host) -> None:
    """Writes a pacman.conf that does not know pacserve, with the mirror in a mirrorlist."""
    host.path("/etc/pacman.d").mkdir(exist_ok=True)
    host.path("/etc/pacman.d/mirrorlist").write_text(f"# mirrors\nServer = {MIRROR}\n")
    host.write_configuration(host.configuration((), ["core"]) + "Include = /etc/pacman.d/mirrorlist\n")


def left_behind(host: Host) -> list[str]:
    """What lies in the folders for temporary files."""
    return sorted(str(path) for folder in ("/tmp", "/run", "/var/tmp") for path in host.path(folder).glob("*pacs*"))


@pytest.fixture
def shared(make_lab: MakeLab) -> Lab:
    """A LAN of two hosts whose pacman.conf does not name pacserve."""
    lab = make_lab()
    for host in lab.hosts:
        plain(host)
    return lab


def test_through_pacserve(shared: Lab, depot: Depot) -> None:
    """Packages come through pacserve, pacman.conf stays as it is, and nothing is left behind."""
    host, _ = shared.hosts
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    before = host.path("/etc/pacman.conf").read_bytes(), left_behind(host)
    done = pacsrv(host, *QUIET, "-Sy", *NAMES)
    assert host.installed() == set(NAMES)
    assert shared.mirror.package_downloads() == []
    assert daemon.requests("core.db")
    assert "pacsrv" not in done.stderr
    assert (host.path("/etc/pacman.conf").read_bytes(), left_behind(host)) == before
    daemon.stop()


def test_repositories_of_included_files(shared: Lab, depot: Depot) -> None:
    """Repositories that an Include with a glob brings come through pacserve, too."""
    host, _ = shared.hosts
    depot.settled()
    folder = host.path("/etc/pacman.d")
    (folder / "repos.d").mkdir()
    for name in ("core", "extra"):
        (folder / "repos.d" / f"{name}.conf").write_text(f"[{name}]\nInclude = /etc/pacman.d/mirrorlist")
    host.write_configuration(host.configuration((), []) + "Include = /etc/pacman.d/repos.d/*.conf\n")
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    pacsrv(host, *QUIET, "-Sy", *NAMES, "extra")
    assert host.installed() == {*NAMES, "extra"}
    for name in ("core.db", "extra.db", "extra-1.0-1-x86_64.pkg.tar.zst", *depot.filenames(NAMES, signatures=False)):
        assert daemon.requests(name), name
    daemon.stop()


def test_options_of_the_user(shared: Lab, depot: Depot, tmp_path: Path) -> None:
    """--config, --cachedir and --dbpath mean what they mean to pacman."""
    host, _ = shared.hosts
    depot.settled()
    other = tmp_path / "other.conf"
    other.write_text(host.configuration([MIRROR], ["core"]))
    host.write_configuration("[options]\nArchitecture = none\n")
    daemon = Daemon(host, "--pacman-conf", str(other), "--cache-dir", str(depot.folder()))
    for name in ("db", "cache"):
        (tmp_path / name).mkdir()
    pacsrv(host, *QUIET, "--config", str(other), "-Syw", "--dbpath", str(tmp_path / "db"), f"--cachedir={tmp_path / 'cache'}", NAMES[0])
    assert (tmp_path / "cache" / depot.packages[NAMES[0]].filename).exists()
    assert daemon.requests(depot.packages[NAMES[0]].filename)
    assert shared.mirror.package_downloads() == []
    daemon.stop()


def test_exit_status(shared: Lab) -> None:
    """pacman's exit status and what it says come through."""
    host, _ = shared.hosts
    daemon = Daemon(host)
    pacsrv(host, "-Sy")
    for words in (("-S", "absent"), ("-Q", "absent"), ("--nonsense",)):
        ours, theirs = pacsrv(host, *QUIET, *words, check=False), host.pacman(*words, check=False)
        assert ours.returncode == theirs.returncode == 1
        assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    daemon.stop()


def test_no_daemon(shared: Lab) -> None:
    """Without a daemon, or with one that hangs, that is said in one line, and pacman does without."""
    host, _ = shared.hosts
    done = pacsrv(host, *QUIET, "-Sy", NAMES[0])
    (line,) = [line for line in done.stderr.splitlines() if "pacsrv" in line]
    assert "plain pacman" in line
    assert host.installed() == {NAMES[0]}
    assert "pacsrv" not in pacsrv(host, "-Q").stderr
    daemon = Daemon(host)
    daemon.freeze()
    done = pacsrv(host, *QUIET, "-S", NAMES[1])
    assert "no answer within 0.5 s" in done.stderr
    assert host.installed() == set(NAMES[:2])
    daemon.kill()


def test_proxy(shared: Lab, depot: Depot) -> None:
    """A proxy in the environment does not come between pacman and pacserve."""
    host, _ = shared.hosts
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    pacsrv(host, *QUIET, "-Syw", NAMES[0], env=("http_proxy=http://127.0.0.1:9", "no_proxy=10.78.0.2"))
    assert daemon.requests(depot.packages[NAMES[0]].filename)
    daemon.stop()


def test_terminal(shared: Lab) -> None:
    """pacman has the terminal: it asks, and Ctrl-C at its question ends it as it ends pacman."""
    host, _ = shared.hosts
    daemon = Daemon(host)
    pacsrv(host, "-Sy")
    leader, follower = pty.openpty()
    process = subprocess.Popen(host.entering([*PACSRV, "-S", NAMES[0]]), stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    shown = b""
    while b"[Y/n]" not in shown:
        shown += os.read(leader, 4096)
    assert Path(f"/proc/{process.pid}/comm").read_text().strip() in {"nsenter", "pacman"}
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(limit(10)) != 0
    os.close(leader)
    assert host.installed() == set()
    assert not host.path(f"{DATABASE_DIR}/db.lck").exists()
    daemon.stop()


def test_sysroot(shared: Lab, depot: Depot, tmp_path: Path) -> None:
    """With --sysroot, the pacman.conf inside is read as pacman reads it there; without /proc inside it is plain pacman, and that is said."""
    host, _ = shared.hosts
    root = tmp_path / "sysroot"
    for folder in ("etc/pacman.d", "proc", "var/lib/pacman", "var/cache/pacman/pkg", "real"):
        (root / folder).mkdir(parents=True)
    (root / "real/list").write_text(f"Server = {MIRROR}\n")
    (root / "etc/pacman.d/list").symlink_to("/real/list")
    (root / "etc/pacman.conf").write_text("[options]\nArchitecture = x86_64\nSigLevel = Never\n[core]\nInclude = /etc/pacman.d/list\n")
    daemon = Daemon(host)
    words = (*QUIET, f"--sysroot={root}", "-Sy")
    done = pacsrv(host, *words, check=False)
    assert "/proc is not mounted in" in done.stderr
    assert daemon.requests("core.db") == []
    host.run(["mount", "-t", "proc", "proc", str(root / "proc")])
    done = pacsrv(host, *words, check=False)
    host.run(["umount", str(root / "proc")])
    assert "pacsrv" not in done.stderr
    assert daemon.requests("core.db"), done.stdout + done.stderr
    daemon.stop()


def test_pacman7(lab: Lab, depot: Depot, request: pytest.FixtureRequest) -> None:
    """pacman 7 takes the configuration with its sandboxed downloader and its hooks, and no process is left that holds it."""
    debian = request.config.getoption("--pacman7")
    host, _ = lab.hosts
    depot.settled()
    pacman7 = Pacman7(host, Path(debian), depot.keyring)
    pacman7.configure([MIRROR], options=["HookDir = /hooks", *DOWNLOAD_USER])
    root = host.path(str(host.dir / "pacman7" / "root"))
    (root / "hooks").mkdir()
    hook = "[Trigger]\nOperation = Install\nType = Package\nTarget = *\n[Action]\nWhen = PostTransaction\nExec = /bin/touch /hooked\n"
    (root / "hooks/touch.hook").write_text(hook)
    programs = host.dir / "bin"
    programs.mkdir()
    (programs / "pacman").write_text(f'#!/bin/sh\nexec chroot {host.dir}/pacman7/root pacman "$@"\n')
    (programs / "pacman").chmod(0o755)
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    pacsrv(host, *QUIET, "-Sy", *NAMES, env=(f"PATH={programs}:{os.environ['PATH']}",))
    assert pacman7.installed() == set(NAMES)
    assert (root / "hooked").exists()
    assert lab.mirror.package_downloads() == []
    assert daemon.requests("core.db")
    daemon.stop()


def test_unreadable_configuration(shared: Lab) -> None:
    """A configuration that is not there is named in one line."""
    host, _ = shared.hosts
    daemon = Daemon(host)
    done = pacsrv(host, "--config", "/absent.conf", "-Sy", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "/absent.conf can't be read: no such file" in done.stderr
    daemon.stop()


def answers(host: Host, path: str) -> None:
    """Skips the test where this daemon does not answer questions of people."""
    if host.request(path).status == 404:
        pytest.skip(f"no {path}")


def test_status(lab: Lab, depot: Depot) -> None:
    """The state is a table for people and JSON for programs, and names the peer and what came from it."""
    host, other = lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", f"{other.ip}:{PORT}")
    daemon.wait_for("holds")
    answers(host, "/status")
    pacsrv(host, *QUIET, "-Sy", *NAMES)
    shown = pacsrv(host, "status").stdout
    assert f"{other.ip}:{PORT}" in shown
    assert "\x1b" not in shown
    status = json.loads(pacsrv(host, "status", "--json").stdout)
    assert [one["address"] for one in status["peers"]] == [f"{other.ip}:{PORT}"]
    daemon.stop()
    peer.stop()


def test_watch(lab: Lab) -> None:
    """Ctrl-C ends --watch with 0."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    answers(host, "/status")
    log = host.dir / "log" / "watch"
    process = host.spawn([*PACSRV, "status", "--watch", "0.2"], log=log)
    wait_until(lambda: log.read_text().count("Peers") > 2, "three states")
    process.send_signal(signal.SIGINT)
    assert process.wait(limit(10)) == 0
    assert "Traceback" not in log.read_text()
    daemon.stop()


def test_why(lab: Lab, depot: Depot) -> None:
    """A package's holder is named, and a package that nobody knows is status 1."""
    host, other = lab.hosts
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", f"{other.ip}:{PORT}")
    daemon.wait_for("holds")
    answers(host, "/status")
    host.pacman("-Sy")
    shown = pacsrv(host, "why", NAMES[0]).stdout
    assert other.ip in shown
    assert depot.packages[NAMES[0]].filename in shown
    absent = pacsrv(host, "why", "absent", check=False)
    assert absent.returncode == 1
    assert "no database" in absent.stderr
    daemon.stop()
    peer.stop()


def findings(host: Host) -> dict[str, str]:
    """The level of each finding of the doctor, the worst of each check."""
    order = ["ok", "warning", "wrong"]
    found: dict[str, str] = {}
    for one in json.loads(pacsrv(host, "doctor", "--json", check=False).stdout)["findings"]:
        found[one["check"]] = max(found.get(one["check"], "ok"), one["level"], key=order.index)
    return found


def test_doctor_without_daemon(lab: Lab) -> None:
    """A daemon that is down is wrong, and the cure is named."""
    host, _ = lab.hosts
    done = pacsrv(host, "doctor", check=False)
    assert done.returncode == 1
    assert "systemctl" in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor(lab: Lab) -> None:
    """A host that is well has status 0; a mirror before pacserve and a cache that the daemon can't read are wrong."""
    host, _ = lab.hosts
    daemon = Daemon(host, user="65534")
    answers(host, "/status")
    done = pacsrv(host, "doctor", check=False)
    assert done.returncode == 0, done.stdout
    host.configure([MIRROR, PACSERVE])
    assert findings(host)["pacman.conf"] == "wrong"
    host.configure([PACSERVE, MIRROR])
    host.pkg.chmod(0o700)
    assert findings(host)["package caches"] == "wrong"
    host.pkg.chmod(0o755)
    assert pacsrv(host, "doctor").returncode == 0
    daemon.stop()


def test_doctor_of_pacman_conf(lab: Lab) -> None:
    """Whatever makes pacman miss pacserve is wrong, and pacman comes through pacserve with the line that the doctor writes."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    answers(host, "/status")
    for servers in (
        [f"{PACSERVE}_v3", MIRROR],
        [PACSERVE.replace("http", "https"), MIRROR],
        [PACSERVE.replace("/request", ""), MIRROR],
        [PACSERVE.replace(str(PORT), "15680"), MIRROR],
        [MIRROR, PACSERVE],
    ):
        host.configure(servers)
        told = cures(host, "pacman.conf")
        assert f"Server = {PACSERVE}" in told, servers
    host.configure([PACSERVE, MIRROR])
    assert findings(host)["pacman.conf"] == "ok"
    for server in ("ftp://10.78.0.2/$repo", "rsync://10.78.0.2/$repo"):
        host.configure([PACSERVE, server])
        assert "[core]" in cures(host, "pacman.conf")
    before = len(daemon.requests("core.db"))
    host.configure([PACSERVE, MIRROR], options=["XferCommand = /usr/bin/curl -C - -f -o %o %u"])
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("pacman.conf was read again")
    assert host.pacman("-Syy", NAMES[0], check=False).returncode == 1  # what is not redirected, as small databases, it has
    written = cures(host, "XferCommand").partition('"')[2].partition('"')[0]
    host.configure([PACSERVE, MIRROR], options=[written])
    assert findings(host)["XferCommand"] == "ok"
    host.pacman("-Syy", NAMES[0])
    assert host.installed() == {NAMES[0]}
    assert len(daemon.requests("core.db")) > before + 1
    daemon.stop()


def cures(host: Host, check: str) -> str:
    """What the doctor says to do about the things that a check found wrong."""
    found = json.loads(pacsrv(host, "doctor", "--json", check=False).stdout)["findings"]
    wrong = [one["cure"] for one in found if (one["check"], one["level"]) == (check, "wrong")]
    assert wrong
    return " ".join(wrong)
