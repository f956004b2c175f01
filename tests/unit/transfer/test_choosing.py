"""Tests for `pacserve.transfer.choosing`."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead, IncomingBody
from pacserve.transfer.choosing import BODY_TIMEOUT, Overtaking

SILENCE = 3.0


class HandBody(IncomingBody):
    """
    A body that is given by hand.

    Attributes:
        let_go: Whether it was given up before it ended.
    """

    def __init__(self) -> None:
        self.stall = 0.0
        self.let_go = False
        self._take: Callable[[bytes], float] = lambda _: 0.0
        self._ended: Deferred[None] = Deferred()

    @property
    def answer(self) -> AnswerHead:
        raise NotImplementedError

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        self._take, self.stall = take, stall
        try:
            await self._ended
        except CancelledError:
            self.let_go = True
            raise

    def drop(self) -> None:
        self.let_go = True

    def give(self, data: bytes = b"x") -> None:
        """More of it comes."""
        try:
            self._take(data)
        except Exception:
            self._ended.errback()

    def end(self, error: Exception | None = None) -> None:
        """It has ended."""
        if error is None:
            self._ended.callback(None)
        else:
            self._ended.errback(error)


class OvertakingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.body = HandBody()
        self.taken = b""
        self.wait = 0.0
        self.questions: list[Deferred[str]] = []
        self.cancelled = 0
        overtaking = Overtaking(self.body, self.take, lambda: SILENCE, self.ask, self.clock)
        self.running = Deferred.fromCoroutine(overtaking.run())

    def take(self, data: bytes) -> float:
        """Takes a piece."""
        if data == b"wrong":
            raise IntegrityError("wrong")
        self.taken += data
        return self.wait

    async def ask(self) -> str:
        """Asks the others."""

        def cancel(_: Deferred[str]) -> None:
            self.cancelled += 1

        self.questions.append(Deferred(cancel))
        return await self.questions[-1]

    def assert_over(self) -> None:
        """Nothing is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whole(self) -> None:
        """A body that comes all the time is taken to its end, and nobody else is asked."""
        for _ in range(10):
            self.clock.advance(SILENCE - 0.1)
            self.body.give()
        self.body.end()
        self.assertIsNone(self.successResultOf(self.running))
        self.assertEqual((self.taken, self.questions, self.body.stall), (b"x" * 10, [], BODY_TIMEOUT))
        self.assert_over()

    def test_overtaken(self) -> None:
        """After a silence the others are asked; what they give ends the body."""
        self.body.give()
        self.clock.advance(SILENCE - 0.1)
        self.assertEqual(self.questions, [])
        self.clock.advance(0.1)
        self.assertFalse(self.body.let_go)
        self.questions[0].callback("another")
        self.assertEqual((self.successResultOf(self.running), self.body.let_go), ("another", True))
        self.assert_over()

    def test_still_wins(self) -> None:
        """A body that goes on while others are asked wins, and they are asked no more; after the next silence they are asked again."""
        for number in range(1, 4):
            self.clock.advance(SILENCE)
            self.body.give()
            self.assertEqual((len(self.questions), self.cancelled), (number, number))
        self.body.end()
        self.assertIsNone(self.successResultOf(self.running))
        self.assert_over()

    def test_end_while_asking(self) -> None:
        """A body that ends well while others are asked was whole, and they are asked no more."""
        self.clock.advance(SILENCE)
        self.body.end()
        self.assertIsNone(self.successResultOf(self.running))
        self.assertEqual(self.cancelled, 1)
        self.assert_over()

    def test_nobody(self) -> None:
        """When the others have nothing the body may still go on, or fail by itself."""
        self.clock.advance(SILENCE)
        self.questions[0].errback(FetchError("nobody"))
        self.assertNoResult(self.running)
        self.body.give()
        self.body.end(FetchError("lost"))
        self.assertEqual(str(self.failureResultOf(self.running, FetchError).value), "lost")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assert_over()

    def test_defect(self) -> None:
        """A defect in asking the others is raised, and the body let go."""
        self.clock.advance(SILENCE)
        self.questions[0].errback(ZeroDivisionError())
        self.failureResultOf(self.running, ZeroDivisionError)
        self.assertTrue(self.body.let_go)
        self.assert_over()

    def test_wrong(self) -> None:
        """What the taker raises ends it, also while others are asked."""
        self.clock.advance(SILENCE)
        self.body.give(b"wrong")
        self.failureResultOf(self.running, IntegrityError)
        self.assertEqual(self.cancelled, 1)
        self.assert_over()

    def test_limited(self) -> None:
        """The seconds for which a limit wants nothing are no silence."""
        self.wait = 20.0
        self.body.give()
        self.clock.advance(20.0 + SILENCE - 0.1)
        self.assertEqual(self.questions, [])
        self.clock.advance(0.1)
        self.assertEqual(len(self.questions), 1)
        self.running.cancel()
        self.failureResultOf(self.running, CancelledError)

    def test_cancelled(self) -> None:
        """Who wants neither any more lets go of both."""
        self.clock.advance(SILENCE)
        self.running.cancel()
        self.failureResultOf(self.running, CancelledError)
        self.assertEqual((self.body.let_go, self.cancelled), (True, 1))
        self.assert_over()
