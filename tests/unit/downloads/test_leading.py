"""Tests for L{pacserve.downloads.leading}."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.downloads.leading import LEADERS_LIMIT, PATIENCE, PAUSE, Leading
from pacserve.interfaces import Claim, Claiming, Upstream
from pacserve.model import ExpectedFile, FileKind, FileRequest
from tests.unit.downloads.simulator import EXPECTED, NAME, Behaviour, SimulatedMirror

REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)


class Paper(Claim):
    """
    What the keeper said.

    @ivar ended: Whether the file was kept, each time that the claim was ended.
    """

    def __init__(self, leaders: Sequence[Upstream]) -> None:
        self._leaders = leaders
        self.ended: list[bool] = []

    @property
    def leaders(self) -> Sequence[Upstream]:
        return self._leaders

    def end(self, *, kept: bool) -> None:
        self.ended.append(kept)


class Keeper(Claiming):
    """
    Says what it is told to.

    @ivar papers: What it said.
    """

    def __init__(self) -> None:
        self.leaders: list[Upstream] = []
        self.papers: list[Paper] = []
        self.asked: list[tuple[FileRequest, ExpectedFile | None]] = []

    async def claim(self, request: FileRequest, expected: ExpectedFile | None) -> Claim:
        self.asked.append((request, expected))
        self.papers.append(Paper(self.leaders))
        return self.papers[-1]


class LeadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.keeper = Keeper()
        self.host = SimulatedMirror(self.clock, 1, Behaviour())
        self.leading = Leading(self.keeper, REQUEST, EXPECTED, self.clock)

    def ask(self, arrived_at: float) -> Deferred[Upstream | None]:
        """Asks whom to follow."""
        return Deferred.fromCoroutine(self.leading.leader(arrived_at))

    def test_nobody(self) -> None:
        """Where nobody downloads the file yet the claim is this host's as long as it does."""
        self.assertIsNone(self.successResultOf(self.ask(0.0)))
        self.assertEqual((self.keeper.asked, self.keeper.papers[0].ended), ([(REQUEST, EXPECTED)], []))
        for _ in range(2):
            self.leading.end(kept=True)
        self.assertEqual(self.keeper.papers[0].ended, [True])

    def test_somebody(self) -> None:
        """Who downloads it already is followed, the first that the keeper names."""
        self.keeper.leaders = [self.host, SimulatedMirror(self.clock, 2, Behaviour())]
        self.assertIs(self.successResultOf(self.ask(0.0)), self.host)

    def test_next(self) -> None:
        """A leader that gave something and no more is given up, and the keeper asked at once."""
        self.keeper.leaders = [self.host]
        self.successResultOf(self.ask(0.0))
        self.clock.advance(1.0)
        self.assertIs(self.successResultOf(self.ask(1.0)), self.host)
        self.assertEqual([paper.ended for paper in self.keeper.papers], [[False], []])

    def test_of_no_use(self) -> None:
        """After a leader that gave nothing the keeper is asked a little later, so that it may have noticed."""
        self.keeper.leaders = [self.host]
        self.successResultOf(self.ask(0.0))
        asked = self.ask(0.0)
        self.clock.advance(PAUSE - 0.1)
        self.assertNoResult(asked)
        self.keeper.leaders = []
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_patience(self) -> None:
        """When nothing has come for some seconds nobody is followed any more, whatever the keeper would say."""
        self.keeper.leaders = [self.host]
        self.successResultOf(self.ask(0.0))
        self.clock.advance(PATIENCE)
        for _ in range(2):
            self.assertIsNone(self.successResultOf(self.ask(0.0)))
        self.assertEqual(([paper.ended for paper in self.keeper.papers], self.host.verdicts), ([[False]], ["failed"]))

    def test_bounded(self) -> None:
        """Only so many leaders are followed for one file, though each gives a little."""
        self.keeper.leaders = [self.host]
        for _ in range(LEADERS_LIMIT):
            self.clock.advance(0.5)
            self.assertIsNotNone(self.successResultOf(self.ask(self.clock.seconds())))
        self.clock.advance(0.5)
        self.assertIsNone(self.successResultOf(self.ask(self.clock.seconds())))
        self.assertEqual(len(self.keeper.papers), LEADERS_LIMIT)

    def test_cancelled(self) -> None:
        """A download that is given up while the keeper is let alone leaves nothing behind."""
        self.keeper.leaders = [self.host]
        self.successResultOf(self.ask(0.0))
        asked = self.ask(0.0)
        asked.cancel()
        self.failureResultOf(asked)
        self.leading.end(kept=False)
        self.assertEqual((self.clock.getDelayedCalls(), self.keeper.papers[0].ended), ([], [False]))
