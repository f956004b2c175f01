"""Tests for `pacserve.waiting`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.waiting import Done, Waiters, begin


class WaitersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.waiters = Waiters()
        self.clock = Clock()

    def wait(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.waiters.wait())

    def test_wakes_all(self) -> None:
        """All that wait are woken, and none of those that come later."""
        first, second = self.wait(), self.wait()
        self.waiters.wake()
        self.successResultOf(first)
        self.successResultOf(second)
        third = self.wait()
        self.assertNoResult(third)
        self.assertEqual(len(self.waiters), 1)

    def test_cancelled(self) -> None:
        """A waiter that is cancelled is gone, and the others wait on."""
        first, second = self.wait(), self.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len(self.waiters), 1)
        self.waiters.wake()
        self.successResultOf(second)

    def test_waits_again(self) -> None:
        """A waiter that waits again when it is woken waits for the next time, and does not keep the first one going."""
        times: list[int] = []

        async def twice() -> None:
            for time in range(2):
                await self.waiters.wait()
                times.append(time)

        waiting = Deferred.fromCoroutine(twice())
        self.waiters.wake()
        self.assertEqual(times, [0])
        self.waiters.wake()
        self.successResultOf(waiting)

    def test_one_cancels_another(self) -> None:
        """A waiter may cancel another one while both are woken."""
        first, second = self.wait(), self.wait()
        first.addCallback(lambda _: second.cancel())
        self.waiters.wake()
        self.failureResultOf(second, CancelledError)

    def test_time_is_up(self) -> None:
        """A wait of bounded length ends without news, and leaves nothing behind."""
        waiting = Deferred.fromCoroutine(self.waiters.wait_for(2.0, self.clock))
        self.clock.advance(2.0)
        self.assertFalse(self.successResultOf(waiting))
        self.assertEqual((len(self.waiters), self.clock.getDelayedCalls()), (0, []))

    def test_in_time(self) -> None:
        """News within the time end the wait, and its timer."""
        waiting = Deferred.fromCoroutine(self.waiters.wait_for(2.0, self.clock))
        self.waiters.wake()
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_time(self) -> None:
        """Without any time nobody waits."""
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(self.waiters.wait_for(0.0, self.clock))))


class BeginTests(SynchronousTestCase):
    def test_done_at_once(self) -> None:
        """A coroutine that does not wait is done at once."""

        async def answer() -> int:
            return 5

        self.assertEqual(begin(answer()), Done(5))

    def test_waits(self) -> None:
        """One that waits goes on as a Deferred, from where it is."""
        waited: Deferred[int] = Deferred()

        async def answer() -> int:
            return await waited

        begun = begin(answer())
        assert not isinstance(begun, Done)
        going_on = Deferred.fromCoroutine(begun)
        waited.callback(7)
        self.assertEqual(self.successResultOf(going_on), 7)

    def test_fails(self) -> None:
        """What it raises before it waits is raised."""

        async def fail() -> None:
            raise ValueError("no")

        self.assertRaises(ValueError, begin, fail())
