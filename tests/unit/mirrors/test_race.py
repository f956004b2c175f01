"""Tests for `pacserve.mirrors.race`."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.client import HeadAnswer
from pacserve.fetch.hedging import RESERVE_DELAY, RUNNING_LIMIT, WIDEST_STEP
from pacserve.fetch.urls import parse_url
from pacserve.mirrors.health import FIRST_PENALTY, MirrorHealth
from pacserve.mirrors.inquiry import Found, InconclusiveError, Inquiry, Question, UnfitError
from pacserve.mirrors.mirror import Mirror
from pacserve.mirrors.race import NEXT_MIRROR_DELAY, Race, describe


def mirror(name: str) -> Mirror:
    """A mirror at a host of that name."""
    return Mirror(f"http://{name}", parse_url(f"http://{name}"), False)


class HandInquiry(Inquiry):
    """Every question waits until the test answers it, or until its deadline."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.waiting: dict[str, Deferred[Found]] = {}
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.by_get: dict[str, Found | Exception] = {}

    async def ask(self, mirror: Mirror, question: Question) -> Found:
        name = mirror.url.host
        self.asked.append(name)
        self.waiting[name] = Deferred(lambda _: self.cancelled.append(name))
        timer = self.clock.callLater(question.deadline - self.clock.seconds(), lambda: self.waiting[name].errback(FetchError("no answer")))
        try:
            return await self.waiting[name]
        finally:
            if timer.active():
                timer.cancel()

    async def ask_by_get(self, mirror: Mirror, question: Question) -> Found:
        self.asked.append(f"GET {mirror.url.host}")
        answer = self.by_get[mirror.url.host]
        if isinstance(answer, Exception):
            raise answer
        return answer


def busy(status: int) -> HeadAnswer:
    """An answer that asks to be left alone for a minute."""
    return HeadAnswer(status, 0, Headers({"Retry-After": ["60"]}))


class RaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.health = MirrorHealth()
        self.inquiry = HandInquiry(self.clock)

    def race(self, names: Sequence[str] = "abc", deadline: float = 8.0) -> Deferred[Any]:
        """Starts a race of mirrors with such names."""
        mirrors = [mirror(name) for name in names]
        return Deferred.fromCoroutine(Race(self.inquiry, self.health, self.clock, mirrors, Question("x", None, deadline)).run())

    def winner(self, race: Deferred[Any]) -> str:
        """Who won; nothing is left running."""
        won: tuple[Mirror, Found] = self.successResultOf(race)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return won[0].url.host

    def answer(self, name: str, result: Found | Exception) -> None:
        """The mirror answers."""
        if isinstance(result, Found):
            self.inquiry.waiting[name].callback(result)
        else:
            self.inquiry.waiting[name].errback(Failure(result))

    def order(self, names: str = "abc") -> str:
        """The order in which mirrors would be asked now."""
        return "".join(self.in_order(names))

    def in_order(self, names: Sequence[str]) -> Sequence[str]:
        """The order in which mirrors would be asked now."""
        return self.health.in_order(names, lambda name: f"http://{name}", self.clock.seconds())

    def test_first_wins(self) -> None:
        """The first mirror is asked alone, and its yes ends the race."""
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY - 0.01)
        self.assertEqual(self.inquiry.asked, ["a"])
        self.answer("a", Found(5))
        self.assertEqual(self.winner(race), "a")
        self.assertEqual(self.order(), "abc")

    def test_no_asks_the_next_at_once(self) -> None:
        """A certain no and a failure both lead to the next mirror without a wait; only the failure is held against it."""
        race = self.race()
        self.answer("a", AbsentError("404"))
        self.answer("b", FetchError("503"))
        self.assertEqual(self.inquiry.asked, ["a", "b", "c"])
        self.answer("c", Found(5))
        self.assertEqual(self.winner(race), "c")
        self.assertEqual(self.order(), "acb")

    def test_slow_mirror(self) -> None:
        """A mirror that keeps silent lets the next be asked as well, and who wins without it has it asked later for a while."""
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        self.assertEqual(self.inquiry.asked, ["a", "b"])
        self.answer("b", Found(5))
        self.assertEqual(self.winner(race), "b")
        self.assertEqual(self.inquiry.cancelled, ["a"])
        self.assertEqual(self.order(), "bca")
        self.clock.advance(FIRST_PENALTY)
        self.assertEqual(self.order(), "abc")

    def test_slow_mirror_may_win(self) -> None:
        """The first may still win, and the second, which had no time yet, is not called slow."""
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        self.answer("a", Found(5))
        self.assertEqual(self.winner(race), "a")
        self.assertEqual((self.inquiry.cancelled, self.order()), (["b"], "abc"))

    def test_all_slow(self) -> None:
        """More mirrors are asked with each second, each once."""
        race = self.race()
        self.clock.pump([NEXT_MIRROR_DELAY] * 5)
        self.assertEqual(self.inquiry.asked, ["a", "b", "c"])
        self.answer("c", Found(None))
        self.assertEqual(self.winner(race), "c")

    def test_failure_while_another_is_slow(self) -> None:
        """When the second fails while the first is silent, the third is asked at once."""
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        self.answer("b", FetchError("refused"))
        self.assertEqual(self.inquiry.asked, ["a", "b", "c"])
        self.answer("c", AbsentError("404"))
        self.answer("a", Found(1))
        self.assertEqual(self.winner(race), "a")

    def test_all_absent(self) -> None:
        """When every mirror says no for certain, so does the race."""
        race = self.race("ab")
        self.answer("a", AbsentError("404"))
        self.answer("b", AbsentError("410"))
        self.assertEqual(str(self.failureResultOf(race, AbsentError).value), "mirror http://a: 404; mirror http://b: 410")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_did_not_say(self) -> None:
        """When one mirror failed, or has another file, nobody knows for certain."""
        for error in (FetchError("connection refused"), UnfitError("has 4 bytes instead of 5")):
            race = self.race("ab")
            self.answer("a", error)
            self.answer("b", AbsentError("404"))
            failure = self.failureResultOf(race, FetchError)
            self.assertNotIsInstance(failure.value, AbsentError)
            self.assertEqual(str(failure.value), f"mirror http://a: {error}; mirror http://b: 404")
            self.health.succeeded("http://a")

    def test_unfit_is_not_blamed(self) -> None:
        """A mirror with another version of the file keeps its place."""
        race = self.race("ab")
        self.answer("a", UnfitError("has 4 bytes instead of 5"))
        self.answer("b", Found(5))
        self.assertEqual((self.winner(race), self.order()), ("b", "abc"))

    def test_deadline(self) -> None:
        """Before the deadline it is over, with a message that also says who was not asked; all that were asked come last from then on."""
        race = self.race("abcdef", deadline=1.65)
        self.clock.pump([0.05] * 31)
        self.assertEqual(self.inquiry.asked, ["a", "b", "c", "d"])
        message = str(self.failureResultOf(race, FetchError).value)
        self.assertIn("mirror http://d: no answer", message)
        self.assertIn("; no time for 2 more", message)
        self.assertEqual((self.clock.getDelayedCalls(), self.order("abcdef")), ([], "efabcd"))

    def test_black_holes(self) -> None:
        """Behind 30 mirrors that do not answer a good one is found within the deadline, and the next request asks it first."""
        for answers_after in (0.03, 0.6):
            self.setUp()
            names = [*(f"hole{number}" for number in range(30)), "z"]
            race = self.race(names, deadline=4.0)
            while "z" not in self.inquiry.asked:
                self.clock.advance(0.01)
            self.clock.advance(answers_after)
            self.answer("z", Found(5))
            self.assertEqual(self.winner(race), "z")
            self.inquiry.asked.clear()
            race = self.race(self.in_order(names))
            self.assertEqual(self.inquiry.asked, ["z"])
            race.cancel()
            self.failureResultOf(race, CancelledError)

    def test_resting(self) -> None:
        """A mirror that asked to be left alone is asked only when all others have said no or failed."""
        self.health.rest("http://b", 60, 0)
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        self.assertEqual(self.inquiry.asked, ["a", "c"])
        self.answer("a", AbsentError("404"))
        self.assertEqual(self.inquiry.asked, ["a", "c"])
        self.answer("c", FetchError("refused"))
        self.assertEqual(self.inquiry.asked, ["a", "c", "b"])
        self.answer("b", Found(5))
        self.assertEqual(self.winner(race), "b")
        self.assertTrue(self.health.resting("http://b", 1))

    def test_resting_while_others_are_silent(self) -> None:
        """Mirrors that are silent for long can't be asked either, and one that rests may save pacman from an error."""
        self.health.rest("http://a", 60, 0)
        race = self.race("ab")
        self.clock.advance(RESERVE_DELAY - 0.1)
        self.assertEqual(self.inquiry.asked, ["b"])
        self.clock.advance(0.1)
        self.assertEqual(self.inquiry.asked, ["b", "a"])
        self.answer("a", Found(5))
        self.assertEqual(self.winner(race), "a")

    def test_all_rest(self) -> None:
        """Where all rest they are asked as if none did."""
        for name in "abc":
            self.health.rest(f"http://{name}", 60, 0)
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        self.assertEqual(self.inquiry.asked, ["a", "b"])
        self.answer("b", Found(5))
        self.assertEqual(self.winner(race), "b")

    def test_resting_was_not_asked(self) -> None:
        """Where there is no time for a mirror that rests, nobody knows for certain that the file is absent."""
        self.health.rest("http://a", 60, 0)
        race = self.race("ab", deadline=2.0)
        self.clock.advance(1.9)
        failure = self.failureResultOf(race, FetchError)
        self.assertNotIsInstance(failure.value, AbsentError)
        self.assertIn("no time for 1 more", str(failure.value))

    def test_asks_for_a_rest(self) -> None:
        """A mirror that answers 429 or 503 with Retry-After rests, and is not asked again by GET as long as another one may say yes."""
        for status in (429, 503):
            self.setUp()
            race = self.race("abc")
            self.answer("a", InconclusiveError("x", faulty=False, answer=busy(status)))
            self.answer("b", InconclusiveError("405", faulty=False, answer=HeadAnswer(405, 0)))
            self.inquiry.by_get["b"] = Found(5)
            self.answer("c", FetchError("refused"))
            self.assertEqual((self.winner(race), self.inquiry.asked), ("b", ["a", "b", "c", "GET b"]))
            self.assertTrue(self.health.resting("http://a", 59))

    def test_asked_by_get_all_the_same(self) -> None:
        """Where no other mirror can be asked, one that has just asked for a rest is asked by GET, and pacman is sent there last."""
        race = self.race("ab")
        self.answer("a", InconclusiveError("x", faulty=True, answer=busy(503)))
        self.inquiry.by_get |= {"a": InconclusiveError("x", faulty=True, answer=busy(503)), "b": InconclusiveError("500", faulty=True)}
        self.answer("b", InconclusiveError("405", faulty=False))
        self.assertEqual((self.winner(race), self.inquiry.asked), ("b", ["a", "b", "GET b", "GET a"]))

    def test_bounded(self) -> None:
        """However many mirrors are silent, so many questions run at the same time and no more."""
        race = self.race([f"hole{number}" for number in range(100)])
        before = 0
        while not race.called:
            self.assertLessEqual(len(self.inquiry.asked) - before, WIDEST_STEP)
            before = len(self.inquiry.asked)
            self.clock.advance(0.05)
        self.failureResultOf(race, FetchError)
        self.assertEqual(len(self.inquiry.asked), RUNNING_LIMIT)

    def test_deadline_has_passed(self) -> None:
        """With no time left nobody is asked, and nobody has said no."""
        failure = self.failureResultOf(self.race(deadline=0.0), FetchError)
        self.assertNotIsInstance(failure.value, AbsentError)
        self.assertEqual(self.inquiry.asked, [])

    def test_cancelled(self) -> None:
        """Who cancels the race cancels all questions; one that had its time counts as slow."""
        race = self.race()
        self.clock.advance(NEXT_MIRROR_DELAY)
        race.cancel()
        self.failureResultOf(race, CancelledError)
        self.assertEqual((self.inquiry.cancelled, self.order(), self.clock.getDelayedCalls()), (["a", "b"], "bca", []))

    def test_defect(self) -> None:
        """A defect of ours is not taken for a failure of the mirror."""
        race = self.race()
        self.answer("a", TypeError("a defect"))
        self.failureResultOf(race, TypeError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_message_is_bounded(self) -> None:
        """A list of a thousand mirrors fits into one line."""
        text = describe([(mirror(f"mirror{n}.example"), FetchError("connection refused")) for n in range(1000)], 7)
        self.assertLess(len(text), 600)
        self.assertRegex(text, r"; and 9\d\d more; no time for 7 more\Z")
