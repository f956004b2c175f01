"""Tests for `pacserve.pacsrv.setup.machine`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.machine import LocalMachine, installed_places
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES, Record
from tests.unit.contrib.test_apt import APT
from tools.installing.files import Places, placed


class MachineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(os.environ.__setitem__, "PATH", os.environ["PATH"])
        self.path = self.folder / "lib/setup.json"
        self.machine = LocalMachine(str(self.path))

    def test_record(self) -> None:
        """The record is kept for the next process, and an empty one leaves neither file nor folder."""
        self.assertEqual(self.machine.read_record(), Record())
        self.machine.write_record(Record(enabled=True, firewall=("",)))
        self.assertEqual(LocalMachine(str(self.path)).read_record(), Record(enabled=True, firewall=("",)))
        self.machine.write_record(Record())
        self.assertFalse(self.path.parent.exists())
        self.machine.write_record(Record())
        self.path.parent.mkdir()
        self.path.write_text("damaged")
        self.assertEqual(self.machine.read_record(), Record())

    def test_commands(self) -> None:
        """Commands report how they ended, also where there is no such program."""
        self.assertEqual(self.machine.run(["true"]), 0)
        self.assertEqual(self.machine.run(["false"]), 1)
        self.assertEqual(self.machine.run(["/nonexistent/program"]), 127)
        self.assertEqual(self.machine.output(["echo", "a"]), "a\n")
        self.assertIsNone(self.machine.output(["false"]))

    def test_firewall_script(self) -> None:
        """The script is found beside the program, also where that is a link into a folder of its own, and in a checkout."""
        (self.folder / "venv/bin").mkdir(parents=True)
        (self.folder / "bin").mkdir()
        (self.folder / "venv/bin/pacsrv").touch()
        link = self.folder / "bin/pacsrv"
        link.symlink_to("../venv/bin/pacsrv")
        found = installed_places(str(link), "iptables/pacserve-firewall")
        installed = {str(one.target) for one in placed(Places(PurePosixPath(self.folder), PurePosixPath("/etc")))}
        self.assertIn(str(found[0]), installed)
        self.assertIn(Path("/usr/share/pacserve/iptables/pacserve-firewall"), found)
        self.assertTrue(os.access(found[-1], os.X_OK), found[-1])
        self.assertTrue(installed_places("pacsrv", "iptables/pacserve-firewall"))

    def test_apt(self) -> None:
        """The texts that pacserve brings for apt are found in a checkout, and what is configured is read."""
        found = self.machine.read_apt()
        self.assertEqual(found.installed[APT_CONFIGURATION], (APT / "30pacserve").read_text())
        self.assertEqual(found.installed[APT_SCRIPT], (APT / "pacserve-proxy").read_text())
        self.assertEqual(found.present, Path("/etc/apt/apt.conf.d").is_dir())
        self.assertEqual(found.files.keys() - {APT_CONFIGURATION, APT_SCRIPT, *OPTION_FILES}, set())
