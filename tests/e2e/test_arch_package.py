"""The packages for Arch Linux, installed and removed by real pacman in a throw-away root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import pacserve
from pacserve.pacsrv.setup.machine import installed_places
from tests.e2e.conftest import require
from tests.e2e.lab import build
from tests.e2e.lab.arch_package import ARCH, ROOT, Built, build_newest, build_release, checked_out, git, missing
from tests.e2e.lab.arch_root import ArchRoot

CONFIGURATION = {"etc/conf.d/pacserve", "etc/pacman.d/pacserve"}
# All but the Python package and docs/.
FILES = {
    *CONFIGURATION,
    "usr/bin/pacserve",
    "usr/bin/pacsrv",
    "usr/lib/sysctl.d/10-pacserve.conf",
    "usr/lib/systemd/system/pacserve.service",
    "usr/lib/systemd/system/pacserve.socket",
    "usr/share/bash-completion/completions/pacserve",
    "usr/share/bash-completion/completions/pacsrv",
    "usr/share/doc/pacserve/CHANGELOG.md",
    "usr/share/doc/pacserve/README.md",
    "usr/share/doc/pacserve/SECURITY.md",
    "usr/share/fish/vendor_completions.d/pacserve.fish",
    "usr/share/fish/vendor_completions.d/pacsrv.fish",
    "usr/share/man/man7/pacserve-protocol.7.gz",
    "usr/share/man/man8/pacserve.8.gz",
    "usr/share/man/man8/pacsrv.8.gz",
    "usr/share/pacserve/apt/30pacserve",
    "usr/share/pacserve/apt/pacserve-proxy",
    "usr/share/pacserve/grafana/pacserve.json",
    "usr/share/pacserve/iptables/pacserve-firewall",
    "usr/share/pacserve/pacserve-static",
    "usr/share/pacserve/prometheus/pacserve.rules.yml",
    "usr/share/pacserve/prometheus/prometheus.yml",
    "usr/share/zsh/site-functions/_pacserve",
    "usr/share/zsh/site-functions/_pacsrv",
}
DOCUMENTS = "usr/share/doc/pacserve/docs/"
# Arch has site-packages in the folder of its Python's version, Debian dist-packages.
MODULES = re.compile(r"usr/lib/python[^/]+/(site|dist)-packages/")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own ones are not."""
    require(missing())
    with tempfile.TemporaryDirectory(prefix="pacserve-arch-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_release(folder: Path) -> None:
    """
    The package of a release has what it promises, from its installation to its removal.

    One test, since building the package takes more time than all that is done with it.
    """
    package = build_release(folder)
    checks_of_the_source(package)
    is_refused(ArchRoot(folder / "refusing"), package)
    root = prepared(ArchRoot(folder / "root"), package)
    assert "1. pacsrv setup\n" in root.pacman("-U", str(package.path)).stdout
    has_all_files(root)
    commands_run(root)
    units_are_valid(root)
    changed_configuration_stays(root, package)


def test_newest(folder: Path) -> None:
    """The package of the newest commit has its number as version, and stands in for pacserve."""
    package = build_newest(folder)
    root = prepared(ArchRoot(folder / "root"), package)
    assert root.pacman("-U", str(package.path)).returncode == 0
    assert root.pacman("-T", f"pacserve>={pacserve.__version__}").returncode == 0
    # The clone has one commit.
    assert package.facts["pkgver"] == [f"{pacserve.__version__}.r1.g{git('rev-parse', '--short=7', 'HEAD').strip()}-1"]
    assert root.added() >= {*CONFIGURATION, "usr/bin/pacserve"}


def checks_of_the_source(package: Built) -> None:
    """The tests that makepkg runs before it packs are in the sdist, with all that they import; the rest of this run shows that they pass."""
    script = f"set -e; PATH={Path(sys.executable).parent}:$PATH; . {ARCH}/pacserve/PKGBUILD; cd {package.path.parent}/src; check"
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only -q"}
    done = subprocess.run(["bash", "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert all(f"tests/unit/{room}/test_" in done.stdout for room in ("network", "pacman", "metrics"))


def is_refused(root: ArchRoot, package: Built) -> None:
    """It can't be installed where something that it needs is missing, nor beside pacredir."""
    done = root.pacman("-U", str(package.path))
    assert done.returncode != 0
    assert all(f"'{name}'" in done.stdout + done.stderr for name in package.facts["depend"])
    prepared(root, package)
    assert root.pacman("-U", str(build(root.path.parent, "pacredir", "99-1", 1).path)).returncode == 0
    done = root.pacman("-U", str(package.path))
    assert done.returncode != 0
    assert "pacserve and pacredir are in conflict" in done.stdout + done.stderr


def prepared(root: ArchRoot, package: Built) -> ArchRoot:
    """Installs all that the package depends on, as packages of these names with nothing in them."""
    needed = [build(root.path.parent, name, "99-1", 1) for name in package.facts["depend"]]
    assert root.pacman("-U", *(str(one.path) for one in needed)).returncode == 0
    root.remember()
    return root


def has_all_files(root: ArchRoot) -> None:
    """Every file of the list, every module and every page of docs/ is there, nothing else, all of it root's and as it was packed."""
    added = root.added()
    modules = {name for name in added if MODULES.match(name)}
    pages = {name for name in added if name.startswith(DOCUMENTS)}
    assert added - modules - pages == FILES
    assert {name.removeprefix(DOCUMENTS) for name in pages} == {path.name for path in (ROOT / "docs").iterdir() if path.is_file()}
    inside = {MODULES.sub("", name) for name in modules}
    assert {name for name in inside if name.startswith("pacserve/") and "__pycache__" not in name} == set(checked_out("pacserve"))
    assert {name.split("/")[0] for name in inside} == {"pacserve", f"pacserve-{pacserve.__version__}.dist-info"}
    assert root.pacman("-Qkk", "pacserve").stdout.endswith(", 0 altered files\n")
    assert not [name for name in added if (status := (root.path / name).stat()).st_uid or status.st_gid or status.st_mode & 0o022]


def commands_run(root: ArchRoot) -> None:
    """The commands are for the system's Python, and run; pacsrv setup finds the script that opens the firewall."""
    (modules,) = {match[0] for name in root.added() if (match := MODULES.match(name))}
    for command in ("pacserve", "pacsrv"):
        script = root.path / "usr/bin" / command
        assert script.read_text().startswith("#!/usr/bin/python3")
        words, environment = [sys.executable, str(script), "--version"], {"PYTHONPATH": str(root.path / modules)}
        done = subprocess.run(words, env=environment, cwd="/", capture_output=True, text=True, check=False)
        assert done.stdout.strip() == f"{command} {pacserve.__version__}", done.stderr
    assert installed_places(str(root.path / "usr/bin/pacsrv"), "iptables/pacserve-firewall")[0].is_file()


def units_are_valid(root: ArchRoot) -> None:
    """systemd finds nothing wrong with the units, and their command is there."""
    if shutil.which("systemd-analyze"):
        words = ["systemd-analyze", f"--root={root.path}", "--man=no", "verify", "pacserve.service", "pacserve.socket"]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def changed_configuration_stays(root: ArchRoot, package: Built) -> None:
    """An upgrade keeps configuration that was changed, and a removal leaves nothing else; both say what is left to do."""
    with (root.path / "etc/conf.d/pacserve").open("a") as file:
        file.write("PACSERVE_ARGS=--pacserver nas.lan\n")
    assert "systemctl try-restart pacserve" in root.pacman("-U", str(package.path)).stdout
    assert "nas.lan" in (root.path / "etc/conf.d/pacserve").read_text()
    assert "/var/lib/pacserve" in root.pacman("-R", "pacserve").stdout
    assert root.added() == {"etc/conf.d/pacserve.pacsave"}
    assert root.added_folders() == {"etc/conf.d"}
