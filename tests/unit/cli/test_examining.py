"""Tests for `pacserve.cli.examining`."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cli.examining import examine
from tests.fakes.statuses import NOW, peer, status

LINE = "Server = http://localhost:15678/request/$repo/$arch\n"
MIRROR = "Server = https://mirror.example/$repo/os/$arch\n"


class ExamineTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.conf = self.folder / "pacman.conf"

    def found(self, *servers: str, **changes: Any) -> Sequence[str]:
        """The checks that find a trouble where the mirrorlist has these lines."""
        self.conf.write_text(f"[options]\nArchitecture = auto\n[core]\nInclude = {self.folder}/mirrorlist\n")
        if servers:
            (self.folder / "mirrorlist").write_text("".join(servers))
        told = status(peer(), pacman_conf=str(self.conf), **changes)
        self.findings = examine(told, lambda: NOW)
        self.assertTrue(all(one.cure and one.level in {"warning", "wrong"} for one in self.findings))
        return [one.check for one in self.findings if one.check not in {"disk", "XferCommand"}]  # which depend on this machine

    def test_well(self) -> None:
        """A host where pacman uses pacserve has no trouble."""
        self.assertEqual(self.found(LINE, MIRROR), [])

    def test_line_missing(self) -> None:
        """Without pacserve's line that is told, with the line to write."""
        self.assertEqual(self.found(MIRROR), ["pacman.conf"])
        self.assertIn(LINE.strip(), self.findings[0].cure)

    def test_no_mirror(self) -> None:
        """A pacman.conf without a mirror is told."""
        self.assertEqual(self.found("# nothing\n"), ["pacman.conf"])
        self.assertIn("mirror", self.findings[0].text)

    def test_alone(self) -> None:
        """A host that can't find others is told how it may."""
        self.assertEqual(self.found(LINE, MIRROR, multicast=False, info_asked=None), ["firewall"])

    def test_caches(self) -> None:
        """A package cache that this user may not read is told, without asking which process listens where."""
        cache = self.folder / "pkg"
        cache.mkdir(mode=0o000)
        self.assertEqual(self.found(LINE, MIRROR, cache_dirs=(str(cache),)), [] if os.geteuid() == 0 else ["package caches"])
        cache.chmod(0o700)

    def test_without_pacman(self) -> None:
        """A host without pacman is not told to mend its pacman.conf."""
        self.assertEqual(self.found(LINE, no_pacman="there is no pacman.conf"), [])

    @pytest.mark.slow
    def test_fifo(self) -> None:
        """A FIFO among the files of pacman.conf is not opened, which could take for ever."""
        os.mkfifo(self.folder / "mirrorlist")
        self.assertEqual(self.found(), ["pacman.conf"])
