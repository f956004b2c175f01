"""Tests for `tools.installing.__main__`: what is said when nothing can be installed."""

from __future__ import annotations

import io
import os
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
