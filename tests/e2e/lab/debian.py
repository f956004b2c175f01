"""A new Debian in a folder: programs run in it with the network of this machine, and it boots with none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.lab.arch_package import ROOT, checked_out
from tests.e2e.lab.namespace import wait_until

RELEASES = {"12": "bookworm", "13": "trixie"}
# Bytes of the certificates that this machine trusts, which may have one more than Debian has.
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CGROUPS = Path("/sys/fs/cgroup/systemd")
_TOOLS = ("debootstrap", "flock", "nsenter", "systemd-nspawn", "unshare")
# proc and dev are seen by what runs in there, and by nothing else.
_ENTER = 'mount --bind /proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" sh -c "cd $2; $3"'
# A systemd of an older kind of control groups, or none at all, does not tell where a container belongs: it has a group of its own then.
_BOOT = 'if [ -d "$1" ]; then mkdir "$1/$2" && echo $$ >"$1/$2/cgroup.procs"; fi; shift 2; exec "$@"'


def missing() -> str:
    """What keeps a Debian from being made and booted here, in words; empty when nothing does."""
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"installing in a new Debian needs {', '.join(absent)}" if absent else ""


def checkout(place: Path) -> None:
    """Copies what git knows of this checkout, or would add."""
    for name in checked_out():
        copy = place / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy, follow_symlinks=False)


class Debian:
    """
    One such folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, version: str, path: Path) -> None:
        self.path = path
        original = ROOT / f".debian{version}"
        subprocess.run([ROOT / "tests/e2e/make_debian.sh", RELEASES[version], original], check=True)
        subprocess.run(["cp", "-a", "--reflink=auto", original, path], check=True)
        shutil.copy("/etc/resolv.conf", path / "etc/resolv.conf")
        shutil.copy(_CERTIFICATES, path / "etc/ssl/trusted.crt")
        # Lines for people are run as they are: nobody is there to answer.
        (path / "etc/apt/apt.conf.d/90unattended").write_text('APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n')
        self.run("apt-get -q=2 update")

    def attempt(self, command: str, folder: str = "/", seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """Runs a shell's command in the folder, with the network of this machine."""
        kept = {key: value for key, value in os.environ.items() if key.lower() in {"http_proxy", "https_proxy", "no_proxy", "pip_index_url"}}
        env = {**kept, **_ENVIRONMENT, "PIP_CERT": "/etc/ssl/trusted.crt"}
        words = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _ENTER, "sh", str(self.path), folder, command]
        return _run(words, env, seconds)

    def run(self, command: str, folder: str = "/") -> str:
        """Runs a shell's command in the folder, fails when it fails, and returns what it said."""
        done = self.attempt(command, folder)
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}"
        return done.stdout

    def files(self) -> set[str]:
        """Every file and folder; without the state of dpkg, apt and systemd, which goes on after a package has gone."""
        paths = {str(path.relative_to(self.path)) for path in self.path.rglob("*")}
        return {
            path
            for path in paths
            if not path.startswith(("proc/", "dev/", "run/", "tmp/", "var/lib/dpkg/", "var/lib/apt/", "var/cache/apt/", "var/log/"))
        }

    @contextmanager
    def booted(self) -> Iterator[Machine]:
        """Boots it, with no network but its own loopback; it is switched off in the end."""
        group = f"pacserve-{os.getpid()}-{self.path.parent.name}".replace("_", "-").rstrip("-")
        # Where no systemd runs, nobody keeps a list of containers.
        alone = [] if Path("/run/systemd/system").is_dir() else ["--register=no", "--keep-unit"]
        nspawn = [
            "systemd-nspawn",
            "--quiet",
            *alone,
            "--private-network",
            "--console=pipe",
            f"--machine={group}",
            "--boot",
            "--directory",
            str(self.path),
        ]
        with (self.path.parent / f"{self.path.name}.log").open("w") as log:
            words = ["sh", "-c", _BOOT, "sh", str(_CGROUPS) if alone else "", group, *nspawn]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            machine = Machine(process)
            wait_until(lambda: machine.attempt("systemctl is-system-running").stdout.strip() in {"running", "degraded"}, "Debian to be up", 90)
            yield machine
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _remove_group(_CGROUPS / group)


class Machine:
    """A Debian that has booted."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        self._process = process

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell's command beside its services."""
        assert self._process.poll() is None, "the Debian does not run"
        (first, *_) = (Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text() or "0").split()
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        return _run(["nsenter", "--target", first, *namespaces, "sh", "-c", command], _ENVIRONMENT, 300)

    def run(self, command: str) -> str:
        """Runs a shell's command beside its services, fails when it fails, and returns what it said."""
        done = self.attempt(command)
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}"
        return done.stdout

    def answer(self, path: str) -> str:
        """The body of pacserve's answer; waits until it answers."""
        fetch = f"python3 -c 'from urllib.request import urlopen; print(urlopen(\"http://localhost:15678{path}\", timeout=5).read().decode())'"
        wait_until(lambda: self.attempt(fetch).returncode == 0, f"an answer to {path}", 60)
        return self.run(fetch)


_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def _run(words: list[str], env: dict[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds,
    )


def _remove_group(group: Path) -> None:
    """Removes a control group and those below it."""
    if group.is_dir():
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        group.rmdir()
