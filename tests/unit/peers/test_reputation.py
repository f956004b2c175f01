"""Tests for `pacserve.peers.reputation`."""

import itertools

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.reputation import (
    DISTRUST,
    FIRST_PENALTY,
    HALF_LIFE,
    KEEPER_PENALTY,
    LAST_PENALTY,
    LEADER_FAILURES_LIMIT,
    LEADER_FAILURES_WINDOW,
    LEADER_PENALTY,
    LOST_LEASES_LIMIT,
    LOST_LEASES_PENALTY,
    LOST_LEASES_WINDOW,
    STRANGERS_LIMIT,
    WITHHELD_PENALTY,
    Failure,
    Reputation,
    Reputations,
    Standing,
    identity_of,
)


class StandingTests(SynchronousTestCase):
    def test_speed(self) -> None:
        """A peer that answers faster costs less, but not for the first milliseconds: idle peers are alike."""
        fast, slow, unknown = Standing(), Standing(), Standing()
        for _ in range(20):
            fast.answered(0.0001, 0.0)
            slow.answered(0.02, 0.0)
        self.assertEqual(fast.cost(0.0), unknown.cost(0.0))
        self.assertLess(fast.cost(0.0), slow.cost(0.0))

    def test_bytes(self) -> None:
        """A peer that was sent many bytes of clients costs more, and half of that is forgotten after each half-life."""
        standing = Standing()
        idle = standing.cost(0.0)
        standing.chosen(10**9, 0.0)
        costs = [standing.cost(at * HALF_LIFE) - idle for at in range(4)]
        for earlier, later in itertools.pairwise(costs):
            self.assertAlmostEqual(later, earlier / 2)
        self.assertGreater(costs[0], 1.0)

    def test_failures(self) -> None:
        """A failure costs more than any delay that a request waits for, and is forgotten in the end."""
        standing = Standing()
        standing.failed(0.0)
        self.assertGreater(standing.cost(0.0), 0.1)
        self.assertLess(standing.cost(20 * HALF_LIFE), 0.0021)

    def test_clock_set_back(self) -> None:
        """A clock that was set back changes nothing."""
        standing = Standing()
        standing.chosen(10**9, 1000.0)
        cost = standing.cost(1000.0)
        self.assertEqual(standing.cost(0.0), cost)


class HolderTests(SynchronousTestCase):
    """A host that is asked for files."""

    def setUp(self) -> None:
        self.host = Reputation()

    def test_penalty(self) -> None:
        """A host that fails to say is left alone for 1, 2, 4 ... up to 60 seconds."""
        now = 100.0
        for penalty in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
            self.assertTrue(self.host.may_be_asked(now))
            self.assertTrue(self.host.failed(Failure.SILENT, now))
            self.assertFalse(self.host.may_be_asked(now + penalty - 0.01))
            now += penalty
        self.assertEqual((FIRST_PENALTY, LAST_PENALTY), (1.0, 60.0))

    def test_burst(self) -> None:
        """Of questions that fail together only the first counts."""
        self.assertEqual([self.host.failed(Failure.SILENT, now) for now in (100.0, 100.0, 100.9)], [True, False, False])
        self.assertEqual((self.host.failures, self.host.asked_again_at, self.host.standing.failures), (1, 101.0, 1.0))

    def test_answered(self) -> None:
        """One good answer ends the doubling."""
        self.host.failed(Failure.SILENT, 100.0)
        self.host.failed(Failure.SILENT, 200.0)
        self.host.answered(0.01, 250.0)
        self.host.failed(Failure.SILENT, 300.0)
        self.assertEqual(self.host.asked_again_at, 301.0)

    def test_slow(self) -> None:
        """A host that was slow once costs more than others, but not as much as one that failed, and is as good as new after a few minutes."""
        self.host.slow(0.01, 0.0)
        self.assertTrue(0.003 < self.host.cost(0.0) < 0.02)
        self.assertTrue(self.host.may_be_asked(0.0))
        self.assertAlmostEqual(self.host.cost(10 * HALF_LIFE), Reputation().cost(0.0), places=4)

    def test_chosen(self) -> None:
        """A host that clients were sent to costs more."""
        self.host.chosen(10**9, 0.0)
        self.assertGreater(self.host.cost(0.0), 1.0)

    def test_withheld(self) -> None:
        """A host that did not give what it said to have comes last for a minute, and is asked all the same."""
        self.host.failed(Failure.WITHHELD, 1.0)
        self.assertEqual((self.host.comes_last(1.0), self.host.may_be_asked(1.0), self.host.may_be_followed(1.0)), (True, True, True))
        self.assertTrue(self.host.comes_last(WITHHELD_PENALTY))
        self.assertFalse(self.host.comes_last(1.0 + WITHHELD_PENALTY))

    def test_lied(self) -> None:
        """A host that gave wrong bytes is trusted with nothing for an hour, whatever it does meanwhile."""
        self.host.lied(0.0)
        self.host.served()
        self.host.answered(0.01, 1.0)
        for _ in range(LEADER_FAILURES_LIMIT):
            self.host.failed(Failure.MISLED, 2.0)
        self.assertFalse(self.host.failed(Failure.SILENT, 2.0), "nothing is added to the hour")
        for now, trusted in ((3.0, False), (DISTRUST - 1, False), (DISTRUST, True)):
            verdicts = {self.host.may_be_asked(now), self.host.may_be_followed(now), self.host.may_hold_claims(now), not self.host.is_liar(now)}
            self.assertEqual(verdicts, {trusted})


