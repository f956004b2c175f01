"""Tests for `pacserve.peers.peer`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint
from pacserve.peers.peer import LAST_PENALTY, LAST_REFRESH, REFRESH_INTERVAL, SILENCES_UNTIL_FORGOTTEN, Peer, PeerState

HERE = Endpoint("10.0.0.3", 15678)


def peer() -> Peer:
    """A peer that was named by its address."""
    return Peer(0, HERE, (HERE.host,), HERE)


class LookTests(SynchronousTestCase):
    def test_well(self) -> None:
        """A peer that answers is looked at every 15 seconds."""
        one = peer()
        self.assertEqual(one.next_look(), 15.0)
        one.heard(PeerState.KNOWN)
        self.assertEqual(one.next_look(), REFRESH_INTERVAL)

    def test_back_off(self) -> None:
        """A silent peer is tried again after 1, 2, 4, 8 and then every 10 seconds, however long it is silent."""
        one = peer()
        waits = []
        for _ in range(7):
            one.silent("no answer")
            waits.append(one.next_look())
        self.assertEqual(waits, [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0])
        for _ in range(5000):
            one.silent("no answer")
        self.assertEqual(one.next_look(), 10.0)

    def test_forgotten(self) -> None:
        """A peer has gone after three silences in a row, and one answer starts afresh."""
        one = peer()
        for count in range(1, SILENCES_UNTIL_FORGOTTEN + 1):
            self.assertFalse(one.gone())
            one.silent("no answer")
            self.assertEqual((one.state, one.silences, one.trouble), (PeerState.DEAD, count, "no answer"))
        self.assertTrue(one.gone())
        one.heard(PeerState.KNOWN)
        self.assertEqual((one.gone(), one.silences, one.trouble, one.next_look()), (False, 0, "", REFRESH_INTERVAL))

    def test_discovered(self) -> None:
        """A peer that announces itself is looked at when there is news; one that is silent or of no use is tried again like others."""
        one = peer()
        self.assertFalse(one.discovered)
        one.instance = "1" * 32
        self.assertTrue(one.discovered)
        for state in (PeerState.KNOWN, PeerState.UNKNOWN, PeerState.REFUSED):
            one.heard(state)
            self.assertIsNone(one.next_look())
        one.heard(PeerState.UNKNOWN, "not JSON")
        self.assertEqual(one.next_look(), REFRESH_INTERVAL)
        one.silent("no answer")
        self.assertEqual(one.next_look(), 1.0)

    def test_unusable(self) -> None:
        """A peer that answers what can't be used is looked at less and less often, up to five minutes, until it can be used."""
        one = peer()
        waits = []
        for _ in range(7):
            one.heard(PeerState.UNKNOWN, "not JSON")
            waits.append(one.next_look())
        self.assertEqual(waits, [15.0, 30.0, 60.0, 120.0, 240.0, LAST_REFRESH, LAST_REFRESH])
        one.heard(PeerState.KNOWN)
        one.heard(PeerState.UNKNOWN, "not JSON")
        self.assertEqual(one.next_look(), 15.0)


class QuestionTests(SynchronousTestCase):
    def test_states(self) -> None:
        """Only a known or unknown peer with an address is asked for files."""
        for state in PeerState:
            one = peer()
            one.state = state
            self.assertEqual(one.may_be_asked(0.0), state in (PeerState.UNKNOWN, PeerState.KNOWN), state)
        self.assertFalse(Peer(0, Endpoint("nas.lan", 15678)).may_be_asked(0.0))

    def test_leaving(self) -> None:
        """A peer that said goodbye is not asked for files, until it answers a look."""
        one = peer()
        one.leaving = True
        self.assertFalse(one.may_be_asked(0.0))
        one.heard(PeerState.KNOWN)
        self.assertTrue(one.may_be_asked(0.0))

    def test_penalty(self) -> None:
        """A peer that fails to say is left alone for 1, 2, 4 ... up to 60 seconds."""
        one, now = peer(), 100.0
        for penalty in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
            self.assertTrue(one.may_be_asked(now))
            self.assertTrue(one.failed(now))
            self.assertFalse(one.may_be_asked(now + penalty - 0.01))
            now += penalty
        self.assertEqual(LAST_PENALTY, 60.0)

    def test_burst(self) -> None:
        """Of questions that fail together only the first counts."""
        one = peer()
        self.assertEqual([one.failed(100.0), one.failed(100.0), one.failed(100.9)], [True, False, False])
        self.assertEqual((one.failures, one.asked_again_at), (1, 101.0))

    def test_confirmed(self) -> None:
        """One good answer ends the doubling."""
        one = peer()
        one.failed(100.0)
        one.failed(200.0)
        one.confirmed()
        one.failed(300.0)
        self.assertEqual(one.asked_again_at, 301.0)

    def test_look_does_not_pardon(self) -> None:
        """A peer that answers looks and nothing else stays left alone."""
        one = peer()
        one.failed(100.0)
        one.heard(PeerState.KNOWN)
        self.assertFalse(one.may_be_asked(100.5))

    def test_literal(self) -> None:
        """An address needs no resolving, a name does, also when it was resolved."""
        self.assertTrue(peer().literal)
        named = Peer(0, Endpoint("nas.lan", 15678))
        self.assertFalse(named.literal)
        named.addresses = ("10.0.0.3",)
        self.assertFalse(named.literal)
