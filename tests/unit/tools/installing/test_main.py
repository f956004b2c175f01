"""Tests for `tools.installing.__main__`: what is said when nothing can be installed, and what systemd is told."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools.installing import __main__ as program


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = temporary.name
        self.addCleanup(os.umask, os.umask(0o022))  # the program sets its own
        self.said = io.StringIO()
        self.patch(sys, "stderr", self.said)
        self.patch(program, "install_private", lambda *_, **__: self.fail("it was built"))
        self.patch(program, "install_system", lambda *_: self.fail("it was built"))

    def refusal(self, *arguments: str) -> str:
        """The one line with which it stops, before anything is written."""
        self.assertEqual(program.main([*arguments]), 1)
        (line,) = self.said.getvalue().splitlines()
        self.assertEqual(list(Path(self.root).iterdir()), [])
        return line

    def test_no_permission(self) -> None:
        """Where nothing may be written it says so before it builds, and names what to do."""
        self.patch(os, "access", lambda *_: False)
        self.patch(sys, "base_prefix", "/usr")
        line = self.refusal("install", "--prefix", f"{self.root}/usr", "--sysconfdir", f"{self.root}/etc")
        self.assertEqual(
            line, f"Stopped: no permission to write {self.root}. Become root, or name a folder to install into: make install DESTDIR=..."
        )

    def test_hidden_python(self) -> None:
        """A Python that the service can't see is refused, since the service would not start."""
        self.patch(sys, "base_prefix", "/root/.pyenv/versions/3.13.0")
        line = self.refusal("install", "--prefix", f"{self.root}/usr", "--sysconfdir", f"{self.root}/etc")
        self.assertIn("/root/.pyenv/versions/3.13.0 is in a home folder", line)
        self.assertIn("make install PYTHON=/usr/bin/python3", line)

    def test_relative(self) -> None:
        """A prefix must be absolute: the unit names it."""
        self.assertEqual(self.refusal("install", "--destdir", self.root, "--prefix", "usr"), "Stopped: PREFIX and SYSCONFDIR must be absolute")

    def test_nothing_installed(self) -> None:
        """Where nothing was installed nothing is removed, and the place is named."""
        self.assertIn(f"there is no {self.root}/usr/local/share/pacserve/manifest", self.refusal("uninstall", "--destdir", self.root))


class SystemdTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.addCleanup(os.umask, os.umask(0o022))
        self.root = Path(temporary.name)
        self.calls: list[list[str]] = []
        self.patch(program, "install_private", lambda *_, **__: None)
        self.patch(sys, "base_prefix", "/usr")
        self.patch(sys, "stdout", io.StringIO())
        self.patch(shutil, "which", lambda name: f"/bin/{name}")
        self.patch(subprocess, "run", lambda command, **_: self.calls.append(command))

    def run_both(self, *arguments: str) -> None:
        for action in ("install", "uninstall"):
            self.assertEqual(program.main([action, *arguments, "--prefix", f"{self.root}/usr", "--sysconfdir", f"{self.root}/etc"]), 0)

    def test_running(self) -> None:
        """Where systemd runs it learns of the units, and stops the service before its files go."""
        self.patch(program, "_SYSTEMD", self.root)
        self.run_both()
        reload = ["systemctl", "--quiet", "daemon-reload"]
        disable = ["systemctl", "--quiet", "disable", "--now", "pacserve.service", "pacserve.socket"]
        self.assertEqual(self.calls, [reload, disable, reload])
        self.assertEqual(list(self.root.iterdir()), [])

    def test_not_running(self) -> None:
        """Where systemd does not run, as in a chroot, the links to the units are removed nevertheless."""
        self.patch(program, "_SYSTEMD", self.root / "absent")
        self.run_both()
        self.assertEqual(self.calls, [["systemctl", "--quiet", "disable", "pacserve.service", "pacserve.socket"]])

    def test_apt(self) -> None:
        """Where this machine has apt it is configured as well, unless that is not wanted."""
        self.patch(program, "_SYSTEMD", self.root / "absent")
        folder = self.root / "etc/apt/apt.conf.d"
        folder.mkdir(parents=True)
        places = ["--prefix", f"{self.root}/usr", "--sysconfdir", f"{self.root}/etc"]
        self.assertEqual(program.main(["install", *places]), 0)
        self.assertEqual([path.name for path in folder.iterdir()], ["30pacserve"])
        self.assertTrue(os.access(folder.parent / "pacserve-proxy", os.X_OK))
        self.assertEqual(program.main(["install", "--apt", "no", *places]), 0)
        self.assertEqual([path.name for path in folder.parent.rglob("*")], ["apt.conf.d"])

    def test_next(self) -> None:
        """The last lines name the command that fits this machine."""
        self.patch(program, "_SYSTEMD", self.root / "absent")
        places = ["--prefix", f"{self.root}/usr", "--sysconfdir", f"{self.root}/etc"]
        for options, command in (
            (("--apt", "yes"), "pacsrv setup --apt "),
            (("--apt", "yes", "--pacman", "no"), "pacsrv setup --apt "),
            (("--apt", "no"), "pacsrv setup  "),
            (("--apt", "no", "--pacman", "no"), "systemctl enable --now pacserve\n"),
        ):
            said = io.StringIO()
            self.patch(sys, "stdout", said)
            self.assertEqual(program.main(["install", *options, *places]), 0)
            self.assertIn(f"\n  {command}", said.getvalue())

    def test_package(self) -> None:
        """While a package is made the systemd of this machine is left alone."""
        self.patch(program, "_SYSTEMD", self.root)
        self.patch(program, "install_system", lambda *_: None)
        self.run_both("--destdir", str(self.root))
        self.assertEqual(self.calls, [])
