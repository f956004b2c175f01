"""Tests for `pacserve.claims.following`."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.claims import Verdict
from pacserve.claims.following import REPORT_INTERVAL, Following
from pacserve.errors import FetchError, RemoteProtocolError

LEADER, OTHER = Verdict("a" * 32, granted=False), Verdict("b" * 32, granted=False)
NOBODY = Verdict(None, granted=False)


class FollowingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.moved: list[str] = []
        self.answer: Verdict | Exception | Deferred[Verdict] = LEADER
        self.following = Following(self.tell, self.clock, "a" * 32, self.moved.append)

    async def tell(self, what: str) -> Verdict:
        """The keeper is told something."""
        self.told.append(what)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Verdict) else await self.answer

    def test_reports(self) -> None:
        """The keeper is told each second how far this host is, until the end, and nothing within the first."""
        self.clock.advance(REPORT_INTERVAL - 0.1)
        self.assertEqual(self.told, [])
        self.clock.pump([REPORT_INTERVAL] * 3)
        self.following.end()
        self.following.end()
        self.assertEqual((self.told, self.moved, self.clock.getDelayedCalls()), (["report"] * 3, [], []))

    def test_moved(self) -> None:
        """Another leader is followed from then on, and is news once; a keeper that names nobody changes nothing."""
        for self.answer in (NOBODY, OTHER, OTHER, NOBODY, LEADER):
            self.clock.advance(REPORT_INTERVAL)
        self.assertEqual(self.moved, ["b" * 32, "a" * 32])
        self.following.end()

    def test_earlier_version(self) -> None:
        """A keeper that does not know reports is told nothing more."""
        self.answer = RemoteProtocolError("it answers 404")
        self.clock.pump([REPORT_INTERVAL] * 5)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["report"], []))

    def test_silent_keeper(self) -> None:
        """A keeper that does not answer is told again, one thing at a time, and what it answers after the end counts no more."""
        self.answer = FetchError("no answer")
        self.clock.pump([REPORT_INTERVAL] * 2)
        self.answer = hanging = Deferred[Verdict]()
        self.clock.pump([REPORT_INTERVAL] * 5)
        self.assertEqual(self.told, ["report"] * 3)
        self.following.end()
        hanging.callback(OTHER)
        self.assertEqual((self.moved, self.clock.getDelayedCalls()), ([], []))

    def test_defect(self) -> None:
        """A defect is logged, and ends nothing but the reports."""
        self.answer = ZeroDivisionError("a defect")
        self.clock.advance(REPORT_INTERVAL)
        self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), self.clock.getDelayedCalls()), (1, []))
