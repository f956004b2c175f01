"""Tests for `pacserve.peers.holdings`."""

import gc
import tracemalloc
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
        """A peer tells what has changed; what it removed and added is added.  Without a list there is nothing to change."""
        self.holdings.update(slot, added, removed)
        held = self.model.get(slot)
        if held is None:
            return
        for name in removed:
            held.pop(name, None)
        held.update(added)

    @rule(slot=SLOTS, name=NAMES)
    def remove(self, slot: int, name: str) -> None:
        """A peer does not have a file after all."""
        self.holdings.remove(slot, name)
        self.model.get(slot, {}).pop(name, None)

    @rule(slot=SLOTS)
    def clear(self, slot: int) -> None:
        """A peer has gone."""
        self.holdings.clear(slot)
        self.model.pop(slot, None)

    @rule(slot=SLOTS, files=st.dictionaries(NAMES, SIZES), more=st.dictionaries(NAMES, SIZES), completes=st.booleans())
    def begin(self, slot: int, files: dict[str, int], more: dict[str, int], completes: bool) -> None:
        """A peer tells what it holds in two steps; before the last one, and where that never comes, nothing has changed."""
        listing = self.holdings.begin(slot)
        for step in (files, more):
            listing.add(step)
            self.same()
        if completes:
            listing.complete()
            self.model[slot] = {**files, **more}
        else:
            listing.discard()

    @rule(parts=st.integers(1, 1500))
    def sweep(self, parts: int) -> None:
        """Some of the names are rid of the lists that have ended."""
        for _ in range(parts):
            self.holdings.sweep()

    @rule()
    def swept(self) -> None:
        """When all names are rid of them, those that nobody holds have gone."""
        while self.holdings.sweep():
            pass
        assert self.holdings.swept
        assert len(self.holdings) == len({name for files in self.model.values() for name in files})

    @rule(name=NAMES, start=st.integers(0, 600))
    def start(self, name: str, start: int) -> None:
        """The slots come round from any start, for each size, in the same order."""
        found, usual = list(self.holdings.holders(name, start)), list(self.holdings.holders(name))
        assert sorted(found) == sorted((slot, files[name]) for slot, files in self.model.items() if name in files)
        for size in {size for _, size in found}:
            slots, usually = ([slot for slot, held in one if held == size] for one in (found, usual))
            assert slots in [usually[first:] + usually[:first] for first in range(len(usually))]

    @invariant()
    def same(self) -> None:
        """Every name has the same holders, and every peer as many names."""
        for slot in (*self.model, 3):
            assert self.holdings.count(slot) == len(self.model.get(slot, {}))
        assert len(self.holdings) >= len({name for files in self.model.values() for name in files})
        for name in "abcdefg":
            expected = sorted((slot, files[name]) for slot, files in self.model.items() if name in files)
            assert sorted(self.holdings.holders(name)) == expected


AgainstDictionaries.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
ModelTests = AgainstDictionaries.TestCase


def swept(holdings: Holdings) -> int:
    """The names that are left when all lists that have ended were removed."""
    while holdings.sweep():
        pass
    return len(holdings)


