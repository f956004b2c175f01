"""Tests for `pacserve.indexes.signatures`."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError
from pacserve.indexes.signatures import SignatureSource
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Wanted
from pacserve.sources.locations import Holder, LocalFile
from tests.fakes.interfaces import Databases

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
SIGNED = b"\x88\x75\x04\x00" + bytes(115)


def wanted(name: str, kind: FileKind) -> Wanted:
    """What a client asks for."""
    return Wanted(FileRequest("core", "x86_64", name, kind), None, parse_address("127.0.0.1"))


class SignatureSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.databases = Databases()
        self.databases.signatures["core", NAME] = SIGNED
        self.source = SignatureSource(self.databases, lambda: 1_800_000_000.5)

    def test_carried(self) -> None:
        """A signature that the database carries is there at once, whole, and any number of times."""
        (candidate,) = self.source.candidates(wanted(f"{NAME}.sig", FileKind.SIGNATURE))
        (considered,) = self.source.consider(wanted(f"{NAME}.sig", FileKind.SIGNATURE))
        self.assertEqual((considered.rank, considered.offer, candidate.rank), (candidate.rank, candidate.offer, self.source.best))
        for _ in range(2):
            location = self.successResultOf(Deferred.fromCoroutine(candidate.settle(0.0)))
            assert isinstance(location, LocalFile)
            with location.held.file as file:
                file.seek(0)
                self.assertEqual((file.read(), location.held.size, location.held.modified), (SIGNED, len(SIGNED), 1_800_000_000))
            self.assertEqual((location.origin, location.holder), ("database", Holder.CATALOGUE))

    def test_not_carried(self) -> None:
        """Other signatures, packages and databases are none of its affair; where a signature is missing, `why` says so."""
        for name, kind in (("bash-5-1-any.pkg.tar.zst.sig", FileKind.SIGNATURE), (NAME, FileKind.PACKAGE), ("core.db.sig", FileKind.DATABASE)):
            self.assertEqual(self.source.candidates(wanted(name, kind)), ())
        (considered,) = self.source.consider(wanted("bash-5-1-any.pkg.tar.zst.sig", FileKind.SIGNATURE))
        self.assertIsNone(considered.offer)
        self.assertEqual(self.source.consider(wanted(NAME, FileKind.PACKAGE)), ())

    def test_gone(self) -> None:
        """A database that has changed meanwhile is no failure."""
        (candidate,) = self.source.candidates(wanted(f"{NAME}.sig", FileKind.SIGNATURE))
        self.databases.signatures.clear()
        self.failureResultOf(Deferred.fromCoroutine(candidate.settle(0.0)), AbsentError)
