"""Tests for `pacserve.web.server.outgoing`."""

from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.server.outgoing import Outgoing, outgoing
from tests.fakes.sockets import HandReactor, Pair


class OutgoingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair(HandReactor(), Protocol(), buffer=4096)
        self.addCleanup(self.pair.close)

    def measured(self) -> Outgoing:
        """What the kernel says."""
        found = outgoing(self.pair.transport)
        assert found is not None
        return found

    def test_counts(self) -> None:
        """What waits for a client is known, and what it has taken."""
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
