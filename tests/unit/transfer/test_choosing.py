"""Tests for `pacserve.transfer.choosing`."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead, IncomingBody
from pacserve.fetch.hedging import RESERVE_DELAY
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.choosing import BODY_TIMEOUT, MIRROR_RATE_ASSUMED, PEER_RATE_ASSUMED, SECOND_SOURCE_DELAY, Overtaking, Sources
from tests.fakes.lateness import LateBy
from tests.fakes.upstreams import Mirror

SILENCE = 3.0
DATA = bytes(range(200))


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
        """An error of `take` ends the body, also while others are asked."""
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
        """A download that is cancelled drops the body, and asks the others no more."""
        self.clock.advance(SILENCE)
        self.running.cancel()
        self.failureResultOf(self.running, CancelledError)
        self.assertEqual((self.body.let_go, self.cancelled), (True, 1))
        self.assert_over()


class SourcesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock = Clock()
        file = FileIO(f"{folder.name}/file", "x+b")
        self.addCleanup(file.close)
        self.arrival = Arrival(ExpectedFile(len(DATA), bytes(32)), Storage(lambda: file))
        self.mirrors = [Mirror(self.clock, label, DATA) for label in "abc"]
        self.sources = Sources("file", self.mirrors, self.arrival, self.clock)

    def asked(self) -> str:
        """Returns the labels of the mirrors that were asked since the last call."""
        labels = "".join(mirror.label for mirror in self.mirrors for _ in mirror.asked)
        for mirror in self.mirrors:
            mirror.asked.clear()
        return labels

    def arrive(self, source: Mirror, count: int) -> None:
        """Has bytes of a source arrive."""
        opened = self.successResultOf(Deferred.fromCoroutine(self.sources.ask(source, 1.0)))
        self.arrival.begin(source, opened.answer)
        self.arrival.add(source, DATA[:count])
        self.asked()

    def test_order(self) -> None:
        """The first source that answers well is taken, and one that did not comes last."""
        first, second, _ = self.mirrors
        first.faults["refuses"] = True
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, second)
        self.assertEqual(self.asked(), "ab")
        first.faults.clear()
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, second)
        self.sources.ask_next(first)
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, first)
        self.sources.remove(first)
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, second)
        self.assertEqual(len(self.sources), 2)

    def test_patience(self) -> None:
        """One more source is asked each time that no answer comes for a while, and the answers that are not needed are dropped."""
        self.mirrors[0].faults["silent"] = True
        opening = Deferred.fromCoroutine(self.sources.first())
        self.clock.advance(SECOND_SOURCE_DELAY - 0.1)
        self.assertEqual(self.asked(), "a")
        self.clock.advance(0.1)
        self.assertIs(self.successResultOf(opening).source, self.mirrors[1])
        self.assertEqual((self.asked(), self.clock.getDelayedCalls()), ("b", []))

    def test_late_host(self) -> None:
        """A host that is late itself gives a source longer before it asks another one, whose bytes would be of no use."""
        self.sources = Sources("file", self.mirrors, self.arrival, self.clock, LateBy(0.25))
        self.mirrors[0].faults["silent"] = True
        opening = Deferred.fromCoroutine(self.sources.first())
        self.clock.advance(SECOND_SOURCE_DELAY + 0.9)
        self.assertEqual(self.asked(), "a")
        self.clock.advance(0.2)
        self.assertIs(self.successResultOf(opening).source, self.mirrors[1])

    def test_black_holes(self) -> None:
        """Behind 30 sources that do not answer a good one is found within seconds, and these come last at once, for this file and for others."""
        silent = [Mirror(self.clock, f"hole {number}", DATA, silent=True) for number in range(30)]
        self.sources = Sources("file", [*silent, *self.mirrors], self.arrival, self.clock)
        opening = Deferred.fromCoroutine(self.sources.first())
        self.clock.pump([0.25] * 20)
        self.assertIs(self.successResultOf(opening).source, self.mirrors[0])
        self.assertEqual(([mirror.outruns for mirror in silent], self.clock.getDelayedCalls()), ([1] * 30, []))
        self.asked()
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, self.mirrors[0])
        self.assertEqual((self.asked(), sum(len(mirror.asked) for mirror in silent)), ("a", 30))

    def test_resting(self) -> None:
        """A source that asked to be left alone is asked last, and only when the others have failed or are silent for long."""
        first, second, third = self.mirrors
        first.rests = second.rests = True
        third.faults["silent"] = True
        opening = Deferred.fromCoroutine(self.sources.first())
        self.clock.advance(RESERVE_DELAY - 0.1)
        self.assertEqual(self.asked(), "c")
        self.clock.advance(0.1)
        self.assertIs(self.successResultOf(opening).source, first)
        self.assertEqual(self.asked(), "a")
        third.faults = {"status": 404}
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, first)
        self.assertEqual(self.asked(), "ac")
        second.rests = False
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, second)

    def test_all_rest(self) -> None:
        """Where all sources rest they are asked all the same."""
        for mirror in self.mirrors:
            mirror.rests = True
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.first())).source, self.mirrors[0])

    def test_not_left_for_one_that_rests(self) -> None:
        """A source is not left because one would be faster that rests, and does not go on from there either unless it must."""
        first, second, third = self.mirrors
        self.arrive(first, 100)
        second.known, second.rests, third.known = 1e9, True, 1000.0
        self.assertEqual(self.sources.rate_to_beat(first), MIRROR_RATE_ASSUMED)
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.successor(first))).source, third)
        third.rests = True
        self.assertIsNone(self.sources.rate_to_beat(first))
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.successor(first))).source, first)

    def test_absent(self) -> None:
        """A file that every source says it has not is absent; a source that could not say makes that a failure."""
        for mirror in self.mirrors:
            mirror.faults["status"] = 404
        self.failureResultOf(Deferred.fromCoroutine(self.sources.first()), AbsentError)
        self.mirrors[1].faults["status"] = 503
        error = self.failureResultOf(Deferred.fromCoroutine(self.sources.first())).value
        self.assertIsInstance(error, FetchError)
        self.assertNotIsInstance(error, AbsentError)

    def test_successor(self) -> None:
        """The others are asked for a continuation, one that has another file is not taken, and the silent source comes last."""
        first, second, third = self.mirrors
        self.arrive(first, 100)
        second.faults.update(etag='"other"', modified="")
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.successor(first))).source, third)
        self.assertEqual((second.asked, second.bodies[-1].dropped), ([{"Range": "bytes=100-"}], True))
        self.asked()
        self.assertTrue(self.sources.leave(third))
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.sources.successor(first))).source, first)
        self.assertEqual(self.asked(), "ab")

    def test_leave(self) -> None:
        """A slow source is left only once."""
        self.assertEqual([self.sources.leave(self.mirrors[0]) for _ in range(2)], [True, False])

    def test_rate_to_beat(self) -> None:
        """A source is compared with the best of the others that did not fail and were not left, and with no less than what any gives."""
        first, second, third = self.mirrors
        self.assertEqual(self.sources.rate_to_beat(first), MIRROR_RATE_ASSUMED)
        second.known, third.known = 1e6, 2e6
        self.assertEqual(self.sources.rate_to_beat(first), 2e6)
        self.sources.doubt(third)
        self.assertEqual(self.sources.rate_to_beat(first), 1e6)
        self.sources.leave(second)
        self.sources.leave(third)
        self.assertIsNone(self.sources.rate_to_beat(first))
        first.wan = False
        self.sources = Sources("file", self.mirrors, self.arrival, self.clock)
        self.assertEqual(self.sources.rate_to_beat(first), PEER_RATE_ASSUMED)
