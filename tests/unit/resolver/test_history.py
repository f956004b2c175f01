"""Tests for `pacserve.resolver.history`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import parse_address
from pacserve.resolver.history import ENTRIES_LIMIT, MEMORY, History

HOST, OTHER = parse_address("127.0.0.1"), parse_address("10.0.0.9")


class HistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.history = History()

    def test_an_hour(self) -> None:
        """A holder is remembered for an hour."""
        self.history.sent(HOST, "a", "peer", 100.0)
        self.assertEqual(self.history.holders(HOST, "a", 100.0), {"peer"})
        self.assertEqual(self.history.holders(HOST, "a", 100.0 + MEMORY - 1), {"peer"})
        self.assertEqual(self.history.holders(HOST, "a", 100.0 + MEMORY), frozenset())

    def test_several(self) -> None:
        """Each holder that was tried is remembered, as long as the client keeps coming back; afterwards none is."""
        self.history.sent(HOST, "a", "one", 0.0)
        self.history.sent(HOST, "a", "two", MEMORY - 1)
        self.assertEqual(self.history.holders(HOST, "a", 2 * MEMORY - 2), {"one", "two"})
        self.history.sent(HOST, "a", "three", 2 * MEMORY)
        self.assertEqual(self.history.holders(HOST, "a", 2 * MEMORY), {"three"})

    def test_others(self) -> None:
        """What one client met with one file says nothing about other clients and files."""
        self.history.sent(HOST, "a", "peer", 0.0)
        self.assertEqual(self.history.holders(OTHER, "a", 1.0), frozenset())
        self.assertEqual(self.history.holders(HOST, "a.sig", 1.0), frozenset())

    def test_limit(self) -> None:
        """Of one client 10,000 are remembered; beyond that the oldest are forgotten, and what was renewed is not old."""
        self.history.sent(OTHER, "a", "peer", 0.0)
        self.assertEqual(ENTRIES_LIMIT // 4, 10_000)
        for number in range(ENTRIES_LIMIT // 4):
            self.history.sent(HOST, str(number), "peer", 0.0)
        self.history.sent(HOST, "0", "peer", 1.0)
        self.history.sent(HOST, "new", "peer", 1.0)
        self.assertEqual([bool(self.history.holders(HOST, name, 1.0)) for name in ("0", "1", "2", "new")], [True, False, True, True])
        for number in range(ENTRIES_LIMIT):
            self.history.sent(HOST, str(number), "peer", 1.0)
        self.assertEqual(self.history.holders(OTHER, "a", 1.0), {"peer"})
