"""Tests for `pacserve.web.server.sockets`."""

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.server.sockets import Flusher, Outgoing, has_unread, outgoing
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
        """Bytes that were written reach the client without another event, in order."""
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
        """Bytes that the kernel does not take at once follow when the socket can be written to."""
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


class OutgoingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(HandReactor(), Protocol(), buffer=4096)
        self.addCleanup(self.pair.close)

    def measured(self) -> Outgoing:
        """Returns the kernel's answer."""
        found = outgoing(self.pair.transport)
        assert found is not None
        return found

    def test_counts(self) -> None:
        """The bytes that wait for a client are known, and those that it has taken."""
        before = self.measured()
        self.pair.transport.write(b"x" * 1_000_000)
        self.pair.settle()
        stuck = self.measured()
        self.assertGreater(stuck.waiting, 0)
        data = self.pair.read(lambda data: len(data) == 1_000_000)
        self.assertEqual(len(data), 1_000_000)
        after = self.measured()
        self.assertGreater(after.acknowledged, stuck.acknowledged)
        self.assertGreater(after.acknowledged, before.acknowledged + 900_000)

    def test_below_tls(self) -> None:
        """A transport that wraps a TCP connection, as TLS does, is asked for that one."""
        wrapper = ProtocolWrapper(WrappingFactory(None), Protocol())
        wrapper.transport = self.pair.transport
        self.assertIsNotNone(outgoing(wrapper))

    def test_others(self) -> None:
        """Transports without a kernel, and those that are closed, have no answer."""
        self.assertIsNone(outgoing(StringTransport()))
        self.assertIsNone(outgoing(None))
        self.pair.close()
        self.assertIsNone(outgoing(self.pair.transport))


class UnreadTests(SynchronousTestCase):
    def test_unread(self) -> None:
        """Bytes that the kernel has of a client are known until they are read; transports without a kernel have none."""
        reactor = HandReactor()
        pair = Pair(reactor, Protocol())
        self.addCleanup(pair.close)
        self.assertFalse(has_unread(pair.transport))
        pair.client.send(b"GET")
        self.assertTrue(has_unread(pair.transport))
        reactor.turn()
        self.assertFalse(has_unread(pair.transport))
        self.assertFalse(has_unread(StringTransport()))
