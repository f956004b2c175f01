"""Tests for `pacserve.peers.peer`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.peer import LAST_REFRESH, REFRESH_INTERVAL, SILENCES_UNTIL_FORGOTTEN, Announced, Peer, PeerState, found, named
from pacserve.peers.reputation import Failure

HERE = Endpoint("10.0.0.3", 15678)


def peer() -> Peer:
    """A peer that was named by its address."""
    return named(0, HERE)


class PollTests(SynchronousTestCase):
    def test_well(self) -> None:
        """A peer that answers is polled every 15 seconds."""
        one = peer()
        self.assertEqual(one.next_poll(), 15.0)
        one.answered(PeerState.KNOWN)
        self.assertEqual(one.next_poll(), REFRESH_INTERVAL)

    def test_back_off(self) -> None:
        """A silent peer is tried again after 1, 2, 4, 8 and then every 10 seconds, however long it is silent."""
        one = peer()
        waits = []
        for _ in range(7):
            one.observed.silent("no answer")
            waits.append(one.next_poll())
        self.assertEqual(waits, [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0])
        for _ in range(5000):
            one.observed.silent("no answer")
        self.assertEqual(one.next_poll(), 10.0)

    def test_forgotten(self) -> None:
        """A peer has gone after three silences in a row, and one answer starts afresh."""
        one = peer()
        for count in range(1, SILENCES_UNTIL_FORGOTTEN + 1):
            self.assertFalse(one.observed.gone())
            one.observed.silent("no answer")
            self.assertEqual((one.state, one.observed.silences, one.trouble), (PeerState.DEAD, count, "no answer"))
        self.assertTrue(one.observed.gone())
        one.answered(PeerState.KNOWN)
        self.assertEqual((one.observed.gone(), one.observed.silences, one.trouble, one.next_poll()), (False, 0, "", REFRESH_INTERVAL))

    def test_discovered(self) -> None:
        """A peer that announces itself is polled when there is news; one that is silent or of no use is tried again like others."""
        one = peer()
        self.assertFalse(one.discovered)
        one = found(0, HERE, Announced("1" * 32))
        self.assertEqual((one.state, one.instance), (PeerState.NEW, "1" * 32))
        self.assertTrue(one.discovered)
        for state in (PeerState.KNOWN, PeerState.UNKNOWN, PeerState.REFUSED):
            one.answered(state)
            self.assertIsNone(one.next_poll())
        one.answered(PeerState.UNKNOWN, "not JSON")
        self.assertEqual(one.next_poll(), REFRESH_INTERVAL)
        one.observed.silent("no answer")
        self.assertEqual(one.next_poll(), 1.0)

    def test_unusable(self) -> None:
        """A peer that answers what can't be used is polled less and less often, up to five minutes, until it can be used."""
        one = peer()
        waits = []
        for _ in range(7):
            one.answered(PeerState.UNKNOWN, "not JSON")
            waits.append(one.next_poll())
        self.assertEqual(waits, [15.0, 30.0, 60.0, 120.0, 240.0, LAST_REFRESH, LAST_REFRESH])
        one.answered(PeerState.KNOWN)
        one.answered(PeerState.UNKNOWN, "not JSON")
        self.assertEqual(one.next_poll(), 15.0)


class QuestionTests(SynchronousTestCase):
    def test_states(self) -> None:
        """Only a known or unknown peer with an address is asked for files."""
        for state in PeerState:
            one = peer()
            one.observed.state = state
            self.assertEqual(one.may_be_asked(0.0), state in (PeerState.UNKNOWN, PeerState.KNOWN), state)
        self.assertFalse(Peer(0, Endpoint("nas.lan", 15678)).may_be_asked(0.0))

    def test_leaving(self) -> None:
        """A peer that said goodbye is not asked for files, until it answers a poll."""
        announced = Announced("1" * 32)
        one = found(0, HERE, announced)
        for _ in range(2):
            one.answered(PeerState.KNOWN)
            self.assertTrue(one.may_be_asked(0.0))
            announced.goodbyes += 1
            self.assertEqual((one.leaving, one.may_be_asked(0.0)), (True, False))
            one.observed.silent("no answer")
            self.assertTrue(one.leaving)

    def test_alive_at(self) -> None:
        """A peer was last alive when it answered or was heard, the later of both."""
        announced = Announced("1" * 32, heard_at=3.0)
        one = found(0, HERE, announced)
        self.assertEqual((one.alive_at, peer().alive_at), (3.0, 0.0))
        one.observed.answered_at = 5.0
        self.assertEqual(one.alive_at, 5.0)
        announced.heard_at = 7.0
        self.assertEqual(one.alive_at, 7.0)

    def test_poll_does_not_pardon(self) -> None:
        """A peer that answers polls and nothing else stays left alone."""
        one = peer()
        one.reputation.failed(Failure.SILENT, 100.0)
        one.answered(PeerState.KNOWN)
        self.assertFalse(one.may_be_asked(100.5))

    def test_literal(self) -> None:
        """An address needs no resolving, a name does, also when it was resolved."""
        self.assertTrue(peer().literal)
        nas = named(0, Endpoint("nas.lan", 15678))
        self.assertFalse(nas.literal)
        nas.observed.addresses = ("10.0.0.3",)
        self.assertFalse(nas.literal)
