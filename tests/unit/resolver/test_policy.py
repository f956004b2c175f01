"""Tests for L{pacserve.resolver.policy}."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError
from pacserve.interfaces import Candidate
from pacserve.model import Rank
from pacserve.resolver.policy import in_order
from tests.fakes.interfaces import Choice


class OrderTests(SynchronousTestCase):
    def test_ranks(self) -> None:
        """Caches come first, then peers that hold the file, then those that may, then mirrors; a source's own order stays."""
        ranks = (Rank.MIRRORS, Rank.PEERS_UNKNOWN, Rank.PEER, Rank.CACHE, Rank.PEER, Rank.CACHE)
        choices: list[Candidate] = [Choice(rank, AbsentError()) for rank in ranks]
        self.assertEqual([choices.index(choice) for choice in in_order(choices)], [3, 5, 2, 4, 1, 0])
        self.assertEqual(list(in_order(iter(()))), [])
