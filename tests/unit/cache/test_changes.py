"""Tests for `pacserve.cache.changes`."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.changes import GENERATIONS_LIMIT, NAMES_LIMIT, Changes
from pacserve.packages.inventory import Delta, Inventory

FILES = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 3))


def recorded(*inventories: Inventory) -> Changes:
    """The changes from each of these to the next."""
    changes = Changes(inventories[0])
    for inventory in inventories[1:]:
        changes.record(inventory)
    return changes


class ChangesTests(SynchronousTestCase):
    def test_one_step(self) -> None:
        """What was added or has another size is told with its size, what went by its name, and what stayed not at all."""
        changes = recorded(Inventory(1, {"a": 1, "b": 2, "c": 3}), Inventory(2, {"a": 1, "b": 9, "d": 4}))
        self.assertEqual(changes.since(1), Delta(1, 2, {"b": 9, "d": 4}, ("c",)))

    def test_several_steps(self) -> None:
        """Steps are put together: what came back is not removed, and what came and went is."""
        changes = recorded(Inventory(1, {"a": 1}), Inventory(2, {"b": 1}), Inventory(5, {"a": 2}), Inventory(6, {"a": 2, "c": 1}))
        self.assertEqual(changes.since(1), Delta(1, 6, {"a": 2, "c": 1}, ("b",)))
        self.assertEqual(changes.since(2), Delta(2, 6, {"a": 2, "c": 1}, ("b",)))
        self.assertEqual(changes.since(5), Delta(5, 6, {"c": 1}, ()))

    def test_nothing_changed(self) -> None:
        """Since the last generation nothing changed."""
        self.assertEqual(recorded(Inventory(7, {"a": 1})).since(7), Delta(7, 7, {}, ()))

    def test_unknown(self) -> None:
        """A generation that is yet to come, was before the first one, or was skipped, is not known."""
        changes = recorded(Inventory(3, {}), Inventory(6, {"a": 1}))
        for generation in (0, 2, 4, 5, 7, 10**19):
            self.assertIsNone(changes.since(generation), generation)

    @given(st.lists(FILES, min_size=1, max_size=12), st.lists(st.integers(1, 3), min_size=12, max_size=12))
    def test_any_steps(self, states: list[dict[str, int]], growths: list[int]) -> None:
        """Each earlier inventory and the delta since then make the last one."""
        generations = [sum(growths[: number + 1]) for number in range(len(states))]
        inventories = [Inventory(generation, files) for generation, files in zip(generations, states, strict=True)]
        changes = recorded(*inventories)
        for inventory in inventories:
            delta = changes.since(inventory.generation)
            assert delta is not None
            self.assertEqual((delta.since, delta.generation), (inventory.generation, generations[-1]))
            self.assertTrue(delta.files.keys().isdisjoint(delta.removed))
            files = {name: size for name, size in inventory.files.items() if name not in delta.removed} | dict(delta.files)
            self.assertEqual(files, states[-1])

    def test_most_generations(self) -> None:
        """So many generations are remembered, and the oldest is forgotten first."""
        changes = recorded(*(Inventory(generation, {"a": generation}) for generation in range(1, GENERATIONS_LIMIT + 3)))
        self.assertIsNone(changes.since(1))
        self.assertEqual(changes.since(2), Delta(2, GENERATIONS_LIMIT + 2, {"a": GENERATIONS_LIMIT + 2}, ()))

    def test_most_names(self) -> None:
        """So many names are remembered, added and removed ones together; a change of more leaves only the last generation known."""
        half = {str(number): 1 for number in range(NAMES_LIMIT // 2)}
        changes = recorded(Inventory(1, {}), Inventory(2, half), Inventory(3, {}))
        self.assertIsNotNone(changes.since(1))
        changes.record(Inventory(4, {"more": 1}))
        self.assertIsNone(changes.since(1))
        self.assertIsNotNone(changes.since(2))
        changes.record(Inventory(5, {str(number): 1 for number in range(NAMES_LIMIT)}))
        self.assertIsNone(changes.since(4))
        self.assertIsNotNone(changes.since(5))
        changes.record(Inventory(6, {**half, "x": 1}))
        self.assertIsNotNone(changes.since(5))

    def test_memory(self) -> None:
        """Caches that change for ever take no more memory than the limits allow."""
        names = [[f"package-{turn}-{number}-1-1-any.pkg.tar.zst" for number in range(1000)] for turn in range(3)]
        tracemalloc.start()
        try:
            changes = Changes(Inventory(0, {}))
            for generation in range(1, 2000):
                changes.record(Inventory(generation, dict.fromkeys(names[generation % 3], generation)))
            self.assertLess(tracemalloc.get_traced_memory()[0], 4 << 20)
        finally:
            tracemalloc.stop()
