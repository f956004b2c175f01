"""Tests for `pacserve.apt.archive_source`."""

from twisted.internet.defer import Deferred

from pacserve.apt.archive_source import ArchiveSource
from pacserve.errors import AbsentError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile
from tests.unit.apt.test_archives import DATA, ArchivesCase


class ArchiveSourceTests(ArchivesCase):
    def setUp(self) -> None:
        super().setUp()
        self.name = self.lists.state(DATA)
        self.file = self.put()
        self.start()
        self.source = ArchiveSource(self.archives)

    def wanted(self, name: str = "", size: int = len(DATA)) -> Wanted:
        """The file that a client wants."""
        return Wanted(FileRequest("apt", "any", name or self.name, FileKind.PACKAGE), size, parse_address("127.0.0.1"))

    def test_held(self) -> None:
        """A file that apt keeps is a candidate like one of a cache, and is opened."""
        (candidate,) = self.source.candidates(self.wanted())
        self.assertEqual((candidate.rank, candidate.offer.holder, self.source.best), (Rank.CACHE, Holder.CACHE, Rank.CACHE))
        location = self.successResultOf(Deferred.fromCoroutine(candidate.settle(0.0)))
        assert isinstance(location, LocalFile)
        with location.held.file as file:
            self.assertEqual(file.read(), DATA)
        (considered,) = self.source.consider(self.wanted())
        self.assertEqual((considered.who, considered.reason), ("apt's archives", "apt of this host keeps it"))

    def test_not_held(self) -> None:
        """Other content is not there, and of pacman's files nothing is said."""
        other = self.name.replace("zlib1g", "other")
        self.assertEqual(self.source.candidates(self.wanted(other)), ())
        (considered,) = self.source.consider(self.wanted(other))
        self.assertEqual((considered.offer, considered.reason), (None, "not held, or not read yet"))
        self.assertEqual(self.source.consider(self.wanted("zlib-1-1-any.pkg.tar.zst")), ())

    def test_removed(self) -> None:
        """A file that apt removes at the last moment is certainly not there."""
        (candidate,) = self.source.candidates(self.wanted())
        self.file.unlink()
        self.failureResultOf(Deferred.fromCoroutine(candidate.settle(0.0)), AbsentError)
        self.assertIsNone(self.source.consider(self.wanted())[0].offer)
