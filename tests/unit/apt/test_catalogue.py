"""Tests for `pacserve.apt.catalogue`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt import catalogue
from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content import StatedFile
from pacserve.packages.files import ExpectedFile

DIGEST = bytes(range(32))
FILE = StatedFile(5, DIGEST, "zlib1g_1_amd64")


class CatalogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.catalogue = ContentCatalogue()

    def test_digest(self) -> None:
        """The digest of a file stands in its name; its size is known once it was stated."""
        self.assertEqual((self.catalogue.expected("apt", FILE.name), self.catalogue.size("apt", FILE.name)), (None, None))
        self.assertEqual([one.sha256 for one in self.catalogue.all_expected(FILE.name)], [DIGEST])
        self.assertEqual(self.catalogue.sizes(FILE.name), ())
        self.catalogue.state(FILE)
        self.assertEqual(self.catalogue.expected("apt", FILE.name), ExpectedFile(5, DIGEST))
        self.assertEqual((self.catalogue.size("apt", FILE.name), self.catalogue.sizes(FILE.name)), (5, (5,)))
        self.assertEqual(self.catalogue.all_expected(FILE.name), (ExpectedFile(5, DIGEST),))

    def test_others(self) -> None:
        """It knows no other file, and nothing of repositories."""
        name = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
        self.assertEqual((self.catalogue.expected("core", name), self.catalogue.all_expected(name)), (None, ()))
        self.assertEqual((self.catalogue.signature("apt", FILE.name), self.catalogue.packages("apt")), (None, None))
        self.assertEqual(self.catalogue.stated(FILE.name), {})

    def test_nothing_to_read(self) -> None:
        """There is nothing to read, so that nobody waits."""
        for work in (self.catalogue.refresh("apt"), self.catalogue.refresh_all(), self.catalogue.refresh_unknown()):
            self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(work)))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(self.catalogue.read_all())))
        self.assertEqual(self.catalogue.revision, 0)

    def test_bounded(self) -> None:
        """The files that were stated longest ago are forgotten."""
        self.patch(catalogue, "_FILES_LIMIT", 2)
        files = [StatedFile(size, DIGEST, f"a{size}") for size in (1, 2, 3)]
        for file in (*files[:2], files[0], files[2]):
            self.catalogue.state(file)
        self.assertEqual([self.catalogue.size("apt", file.name) for file in files], [1, None, 3])
