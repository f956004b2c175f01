"""Tests for `pacserve.peers.slices`."""

from collections.abc import Generator

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.slices import SLICE, Slices


class SlicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slices = Slices(self.clock)
        self.done: list[str] = []

    def work(self, name: str, steps: int = 10, fails: bool = False) -> Generator[None, None, str]:
        """Some work, of which each step takes half of a slice."""
        try:
            for _ in range(steps):
                self.clock.rightNow += SLICE / 2
                self.done.append(name)
                yield
            if fails:
                raise ZeroDivisionError
            return name
        finally:
            self.done.append(f"{name} ended")

    def begin(self, name: str, steps: int = 10, fails: bool = False) -> "Deferred[str]":
        """Work that is under way."""
        return Deferred.fromCoroutine(self.slices.run(self.work(name, steps, fails)))

    def finish(self) -> None:
        """Does all that is left, one turn of the reactor after the other."""
        while self.clock.calls:
            self.clock.advance(0)

    def test_short(self) -> None:
        """Work of less than a slice is done at once."""
        self.assertEqual(self.successResultOf(self.begin("a", 1)), "a")
        self.assertEqual(self.clock.calls, [])

    def test_slices(self) -> None:
        """After a slice everything else has its turn."""
        running = self.begin("a")
        self.assertNoResult(running)
        self.assertEqual(self.done, ["a", "a"])
        self.clock.callLater(0, self.done.append, "else")
        self.finish()
        self.assertEqual(self.successResultOf(running), "a")
        self.assertLess(self.done.index("else"), self.done.index("a ended"))

    def test_one_after_the_other(self) -> None:
        """Work waits for the one before it, which may fail."""
        first, second = self.begin("a", fails=True), self.begin("b")
        self.finish()
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(self.successResultOf(second), "b")
        self.assertEqual(self.done, ["a"] * 10 + ["a ended"] + ["b"] * 10 + ["b ended"])

    def test_cancelled(self) -> None:
        """Work that is cancelled ends where it is, or never begins, and the next one has its turn."""
        first, second, third = self.begin("a"), self.begin("b"), self.begin("c", 2)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.finish()
        self.assertEqual(self.successResultOf(third), "c")
        self.assertEqual(self.done, ["a", "a", "a ended", "c", "c", "c ended"])
