"""What whoever uses a `pacserve.sources.candidates.PackageSource` relies on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.sources.locations import LocalFile, Location, RemoteFile
from tests.fakes.network import Line, Network, Page

NAME = "c++pkg-1:2.0+r3.gabc~rc1-1-any.pkg.tar.zst"
PACKAGE = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
DATABASES = tuple(FileRequest("core", "x86_64", name, FileKind.DATABASE) for name in ("core.db", "core.db.sig", "core.files"))
# Bytes of the package and of the signature that a source has.
SIZE = 1000
# Seconds that a candidate has.
TIME = 7.0


class SourceContract(SynchronousTestCase):
    """
    For every source.

    Attributes:
        has_databases: Whether databases come from it.
    """

    has_databases = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.network = Network()

    @abstractmethod
    def source(self) -> PackageSource:
        """A source that has the package and its signature."""

    @abstractmethod
    def take_away(self) -> None:
        """Its files are gone, though it may not know."""

    def candidates(self, source: PackageSource, request: FileRequest = PACKAGE, size: int | None = SIZE) -> list[Candidate]:
        """The candidates for a client on this host."""
        return list(source.candidates(Wanted(request, size, parse_address("127.0.0.1"))))

    def settle(self, candidate: Candidate) -> Deferred[Location]:
        """Begins to settle a candidate."""
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + TIME))

    def good(self, location: Location) -> None:
        """The location is of the right file."""
        if isinstance(location, LocalFile):
            self.addCleanup(location.held.file.close)
            self.assertEqual(location.held.size, SIZE)
        else:
            assert isinstance(location, RemoteFile)
            self.assertEqual(location.size, SIZE)
            self.assertRegex(location.url, r"\Ahttps?://[!-~]+\Z")
        self.assertRegex(location.origin, r"\A[ -~]+\Z")

    def test_nobody_is_asked(self) -> None:
        """Asking for candidates asks nobody, and starts nothing."""
        source = self.source()
        for request in (PACKAGE, SIGNATURE, *DATABASES):
            self.candidates(source, request)
        self.assertEqual((self.network.asked, self.clock.getDelayedCalls()), ([], []))

    def test_ranks(self) -> None:
        """A candidate has a rank, keeps it, and is no better than its source promised; the best comes first."""
        source = self.source()
        candidates = self.candidates(source)
        self.assertEqual(candidates, sorted(candidates, key=lambda candidate: candidate.rank))
        for candidate in candidates:
            self.assertIsInstance(candidate.rank, Rank)
            self.assertGreaterEqual(candidate.rank, source.best)
            self.assertIs(candidate.rank, candidate.rank)

    def test_considered(self) -> None:
        """What is considered has a reason or an offer, comes in order, and offers what the candidates offer; nothing is started."""
        source = self.source()
        wanted = Wanted(PACKAGE, SIZE, parse_address("127.0.0.1"))
        considered = source.consider(wanted)
        self.assertEqual([one.rank for one in considered], sorted(one.rank for one in considered))
        for one in considered:
            self.assertRegex(one.who, r"\A[ -~]+\Z")
            self.assertTrue(one.offer is not None or one.reason)
        offers = {(candidate.rank, candidate.offer) for candidate in source.candidates(wanted)}
        self.assertLessEqual({(one.rank, one.offer) for one in considered if one.offer is not None}, offers)
        self.assertEqual((self.network.asked, self.clock.getDelayedCalls()), ([], []))

    def test_yes(self) -> None:
        """Packages and signatures are had, and again, with the size that was found and without a timer left behind."""
        source = self.source()
        for request, size in ((PACKAGE, SIZE), (SIGNATURE, None), (PACKAGE, SIZE)):
            candidate = self.candidates(source, request, size)[0]
            self.good(self.successResultOf(self.settle(candidate)))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_databases(self) -> None:
        """Databases and their signatures come from mirrors and their folders, and never from caches or peers, whatever these have."""
        source = self.source()
        for request in DATABASES:
            candidates = self.candidates(source, request, None)
            self.assertEqual(bool(candidates), self.has_databases)
            for candidate in candidates:
                self.good(self.successResultOf(self.settle(candidate)))

    def test_another_size(self) -> None:
        """A file of another size than the database states is not the file: it is no candidate, or fails as one."""
        source = self.source()
        for size in (SIZE - 1, SIZE + 1):
            for candidate in self.candidates(source, PACKAGE, size):
                self.failureResultOf(self.settle(candidate), FetchError)

    def test_gone(self) -> None:
        """A candidate that has not the file any more says so, and nobody is to blame."""
        source = self.source()
        for request, size in ((PACKAGE, SIZE), (SIGNATURE, None)):
            candidates = self.candidates(source, request, size)
            self.take_away()
            for candidate in candidates:
                error = self.failureResultOf(self.settle(candidate), AbsentError).value
                self.assertEqual(len(str(error).splitlines()), 1)

    def test_settled_twice(self) -> None:
        """A candidate may be settled more than once."""
        candidate = self.candidates(self.source())[0]
        for _ in range(2):
            self.good(self.successResultOf(self.settle(candidate)))


class RemoteSourceContract(SourceContract):
    """
    For sources that ask other hosts.

    Attributes:
        undecided: Answers that say neither yes nor no, upon which the next candidate is tried.
    """

    undecided: Sequence[Page] = (Page(status=500), Page(status=503), Page(status=403))

    @abstractmethod
    def become(self, host: Page | Line) -> None:
        """All hosts behind the source behave like this from now on."""

    def test_failures(self) -> None:
        """A host that can't say is not taken for one that says no."""
        hosts: list[Page | Line] = [Line.REFUSES, *self.undecided]
        for host in hosts:
            source = self.source()
            candidates = self.candidates(source)
            self.become(host)
            error = self.failureResultOf(self.settle(candidates[0]), FetchError).value
            self.assertNotIsInstance(error, AbsentError)
            self.assertRegex(str(error), r"\A[ -~]{1,500}\Z")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_time(self) -> None:
        """A host that never answers costs no more than the time there is, and lets go of its connection."""
        candidates = self.candidates(self.source())
        self.become(Line.SILENT)
        asked = self.settle(candidates[0])
        outcomes: list[Location | Failure] = []
        asked.addBoth(outcomes.append)
        for _ in range(int(TIME * 10)):
            self.clock.advance(0.1)
        ((outcome),) = outcomes
        assert isinstance(outcome, Failure)
        self.assertIsInstance(outcome.value, FetchError)
        self.assertNotIsInstance(outcome.value, AbsentError)
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls()), (len(self.network.asked), []))

    def test_cancelled(self) -> None:
        """Who does not want to know any more takes every question along."""
        candidates = self.candidates(self.source())
        self.become(Line.SILENT)
        asked = self.settle(candidates[0])
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls()), (len(self.network.asked), []))

    def test_asked(self) -> None:
        """The location is at a host that was asked, and said yes; a query is for the client."""
        location = self.successResultOf(self.settle(self.candidates(self.source())[0]))
        assert isinstance(location, RemoteFile)
        self.assertIn(f"HEAD {location.url.partition('?')[0]}", self.network.asked)