class LeaderTests(SynchronousTestCase):
    """A host that is followed."""

    def setUp(self) -> None:
        self.host = Reputation()

    def mislead(self, times: int, now: float = 0.0) -> None:
        """A host gives nothing so many times."""
        for _ in range(times):
            self.host.failed(Failure.MISLED, now)

    def test_misled(self) -> None:
        """A host that gave nothing several times is left alone for a while, and then has as many chances again; it may be asked for files."""
        self.mislead(LEADER_FAILURES_LIMIT - 1)
        self.assertTrue(self.host.may_be_followed(0.0))
        self.mislead(1, 1.0)
        self.assertEqual((self.host.may_be_followed(LEADER_PENALTY), self.host.may_be_asked(1.0)), (False, True))
        self.assertTrue(self.host.may_be_followed(1.0 + LEADER_PENALTY))
        self.mislead(LEADER_FAILURES_LIMIT - 1, 2.0 + LEADER_PENALTY)
        self.assertTrue(self.host.may_be_followed(2.0 + LEADER_PENALTY))

    def test_forgiven(self) -> None:
        """Failures that are long ago, or came before the host gave something, do not count."""
        self.mislead(LEADER_FAILURES_LIMIT - 1)
        self.mislead(LEADER_FAILURES_LIMIT - 1, LEADER_FAILURES_WINDOW)
        self.assertTrue(self.host.may_be_followed(LEADER_FAILURES_WINDOW))
        self.host.served()
        self.assertFalse(self.host.leave(), "nothing is left to be remembered")
        self.mislead(LEADER_FAILURES_LIMIT - 1, LEADER_FAILURES_WINDOW)
        self.assertTrue(self.host.may_be_followed(LEADER_FAILURES_WINDOW))


class ClaimTests(SynchronousTestCase):
    """A host that claims downloads, and one that keeps claims."""

    def setUp(self) -> None:
        self.host = Reputation()

    def test_lost_leases(self) -> None:
        """A host that lost several leases in a short time gets none for a while, and may be followed and asked meanwhile."""
        for number in range(LOST_LEASES_LIMIT):
            self.assertTrue(self.host.may_hold_claims(float(number)))
            self.host.failed(Failure.LOST_LEASE, float(number))
        last = LOST_LEASES_LIMIT - 1.0
        self.assertEqual([self.host.may_hold_claims(last + LOST_LEASES_PENALTY + late) for late in (-1, 0)], [False, True])
        self.assertTrue(self.host.may_be_followed(last) and self.host.may_be_asked(last))

    def test_losses_age(self) -> None:
        """A few losses spread over a long time are no reason to refuse a claim."""
        for number in range(10):
            for _ in range(LOST_LEASES_LIMIT - 1):
                self.host.failed(Failure.LOST_LEASE, number * LOST_LEASES_WINDOW)
        self.assertTrue(self.host.may_hold_claims(9 * LOST_LEASES_WINDOW))

    def test_absent_keeper(self) -> None:
        """Nobody waits for a keeper that was absent, for a while."""
        self.assertTrue(self.host.is_worth_waiting_for(1.0))
        self.host.failed(Failure.ABSENT_KEEPER, 1.0)
        self.assertEqual([self.host.is_worth_waiting_for(1.0 + after) for after in (0.0, KEEPER_PENALTY - 1, KEEPER_PENALTY)], [False, False, True])
        self.assertTrue(self.host.may_be_asked(1.0))


class ReputationsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Reputations()

    def is_liar(self, identity: str) -> bool:
        """Returns whether a host is known to have lied."""
        found = self.table.find(identity)
        return found is not None and found.is_liar(1.0)

    def test_find(self) -> None:
        """A host that was only asked about takes no room."""
        self.assertIsNone(self.table.find("a"))
        self.assertEqual(len(self.table), 0)
        self.table.of("a").lied(0.0)
        self.assertEqual((self.is_liar("a"), len(self.table)), (True, 1))

    def test_one_for_each(self) -> None:
        """A host has one reputation, in the roster and out of it."""
        stranger = self.table.of("a")
        self.assertIs(self.table.enter("a"), stranger)
        self.assertIs(self.table.of("a"), stranger)
        self.assertIs(self.table.find("a"), stranger)
        self.assertEqual(len(self.table), 1)

    def test_bounded(self) -> None:
        """However many strangers lie, only the last thousand are remembered."""
        for number in range(3000):
            self.table.of(str(number)).lied(0.0)
        self.assertEqual((len(self.table), STRANGERS_LIMIT), (1024, 1024))
        self.assertEqual([self.is_liar(str(number)) for number in (1975, 1976, 2999)], [False, True, True])

    def test_addresses_of_a_network(self) -> None:
        """A host that takes one IPv6 address after the other pushes out no stranger of another network."""
        for number in range(100):
            self.table.of(f"10.0.0.{number}").lied(0.0)
        for number in range(3000):
            self.table.of(f"fd77::{number:x}").lied(0.0)
        self.assertEqual((len(self.table), self.is_liar("10.0.0.0"), self.is_liar("fd77::bb7")), (100 + STRANGERS_LIMIT // 4, True, True))

    def test_latest(self) -> None:
        """A stranger of whom something is noted again is the last to be forgotten."""
        for number in range(STRANGERS_LIMIT):
            self.table.of(str(number)).lied(0.0)
        self.table.of("0")
        self.table.of("new")
        self.assertEqual([self.is_liar("0"), self.is_liar("1")], [True, False])

    def test_reserved(self) -> None:
        """No number of forged addresses pushes out a host of the roster; after it left for good it is a stranger like others."""
        self.table.enter("a").lied(0.0)
        self.table.enter("a")
        for round_ in range(3):
            for number in range(2 * STRANGERS_LIMIT):
                self.table.of(f"{round_} {number}").lied(0.0)
            self.assertEqual(self.is_liar("a"), round_ < 2)
            if round_ == 0:
                self.table.leave("a")  # another peer is at this address
            elif round_ == 1:
                self.table.leave("a")
                self.assertTrue(self.is_liar("a"))

    def test_leave(self) -> None:
        """A daemon that was started anew is asked at once; a host against which nothing is held is not remembered."""
        host = self.table.enter("a")
        host.failed(Failure.SILENT, 1.0)
        host.failed(Failure.ABSENT_KEEPER, 1.0)
        self.table.leave("a")
        self.assertEqual((len(self.table), host.may_be_asked(1.0), host.is_worth_waiting_for(1.0)), (0, True, True))
        for failure in (Failure.WITHHELD, Failure.MISLED, Failure.LOST_LEASE):
            self.table.enter("a").failed(failure, 1.0)
            self.table.leave("a")
            self.assertEqual(len(self.table), 1)
            self.setUp()


class IdentityTests(SynchronousTestCase):
    def test_address(self) -> None:
        """A host is known by its address, whatever the port and the zone; by its name where that is not resolved."""
        hosts = ("10.0.0.3", "fe80::1%eth0", "fe80::1%wlan0", "nas.lan")
        self.assertEqual([identity_of(Endpoint(host, port)) for port, host in enumerate(hosts, 1)], ["10.0.0.3", "fe80::1", "fe80::1", "nas.lan"])
