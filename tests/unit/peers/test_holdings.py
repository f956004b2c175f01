"""Tests for L{pacserve.peers.holdings}."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.holdings import Holdings

SLOTS = st.sampled_from((0, 1, 2, 63, 64, 500))
NAMES = st.sampled_from("abcdef")
SIZES = st.integers(1, 3)


class AgainstDictionaries(RuleBasedStateMachine):
    """Holdings answer as a dictionary for each peer would."""

    def __init__(self) -> None:
        super().__init__()
        self.holdings = Holdings()
        self.model: dict[int, dict[str, int]] = {}

    @rule(slot=SLOTS, files=st.dictionaries(NAMES, SIZES))
    def replace(self, slot: int, files: dict[str, int]) -> None:
        """A peer tells what it holds."""
        self.holdings.replace(slot, files)
        self.model[slot] = dict(files)

    @rule(slot=SLOTS, name=NAMES)
    def remove(self, slot: int, name: str) -> None:
        """A peer does not have a file after all."""
        self.holdings.remove(slot, name)
        self.model.get(slot, {}).pop(name, None)

    @invariant()
    def same(self) -> None:
        """Every name has the same holders."""
        names = {name for files in self.model.values() for name in files}
        assert len(self.holdings) == len(names)
        for name in "abcdefg":
            expected = sorted((slot, files[name]) for slot, files in self.model.items() if name in files)
            assert sorted(self.holdings.holders(name)) == expected


AgainstDictionaries.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
ModelTests = AgainstDictionaries.TestCase


class HoldingsTests(SynchronousTestCase):
    def test_forgotten(self) -> None:
        """When all peers are forgotten nothing stays in memory."""
        holdings = Holdings()
        for slot in range(50):
            holdings.replace(slot, {f"file-{number}": slot % 3 + 1 for number in range(20)})
        self.assertEqual(len(holdings), 20)
        for slot in range(50):
            holdings.replace(slot, {})
        self.assertEqual(len(holdings), 0)

    def test_sizes_differ(self) -> None:
        """Peers that hold different files under one name are told apart by size."""
        holdings = Holdings()
        holdings.replace(3, {"a": 10})
        holdings.replace(900, {"a": 11})
        holdings.replace(5, {"a": 10})
        self.assertEqual(sorted(holdings.holders("a")), [(3, 10), (5, 10), (900, 11)])
