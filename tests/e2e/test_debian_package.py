"""The package for Debian: built in a new Debian, installed in another one that boots, upgraded and purged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import pacserve
from tests.e2e.conftest import require
from tests.e2e.lab.debian import RELEASES, Debian, checkout, missing

pytestmark = pytest.mark.long
# A file of the package in each folder that it has files in, but for the Python package.
FILES = {
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
    "usr/share/pacserve/iptables/pacserve-firewall",
    "usr/share/zsh/vendor-completions/_pacserve",
}
# What pip may have brought: Debian 12's Twisted is too old.
PRIVATE = {"12": {"automat", "incremental", "pacserve", "pyalpm", "twisted"}, "13": {"pacserve", "pyalpm"}}
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
        machine.run("apt-get install /root/pacserve.deb")
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

        machine.run("apt-get purge pacserve")
        assert machine.attempt("systemctl status pacserve.service").returncode == 4  # no such unit
        assert "pacserve" not in machine.run("getent passwd; getent group")
    assert {path for path in host.files() - before if "pacserve" in path or "private" in path} == set()


def _listed(text: str) -> set[str]:
    return {line.removeprefix("/") for line in text.splitlines()}
