"""Tests for `pacserve.bounded`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.bounded import ExpiringMemory, FairMemory


class ExpiringMemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory: ExpiringMemory[str, int] = ExpiringMemory(2, 10.0)

    def test_expires(self) -> None:
        """A value is remembered for its lifetime, and not a moment longer."""
        self.memory.remember("a", 1, 100.0)
        self.assertEqual((self.memory.get("a", 109.9), self.memory.expires("a", 104.0)), (1, 6.0))
        self.assertEqual((self.memory.get("a", 110.0), self.memory.expires("a", 110.0)), (None, None))
        self.assertEqual(len(self.memory), 0)

    def test_lifetime_of_its_own(self) -> None:
        """An entry may be remembered for longer or shorter than the others."""
        self.memory.remember("a", 1, 100.0, lifetime=20.0)
        self.assertEqual(self.memory.get("a", 119.0), 1)

    def test_oldest_goes_first(self) -> None:
        """What was remembered first makes room, and remembering a key again makes it the latest."""
        self.memory.remember("a", 1, 100.0)
        self.memory.remember("b", 2, 100.0)
        self.memory.remember("a", 3, 100.0)
        self.memory.remember("c", 4, 100.0)
        self.assertEqual(list(self.memory.items(101.0)), [("a", 3), ("c", 4)])

    def test_forgets(self) -> None:
        """A key can be forgotten, known or not, and so can all."""
        self.memory.remember("a", 1, 100.0)
        self.memory.forget("a")
        self.memory.forget("a")
        self.assertIsNone(self.memory.get("a", 100.0))
        self.memory.remember("b", 1, 100.0)
        self.memory.clear()
        self.assertEqual(list(self.memory.items(100.0)), [])

    def test_items_without_the_expired(self) -> None:
        """What has expired is not among the items."""
        self.memory.remember("a", 1, 100.0)
        self.memory.remember("b", 2, 105.0)
        self.assertEqual(list(self.memory.items(111.0)), [("b", 2)])

    @given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 5)), max_size=50))
    def test_never_more_than_the_limit(self, steps: list[tuple[int, float]]) -> None:
        """However much is remembered, there are never more entries than the limit, and the latest is always there."""
        memory: ExpiringMemory[int, float] = ExpiringMemory(3, 10.0)
        now = 0.0
        for key, wait in steps:
            now += wait
            memory.remember(key, now, now)
            self.assertLessEqual(len(memory), 3)
            self.assertEqual(memory.get(key, now), now)


class FairTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory: FairMemory[tuple[str, int], int] = FairMemory(8, 10.0, lambda key: key[0])

    def known(self, owner: str, now: float = 0.0) -> list[int]:
        """The numbers that are remembered for an owner."""
        return [key[1] for key, _ in self.memory.items(now) if key[0] == owner]

    def test_share(self) -> None:
        """An owner with a quarter of the entries pushes out its own, however many it brings up; those of others stay."""
        self.memory.remember(("a", 1), 5, 0.0)
        for number in range(100):
            self.memory.remember(("b", number), number, 0.0)
        self.assertEqual((self.known("a"), self.known("b"), len(self.memory)), ([1], [98, 99], 3))
        self.assertEqual(self.memory.get(("a", 1), 0.0), 5)

    def test_again(self) -> None:
        """An entry that is remembered again is the last of its owner to go, and one that is forgotten makes room."""
        for number in (1, 2, 1, 3):
            self.memory.remember(("a", number), number, 0.0)
        self.assertEqual(self.known("a"), [1, 3])
        self.memory.forget(("a", 3))
        self.memory.remember(("a", 4), 4, 0.0)
        self.assertEqual(self.known("a"), [1, 4])
        self.assertIsNone(self.memory.get(("a", 1), 11.0))
        self.memory.remember(("a", 5), 5, 11.0)
        self.memory.remember(("a", 6), 6, 11.0)
        self.assertEqual(self.known("a", 11.0), [5, 6])

    def test_full(self) -> None:
        """Of many owners with few entries the one that was remembered first goes, and nothing is left of owners that have none."""
        for number in range(100):
            self.memory.remember((str(number), 1), number, 0.0)
        self.assertEqual([key[0] for key, _ in self.memory.items(0.0)], [str(number) for number in range(92, 100)])
        self.memory.clear()
        self.assertEqual(len(self.memory), 0)
        self.memory.remember(("a", 1), 1, 0.0)
        self.assertEqual(self.known("a"), [1])
