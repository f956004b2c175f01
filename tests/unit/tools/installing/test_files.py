"""Tests for `tools.installing.files`."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from tools.installing.files import ROOT, Places, placed

USR = Places(PurePosixPath("/usr"), PurePosixPath("/etc"))
LOCAL = Places(PurePosixPath("/usr/local"), PurePosixPath("/etc"))
# For people who work on pacserve, and for those who make a package of it.
NOT_INSTALLED = ("contrib/arch/", "docs/adr/")


def content(places: Places, name: str) -> str:
    (file,) = (file for file in placed(places) if file.target.name == name)
    return file.content().decode()


class PlacedTests(SynchronousTestCase):
    def test_unit_names_its_command(self) -> None:
        """The unit starts the command of the same installation, and differs in nothing else."""
        unit = (ROOT / "contrib/systemd/pacserve.service").read_text()
        self.assertEqual(content(USR, "pacserve.service"), unit)
        self.assertIn("\nExecStart=/usr/local/bin/pacserve $PACSERVE_ARGS\n", content(LOCAL, "pacserve.service"))
        self.assertEqual(content(LOCAL, "pacserve.service").replace("/usr/local/bin", "/usr/bin"), unit)

    def test_complete(self) -> None:
        """Every file of contrib/, man/ and docs/ that git knows has a place."""
        listed = subprocess.run(["git", "ls-files", "contrib", "man", "docs"], cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode != 0:
            self.skipTest("not a checkout of git")
        known = {name for name in listed.stdout.splitlines() if (ROOT / name).exists() and not name.startswith(NOT_INSTALLED)}
        self.assertEqual(known - {file.source for file in placed(USR)}, set())

    def test_one_place_each(self) -> None:
        """No two files have the same place."""
        targets = [file.target for file in placed(USR, apt=True)]
        self.assertEqual(len(targets), len(set(targets)))

    def test_configuration(self) -> None:
        """Only what lies in /etc is the user's to change."""
        self.assertEqual({str(file.target) for file in placed(LOCAL) if file.configuration}, {"/etc/conf.d/pacserve", "/etc/pacman.d/pacserve"})
        self.assertFalse([file.target for file in placed(LOCAL) if not file.configuration and not file.target.is_relative_to("/usr/local")])

    def test_apt(self) -> None:
        """On a host with apt its configuration comes last, after the script that it names; on others nothing of it is in /etc."""
        *_, script, configuration = placed(USR, apt=True)
        self.assertEqual([str(script.target), str(configuration.target)], ["/etc/apt/pacserve-proxy", "/etc/apt/apt.conf.d/30pacserve"])
        self.assertIn(f'"{script.target}"', configuration.content().decode())
        self.assertFalse([file for file in placed(USR) if str(file.target).startswith("/etc/apt")])

    def test_scripts(self) -> None:
        """The scripts in contrib/ can be started where they are installed."""
        for file in placed(USR, apt=True):
            self.assertEqual(file.executable, file.content().startswith(b"#!"), file.source)

    def test_below_destdir(self) -> None:
        """DESTDIR stands before the whole path."""
        places = Places(PurePosixPath("/usr"), PurePosixPath("/etc"), "/tmp/root")
        self.assertEqual(str(places.real(places.units)), "/tmp/root/usr/lib/systemd/system")
