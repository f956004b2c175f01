"""Tests for `pacserve.web.server.flushing`."""

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.server.flushing import Flusher
from tests.fakes.sockets import HandReactor, Pair


class FlusherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = HandReactor()
        self.flusher = Flusher(self.reactor)
        self.pair = Pair(self.reactor, Protocol())
        self.addCleanup(self.pair.close)

    def write(self, data: bytes) -> None:
        """Writes as a response is written."""
        self.pair.transport.write(data)
        self.flusher.add(self.pair.transport)

    def test_sent_in_the_same_turn(self) -> None:
        """What was written is with the client without another event, in order."""
        self.write(b"a")
        self.write(b"b")
        self.reactor.advance(0)
        self.assertEqual(self.pair.client.recv(10), b"ab")
        self.assertEqual(self.reactor.writers, set())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_again(self) -> None:
        """Each turn is flushed."""
        for _ in range(3):
            self.write(b"a")
            self.reactor.advance(0)
            self.assertEqual(self.pair.client.recv(10), b"a")

    def test_more_than_the_kernel_takes(self) -> None:
        """What the kernel does not take at once follows as ever."""
        self.write(b"x" * 10_000_000)
        self.reactor.advance(0)
        self.assertEqual(len(self.pair.read(lambda data: len(data) == 10_000_000)), 10_000_000)

    def test_closing(self) -> None:
        """A connection that is to be closed after its response is."""
        self.write(b"a")
        self.pair.transport.loseConnection()
        self.assertEqual(self.pair.read(lambda data: False), b"a")
        self.assertFalse(self.pair.transport.connected)

    def test_gone(self) -> None:
        """A connection that was lost in the meantime is left alone."""
        self.write(b"a")
        self.pair.transport.connectionLost(Failure(ConnectionLost()))
        self.reactor.advance(0)
        self.assertEqual(self.reactor.writers, set())
