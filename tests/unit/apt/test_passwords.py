"""Tests for `pacserve.apt.passwords`."""

import os
import shlex
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.content import StatedFile
from pacserve.apt.index import ListedFile, write
from pacserve.apt.lists import LOOK_INTERVAL, VerifiedLists, kept_indexes
from pacserve.apt.passwords import needs_password, parse_machines
from pacserve.apt.source_files import SourceFiles
from pacserve.apt.targets import target_of
from pacserve.packages.children import ChildOutcome
from tests.fakes.children import Children

AUTH = b"""# Ubuntu Pro; machine commented.example
machine esm.ubuntu.com/apps/ubuntu/ login bearer password abc  # ubuntu-pro-client
machine http://Plain.example:8080/debian
login me
password machine machine https://[fd77::1]/x login a
"""


class MachinesTests(SynchronousTestCase):
    def test_machines(self) -> None:
        """The hosts are known, with or without a scheme, a port or a path."""
        self.assertEqual(parse_machines(AUTH) - {"machine", "commented.example"}, {"esm.ubuntu.com", "plain.example", "[fd77::1]"})

    @given(st.binary())
    def test_anything(self, text: bytes) -> None:
        """Whatever the file holds there are hosts or none."""
        self.assertTrue(all(parse_machines(text)))


class NeedsPasswordTests(SynchronousTestCase):
    def test_url(self) -> None:
        """A password in the URL is one, whatever the host."""
        self.assertTrue(needs_password("http://me:secret@deb.example/debian", ()))
        self.assertTrue(needs_password("https://token@deb.example/debian", ()))
        self.assertFalse(needs_password("http://deb.example/debian", ()))
        self.assertFalse(needs_password("http://deb.example/a@b", ()))

    def test_host(self) -> None:
        """A host for which there is a password needs it, by whatever scheme and port it is asked."""
        machines = parse_machines(AUTH)
        for url, expected in (
            ("https://esm.ubuntu.com/infra/ubuntu", True),
            ("https://ESM.ubuntu.com:443/infra", True),
            ("tor+https://esm.ubuntu.com/infra", True),
            ("https://archive.ubuntu.com/ubuntu", False),
            ("http://[fd77::1]/x", True),
        ):
            self.assertIs(needs_password(url, machines), expected, url)

    def test_unreadable(self) -> None:
        """Where nobody can tell, every repository that is asked by https may need one."""
        for url, expected in (("https://deb.example/", True), ("tor+https://deb.example/", True), ("http://deb.example/https://x", False)):
            self.assertIs(needs_password(url, None), expected, url)


class SecretListsTests(SynchronousTestCase):
    """A host with an open repository and one that needs a password."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("auth.conf.d", "lists"):
            (self.folder / name).mkdir()
        self.auth = self.folder / "auth.conf.d" / "90pro"
        self.children = Children()
        self.clock = Clock()
        files = SourceFiles(self.children, (), lambda authority: False)
        self.lists = VerifiedLists(files, kept_indexes(str(self.folder / "kept")), self.children, self.clock)
        self.addCleanup(self.lists.stop)

    def stated(self, *urls: str) -> list[bool]:
        """Whether each of some repositories, which have one file each, is open to all; a client is given the files of all of them."""
        places = {"LISTS": "lists/", "PASSWORDS": "auth.conf", "PASSWORD_PARTS": "auth.conf.d/"}
        files = [ListedFile(b"pool/a_1_all.deb", 7, sha256(url.encode()).digest(), "a_1_all") for url in urls]
        paths = [self.folder / "lists" / f"{number}_Packages" for number in range(len(urls))]
        for path in paths:
            path.write_text("a list")
        refreshing = Deferred.fromCoroutine(self.lists.refresh())
        printed = "".join(f"{name}={shlex.quote(f'{self.folder}/{place}')}\n" for name, place in places.items())
        self.children.end(ChildOutcome(0, printed.encode(), ""))
        lines = "".join(f"Packages\t{url}\t{path}\n" for url, path in zip(urls, paths, strict=True))
        self.children.end(ChildOutcome(0, lines.encode(), ""))
        while self.children.running:
            path = Path(self.children.commands[-len(self.children.running)][-1])
            found, output = path.stat(), BytesIO()
            write(output, (found.st_mtime_ns, found.st_ino, found.st_size), [files[paths.index(path)]])
            self.children.end(ChildOutcome(0, output.getvalue(), ""))
        self.successResultOf(refreshing)
        for url in urls:
            base = target_of(url.replace("me:secret@", ""))
            assert base is not None
            self.assertIsInstance(self.lists.find(base.sibling(f"{base.name}/pool/a_1_all.deb")), StatedFile)
        return [self.lists.stated(file.sha256) is not None for file in files]

    def test_open(self) -> None:
        """Without passwords everything may be offered."""
        self.assertEqual(self.stated("http://deb.example/debian", "https://esm.example/x"), [True, True])

    def test_in_the_url(self) -> None:
        """A repository whose source has a password is given to its clients, and not offered."""
        self.assertEqual(self.stated("http://deb.example/debian", "http://me:secret@esm.example/x"), [True, False])

    def test_in_a_file(self) -> None:
        """So is one whose host has a password in a file that can be read, and all that are asked by https where it can't be."""
        self.auth.write_text("machine esm.example login bearer password x\n")
        urls = ("http://deb.example/debian", "https://other.example/debian", "https://esm.example/x")
        self.assertEqual(self.stated(*urls), [True, True, False])
        self.auth.write_text("")
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(self.stated(*urls), [True, True, True])
        self.auth.write_text(" ")
        self.clock.advance(LOOK_INTERVAL)
        with patch.object(os, "access", return_value=False):  # root may read everything
            self.assertEqual(self.stated(*urls), [True, False, False])
