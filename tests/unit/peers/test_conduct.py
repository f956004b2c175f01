"""Tests for `pacserve.peers.conduct`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.conduct import AVOIDED, DISTRUST, FAILURES_LIMIT, FAILURES_WINDOW, Conduct, Outcome


class ConductTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.conduct = Conduct()

    def fail(self, times: int, now: float = 0.0) -> None:  # type: ignore[override]
        """A host gives nothing so many times."""
        for _ in range(times):
            self.conduct.note("a", Outcome.NOTHING, now)

    def followed(self, now: float) -> bool:
        """Whether it may be followed."""
        return self.conduct.may_be_followed("a", now)

    def test_lie(self) -> None:
        """A host that gave wrong bytes is not followed for an hour, whatever it gives meanwhile; others are."""
        self.conduct.note("a", Outcome.LIE, 0.0)
        self.conduct.note("a", Outcome.WELL, 1.0)
        self.fail(FAILURES_LIMIT, 2.0)
        self.assertFalse(self.followed(DISTRUST - 1))
        self.assertTrue(self.followed(DISTRUST))
        self.assertTrue(self.conduct.may_be_followed("b", 1.0))

    def test_nothing(self) -> None:
        """A host that gave nothing several times is left alone for a while, and then has as many chances again."""
        self.fail(FAILURES_LIMIT - 1)
        self.assertTrue(self.followed(0.0))
        self.fail(1, 1.0)
        self.assertFalse(self.followed(AVOIDED))
        self.assertTrue(self.followed(1.0 + AVOIDED))
        self.fail(FAILURES_LIMIT - 1, 2.0 + AVOIDED)
        self.assertTrue(self.followed(2.0 + AVOIDED))

    def test_forgiven(self) -> None:
        """What is long ago, or came before it gave something, does not count."""
        self.fail(FAILURES_LIMIT - 1)
        self.fail(FAILURES_LIMIT - 1, FAILURES_WINDOW)
        self.assertTrue(self.followed(FAILURES_WINDOW))
        self.conduct.note("a", Outcome.WELL, FAILURES_WINDOW)
        self.assertEqual(len(self.conduct), 0)
        self.fail(FAILURES_LIMIT - 1, FAILURES_WINDOW)
        self.assertTrue(self.followed(FAILURES_WINDOW))

    def test_bounded(self) -> None:
        """However many hosts fail, only the last thousand are remembered."""
        for number in range(3000):
            self.conduct.note(str(number), Outcome.LIE, 0.0)
        self.assertEqual(len(self.conduct), 1024)
        self.assertFalse(self.conduct.may_be_followed("2999", 1.0))
