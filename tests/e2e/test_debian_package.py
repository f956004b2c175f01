"""The package for Debian: built in a new Debian, installed in another one that boots, upgraded and purged."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

import pacserve
from tests.e2e.conftest import require
from tests.e2e.lab.debian import RELEASES, Debian, Machine, checkout, missing
from tests.e2e.lab.namespace import wait_until
from tools.readme import blocks

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
# A file of the package in each folder that it has files in, but for the Python package.
FILES = {
    "etc/apt/pacserve-proxy",
    "etc/default/pacserve",
    "etc/pacman.d/pacserve",
    "usr/bin/pacserve",
    "usr/bin/pacsrv",
    "usr/lib/sysctl.d/10-pacserve.conf",
    "usr/lib/systemd/system/pacserve.service",
    "usr/lib/systemd/system/pacserve.socket",
    "usr/share/bash-completion/completions/pacserve",
    "usr/share/doc/pacserve/changelog.gz",
    "usr/share/doc/pacserve/copyright",
    "usr/share/fish/vendor_completions.d/pacserve.fish",
    "usr/share/man/man8/pacserve.8.gz",
    "usr/share/man/man8/pacsrv.8.gz",
    "usr/share/pacserve/apt/30pacserve",
    "usr/share/pacserve/iptables/pacserve-firewall",
    "usr/share/zsh/vendor-completions/_pacserve",
}
# What pip may have brought: Debian 12's Twisted is too old.
PRIVATE = {"12": {"automat", "incremental", "pacserve", "pyalpm", "twisted"}, "13": {"pacserve", "pyalpm"}}
PROXY = "/etc/apt/pacserve-proxy"
# A repository with one package, as a mirror has it.
REPOSITORY = """
import email.utils, hashlib, pathlib, subprocess
root = pathlib.Path("/srv/mirror")
tree = root / "tree/DEBIAN"
tree.mkdir(parents=True)
control = "Package: hello-lan\\nVersion: 1\\nArchitecture: all\\nMaintainer: N. N. <n@example.org>\\nDescription: a package\\n"
(tree / "control").write_text(control)
subprocess.run(["dpkg-deb", "--build", "tree", "hello-lan_1_all.deb"], cwd=root, check=True)
data = (root / "hello-lan_1_all.deb").read_bytes()
packages = f"{control}Filename: ./hello-lan_1_all.deb\\nSize: {len(data)}\\nSHA256: {hashlib.sha256(data).hexdigest()}\\n".encode()
(root / "Packages").write_bytes(packages)
entry = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages"
(root / "Release").write_text(f"Date: {email.utils.formatdate(usegmt=True)}\\nSHA256:\\n{entry}\\n")
"""
OFTEN = "/run/systemd/system/pacserve.service.d"
SOCKET = "systemctl show --value --property=ActiveEnterTimestampMonotonic pacserve.socket"
PROCESS = "systemctl show --value --property=MainPID pacserve.service"


@pytest.mark.parametrize("version", RELEASES)
def test_package(version: str, tmp_path: Path) -> None:
    """`make deb` builds a package that lintian finds nothing in, and its way from the installation to the purge is right."""
    require(missing())
    builder = Debian(version, tmp_path / "builder")
    checkout(builder.path / "src")
    builder.run("apt-get install make lintian")
    builder.run("make deb", "/src")
    (package,) = (builder.path / "src/dist").glob("*.deb")
    assert package.name == f"pacserve_{pacserve.__version__}-1~debian{version}_amd64.deb"
    remarks = builder.attempt(f"lintian --allow-root dist/{package.name}", "/src").stdout.splitlines()
    assert [line for line in remarks if line.startswith(("E:", "W:")) and "/site-packages/twisted/" not in line] == []
    lives(version, package, tmp_path)


def lives(version: str, package: Path, folder: Path) -> None:
    """Installs it without pacman; it serves at once, its options stay, its port is held during an upgrade, and purging leaves nothing."""
    host = Debian(version, folder / "host")
    shutil.copy(package, host.path / "root/pacserve.deb")
    host.run("apt-get install --download-only /root/pacserve.deb")
    # All that it depends on, so that what was there before is the same after it.
    host.run("apt-get install $(dpkg-deb --field /root/pacserve.deb Depends | tr ',' '\\n' | sed 's/(.*//' | sort -u)")
    before = host.files()
    with host.booted() as machine:
        # A machine that starts its service ten times within seconds.
        machine.run(f"mkdir -p {OFTEN} && printf '[Unit]\\nStartLimitIntervalSec=0\\n' >{OFTEN}/often.conf && systemctl daemon-reload")
        install, _ = setup_lines()
        machine.run(install.replace("./dist/pacserve_*.deb", "/root/pacserve.deb"))
        assert json.loads(machine.answer("/info"))["files"] == {}
        assert machine.run("pacserve --version") == f"pacserve {pacserve.__version__}\n"
        assert "no pacman here" in machine.run("pacsrv status")
        assert machine.run("systemctl is-enabled pacserve.service pacserve.socket") == "enabled\nenabled\n"
        assert machine.run("dpkg --verify pacserve") == ""
        machine.run("systemd-analyze --man=no verify pacserve.service pacserve.socket")

        installed = {
            path.replace("lib/systemd", "usr/lib/systemd").replace("usr/usr", "usr") for path in _listed(machine.run("dpkg --listfiles pacserve"))
        }
        assert installed >= FILES
        libraries = {path.split("/")[-1].split("-")[0] for path in installed if path.endswith(".dist-info")}
        assert libraries == PRIVATE[version]
        assert machine.run("dpkg-query --show --showformat='${Conffiles}' pacserve | cut -d' ' -f2").split() == [
            "/etc/apt/pacserve-proxy",
            "/etc/default/pacserve",
            "/etc/pacman.d/pacserve",
        ]

        machine.run("echo 'PACSERVE_ARGS=\"--multicast --wan-limit 3M\"' >/etc/default/pacserve")
        port, process = machine.run(SOCKET), machine.run(PROCESS)
        machine.run("dpkg --install --force-confold /root/pacserve.deb")
        assert machine.run(SOCKET) == port
        assert machine.run(PROCESS) != process
        machine.answer("/info")
        assert "--wan-limit" in machine.run(f"tr '\\0' ' ' </proc/$({PROCESS})/cmdline")

        assert machine.run(PROXY) == "", "without --apt apt is left alone"
        shares(machine)
        comes_and_goes(machine)
        machine.run("apt-get purge pacserve hello-lan")
        assert machine.attempt("systemctl status pacserve.service").returncode == 4  # no such unit
        assert "pacserve" not in machine.run("getent passwd; getent group")
    assert {path for path in host.files() - before if "pacserve" in path or "private" in path} == set()


def _listed(text: str) -> set[str]:
    return {line.removeprefix("/") for line in text.splitlines()}


def setup_lines() -> tuple[str, str]:
    """The two lines of README.md for a machine that shares what apt downloads."""
    (block,) = (block for block in blocks((ROOT / "README.md").read_text(), "Install") if "share what apt downloads" in block.introduction)
    install, setup = block.commands("Debian")
    return install, setup


def shares(machine: Machine) -> None:
    """After the second line of README.md apt comes through pacserve, and goes direct at once while that is away; undo takes it back."""
    before = machine.run("cat /etc/default/pacserve")
    machine.run(f"python3 - <<'END'\n{REPOSITORY}\nEND")
    machine.run("systemd-run --quiet --unit mirror python3 -m http.server 8000 --bind 127.0.0.2 --directory /srv/mirror")
    machine.run("rm -rf /etc/apt/sources.list*; echo 'deb [trusted=yes] http://127.0.0.2:8000/ ./' >/etc/apt/sources.list")
    wait_until(lambda: machine.attempt("apt-get update").stdout.count("Get:") > 0, "the mirror to answer", 30)
    _, setup = setup_lines()
    machine.run(f"yes '' | {setup}")
    assert "--apt" in machine.run("cat /etc/default/pacserve")
    assert "Nothing" in machine.run(f"{setup} --yes")
    assert machine.run(PROXY) == "http://127.0.0.1:9988\n"
    wait_until(lambda: machine.run(f"{PROXY} http://127.0.0.2:8000/./InRelease"), "the daemon to know the source of apt")
    assert machine.run(f"{PROXY} http://127.0.0.3/") == ""
    machine.run("apt-get update && apt-get install hello-lan")
    assert "hello-lan" in machine.run("journalctl --unit=pacserve.service")
    assert troubles(machine) == []

    machine.run(f"kill -KILL $({PROCESS})")
    begin = time.monotonic()
    wait_until(lambda: machine.run(PROXY) == "", "the daemon to be gone", 3)
    machine.run("apt-get update --error-on=any")
    assert time.monotonic() - begin < 4
    machine.run("systemctl restart pacserve.service")
    assert machine.run(PROXY) == "http://127.0.0.1:9988\n"
    machine.run("pacsrv setup --undo --yes")
    assert machine.run(PROXY) == ""
    assert machine.run("cat /etc/default/pacserve") == before
    machine.run("apt-get update --error-on=any")


def troubles(machine: Machine) -> list[str]:
    """What the doctor finds of apt."""
    found = json.loads(machine.attempt("pacsrv doctor --json").stdout)["findings"]
    assert [one for one in found if one["check"] == "apt"]
    return [one["text"] for one in found if one["check"] == "apt" and one["level"] != "ok"]


def comes_and_goes(machine: Machine) -> None:
    """apt works while the package is away and when it is back; without the script the doctor says what mends that."""
    machine.run("apt-get remove pacserve")
    machine.run("apt-get update --error-on=any")
    assert machine.attempt("cat /etc/apt/apt.conf.d/30pacserve").returncode != 0
    machine.run("dpkg --install /root/pacserve.deb")
    machine.run("cat /etc/apt/apt.conf.d/30pacserve")
    machine.run("apt-get update --error-on=any")
    machine.run("mv /etc/apt/pacserve-proxy /root")
    assert machine.attempt("apt-get update").returncode == 100
    assert any("apt fails" in text for text in troubles(machine))
    machine.run("pacsrv setup --apt --yes && apt-get update --error-on=any")
    assert troubles(machine) == []
    machine.run("pacsrv setup --undo --yes && apt-get update --error-on=any")
    machine.run("mv /root/pacserve-proxy /etc/apt && rm -rf /srv/mirror")
