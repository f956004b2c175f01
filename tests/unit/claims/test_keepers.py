"""Tests for `pacserve.claims.keepers`."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.claims import Verdict
from pacserve.claims.keepers import (
    CLAIM_BUDGET,
    LONGEST_CLAIM_BUDGET,
    LONGEST_ROUND_BUDGET,
    ROUND_BUDGET,
    Keeper,
    KeeperCall,
    KeeperRound,
    rank_keepers,
)
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.lateness import PUNCTUAL
from pacserve.peers.reputation import KEEPER_PENALTY, Reputations
from tests.fakes.lateness import LateBy

FOLLOW, GRANTED = Verdict("a" * 32, granted=False), Verdict(None, granted=True)


class Simulated(KeeperCall):
    """A keeper that answers after some seconds, with a verdict or an error; None means never."""

    def __init__(self, clock: Clock, delay: float, answer: Verdict | Exception | None) -> None:
        self._clock = clock
        self._delay = delay
        self._answer = answer
        self.told: list[str] = []

    def __call__(self, action: str, timeout: float = CLAIM_BUDGET) -> Deferred[Verdict]:
        self.told.append(action)
        answering: Deferred[Verdict] = Deferred()
        answering.addTimeout(timeout, self._clock, onTimeoutCancel=_no_answer)
        if action == "ask" and self._answer is not None:
            self._clock.callLater(self._delay, self._say, answering)
        return answering

    def _say(self, answering: Deferred[Verdict]) -> None:
        if answering.called:
            return
        if isinstance(self._answer, Exception):
            answering.errback(self._answer)
        elif self._answer is not None:
            answering.callback(self._answer)


def _no_answer(_: object, __: float) -> Verdict:
    raise FetchError("no answer")


class RoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reputations = Reputations()
        self.lateness = PUNCTUAL

    def ask(self, *keepers: tuple[float, Verdict | Exception | None]) -> Deferred[tuple[Verdict, KeeperCall]]:
        """Begins a round with keepers that answer so, after so many seconds."""
        self.keepers = [Simulated(self.clock, delay, answer) for delay, answer in keepers]
        asked = [Keeper(f"{number}", call, self.reputations.of(f"{number}")) for number, call in enumerate(self.keepers)]
        return Deferred.fromCoroutine(KeeperRound(asked, self.clock, self.lateness).run()).addCallback(lambda result: (result[0], result[1].call))

    def after(self, seconds: float) -> None:
        """Time goes by in small steps."""
        self.clock.pump([0.01] * round(seconds / 0.01))

    def released(self) -> list[int]:
        """Who was told that a claim is not needed."""
        return [number for number, keeper in enumerate(self.keepers) if "release" in keeper.told]

    def test_late_host(self) -> None:
        """A host that is late itself gives a keeper longer before it asks the next one, and longer to answer; a bound remains."""
        self.lateness = LateBy(0.1)
        asking = self.ask((0.5, FOLLOW), (0.0, GRANTED))
        self.after(0.51)
        self.assertEqual(self.successResultOf(asking), (FOLLOW, self.keepers[0]))
        self.assertEqual(self.keepers[1].told, [])
        self.lateness = LateBy(60.0)
        asking = self.ask((0.0, None), (0.0, None), (0.0, None))
        self.after(LONGEST_CLAIM_BUDGET - 0.01)
        self.assertEqual([keeper.told for keeper in self.keepers], [["ask"], [], []])
        self.after(LONGEST_ROUND_BUDGET - LONGEST_CLAIM_BUDGET + 0.02)
        self.failureResultOf(asking, FetchError)

    def test_first(self) -> None:
        """The first keeper's word counts at once, and nobody else is asked."""
        asking = self.ask((0.1, GRANTED), (0.0, FOLLOW))
        self.after(0.11)
        self.assertEqual(self.successResultOf(asking), (GRANTED, self.keepers[0]))
        self.assertEqual(self.keepers[1].told, [])

    def test_late(self) -> None:
        """A first keeper that is late is heard before a claim counts that the next one granted, which is given back."""
        asking = self.ask((0.3, FOLLOW), (0.0, GRANTED))
        self.after(0.29)
        self.assertNoResult(asking)
        self.after(0.02)
        self.assertEqual(self.successResultOf(asking)[0], FOLLOW)
        self.assertEqual(self.released(), [1])

    def test_silent(self) -> None:
        """A claim of the second counts when the first had its time; who did not answer is told to forget it, and not waited for for a while."""
        asking = self.ask((0.0, None), (0.0, GRANTED))
        self.after(ROUND_BUDGET + 0.01)
        self.assertEqual(self.successResultOf(asking), (GRANTED, self.keepers[1]))
        self.assertEqual(self.released(), [0])
        asking = self.ask((0.0, None), (0.0, GRANTED))
        self.after(CLAIM_BUDGET + 0.01)
        self.successResultOf(asking)
        self.clock.advance(KEEPER_PENALTY)
        asking = self.ask((0.0, None), (0.0, GRANTED))
        self.after(ROUND_BUDGET - 0.01)
        self.assertNoResult(asking)
        self.after(0.02)
        self.successResultOf(asking)

    def test_refuses(self) -> None:
        """Nobody waits for a keeper that has failed, or is none."""
        for error in (FetchError("refused"), RemoteProtocolError("nonsense")):
            asking = self.ask((0.2, error), (0.0, GRANTED))
            self.after(0.21)
            self.assertEqual(self.successResultOf(asking), (GRANTED, self.keepers[1]))

    def test_follow(self) -> None:
        """Whom a later keeper names is followed at once: that costs nobody anything."""
        asking = self.ask((0.0, None), (0.0, FOLLOW))
        self.after(CLAIM_BUDGET + 0.01)
        self.assertEqual(self.successResultOf(asking), (FOLLOW, self.keepers[1]))
        self.assertEqual(self.released(), [0])

    def test_cancelled(self) -> None:
        """Whoever leaves gives back what it may have been granted."""
        asking = self.ask((0.0, None), (0.0, GRANTED))
        self.after(0.2)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.released(), [0, 1])

    def test_nobody(self) -> None:
        """Without any answer the round ends in time."""
        asking = self.ask((0.0, None), (0.0, None), (0.0, None))
        self.after(ROUND_BUDGET + 0.01)
        self.failureResultOf(asking, FetchError)
        self.assertEqual(self.released(), [0, 1, 2])

    @given(
        st.lists(
            st.tuples(st.floats(0, 1), st.sampled_from([FOLLOW, GRANTED, None, FetchError("x"), RemoteProtocolError("x")])), min_size=1, max_size=3
        )
    )
    def test_ends(self, keepers: list[tuple[float, Verdict | Exception | None]]) -> None:
        """However the keepers behave the round ends in time, holds at most one claim, and leaves nothing behind."""
        self.setUp()
        asking = self.ask(*keepers)
        asking.addErrback(lambda failure: failure.trap(FetchError) and None)
        self.after(ROUND_BUDGET + 0.02)
        result = self.successResultOf(asking)
        granted = [number for number, keeper in enumerate(self.keepers) if keeper.told == ["ask"] and keepers[number][1] is GRANTED]
        held = [number for number in granted if result is not None and self.keepers[number] is result[1]]
        self.assertEqual(granted, held)
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_own(self) -> None:
        """This host, which has no reputation with itself, may be the only keeper."""
        call = Simulated(self.clock, 0.0, GRANTED)
        asking = Deferred.fromCoroutine(KeeperRound([Keeper("own", call, None)], self.clock).run())
        self.clock.advance(0.0)
        self.assertEqual(self.successResultOf(asking)[0], GRANTED)


HOSTS = [f"{number:032x}" for number in range(20)]


class RankTests(SynchronousTestCase):
    def test_agreement(self) -> None:
        """All hosts that know the same hosts come to the same order."""
        shuffled = list(HOSTS)
        Random(1).shuffle(shuffled)
        self.assertEqual(rank_keepers("a", HOSTS), rank_keepers("a", shuffled))
        self.assertEqual(sorted(rank_keepers("a", HOSTS)), HOSTS)

    def test_share(self) -> None:
        """Each host keeps its share of the files."""
        first = Counter(rank_keepers(f"file {number}", HOSTS)[0] for number in range(4000))
        self.assertEqual(len(first), 20)
        self.assertTrue(120 < min(first.values()) <= max(first.values()) < 300)

    def test_one_goes(self) -> None:
        """When a host goes, only what it kept is kept by another one, the one that came after it."""
        for number in range(200):
            before = rank_keepers(f"file {number}", HOSTS)
            self.assertEqual(rank_keepers(f"file {number}", HOSTS[1:]), [host for host in before if host != HOSTS[0]])
