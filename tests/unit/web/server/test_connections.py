"""Tests for `pacserve.web.server.connections`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.server.connections import MOST_CONNECTIONS, ClientConnection, Connections, affordable

LOCAL = parse_address("127.0.0.1")
NEAR = parse_address("10.0.0.7")
OTHER = parse_address("fd77::7")


class Recorder(ClientConnection):
    """A connection that keeps what it was told."""

    def __init__(self, client: IPAddress) -> None:
        self._client = client
        self.checks: list[float] = []
        self.told: list[str] = []

    @property
    def client(self) -> IPAddress:
        return self._client

    def check(self, now: float) -> None:
        self.checks.append(now)

    def retire(self) -> None:
        self.told.append("retire")

    def abort(self) -> None:
        self.told.append("abort")


class Faulty(Recorder):
    """A connection that can't be checked."""

    def check(self, now: float) -> None:
        raise ZeroDivisionError


class ConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connections = Connections(self.clock, most=5, most_per_address=2)

    def added(self, client: IPAddress) -> Recorder:
        """A connection of this client."""
        connection = Recorder(client)
        self.connections.add(connection)
        return connection

    def test_limit_of_one_address(self) -> None:
        """One host has so many connections and no more, which leaves others alone, and one more when one of them ends."""
        first = self.added(NEAR)
        self.assertTrue(self.connections.admits(NEAR))
        self.added(NEAR)
        self.assertFalse(self.connections.admits(NEAR))
        self.assertTrue(self.connections.admits(OTHER))
        self.connections.remove(first)
        self.assertTrue(self.connections.admits(NEAR))

    def test_this_machine(self) -> None:
        """This machine itself is limited by the total alone."""
        for _ in range(4):
            self.added(LOCAL)
        self.assertTrue(self.connections.admits(LOCAL))
        self.added(LOCAL)
        self.assertFalse(self.connections.admits(LOCAL))

    def test_total(self) -> None:
        """All connections together are limited."""
        for number in range(5):
            self.added(parse_address(f"10.0.0.{number}"))
        self.assertFalse(self.connections.admits(OTHER))
        self.assertEqual(len(self.connections), 5)

    def test_removed_twice(self) -> None:
        """A connection that is removed twice, or was never added, is not counted for another."""
        connection = self.added(NEAR)
        self.added(NEAR)
        self.connections.remove(connection)
        self.connections.remove(connection)
        self.connections.remove(Recorder(NEAR))
        self.assertEqual(len(self.connections), 1)

    def test_nothing_is_kept(self) -> None:
        """When all connections have ended, no timer runs and no address is remembered."""
        for connection in [self.added(NEAR), self.added(OTHER)]:
            self.connections.remove(connection)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connections._counts, {})

    def test_checked(self) -> None:
        """Every connection is checked every few seconds, by the clock."""
        connection = self.added(NEAR)
        self.clock.pump([2, 2, 2])
        self.assertEqual(connection.checks, [2, 4, 6])

    def test_faulty_check(self) -> None:
        """A check that fails does not end the checks."""
        self.connections.add(Faulty(NEAR))
        for _ in range(2):
            self.assertRaises(ZeroDivisionError, self.clock.advance, 2)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_told(self) -> None:
        """All connections are told to retire, or ended."""
        connections = [self.added(NEAR), self.added(OTHER)]
        self.connections.retire()
        self.connections.abort()
        for connection in connections:
            self.assertEqual(connection.told, ["retire", "abort"])

    def test_retiring(self) -> None:
        """At the end of the daemon connections are checked more often, and those that come are told, too."""
        first = self.added(NEAR)
        self.connections.retire()
        self.clock.pump([0.1, 0.1])
        second = self.added(OTHER)
        self.clock.pump([0.1])
        self.assertEqual((len(first.checks), second.told, len(second.checks)), (4, ["retire"], 1))
        self.connections.remove(first)
        self.connections.remove(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """A caller that waits for the end of all connections is told when the last one has ended, and at once when there is none."""
        self.successResultOf(Deferred.fromCoroutine(self.connections.gone()))
        first, last = self.added(NEAR), self.added(OTHER)
        waiting, given_up = (Deferred.fromCoroutine(self.connections.gone()) for _ in range(2))
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.connections.remove(first)
        self.assertNoResult(waiting)
        self.connections.remove(last)
        self.successResultOf(waiting)


class AffordableTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """Files are left for everything else, and neither very high nor very low limits are followed."""
        self.assertEqual(affordable(1024), 384)
        self.assertEqual(affordable(1 << 30), MOST_CONNECTIONS)
        self.assertEqual(affordable(64), 64)
