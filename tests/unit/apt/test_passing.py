"""Tests for `pacserve.apt.passing`."""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.passing import FULL_DELAY, HELD_BYTES, STALL_TIMEOUT, PassedBody
from pacserve.packages.files import ExpectedFile
from tests.fakes.upstreams import Body, Head

DATA = bytes(range(256)) * 8


def read_all(passed: PassedBody) -> bytes:
    """Returns what can be read now."""
    found = b""
    while piece := passed.read(len(found), 700):
        found += piece
    return found


class PassingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def body(self, data: bytes = DATA, end: str = "ends") -> Body:
        """An answer of a mirror."""
        return Body(self.clock, Head(200, len(data)), data, 100, end)

    def more(self, passed: PassedBody, offset: int) -> Deferred[bool]:
        """Waits for a byte."""
        waiting: Deferred[bool] = Deferred.fromCoroutine(passed.more(offset))
        return waiting

    def test_passed_on(self) -> None:
        """All of a body is passed on, and it is known when it has ended."""
        passed = PassedBody(self.body())
        self.assertTrue(self.successResultOf(self.more(passed, 0)))
        self.assertEqual(read_all(passed), DATA)
        self.assertFalse(self.successResultOf(self.more(passed, len(DATA))))
        self.assertTrue(passed.whole)
        self.assertIsNone(passed.span(0, 1))

    def test_while_it_comes(self) -> None:
        """Bytes are passed on as they come."""
        body = self.body(end="stalls")
        passed = PassedBody(body)
        self.assertEqual(read_all(passed), DATA)
        waiting = self.more(passed, len(DATA))
        self.assertNoResult(waiting)
        body.go_on(b"end")
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual((passed.read(len(DATA), 10), passed.whole), (b"end", True))

    def test_broken(self) -> None:
        """A body that breaks off, or stalls, is not the whole."""
        for end in ("breaks", "stalls"):
            passed = PassedBody(self.body(end=end))
            self.assertEqual(read_all(passed), DATA)
            waiting = self.more(passed, len(DATA))
            self.clock.advance(STALL_TIMEOUT)
            self.assertFalse(self.successResultOf(waiting))
            self.assertFalse(passed.whole)

    def test_wrong(self) -> None:
        """The last byte of a stated file is handed on only when all of it is right; a longer one has no more bytes than are stated."""
        right = ExpectedFile(len(DATA), sha256(DATA).digest())
        passed = PassedBody(self.body(), right)
        self.assertEqual((read_all(passed), passed.whole), (DATA, True))
        for data in (DATA[:-1] + b"x", DATA[:-1], DATA + b"x"):
            passed = PassedBody(self.body(data), right)
            self.assertLess(len(read_all(passed)), len(DATA))
            self.assertFalse(self.successResultOf(self.more(passed, len(DATA) - 1)))
            self.assertFalse(passed.whole)

    def test_slow_client(self) -> None:
        """A mirror is not read much further than the client takes it, nor faster than the limit allows."""
        waits: list[float] = []

        class Flood(Body):
            async def consume(self, take, stall) -> None:  # type: ignore[no-untyped-def]
                waits.extend(take(bytes(HELD_BYTES // 2)) for _ in range(3))

        PassedBody(Flood(self.clock, Head(200, None), b"", 1, "ends"))
        PassedBody(Flood(self.clock, Head(200, None), b"", 1, "ends"), limit=float)
        self.assertEqual(waits, [0.0, 0.0, FULL_DELAY, *[HELD_BYTES / 2] * 3])

    def test_client_that_pauses(self) -> None:
        """A client that takes nothing has no more held for it, and the mirror is read at once when it has taken half of that."""
        hurries: list[int] = []

        class Full(Body):
            async def consume(self, take, stall) -> None:  # type: ignore[no-untyped-def]
                self.wait = take(bytes(HELD_BYTES + 1))
                await Deferred()

            def hurry(self) -> None:
                hurries.append(1)

        body = Full(self.clock, Head(200, None), b"", 1, "ends")
        passed = PassedBody(body)
        self.assertGreaterEqual(body.wait, 600)
        passed.read(0, HELD_BYTES // 2)
        self.assertEqual(hurries, [])
        passed.read(HELD_BYTES // 2, 1)
        passed.read(HELD_BYTES // 2 + 1, 1)
        self.assertEqual(hurries, [1])

    def test_client_leaves(self) -> None:
        """When the client leaves nothing more is taken from the mirror."""
        body = Body(self.clock, Head(200, len(DATA) + 1), DATA, 100, "stalls")
        passed = PassedBody(body)
        passed.close()
        self.assertEqual((passed.whole, self.clock.getDelayedCalls()), (False, []))
        self.assertRaises(OSError, passed.read, 5, 10)

    def test_client_has_all(self) -> None:
        """A body that has come to its last byte is not given up when the client has it: the connection is kept for the next request."""
        body = self.body(end="stalls")  # the last byte is here, and the end of the answer is not told of yet
        passed = PassedBody(body)
        self.assertEqual(read_all(passed), DATA)
        passed.close()
        body.go_on(b"")
        self.assertEqual((passed.whole, self.clock.getDelayedCalls()), (True, []))
