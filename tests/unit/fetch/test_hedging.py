"""Tests for `pacserve.fetch.hedging`."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.hedging import RESERVE_DELAY, RUNNING_LIMIT, first_yes

Question = Callable[[], Coroutine[Any, Any, str]]


class FirstYesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    def question(self, name: str, outcome: str | Exception | Deferred[str]) -> Question:
        """One question; a Deferred is waited for."""

        async def ask() -> str:
            self.asked.append(name)
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Deferred):
                try:
                    return await outcome
                except CancelledError:
                    self.cancelled.append(name)
                    raise
            return outcome

        return ask

    def run_all(self, *questions: Question, patience: float = 0.0, outrun: Callable[[int], object] | None = None) -> Deferred[str]:
        """Begins to ask."""
        return Deferred.fromCoroutine(first_yes(questions, self.clock, patience, outrun))

    def test_all_at_once(self) -> None:
        """Without patience all are asked at once, and the first yes wins, whoever gives it."""
        slow, fast, never = Deferred[str](), Deferred[str](), Deferred[str]()
        answer = self.run_all(self.question("a", slow), self.question("b", fast), self.question("c", never))
        self.assertEqual(self.asked, ["a", "b", "c"])
        fast.callback("yes")
        self.assertEqual((self.successResultOf(answer), self.cancelled), ("yes", ["a", "c"]))

    def test_patience(self) -> None:
        """Each further one is asked when there was no answer for so many seconds."""
        first = Deferred[str]()
        answer = self.run_all(self.question("a", first), self.question("b", Deferred()), self.question("c", Deferred()), patience=1.0)
        for seconds, asked in ((0.9, "a"), (0.1, "ab"), (0.9, "ab"), (0.1, "abc"), (5.0, "abc")):
            self.clock.advance(seconds)
            self.assertEqual("".join(self.asked), asked)
        first.callback("late, but the first")
        self.assertEqual((self.successResultOf(answer), self.cancelled, self.clock.getDelayedCalls()), ("late, but the first", ["b", "c"], []))

    def test_widening(self) -> None:
        """Where most may be silent ever more are asked ever sooner, and those that were asked no later than the one that answers are named."""
        answers = {name: Deferred[str]() for name in "abcdefghijklmnopqrst"}
        outrun: list[int] = []
        answer = self.run_all(*(self.question(name, answers[name]) for name in answers), patience=2.0, outrun=outrun.append)
        for seconds, asked in ((1.9, 1), (0.1, 2), (0.9, 2), (0.1, 4), (0.5, 8), (0.5, 16)):
            self.clock.advance(seconds)
            self.assertEqual(len(self.asked), asked)
        answers["c"].errback(FetchError("refused"))
        self.assertEqual(len(self.asked), 17)
        answers["f"].callback("yes")
        self.assertEqual((self.successResultOf(answer), outrun), ("yes", [0, 1, 3, 4, 6, 7]))
        self.assertEqual((len(self.cancelled), self.clock.getDelayedCalls()), (15, []))

    def test_many_silent(self) -> None:
        """However many are silent, so many are asked at the same time and no more."""
        questions = [self.question(f"{number}", Deferred()) for number in range(100)]
        answer = self.run_all(*questions, patience=1.0, outrun=bool)
        self.clock.pump([0.25] * 100)
        self.assertEqual(len(self.asked), RUNNING_LIMIT)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(len(self.cancelled), RUNNING_LIMIT)

    def test_no_need(self) -> None:
        """Who is not needed is not asked."""
        self.assertEqual(self.successResultOf(self.run_all(self.question("a", "yes"), self.question("b", "yes"), patience=1.0)), "yes")
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), (["a"], []))

    def test_failure(self) -> None:
        """After a failure the next one is asked at once."""
        answer = self.run_all(self.question("a", FetchError("down")), self.question("b", AbsentError("404")), self.question("c", "yes"), patience=1.0)
        self.assertEqual((self.successResultOf(answer), self.clock.getDelayedCalls()), ("yes", []))

    def test_failure_while_others_are_asked(self) -> None:
        """When one fails while another has not answered the next is asked at once, and patience is counted anew from there."""
        first, second, third = Deferred[str](), Deferred[str](), Deferred[str]()
        questions = [self.question(name, deferred) for name, deferred in (("a", first), ("b", second), ("c", third), ("d", Deferred()))]
        answer = self.run_all(*questions, patience=1.0)
        self.clock.advance(1.0)
        self.clock.advance(0.5)
        first.errback(FetchError("down"))
        self.assertEqual(self.asked, ["a", "b", "c"])
        self.clock.advance(0.9)
        self.assertEqual(self.asked, ["a", "b", "c"])
        self.clock.advance(0.1)
        self.assertEqual(self.asked, ["a", "b", "c", "d"])
        second.callback("yes")
        self.assertEqual((self.successResultOf(answer), self.cancelled, self.clock.getDelayedCalls()), ("yes", ["c", "d"], []))

    def test_yes_and_no_together(self) -> None:
        """With all asked at once, those that end before the next is asked count as they would later."""
        slow = Deferred[str]()
        questions = [self.question("a", AbsentError("404")), self.question("b", slow), self.question("c", FetchError("down"))]
        answer = self.run_all(*questions)
        self.assertEqual(self.asked, ["a", "b", "c"])
        self.assertNoResult(answer)
        slow.errback(AbsentError("410"))
        self.assertEqual(str(self.failureResultOf(answer, FetchError).value), "down; 404; 410")

    def in_reserve(self, *questions: Question, reserve: int, patience: float = 1.0) -> Deferred[str]:
        """Begins to ask; so many of the last are in reserve."""
        return Deferred.fromCoroutine(first_yes(questions, self.clock, patience, bool, reserve))

    def test_reserve_after_failures(self) -> None:
        """Those in reserve are asked once all others have failed, one after the other."""
        slow = Deferred[str]()
        questions = [
            self.question("a", FetchError("down")),
            self.question("b", slow),
            self.question("c", FetchError("down")),
            self.question("d", "yes"),
        ]
        answer = self.in_reserve(*questions, reserve=2)
        self.clock.advance(RESERVE_DELAY - 0.1)
        self.assertEqual(self.asked, ["a", "b"])
        slow.errback(AbsentError("404"))
        self.assertEqual((self.successResultOf(answer), self.asked, self.clock.getDelayedCalls()), ("yes", ["a", "b", "c", "d"], []))

    def test_reserve_after_silence(self) -> None:
        """Where the others are silent those in reserve are asked soon enough, and not before; the silent ones may still win."""
        slow = Deferred[str]()
        questions = [self.question("a", slow), *(self.question(name, Deferred()) for name in "bcd")]
        answer = self.in_reserve(*questions, reserve=2)
        self.clock.pump([1.0, RESERVE_DELAY - 0.1])
        self.assertEqual(self.asked, ["a", "b"])
        self.clock.advance(0.1)
        self.assertEqual(self.asked, ["a", "b", "c"])
        slow.callback("yes")
        self.assertEqual((self.successResultOf(answer), self.cancelled, self.clock.getDelayedCalls()), ("yes", ["b", "c"], []))

    def test_all_in_reserve(self) -> None:
        """Where all are in reserve they are asked as if none were."""
        answer = self.in_reserve(self.question("a", Deferred()), self.question("b", "yes"), reserve=2)
        self.clock.advance(1.0)
        self.assertEqual((self.successResultOf(answer), self.asked), ("yes", ["a", "b"]))

    def test_nobody_in_reserve_has_it(self) -> None:
        """Those in reserve have their say in the error."""
        answer = self.in_reserve(self.question("a", AbsentError("404")), self.question("b", FetchError("429")), reserve=1)
        self.assertEqual(str(self.failureResultOf(answer, FetchError).value), "429; 404")

    def test_nobody(self) -> None:
        """When all say no it is absent; when one could not say, that is not known."""
        no, down = AbsentError("404"), FetchError("down")
        for patience in (0.0, 1.0):
            error = self.failureResultOf(self.run_all(self.question("a", no), self.question("b", no), patience=patience), AbsentError).value
            self.assertEqual(str(error), "404; 404")
            error = self.failureResultOf(self.run_all(self.question("a", no), self.question("b", down), patience=patience), FetchError).value
            self.assertNotIsInstance(error, AbsentError)

    def test_many_reasons(self) -> None:
        """The error of many says why a few failed, first those that could not say, and how many more there were."""
        questions = [self.question("a", AbsentError("404")) for _ in range(30)] + [self.question("b", FetchError("down"))]
        error = self.failureResultOf(self.run_all(*questions), FetchError).value
        self.assertEqual(str(error), "down; 404; 404; 404; 27 more")
        error = self.failureResultOf(self.run_all(*questions[:5]), AbsentError).value
        self.assertEqual(str(error), "404; 404; 404; 404; 1 more")

    def test_defect(self) -> None:
        """A defect is not taken for a no, and ends no answer that another gives, where it is logged."""
        answer = self.run_all(self.question("a", ZeroDivisionError()), self.question("b", AbsentError("404")), patience=1.0)
        self.failureResultOf(answer, ZeroDivisionError)
        answer = self.run_all(self.question("a", ZeroDivisionError()), self.question("b", "yes"), patience=1.0)
        self.assertEqual(self.successResultOf(answer), "yes")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled(self) -> None:
        """Who goes takes the questions along."""
        answer = self.run_all(self.question("a", Deferred()), self.question("b", Deferred()), patience=1.0)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual((self.cancelled, self.asked, self.clock.getDelayedCalls()), (["a"], ["a"], []))

    def test_late_failure(self) -> None:
        """What the losers fail with after the end is heard by nobody, and logged by nobody."""
        slow: Deferred[str] = Deferred(lambda deferred: deferred.errback(ZeroDivisionError()))
        self.assertEqual(self.successResultOf(self.run_all(self.question("a", slow), self.question("b", "yes"))), "yes")
        self.assertEqual(self.flushLoggedErrors(), [])
