"""Tests for `pacserve.peers.roster`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.peer import Peer, named
from pacserve.peers.roster import Roster


def make(slot: int) -> Peer:
    """A peer for a slot."""
    return named(slot, Endpoint("10.0.0.3", 15678))


class RosterTests(SynchronousTestCase):
    def test_slots(self) -> None:
        """Each peer has a slot of its own, and a slot that became free is the next to be given."""
        roster = Roster()
        peers = [roster.add(make) for _ in range(3)]
        self.assertEqual([peer.slot for peer in peers], [0, 1, 2])
        self.assertTrue(roster.remove(peers[1]))
        self.assertEqual((len(roster), list(roster), roster.at(1), roster.slots), (2, [peers[0], peers[2]], None, 3))
        self.assertEqual((roster.add(make).slot, len(roster)), (1, 3))

    def test_removed_twice(self) -> None:
        """A peer that has gone already is not removed again, though another one has its slot."""
        roster = Roster()
        first = roster.add(make)
        self.assertTrue(roster.remove(first))
        second = roster.add(make)
        self.assertFalse(roster.remove(first))
        self.assertIs(roster.at(0), second)

    def test_changes_meanwhile(self) -> None:
        """Who walks through the peers may remove them."""
        roster = Roster()
        for _ in range(3):
            roster.add(make)
        for peer in roster:
            roster.remove(peer)
        self.assertEqual((len(roster), list(roster), roster.at(7)), (0, [], None))

    def test_reputation(self) -> None:
        """Peers at one address have one reputation, and a host that lied is known as a liar after it left and came back."""
        roster = Roster()
        first, second = roster.add(make), roster.add(lambda slot: named(slot, Endpoint("10.0.0.3", 1)))
        other = roster.add(lambda slot: named(slot, Endpoint("10.0.0.4", 15678)))
        first.reputation.lied(0.0)
        self.assertEqual([peer.may_be_asked(1.0) for peer in (first, second, other)], [False, False, True])
        for peer in (first, second):
            roster.remove(peer)
        self.assertFalse(roster.add(make).may_be_asked(1.0))

    def test_moved(self) -> None:
        """A peer whose name leads to another address has the reputation of the host there."""
        roster = Roster()
        peer, other = roster.add(lambda slot: named(slot, Endpoint("nas.lan", 15678))), roster.add(make)
        peer.reputation.lied(0.0)
        peer.observed.endpoint = Endpoint("10.0.0.3", 15678)
        roster.moved(peer)
        self.assertIs(peer.reputation, other.reputation)
        self.assertTrue(peer.may_be_asked(1.0))
        roster.remove(other)
        other.reputation.lied(0.0)
        self.assertFalse(peer.may_be_asked(1.0), "the host is still in the roster")
        roster.remove(peer)
        roster.moved(peer)
        self.assertEqual(len(roster), 0)

    def test_moved_away(self) -> None:
        """The host that a peer was at before is a stranger, and forgotten where nothing is held against it."""
        roster = Roster()
        peer = roster.add(make)
        peer.observed.endpoint = Endpoint("10.0.0.4", 15678)
        roster.moved(peer)
        self.assertEqual([roster.reputations.find(host) is None for host in ("10.0.0.3", "10.0.0.4")], [True, False])
