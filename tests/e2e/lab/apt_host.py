"""apt and dpkg on a host of the lab, with configuration, lists, archives and a root of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

from tests.e2e.lab.apt_packages import Deb
from tests.e2e.lab.daemon import Daemon
from tests.e2e.lab.host import Host
from tests.e2e.lab.namespace import wait_until

APT_PORT = 9988
NAMES = ("mirror.lab", "security.lab", "third.lab")
"""Hosts of repositories: all are the mirror of the lab."""
KEYRING = "/etc/apt/keyrings/lab.gpg"

_CONTRIB = Path(__file__).parents[3] / "contrib" / "apt"
# Where dpkg installs to, and has its administration.
_ROOT = "/var/lib/apt-root"
# What a host has of its own, by the folder's name outside.
_FOLDERS = {"etc": "/etc/apt", "state": "/var/lib/apt", "cache": "/var/cache/apt", "root": _ROOT}
_MADE = (
    *("etc/apt.conf.d", "etc/sources.list.d", "etc/preferences.d", "etc/keyrings", "state/lists/partial", "cache/archives/partial"),
    *("root/log", "root/var/lib/dpkg"),
)
_CONFIGURATION = f"""
APT::Architecture "{{architecture}}"; APT::Architectures {{{{ "{{architecture}}"; }}}};
APT::Get::Assume-Yes "true"; Acquire::Languages "{{languages}}"; quiet "1";
Dir::State::status "{_ROOT}/var/lib/dpkg/status"; Dir::Log "{_ROOT}/log";
DPkg::Options {{{{ "--root={_ROOT}"; "--force-unsafe-io"; "--log=/dev/null"; }}}};
"""
_MOUNTS = """set -e; mkdir -p "$1" "$2"; mount --bind "$1" "$2" """
_CHROOT = """set -e; mkdir -p {dir}/upper {dir}/work {dir}/system
mount -t overlay overlay -o lowerdir={debian},upperdir={dir}/upper,workdir={dir}/work {dir}/system
cd {dir}/system; mkdir -p {folders}; for folder in {folders}; do mount --bind /$folder $folder; done
mount --rbind /dev dev; mount -t proc proc proc; mount --rbind /run run; cp /etc/hosts /etc/resolv.conf etc/"""


class Form(Enum):
    """How apt comes to ask pacserve, or that it does not."""

    DIRECT = "direct"
    AUTO = "auto-detect"
    PROXY = "proxy"
    LOCALHOST = "localhost"


class Apt:
    """
    apt of this machine, or of another Debian, on a host of the lab.

    Args:
        key: The public key that signs the repositories.
        debian: The folder of another Debian whose apt and dpkg are used; the folder is not changed.
        architecture: The one that packages are installed for.

    Attributes:
        form: As the last `use` had it.
    """

    def __init__(self, host: Host, key: bytes, debian: Path | None = None, architecture: str = "amd64") -> None:
        self.host, self.form, self.languages = host, Form.DIRECT, "none"
        self._architecture = architecture
        self._enter: list[str] = []
        for name, place in _FOLDERS.items():
            host.run(["sh", "-c", _MOUNTS, "sh", str(host.dir / "apt" / name), place])
        for folder in _MADE:
            (self.dir / folder).mkdir(parents=True)
        (self.dir / "root/var/lib/dpkg/status").touch()
        (self.dir / "etc/keyrings/lab.gpg").write_bytes(key)
        with host.path("/etc/hosts").open("a") as hosts:
            hosts.write(f"198.51.100.2 {' '.join(NAMES)}\n")
        self.use(Form.DIRECT)
        if debian is not None:
            where = host.dir / "debian"
            folders = " ".join(place.lstrip("/") for place in _FOLDERS.values())
            host.run(["sh", "-c", _CHROOT.format(dir=where, debian=debian.resolve(), folders=folders)])
            self._enter = ["chroot", str(where / "system")]

    @property
    def dir(self) -> Path:
        """The folder of its folders, seen from outside."""
        return self.host.dir / "apt"

    def use(self, form: Form, *options: str) -> None:
        """Writes the configuration for a form, and further lines of apt.conf(5); sources are to be written after it."""
        self.form = form
        folder = self.dir / "etc/apt.conf.d"
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "10lab").write_text(_CONFIGURATION.format(architecture=self._architecture, languages=self.languages))
        if form is Form.AUTO:
            shutil.copy(_CONTRIB / "30pacserve", folder)
            shutil.copy(_CONTRIB / "pacserve-proxy", self.dir / "etc")
            (self.dir / "etc/pacserve-proxy").chmod(0o755)
        elif form is Form.PROXY:
            (folder / "30pacserve").write_text(f'Acquire::http::Proxy "http://127.0.0.1:{APT_PORT}";\n')
        (folder / "90test").write_text("".join(f"{option}\n" for option in options))

    def uri(self, path: str = "debian", host: str = NAMES[0]) -> str:
        """Returns the URI of a repository for sources.list(5) in the form that is used."""
        return f"http://localhost:{APT_PORT}/{host}/{path}" if self.form is Form.LOCALHOST else f"http://{host}/{path}"

    def line(self, uri: str = "", suite: str = "stable", kind: str = "deb") -> str:
        """Returns a source of one line; that of a flat repository has no components."""
        return f"{kind} [signed-by={KEYRING}] {uri or self.uri()} {suite}{'' if suite.endswith('/') else ' main'}"

    def sources(self, *lines: str) -> None:
        """Replaces the sources by these lines, or by those of one file in the form of deb822."""
        folder = self.dir / "etc/sources.list.d"
        for path in folder.iterdir():
            path.unlink()
        name = "lab.sources" if lines and lines[0].startswith("Types:") else "lab.list"
        (folder / name).write_text("".join(f"{line}\n" for line in lines or (self.line(),)))

    def command(self, *arguments: str, program: str = "apt-get") -> list[str]:
        """Returns the command line of apt-get, or of another program beside it, on the host."""
        return [*self._enter, "env", "-u", "http_proxy", "-u", "https_proxy", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", program, *arguments]

    def run(self, *arguments: str, program: str = "apt-get", check: bool = True) -> subprocess.CompletedProcess[str]:
        """
        Runs apt-get to its end.

        Raises:
            RuntimeError: It failed and `check` is set.
        """
        return self.host.run(self.command(*arguments, program=program), check=check, timeout=300)

    def fetched(self, *arguments: str) -> dict[str, bytes]:
        """Runs apt-get where it puts what it fetches into the current folder, and returns the files by their names."""
        folder = self.dir / "root/fetched"
        folder.mkdir()
        self.host.run([*self._enter, "sh", "-c", f'cd {_ROOT}/fetched; exec "$@"', "sh", *self.command(*arguments)[len(self._enter) :]])
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
        shutil.rmtree(folder)
        return found

    def update(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """
        Updates the lists: every file of them, or it has failed.

        Raises:
            RuntimeError: It failed and `check` is set; warnings are failures.
        """
        done = self.run("update", check=check)
        if check and ("W:" in done.stderr or "Err:" in done.stdout):
            raise RuntimeError(f"{done.stdout}\n{done.stderr}")
        return done

    def start(self, *options: str, env: Mapping[str, str] | None = None) -> Daemon:
        """Starts pacserve with the front for apt on the host; `env` is added to its environment."""
        daemon = Daemon(self.host, "--apt", *options, env=env)
        wait_until(lambda: self.host.listens(APT_PORT), "the port for apt")
        if self.form is Form.AUTO:  # until then apt goes to the mirrors by itself
            wait_until(lambda: self._hosts() <= self._told(), "apt's configuration to be told of the hosts of its sources")
        return daemon

    def _hosts(self) -> set[str]:
        """Returns the hosts that the sources name."""
        texts = (path.read_text() for path in (self.dir / "etc/sources.list.d").iterdir())
        return {host for text in texts for host in re.findall(r"http://([^/]+)", text)}

    def _told(self) -> set[str]:
        """Returns the hosts for which apt's configuration is told to ask pacserve."""
        notice = self.host.path("/run/pacserve/apt")
        return set(notice.read_text().splitlines()[1:]) if notice.exists() else set()

    def installed(self) -> dict[str, str]:
        """Returns the version of each package that is installed, by its name."""
        form = "${db:Status-Abbrev}${Package} ${Version}\n"
        done = self.host.run([*self._enter, "dpkg-query", f"--admindir={_ROOT}/var/lib/dpkg", "-W", "-f", form], check=False)
        words = (line.split() for line in done.stdout.splitlines())
        return {name: version for state, name, version in words if state == "ii"}

    def pretend(self, *debs: Deb) -> None:
        """Has dpkg believe that these packages are installed."""
        status = "\n".join(deb.control.replace("\n", "\nStatus: install ok installed\n", 1) for deb in debs)
        (self.dir / "root/var/lib/dpkg/status").write_text(status)

    def forget(self, *, lists: bool = False) -> None:
        """Forgets what is installed, and what was downloaded of packages; the lists as well if that is wanted."""
        (self.dir / "root/var/lib/dpkg/status").write_text("")
        for folder in ("cache/archives", *(("state/lists",) if lists else ())):
            for path in _files(self.dir / folder):
                path.unlink()

    def archives(self) -> dict[str, bytes]:
        """Returns the archives that apt has kept, by their names."""
        return {path.name: path.read_bytes() for path in (self.dir / "cache/archives").glob("*.deb")}

    def lists(self, ending: str = "") -> list[Path]:
        """Returns the lists that apt has taken in, whose names end so."""
        return sorted(path for path in (self.dir / "state/lists").glob(f"*{ending}") if path.is_file() and path.name != "lock")


def _files(folder: Path) -> Iterable[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
