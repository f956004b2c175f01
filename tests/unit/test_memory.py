"""Tests for `pacserve.memory`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve import memory
from pacserve.memory import give_back


class MemoryTests(SynchronousTestCase):
    def test_give_back(self) -> None:
        """The C library is asked once, and where it has no such function nothing happens."""
        asked: list[int] = []
        self.patch(memory, "_TRIM", asked.append)
        give_back()
        self.assertEqual(asked, [0])
        self.patch(memory, "_TRIM", None)
        give_back()

    def test_found(self) -> None:
        """glibc, with which Arch Linux and Debian come, has the function."""
        self.assertIsNotNone(memory._malloc_trim())
