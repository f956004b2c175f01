"""Tests for `pacserve.claims.rendezvous`."""

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.rendezvous import keepers

HOSTS = [f"{number:032x}" for number in range(20)]


class KeepersTests(SynchronousTestCase):
    def test_agreement(self) -> None:
        """All who know the same hosts come to the same order."""
        shuffled = list(HOSTS)
        Random(1).shuffle(shuffled)
        self.assertEqual(keepers("a", HOSTS), keepers("a", shuffled))
        self.assertEqual(sorted(keepers("a", HOSTS)), HOSTS)

    def test_share(self) -> None:
        """Each host keeps its share of the files."""
        first = Counter(keepers(f"file {number}", HOSTS)[0] for number in range(4000))
        self.assertEqual(len(first), 20)
        self.assertTrue(120 < min(first.values()) <= max(first.values()) < 300)

    def test_one_goes(self) -> None:
        """When a host goes, only what it kept is kept by another one, the one that came after it."""
        for number in range(200):
            before = keepers(f"file {number}", HOSTS)
            self.assertEqual(keepers(f"file {number}", HOSTS[1:]), [host for host in before if host != HOSTS[0]])