class HoldingsTests(SynchronousTestCase):
    def test_forgotten(self) -> None:
        """When all peers are forgotten nothing stays in memory."""
        holdings = Holdings()
        for slot in range(50):
            holdings.replace(slot, {f"file-{number}": slot % 3 + 1 for number in range(20)})
        self.assertEqual(len(holdings), 20)
        for slot in range(50):
            holdings.clear(slot)
        self.assertEqual(swept(holdings), 0)

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
        holdings.clear(1)
        self.assertEqual((swept(holdings), holdings.count(1)), (2, 0))

    def test_bits_are_given_again(self) -> None:
        """The bit of a list that has ended is given to another one when all names are rid of it, and not before."""
        holdings = Holdings()
        holdings.replace(0, {"a": 1, "b": 1})
        holdings.clear(0)
        holdings.replace(1, {"b": 1})
        self.assertEqual((list(holdings.holders("a")), list(holdings.holders("b"))), ([], [(1, 1)]))
        self.assertEqual(swept(holdings), 1)
        for slot in range(2, 200):
            holdings.replace(slot, {"b": 1})
            holdings.clear(slot)
            swept(holdings)
        self.assertEqual(holdings.begin(200).bit, 0)

    def test_many_leave(self) -> None:
        """However many lists end, those that are left stay, and as many steps as for one rid all names of them."""
        holdings = Holdings()
        for slot in range(1000):
            holdings.replace(slot, {f"file-{number}": 1 for number in range(slot % 7, 20)})
        for slot in range(999):
            holdings.clear(slot)
        self.assertEqual(list(holdings.holders("file-19")), [(999, 1)])
        steps = []
        for _ in range(2):
            steps.append(1)
            while holdings.sweep():
                steps[-1] += 1
            holdings.clear(999)
        self.assertLess(steps[0], steps[1] + 30)
        self.assertEqual(len(holdings), 0)

    def test_end_while_swept(self) -> None:
        """A list that ends while others are removed is removed after them."""
        holdings = Holdings()
        files = {f"file-{number}": 1 for number in range(2000)}
        holdings.replace(0, files)
        holdings.replace(1, files)
        holdings.clear(0)
        holdings.sweep()
        holdings.clear(1)
        self.assertEqual(swept(holdings), 0)
        self.assertTrue(holdings.swept)

    def test_memory(self) -> None:
        """The memory of the names comes back when they have gone, while others stay."""
        holdings = Holdings()
        holdings.replace(0, {f"kept-{number}": 1 for number in range(100)})
        tracemalloc.start()
        try:
            for _ in range(3):
                holdings.replace(1, {f"made-up-{number}-{'x' * 200}": 1 for number in range(20_000)})
                holdings.clear(1)
                self.assertEqual(swept(holdings), 100)
            gc.collect()
            self.assertLess(tracemalloc.get_traced_memory()[0], 200_000)
        finally:
            tracemalloc.stop()

    def test_share_of_an_address(self) -> None:
        """The lists at one address have so many names together, whatever their number; other addresses have shares of their own."""
        holdings = Holdings(most=100, most_per_address=10)
        for slot in range(4):
            holdings.replace(slot, {f"{slot}-{number}": 1 for number in range(4)}, "10.0.0.66")
        holdings.replace(4, {f"0-{number}": 1 for number in range(8)}, "10.0.0.3")
        self.assertEqual([holdings.count(slot) for slot in range(5)], [4, 4, 2, 0, 8])
        holdings.update(2, {}, ("2-0",))
        holdings.update(3, {"0-0": 1, "0-1": 1}, ())
        self.assertEqual([holdings.count(slot) for slot in range(5)], [4, 4, 1, 1, 8])
        holdings.clear(0)
        holdings.replace(3, {f"3-{number}": 1 for number in range(8)}, "10.0.0.66")
        self.assertEqual(holdings.count(3), 5)
        holdings.replace(4, {f"4-{number}": 1 for number in range(9)}, "10.0.0.3")
        self.assertEqual(holdings.count(4), 9)

    def test_reserved(self) -> None:
        """Addresses that state many names have half of the table; the other half is for those that state as many as is usual."""
        holdings = Holdings(most=100, most_per_address=40, usual=10)
        for slot in range(5):
            holdings.replace(slot, {f"{slot}-{number}": 1 for number in range(40)}, f"10.0.0.{slot}")
        self.assertEqual([holdings.count(slot) for slot in range(5)], [40, 10, 10, 10, 10])
        holdings.replace(5, {f"5-{number}": 1 for number in range(10)}, "10.0.0.5")
        self.assertEqual((holdings.count(5), len(holdings)), (10, 90))
