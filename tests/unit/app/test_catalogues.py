"""Tests for `pacserve.app.catalogues`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.catalogues import Catalogues, ChosenUpstreams
from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content import StatedFile
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.sources.upstreams import Upstream, Upstreams
from tests.fakes.interfaces import Databases
from tests.fakes.upstreams import Mirror

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
FILE = StatedFile(5, bytes(32), "zlib1g_1_amd64")


class CataloguesTests(SynchronousTestCase):
    def test_both(self) -> None:
        """Each file is known by the catalogue of its package system, and by no other."""
        content = ContentCatalogue()
        content.state(FILE)
        catalogues = Catalogues(Databases({("core", NAME): 7}), content)
        self.assertEqual((catalogues.size("core", NAME), catalogues.size("apt", FILE.name)), (7, 5))
        self.assertEqual((list(catalogues.sizes(NAME)), catalogues.sizes(FILE.name)), ([7], (5,)))
        self.assertEqual(catalogues.expected("apt", FILE.name), ExpectedFile(5, bytes(32)))
        self.assertEqual(catalogues.all_expected(FILE.name), (ExpectedFile(5, bytes(32)),))
        self.assertEqual((catalogues.stated(FILE.name), catalogues.signature("apt", FILE.name)), ({}, None))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(catalogues.read_all())))


class Given(Upstreams):
    """Gives one mirror."""

    def __init__(self, mirror: Upstream) -> None:
        self._mirror = mirror

    def upstreams(self, request: FileRequest) -> tuple[Upstream]:
        return (self._mirror,)


class UpstreamTests(SynchronousTestCase):
    def test_chosen(self) -> None:
        """A request that names its mirror goes there, any other one to the mirrors of its repository."""
        named, configured = Mirror(Clock(), "named", b""), Mirror(Clock(), "configured", b"")
        chosen = ChosenUpstreams(Given(named), Given(configured))
        self.assertEqual(chosen.upstreams(FileRequest("apt", "any", FILE.name, FileKind.PACKAGE, ("http://a/b",))), (named,))
        self.assertEqual(chosen.upstreams(FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)), (configured,))
