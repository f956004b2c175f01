"""Tests for `pacserve.web.server.connections`."""

from collections.abc import Iterable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.fairness import CONNECTION_BURST, CONNECTIONS_PER_SECOND, Rank, loopback_first
from pacserve.web.server.connections import MOST_CONNECTIONS, ClientConnection, Connections, Visitor, affordable

LOCAL = parse_address("127.0.0.1")
NEAR = parse_address("10.0.0.7")
FAR = parse_address("10.0.0.8")
CROWD = parse_address("10.0.0.9")
OTHER = parse_address("fd77::7")
CLIENT = parse_address("172.16.0.1")


class Recorder(ClientConnection):
    """A connection that keeps what it was told."""

    def __init__(self, visitor: Visitor, *, idle: bool = True) -> None:
        self._visitor = visitor
        self._idle = idle
        self.under_way = False
        self.checks: list[float] = []
        self.told: list[str] = []

    @property
    def visitor(self) -> Visitor:
        return self._visitor

    @property
    def idle(self) -> bool:
        return self._idle

    @property
    def quiet(self) -> bool:
        return not self.under_way

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


def ranking(address: IPAddress) -> Rank:
    """Loopback is this host, and 172.16.0.1 was named by `--clients`."""
    return Rank.CLIENT if address == CLIENT else loopback_first(address)


class ConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connections = Connections(self.clock, most=12, most_per_address=4, ranking=ranking)

    def visitor(self, client: IPAddress) -> Visitor:
        """A client that is admitted."""
        visitor = self.connections.admit(client)
        assert visitor is not None
        return visitor

    def added(self, client: IPAddress, *, idle: bool = True) -> Recorder:
        """A connection of this client."""
        connection = Recorder(self.visitor(client), idle=idle)
        self.connections.add(connection)
        return connection

    def ended(self, connections: Iterable[Recorder]) -> list[int]:
        """The positions of those that were ended."""
        return [number for number, connection in enumerate(connections) if connection.told]

    def test_limit_of_one_address(self) -> None:
        """For one more than a host may have its oldest idle connection ends, which leaves others alone; where none is idle it is refused."""
        other = self.added(OTHER)
        mine = [self.added(NEAR, idle=number != 0) for number in range(4)]
        self.added(NEAR, idle=False)
        self.assertEqual(self.ended(mine), [1])
        for _ in range(2):
            self.added(NEAR, idle=False)
        self.assertEqual(self.ended(mine), [1, 2, 3])
        self.assertIsNone(self.connections.admit(NEAR))
        self.assertEqual(self.ended([other]), [])

    def test_network(self) -> None:
        """The addresses of one /64 of IPv6 share their connections, which are more than those of one address."""
        for number in range(6):
            self.added(parse_address(f"fd77::{number}"), idle=False)
        few = Connections(self.clock, most=100, most_per_address=1)
        for number in range(4):
            visitor = few.admit(parse_address(f"fd77::{number}"))
            assert visitor is not None
            few.add(Recorder(visitor, idle=False))
        self.assertIsNone(few.admit(parse_address("fd77::99")))
        self.assertIsNotNone(few.admit(parse_address("fd77:0:0:1::99")))

    def test_reserved(self) -> None:
        """However many hosts come, they leave places for `--clients`, and these for this host."""
        for number in range(6):
            self.added(parse_address(f"10.0.0.{number}"), idle=False)
        self.assertIsNone(self.connections.admit(OTHER))
        for _ in range(3):
            self.added(CLIENT, idle=False)
        self.assertIsNone(self.connections.admit(CLIENT))
        self.assertIsNone(self.connections.admit(OTHER))
        for _ in range(3):
            self.added(LOCAL, idle=False)
        self.assertIsNone(self.connections.admit(LOCAL))
        self.assertEqual(len(self.connections), 12)

    def test_host_with_most(self) -> None:
        """Where all places are taken, the oldest idle connection of the host that has most ends for a newcomer, and for none that has as many."""
        single, *pair = [self.added(NEAR), self.added(FAR), self.added(FAR)]
        crowd = [self.added(CROWD, idle=number != 0) for number in range(3)]
        self.added(OTHER)
        self.assertEqual((self.ended([single, *pair]), self.ended(crowd)), ([], [1]))
        self.added(NEAR)
        self.assertEqual((len(self.connections), self.ended(pair), self.ended(crowd)), (6, [0], [1]))
        for _ in range(2):
            self.assertIsNone(self.connections.admit(CROWD))

    def test_host_with_most_is_busy(self) -> None:
        """Where each connection of the host that has most is being answered, the next one gives way."""
        crowd = [self.added(CROWD, idle=False) for _ in range(4)]
        pair = [self.added(FAR), self.added(FAR)]
        self.added(NEAR)
        self.assertEqual((self.ended(crowd), self.ended(pair)), ([], [0]))

    def test_quiet_first(self) -> None:
        """Of idle connections one ends on which no bytes are under way, and the oldest if there are on all."""
        mine = [self.added(NEAR) for _ in range(4)]
        mine[0].under_way = mine[2].under_way = mine[3].under_way = True
        for _ in range(2):
            self.added(NEAR).under_way = True
        self.assertEqual(self.ended(mine), [0, 1])
        self.assertEqual([connection.told for connection in mine[:2]], [["abort"], ["abort"]])

    def test_one_allowance(self) -> None:
        """A host has one allowance, however long its connections are open and however seldom a new one comes."""
        first = self.added(NEAR)
        self.clock.advance(600)
        self.assertIs(self.added(NEAR).visitor.allowance, first.visitor.allowance)

    def test_own_before_others(self) -> None:
        """This host, and `--clients` before all but this host, take the places of others where theirs are not enough."""
        others = [self.added(parse_address(f"10.0.0.{number}")) for number in range(6)]
        mine = [self.added(LOCAL) for _ in range(6)]
        self.added(LOCAL)
        self.assertEqual((self.ended(others), self.ended(mine)), ([0], []))
        self.added(CLIENT)
        self.assertEqual((self.ended(others), self.ended(mine)), ([0, 1], []))

    def test_this_machine(self) -> None:
        """This machine itself is limited by the total alone."""
        mine = [self.added(LOCAL) for _ in range(12)]
        self.assertIsNone(self.connections.admit(LOCAL))
        self.assertEqual(self.ended(mine), [])

    def test_connects_again_and_again(self) -> None:
        """A host that connects too often is refused until its allowance has grown, and this host never."""
        for _ in range(int(CONNECTION_BURST)):
            self.visitor(NEAR)
        self.assertIsNone(self.connections.admit(NEAR))
        self.assertIsNotNone(self.connections.admit(OTHER))
        for _ in range(2 * int(CONNECTION_BURST)):
            self.visitor(LOCAL)
        self.clock.advance(1 / CONNECTIONS_PER_SECOND)
        self.assertIsNotNone(self.connections.admit(NEAR))
        self.assertIsNone(self.connections.admit(NEAR))

    def test_removed_twice(self) -> None:
        """A connection that is removed twice, or was never added, is not counted for another."""
        connection = self.added(NEAR)
        self.added(NEAR)
        self.connections.remove(connection)
        self.connections.remove(connection)
        self.connections.remove(Recorder(self.visitor(NEAR)))
        self.assertEqual(len(self.connections), 1)

    def test_nothing_is_kept(self) -> None:
        """When all connections have ended, no timer runs and no address is remembered."""
        for connection in [self.added(NEAR), self.added(OTHER)]:
            self.connections.remove(connection)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.connections._of, self.connections._places._by_source), ({}, {}))

    def test_checked(self) -> None:
        """Every connection is checked every few seconds, by the clock."""
        connection = self.added(NEAR)
        self.clock.pump([2, 2, 2])
        self.assertEqual(connection.checks, [2, 4, 6])

    def test_faulty_check(self) -> None:
        """A check that fails does not end the checks."""
        self.connections.add(Faulty(self.visitor(NEAR)))
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
