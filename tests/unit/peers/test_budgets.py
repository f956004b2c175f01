"""Tests for `pacserve.peers.budgets`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.budgets import ALL_FACTOR, BURST, NETWORK_FACTOR, RATE, Budgets

HOST, OTHER = Endpoint("10.0.0.3", 15678), Endpoint("10.0.0.4", 15678)


def address6(number: int) -> Endpoint:
    """One of the addresses that a host can take in its network."""
    return Endpoint(f"fd77::{number:x}", 15678)


class BudgetsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.budgets = Budgets()

    def test_burst(self) -> None:
        """A host may send much at once, and has to wait as long as what is more takes at the rate."""
        self.budgets.use(HOST, BURST, 5.0)
        self.assertEqual(self.budgets.pause(HOST, 5.0), 0)
        self.budgets.use(HOST, 10 * RATE, 5.0)
        self.assertEqual(self.budgets.pause(HOST, 5.0), 10)
        self.assertEqual(self.budgets.pause(HOST, 11.0), 4)
        self.assertEqual((self.budgets.pause(HOST, 15.0), self.budgets.pause(OTHER, 5.0)), (0, 0))

    def test_growing(self) -> None:
        """A host that goes on to send long lists waits longer for each of them at first, and then as long as its list takes at the rate."""
        now, pauses = 0.0, []
        for _ in range(5):
            self.budgets.use(HOST, BURST, now)
            pauses.append(self.budgets.pause(HOST, now))
            now += pauses[-1]
        self.assertEqual(pauses, [0, *[BURST / RATE] * 4])

    def test_forgiven(self) -> None:
        """What was sent long ago does not count."""
        self.budgets.use(HOST, 3 * BURST, 0.0)
        self.budgets.use(HOST, 1, 3 * BURST / RATE)
        self.assertEqual(self.budgets.pause(HOST, 3 * BURST / RATE), 0)

    def test_ports(self) -> None:
        """All daemons at an address share its budget, whatever its zone; a name is counted as such until it is known where it leads."""
        for first, second in (
            (HOST, Endpoint("10.0.0.3", 9999)),
            (Endpoint("fe80::1%eth0", 1), Endpoint("fe80::1", 2)),
            (Endpoint("nas", 1), Endpoint("nas", 2)),
        ):
            self.budgets.use(first, 2 * BURST, 0.0)
            self.assertGreater(self.budgets.pause(second, 0.0), 0)

    def test_addresses_of_a_network(self) -> None:
        """The addresses of an IPv6 network share one, larger than that of an address; another network does not wait."""
        for number in range(NETWORK_FACTOR):
            self.budgets.use(address6(number), BURST, 0.0)
        self.assertEqual(self.budgets.pause(address6(99), 0.0), 0)
        self.budgets.use(address6(99), NETWORK_FACTOR * RATE, 0.0)
        self.assertAlmostEqual(self.budgets.pause(address6(77), 0.0), 1)
        self.assertEqual(self.budgets.pause(Endpoint("fd77:0:0:1::1", 15678), 0.0), 0)

    def test_all(self) -> None:
        """Many hosts that send much wait for each other; one that has sent little waits for none."""
        for number in range(100):
            self.budgets.use(Endpoint(f"10.0.1.{number}", 15678), BURST * 3 // 4, 0.0)
        self.assertEqual(self.budgets.pause(Endpoint("10.0.1.1", 15678), 0.0), (100 * BURST * 3 // 4 - ALL_FACTOR * BURST) / (ALL_FACTOR * RATE))
        self.budgets.use(HOST, BURST // 2, 0.0)
        self.assertEqual(self.budgets.pause(HOST, 0.0), 0)

    def test_memory(self) -> None:
        """A host that takes one address after the other is not forgotten by its network, and fills no memory."""
        for number in range(10_000):
            self.budgets.use(address6(number), 1 << 20, 0.0)
        self.assertGreater(self.budgets.pause(address6(1 << 15), 0.0), 0)
        self.assertLess(len(self.budgets), 5000)
