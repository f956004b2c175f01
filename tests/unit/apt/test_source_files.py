"""Tests for `pacserve.apt.source_files`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.bases import Bases
from pacserve.apt.source_files import SourceFiles
from pacserve.apt.sources import Sources
from pacserve.apt.targets import Target
from pacserve.errors import FetchError
from pacserve.packages.children import ChildOutcome, NotInstalledError
from tests.fakes.children import Children

DEBIAN = Target("http://deb.example", ("debian",))
MORE = Target("https://more.example", ())


class SourceFilesTests(SynchronousTestCase):
    """A host whose apt has its configuration and its lists in a folder."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("parts", "configuration", "dpkg", "lists/auxfiles"):
            (self.folder / name).mkdir(parents=True)
        self.list = self.folder / "sources.list"
        self.list.write_text("deb http://deb.example/debian stable main\n")
        self.children = Children()
        self.files = SourceFiles(self.children, ("https://more.example/",), lambda authority: authority == "localhost:9988")

    def places(self) -> bytes:
        """Returns the answer of apt-config."""
        places = {
            "LISTS": "lists/",
            "STATUS": "dpkg/status",
            "SOURCES": "sources.list",
            "SOURCE_PARTS": "parts/",
            "CONFIGURATION": "apt.conf",
            "CONFIGURATION_PARTS": "configuration/",
        }
        return "".join(f"{name}={shlex.quote(f'{self.folder}/{place}')}\n" for name, place in places.items()).encode()

    def read(self, *lines: tuple[str, str, str]) -> Sources:
        """Returns the sources when apt prints these targets."""
        reading = Deferred.fromCoroutine(self.files.read())
        self.children.end(ChildOutcome(0, self.places(), ""))
        self.children.end(ChildOutcome(0, "".join(["\t".join(line) + "\n" for line in lines]).encode(), ""))
        return self.successResultOf(reading)

    def test_read(self) -> None:
        """apt is asked for its places and its targets, those of sources that were never updated, too."""
        found = self.read(("Packages", "http://deb.example/debian/", "/lists/x"))
        self.assertEqual(found, Sources(Bases((DEBIAN, MORE)), {"/lists/x": (DEBIAN,)}))
        self.assertEqual([command[0] for command in self.children.commands], ["apt-config", "apt-get"])
        self.assertIn("--no-release-info", self.children.commands[1])

    def test_mirrors(self) -> None:
        """A list of mirrors is read, as is one that apt has fetched; one that is no file, or not there, has none."""
        mirrors, fifo = self.folder / "mirrors", self.folder / "fifo"
        mirrors.write_text("http://deb.example/debian\tpriority:1\n")
        os.mkfifo(fifo)
        (self.folder / "lists/auxfiles/m.example_list").write_text("http://other.example/")
        lines = [
            (f"mirror+file:{mirrors}/", "/a"),
            (f"mirror+file:{fifo}/", "/b"),
            ("mirror+file:/none/", "/c"),
            ("mirror+http://m.example/list/", "/d"),
        ]
        found = self.read(*(("Packages", repository, file) for repository, file in lines))
        self.assertEqual(found.lists, {"/a": (DEBIAN,), "/d": (Target("http://other.example", ()),)})

    def test_unchanged(self) -> None:
        """Files that have not changed since apt was asked make no difference; nothing is looked at before."""
        self.assertFalse(self.files.changed())
        self.read()
        self.assertFalse(self.files.changed())

    def test_changed(self) -> None:
        """Any file counts that decides what apt says: it changes, comes or goes."""
        mirrors = self.folder / "mirrors"
        for path in ("sources.list", "parts/a.sources", "apt.conf", "configuration/10x", "dpkg/arch", "mirrors"):
            self.read(("Packages", f"mirror+file:{mirrors}/", "/a"))
            (self.folder / path).write_text("changed\n")
            self.assertTrue(self.files.changed(), path)
            self.read(("Packages", f"mirror+file:{mirrors}/", "/a"))
            self.assertFalse(self.files.changed(), path)
            (self.folder / path).unlink()
            self.assertTrue(self.files.changed(), path)

    def test_changed_meanwhile(self) -> None:
        """A file that changes while apt is asked is noticed."""
        reading = Deferred.fromCoroutine(self.files.read())
        self.children.end(ChildOutcome(0, self.places(), ""))
        self.list.write_text("changed while apt reads\n")
        self.children.end(ChildOutcome(0, b"", ""))
        self.successResultOf(reading)
        self.assertTrue(self.files.changed())

    def test_no_apt(self) -> None:
        """A host without apt has the bases that the user names."""
        self.children.answer = NotInstalledError("apt-config is not installed")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.files.read())), Sources(Bases((MORE,)), {}))
        self.assertEqual(self.files.without_apt(), Sources(Bases((MORE,)), {}))

    def test_failures(self) -> None:
        """The reason of apt is told, and what is no answer of apt-config is none."""
        for outcome, reason in (
            (ChildOutcome(100, b"", "E: Malformed entry 1\nE: more"), "apt-config shell: E: Malformed entry 1"),
            (ChildOutcome(1, b"", ""), "apt-config shell: exit status 1"),
            (ChildOutcome(0, b"A='", ""), "apt-config printed something else than its configuration: No closing quotation"),
        ):
            self.children.answer = outcome
            error = self.failureResultOf(Deferred.fromCoroutine(self.files.read()), FetchError).value
            self.assertEqual(str(error), reason)

    def test_unreadable(self) -> None:
        """apt leaves out sources that the user of pacserve can't read, without an error: that is a trouble, until it ends."""
        (self.folder / "parts/secret.list").touch()
        (self.folder / "parts/other").touch()
        with patch("os.access", side_effect=lambda path, mode: not str(path).endswith(("secret.list", "other"))):
            self.read()
        self.assertIn("secret.list can't be read", self.files.trouble)
        self.read()
        self.assertEqual(self.files.trouble, "")
