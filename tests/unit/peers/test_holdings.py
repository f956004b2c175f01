"""Tests for `pacserve.peers.holdings`."""

from itertools import islice

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

    @rule(slot=SLOTS, added=st.dictionaries(NAMES, SIZES), removed=st.lists(NAMES))
    def update(self, slot: int, added: dict[str, int], removed: list[str]) -> None:
        """A peer tells what has changed; what it removed and added is added."""
        self.holdings.update(slot, added, removed)
        held = self.model.setdefault(slot, {})
        for name in removed:
            held.pop(name, None)
        held.update(added)

    @rule(slot=SLOTS, name=NAMES)
    def remove(self, slot: int, name: str) -> None:
        """A peer does not have a file after all."""
        self.holdings.remove(slot, name)
        self.model.get(slot, {}).pop(name, None)

    @rule(name=NAMES, start=st.integers(0, 600))
    def start(self, name: str, start: int) -> None:
        """The slots come round from any start, for each size."""
        expected = sorted((slot for slot, files in self.model.items() if name in files), key=lambda slot: (slot < start, slot))
        found = list(self.holdings.holders(name, start))
        for size in {size for _, size in found}:
            assert [slot for slot, held in found if held == size] == [slot for slot in expected if self.model[slot][name] == size]
        assert len(found) == len(expected)

    @invariant()
    def same(self) -> None:
        """Every name has the same holders, and every peer as many names."""
        for slot in (*self.model, 3):
            assert self.holdings.count(slot) == len(self.model.get(slot, {}))
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

    def test_changed_size(self) -> None:
        """A file that a peer holds in another size now is not held in the former one."""
        holdings = Holdings()
        holdings.replace(3, {"a": 10})
        holdings.replace(5, {"a": 10})
        holdings.update(3, {"a": 11}, ())
        self.assertEqual(sorted(holdings.holders("a")), [(3, 11), (5, 10)])
        self.assertEqual(holdings.count(3), 1)

    def test_lazy(self) -> None:
        """A few of many holders are had without looking at the others, others for each start."""
        holdings = Holdings()
        for slot in range(1000):
            holdings.replace(slot, {"a": 10})
        for start in (0, 1, 500, 999, 1000):
            self.assertEqual([slot for slot, _ in islice(holdings.holders("a", start), 3)], [(start + more) % 1000 for more in range(3)])

    def test_most(self) -> None:
        """Beyond the most names further ones are left away, those that are known go on to be told of, and room that becomes free is used."""
        holdings = Holdings(most=3)
        holdings.replace(0, {"a": 1, "b": 1})
        holdings.replace(1, {"b": 1, "c": 1, "d": 1, "e": 1})
        self.assertEqual((len(holdings), holdings.count(1)), (3, 2))
        self.assertEqual((list(holdings.holders("b")), list(holdings.holders("d"))), ([(0, 1), (1, 1)], []))
        holdings.update(1, {"d": 1}, ("c", "e"))
        self.assertEqual((list(holdings.holders("d")), holdings.count(1)), ([(1, 1)], 2))
        holdings.replace(1, {})
        self.assertEqual((len(holdings), holdings.count(1)), (2, 0))
