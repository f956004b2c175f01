"""What whoever uses a `pacserve.interfaces.PackageSource` relies on."""

from __future__ import annotations

from abc import abstractmethod

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.web.answers import Answer, DocumentAnswer, EventsAnswer, FileAnswer, RedirectAnswer, StreamAnswer
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

    def settle(self, candidate: Candidate) -> Deferred[Answer]:
        """Begins to settle a candidate."""
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + TIME))

    def good(self, answer: Answer) -> None:
        """The answer is for the right file."""
        assert not isinstance(answer, (DocumentAnswer, EventsAnswer))
        if isinstance(answer, FileAnswer):
            self.addCleanup(answer.held.file.close)
            self.assertEqual(answer.held.size, SIZE)
        elif isinstance(answer, StreamAnswer):
            self.assertEqual(answer.file.size, SIZE)
        else:
            self.assertEqual(answer.size, SIZE)
            self.assertRegex(answer.url, r"\Ahttps?://[!-~]+\Z")
        self.assertRegex(answer.origin, r"\A[ -~]+\Z")

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

    def test_yes(self) -> None:
        """Packages and signatures are had, and again, with the size that was found and without a timer left behind."""
        source = self.source()
        for request, size in ((PACKAGE, SIZE), (PACKAGE, None), (SIGNATURE, None), (PACKAGE, SIZE)):
            candidate = self.candidates(source, request, size)[0]
            self.good(self.successResultOf(self.settle(candidate)))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_databases(self) -> None:
        """Databases and their signatures come from mirrors, and never from caches or peers, whatever these have."""
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
    """For sources that ask other hosts."""

    @abstractmethod
    def become(self, host: Page | Line) -> None:
        """All hosts behind the source behave like this from now on."""

    def test_failures(self) -> None:
        """A host that can't say is not taken for one that says no."""
        for host in (Line.REFUSES, Page(status=500), Page(status=503), Page(status=403)):
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
        outcomes: list[Answer | Failure] = []
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

    def test_redirect(self) -> None:
        """pacman is sent to a host that was asked, and said yes."""
        answer = self.successResultOf(self.settle(self.candidates(self.source())[0]))
        assert isinstance(answer, RedirectAnswer)
        self.assertIn(f"HEAD {answer.url}", self.network.asked)
