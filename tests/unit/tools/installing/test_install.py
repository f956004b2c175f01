"""`make install` and `make uninstall` into a folder, as a packager runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

import pacserve
from tools.installing.files import ROOT

FILES = """\
etc/conf.d/pacserve
etc/pacman.d/pacserve
usr/bin/pacserve
usr/bin/pacsrv
usr/lib/sysctl.d/10-pacserve.conf
usr/lib/systemd/system/pacserve.service
usr/lib/systemd/system/pacserve.socket
usr/share/bash-completion/completions/pacserve
usr/share/bash-completion/completions/pacsrv
usr/share/doc/pacserve/CHANGELOG.md
usr/share/doc/pacserve/README.md
usr/share/doc/pacserve/SECURITY.md
usr/share/fish/vendor_completions.d/pacserve.fish
usr/share/fish/vendor_completions.d/pacsrv.fish
usr/share/man/man7/pacserve-protocol.7
usr/share/man/man8/pacserve.8
usr/share/man/man8/pacsrv.8
usr/share/pacserve/apt/30pacserve
usr/share/pacserve/apt/pacserve-proxy
usr/share/pacserve/grafana/pacserve.json
usr/share/pacserve/iptables/pacserve-firewall
usr/share/pacserve/manifest
usr/share/pacserve/pacserve-static
usr/share/pacserve/prometheus/pacserve.rules.yml
usr/share/pacserve/prometheus/prometheus.yml
usr/share/zsh/site-functions/_pacserve
usr/share/zsh/site-functions/_pacsrv
""".splitlines()
MODULES = f"usr/lib/python{sysconfig.get_python_version()}/site-packages"
# Any network is out of reach for what asks a proxy that is not there.
OFFLINE = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "PIP_NO_INDEX": "1"}


# What pacserve needs, as pip is told; a wheel without modules is enough to start the commands that need none of it.
NEEDED = ("twisted", "netifaces", "prometheus_client", "pyalpm")


def write_empty_wheel(folder: Path, name: str) -> None:
    """Writes a wheel that has nothing in it, of a version that is new enough for any requirement."""
    info = f"{name}-999.dist-info"
    with zipfile.ZipFile(folder / f"{name}-999-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 999\nProvides-Extra: tls\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "".join(f"{info}/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD")))


class InstallTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name).resolve() / "root"

    def command(self, target: str, *variables: str) -> list[str]:
        return ["make", "-s", target, f"DESTDIR={self.root}", "PREFIX=/usr", f"PYTHON={sys.executable}", *variables]

    def make(self, target: str, *variables: str) -> str:
        """Runs make with a umask that hides files, and a Python that has what the tests need; returns what it said."""
        command, environment = self.command(target, *variables), {**os.environ, **OFFLINE}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, umask=0o077, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    @pytest.mark.slow
    def test_files(self) -> None:
        """A package has these files, for everybody to read, commands that run and units that are right; what was installed can be removed."""
        before = self.built()
        self.assertEqual(self.make("install"), "")

        files = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        pages = {f"usr/share/doc/pacserve/docs/{page.name}" for page in (ROOT / "docs").iterdir() if page.is_file()}
        modules = {file for file in files if file.startswith(f"{MODULES}/pacserve")}
        self.assertEqual(sorted(files - modules - pages), FILES)
        self.assertFalse(pages - files)
        source = {str(path.relative_to(ROOT)) for path in (ROOT / "pacserve").rglob("*") if path.is_file() and path.suffix != ".pyc"}
        self.assertEqual({file.removeprefix(f"{MODULES}/") for file in modules if "/pacserve/" in file and not file.endswith(".pyc")}, source)
        self.assertIn(f"{MODULES}/pacserve/__pycache__/__init__.{sys.implementation.cache_tag}.pyc", modules)
        self.assertFalse([path for path in self.root.rglob("*") if not path.stat().st_mode & (0o1 if path.is_dir() else 0o4)])
        self.assertNotIn(str(self.root).encode(), b"".join(path.read_bytes() for path in self.root.rglob("*") if path.is_file()))

        self.commands()
        self.units()
        self.assertEqual(self.make("uninstall"), "")
        self.assertEqual(list(self.root.rglob("*")), [])
        self.assertEqual(self.built(), before)

    @pytest.mark.slow
    def test_private(self) -> None:
        """With an environment of its own pacserve has all that it needs there, and works under the path that it was made for."""
        self.install_private(*NEEDED)
        home = self.root / "usr/lib/pacserve"
        done = subprocess.run([home / "bin/python", "-m", "pacserve", "--version"], cwd="/", capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, f"pacserve {pacserve.__version__}\n"), done.stderr)
        # It is not run here: its Python is where DESTDIR will have gone.
        self.assertEqual((home / "bin/pacserve").read_text().splitlines()[0], "#!/usr/lib/pacserve/bin/python")
        self.assertEqual(str((self.root / "usr/bin/pacserve").readlink()), "/usr/lib/pacserve/bin/pacserve")
        self.assertNotIn(str(self.root).encode(), b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file()))
        self.make("uninstall")
        self.assertEqual(list(self.root.rglob("*")), [])

    @pytest.mark.long
    def test_without_pacman(self) -> None:
        """With PACMAN=no pyalpm is not needed; a later installation takes the place of the whole environment."""
        home = self.root / "usr/lib/pacserve"
        alpm = home / f"lib/python{sysconfig.get_python_version()}/site-packages/pyalpm-999.dist-info"
        self.install_private(*NEEDED)
        self.assertTrue(alpm.exists())
        self.install_private(*NEEDED[:3], pacman="no")
        self.assertFalse(alpm.exists())
        self.assertEqual([path.name for path in home.parent.iterdir() if "pacserve" in path.name], ["pacserve"])

    @pytest.mark.long
    def test_failure(self) -> None:
        """When what pacserve needs can't be had, what was installed before is as it was, and the reason is told."""
        (self.root / "usr/lib/pacserve").mkdir(parents=True)
        (self.root / "usr/lib/pacserve/former").touch()
        self.patch(os, "environ", {**os.environ, "PIP_FIND_LINKS": "/nowhere"})
        command = self.command("install", "LAYOUT=private")
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No matching distribution found for twisted", done.stderr)
        self.assertEqual(
            sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")),
            ["usr", "usr/lib", "usr/lib/pacserve", "usr/lib/pacserve/former"],
        )

    def install_private(self, *needed: str, pacman: str = "yes") -> None:
        with tempfile.TemporaryDirectory() as wheels:
            for name in needed:
                write_empty_wheel(Path(wheels), name)
            self.patch(os, "environ", {**os.environ, "PIP_FIND_LINKS": wheels})
            self.make("install", "LAYOUT=private", f"PACMAN={pacman}")

    def built(self) -> list[str]:
        """What builds leave in a checkout, where they leave anything."""
        return sorted(path.name for path in ROOT.iterdir() if path.name in {"build", "dist", "pacserve.egg-info"})

    def commands(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self.root / MODULES), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("pacserve", "pacsrv"):
            command = self.root / "usr/bin" / name
            done = subprocess.run([command, "--version"], cwd="/", env=environment, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{name} {pacserve.__version__}\n", ""))
        where = [sys.executable, "-c", "import pacserve; print(pacserve.__file__)"]
        done = subprocess.run(where, cwd="/", env=environment, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), str(self.root / MODULES / "pacserve/__init__.py"))

    def units(self) -> None:
        """Lets systemd read the units as they are, but for DESTDIR before the command that they name."""
        if not shutil.which("systemd-analyze"):
            return
        with tempfile.TemporaryDirectory() as folder:
            for name in ("pacserve.service", "pacserve.socket"):
                text = (self.root / "usr/lib/systemd/system" / name).read_text()
                Path(folder, name).write_text(text.replace("ExecStart=/", f"ExecStart={self.root}/"))
            command = ["systemd-analyze", "--man=no", "verify", "./pacserve.service", "./pacserve.socket"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
