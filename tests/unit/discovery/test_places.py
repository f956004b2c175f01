"""Tests for `pacserve.discovery.places`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.places import CONTACTS_LIMIT, CONTACTS_PER_ADDRESS, PEERS_LIMIT, PEERS_PER_ADDRESS, USUAL_PER_ADDRESS, Places
from pacserve.network.addresses import Endpoint
from pacserve.peers.peer import Announced, Peer, PeerState, found


def address4(number: int) -> str:
    """One of the addresses of a LAN."""
    return f"10.0.{number >> 8}.{number & 255}"


def address6(number: int) -> str:
    """One of the addresses that a host can take in its network."""
    return f"fd77::{number:x}"


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.places = Places()

    def add(self, host: str, port: int = 15678, state: PeerState = PeerState.KNOWN) -> Peer | None:
        """A peer for which there is a place."""
        endpoint = Endpoint(host, port)
        if not self.places.has_place(endpoint):
            return None
        peer = found(0, endpoint, Announced("0" * 32))
        peer.observed.state = state
        self.places.add(peer)
        return peer

    def test_found(self) -> None:
        """A peer is found at its endpoint until it is removed; another one that was there before is not removed in its place."""
        peer = self.add("10.0.0.3")
        assert peer is not None
        self.assertEqual((list(self.places), self.places.get(peer.configured), peer.configured in self.places), ([peer], peer, True))
        self.places.remove(found(0, peer.configured, Announced("1" * 32)))
        self.assertIs(self.places.get(peer.configured), peer)
        self.places.remove(peer)
        self.places.remove(peer)
        self.assertEqual((list(self.places), self.places.get(peer.configured)), ([], None))

    def test_ports(self) -> None:
        """An address has a number of places, which it gets back with the peers."""
        peers = [self.add("10.0.0.66", 15678 + number) for number in range(PEERS_PER_ADDRESS + 5)]
        self.assertEqual(peers.count(None), 5)
        assert peers[0] is not None
        self.places.remove(peers[0])
        self.assertIsNotNone(self.add("10.0.0.66", 9999))

    def test_reserved(self) -> None:
        """Hosts with many peers get half of all places, and those with few get the others."""
        for number in range(PEERS_LIMIT // PEERS_PER_ADDRESS):
            for port in range(PEERS_PER_ADDRESS):
                self.add(address4(number), 15678 + port)
        taken = len(list(self.places))
        self.assertLess(taken, PEERS_LIMIT // 2 + USUAL_PER_ADDRESS * PEERS_LIMIT // PEERS_PER_ADDRESS)
        self.assertTrue(all(self.add(address4(1000 + number)) for number in range(PEERS_LIMIT - taken)))
        self.assertIsNone(self.add("10.9.9.9"))

    def test_network(self) -> None:
        """A host that takes one IPv6 address after the other leaves a quarter of the places to others, and gets its own back."""
        peers = [self.add(address6(number)) for number in range(PEERS_LIMIT)]
        self.assertEqual(peers.count(None), PEERS_LIMIT // 4)
        self.assertIsNotNone(self.add("10.0.0.3"))
        self.assertIsNotNone(self.add("fd78::1"))
        assert peers[0] is not None
        self.places.remove(peers[0])
        self.assertIsNotNone(self.add(address6(5000)))

    def test_contacts(self) -> None:
        """Of those that have not shown who they are an address has a few, a network of IPv6 most, and all together have a number."""
        for port in range(CONTACTS_PER_ADDRESS):
            self.assertTrue(self.places.may_contact(Endpoint("10.0.0.66", 1)))
            self.add("10.0.0.66", 15678 + port, PeerState.NEW)
        self.assertFalse(self.places.may_contact(Endpoint("10.0.0.66", 1)))
        self.assertTrue(self.places.may_contact(Endpoint("10.0.0.67", 1)))
        self.assertEqual(self.places.room(), CONTACTS_LIMIT - CONTACTS_PER_ADDRESS)
        for number in range(CONTACTS_LIMIT * 3 // 4):
            self.assertTrue(self.places.may_contact(Endpoint(address6(number), 1)))
            self.add(address6(number), state=PeerState.NEW)
        self.assertFalse(self.places.may_contact(Endpoint(address6(999), 1)))
        self.assertTrue(self.places.may_contact(Endpoint("fd78::1", 1)))
