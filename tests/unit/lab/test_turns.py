from __future__ import annotations

import fcntl
import threading
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.lab.turns import Turns

# Seconds: a thread has long begun to wait by then.
_LIMIT = 30


class TurnsTests(unittest.TestCase):
    """Several tests at once, or one alone."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.turns = Turns(self.folder)

    def is_free(self, name: str, operation: int) -> bool:
        """Returns whether another process would get a lock now."""
        with (self.folder / name).open("w") as file:
            try:
                fcntl.flock(file, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def test_together(self) -> None:
        """Ordinary tests run at once; one that is to be alone would have to wait for them."""
        with self.turns.taken(alone=False), Turns(self.folder).taken(alone=False):
            self.assertFalse(self.is_free("room.lock", fcntl.LOCK_EX))
        self.assertTrue(self.is_free("room.lock", fcntl.LOCK_EX))

    def test_alone(self) -> None:
        """While one runs alone no other does, and after it they do again."""
        with self.turns.taken(alone=True):
            self.assertFalse(self.is_free("room.lock", fcntl.LOCK_SH))
        self.assertTrue(self.is_free("room.lock", fcntl.LOCK_SH))

    def test_in_turn(self) -> None:
        """A test that waits to be alone is in front of those that come after it, however many run."""
        ran = threading.Event()

        def run_alone() -> None:
            with Turns(self.folder).taken(alone=True):
                ran.set()

        waiting = threading.Thread(target=run_alone)
        with self.turns.taken(alone=False):
            waiting.start()
            begun = threading.Event()
            for _ in range(_LIMIT * 100):
                if not self.is_free("gate.lock", fcntl.LOCK_SH):
                    begun.set()
                    break
                waiting.join(0.01)
            self.assertTrue(begun.is_set())
            self.assertFalse(ran.is_set())
        waiting.join(_LIMIT)
        self.assertTrue(ran.is_set())
