"""Tests for `pacserve.transfer.leader_search`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.leader_search import (
    CLAIM_AGAIN_DELAY,
    LEADER_PROGRESS_TIMEOUT,
    LEADERS_LIMIT,
    LONGEST_PROGRESS_TIMEOUT,
    USEFUL_BYTES,
    USELESS_LEADERS_LIMIT,
    Claim,
    Claiming,
    LeaderSearch,
)
from tests.fakes.claims import AnsweredClaim
from tests.fakes.lateness import LateBy
from tests.unit.transfer.simulator import EXPECTED, NAME, Behaviour, SimulatedMirror

REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)


class Keeper(Claiming):
    """
    Says what it is told to.

    Attributes:
        papers: What it said.
    """

    def __init__(self) -> None:
        self.leader: Upstream | None = None
        self.papers: list[AnsweredClaim] = []
        self.asked: list[tuple[FileRequest, ExpectedFile | None]] = []
        self.written: Callable[[], int] = int

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        self.asked.append((request, expected))
        self.written = written
        self.papers.append(AnsweredClaim(self.leader))
        return self.papers[-1]


class LeaderSearchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.keeper = Keeper()
        self.host = SimulatedMirror(self.clock, 1, Behaviour())
        self.search = LeaderSearch(self.keeper, REQUEST, EXPECTED, self.clock)

    def ask(self, arrived_at: float, total: int = 0) -> Deferred[Upstream | None]:
        """Asks whom to follow."""
        return Deferred.fromCoroutine(self.search.next_leader(arrived_at, total))

    def test_nobody(self) -> None:
        """Where nobody downloads the file yet the claim is this host's as long as it does."""
        self.assertIsNone(self.successResultOf(self.ask(0.0)))
        self.assertEqual((self.keeper.asked, self.keeper.papers[0].ended), ([(REQUEST, EXPECTED)], []))
        for _ in range(2):
            self.search.end(kept=True)
        self.assertEqual(self.keeper.papers[0].ended, [True])

    def test_somebody(self) -> None:
        """A host that downloads the file already is followed."""
        self.keeper.leader = self.host
        self.assertIs(self.successResultOf(self.ask(0.0)), self.host)

    def test_next(self) -> None:
        """A leader that gave much and no more is given up, and the keeper asked at once."""
        self.keeper.leader = self.host
        self.successResultOf(self.ask(0.0))
        self.clock.advance(1.0)
        self.assertIs(self.successResultOf(self.ask(1.0, USEFUL_BYTES)), self.host)
        self.assertEqual([paper.ended for paper in self.keeper.papers], [[False], []])

    def test_of_no_use(self) -> None:
        """After a leader that gave nothing the keeper is asked a little later, so that it may have noticed."""
        self.keeper.leader = self.host
        self.successResultOf(self.ask(0.0))
        asked = self.ask(0.0)
        self.clock.advance(CLAIM_AGAIN_DELAY - 0.1)
        self.assertNoResult(asked)
        self.keeper.leader = None
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_patience(self) -> None:
        """When nothing has come for some seconds nobody is followed any more, whatever the keeper would say."""
        self.keeper.leader = self.host
        self.successResultOf(self.ask(0.0))
        self.clock.advance(LEADER_PROGRESS_TIMEOUT)
        for _ in range(2):
            self.assertIsNone(self.successResultOf(self.ask(0.0)))
        self.assertEqual(([paper.ended for paper in self.keeper.papers], self.host.verdicts), ([[False]], ["failed"]))

    def test_late_host(self) -> None:
        """A host that is late itself bears the silence of its leader for longer."""
        self.search = LeaderSearch(self.keeper, REQUEST, EXPECTED, self.clock, LateBy(0.5))
        self.keeper.leader = self.host
        self.successResultOf(self.ask(0.0))
        self.clock.advance(LEADER_PROGRESS_TIMEOUT)
        asked = self.ask(0.0)
        self.clock.advance(CLAIM_AGAIN_DELAY)
        self.assertIs(self.successResultOf(asked), self.host)
        self.clock.advance(LONGEST_PROGRESS_TIMEOUT)
        self.assertIsNone(self.successResultOf(self.ask(0.0)))

    def test_joined(self) -> None:
        """A claim that turns out to be another host's tells of it at once, and that host is the next leader; the keeper is not asked again."""
        told: list[str] = []
        self.search.watch(partial(told.append, "joined"))
        self.assertIsNone(self.successResultOf(self.ask(0.0)))
        self.clock.advance(LEADER_PROGRESS_TIMEOUT)
        self.keeper.papers[0].lose(self.host)
        self.assertEqual(told, ["joined"])
        self.assertIs(self.successResultOf(self.ask(0.0, USEFUL_BYTES)), self.host)
        self.assertEqual((len(self.keeper.asked), self.keeper.papers[0].ended), (1, []))
        self.assertIsNone(self.successResultOf(self.ask(0.0, USEFUL_BYTES)))
        self.assertEqual((self.keeper.papers[0].ended, self.host.verdicts), ([False], ["failed"]))

    def test_written(self) -> None:
        """The keeper can be told how much is here."""
        self.search = LeaderSearch(self.keeper, REQUEST, EXPECTED, self.clock, written=lambda: 70)
        self.successResultOf(self.ask(0.0))
        self.assertEqual(self.keeper.written(), 70)

    def test_sent_elsewhere(self) -> None:
        """A better leader that the keeper names is the next one, and the one before is not to blame."""
        self.keeper.leader, better = self.host, SimulatedMirror(self.clock, 2, Behaviour())
        self.successResultOf(self.ask(0.0))
        self.clock.advance(LEADER_PROGRESS_TIMEOUT)
        self.keeper.papers[0].lose(better)
        self.assertIs(self.successResultOf(self.ask(0.0, USEFUL_BYTES)), better)
        self.assertEqual((len(self.keeper.asked), self.keeper.papers[0].ended, self.host.verdicts), (1, [], []))

    def test_joined_too_often(self) -> None:
        """A keeper that takes a claim away again and again can't keep a download from its mirrors for ever."""
        told: list[str] = []
        self.search.watch(partial(told.append, "joined"))
        for number in range(2 * LEADERS_LIMIT):
            self.keeper.leader = None
            self.successResultOf(self.ask(self.clock.seconds(), number * USEFUL_BYTES))
            self.keeper.papers[-1].lose(self.host)
            self.successResultOf(self.ask(self.clock.seconds(), number * USEFUL_BYTES))
        self.assertLessEqual(len(told), LEADERS_LIMIT)

    def test_useless(self) -> None:
        """Leaders that give a little, and then nothing, are told so, and followed only a few times for one file."""
        self.keeper.leader = self.host
        for number in range(USELESS_LEADERS_LIMIT):
            asked = self.ask(self.clock.seconds(), number * (USEFUL_BYTES - 1))
            self.clock.advance(CLAIM_AGAIN_DELAY)
            self.assertIsNotNone(self.successResultOf(asked))
        asked = self.ask(self.clock.seconds(), USELESS_LEADERS_LIMIT * (USEFUL_BYTES - 1))
        self.clock.advance(CLAIM_AGAIN_DELAY)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.host.verdicts, ["failed"] * USELESS_LEADERS_LIMIT)

    def test_useful(self) -> None:
        """Leaders that give much are followed as often as they do."""
        self.keeper.leader = self.host
        for number in range(3 * LEADERS_LIMIT):
            self.assertIsNotNone(self.successResultOf(self.ask(self.clock.seconds(), number * USEFUL_BYTES)))
            self.clock.advance(0.5)
        self.assertEqual(self.host.verdicts, [])

    def test_cancelled(self) -> None:
        """A download that is given up while the keeper is let alone leaves nothing behind."""
        self.keeper.leader = self.host
        self.successResultOf(self.ask(0.0))
        asked = self.ask(0.0)
        asked.cancel()
        self.failureResultOf(asked)
        self.search.end(kept=False)
        self.assertEqual((self.clock.getDelayedCalls(), self.keeper.papers[0].ended), ([], [False]))
