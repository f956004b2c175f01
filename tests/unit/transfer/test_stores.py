"""Tests for `pacserve.transfer.stores`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.stores import MemoryStore, Store, TemporaryStore


class NamelessTests(SynchronousTestCase):
    def test_kept_nowhere(self) -> None:
        """Files are read and written as any other, and have no name that could stay behind."""
        for store in (MemoryStore(), TemporaryStore()):
            self._check(store)

    def _check(self, store: Store) -> None:
        with store.create() as file:
            file.write(b"signature")
            file.seek(0)
            self.assertEqual(file.read(), b"signature")
            store.publish(file, "a.sig", 0, bytes(32))
            store.discard(file)

    def test_room(self) -> None:
        """In memory there is room for small files only, whatever the disk has."""
        self.assertEqual([MemoryStore().has_room(size) for size in (0, 16384, 16385)], [True, True, False])
        self.assertEqual([TemporaryStore().has_room(size) for size in (0, 1 << 60)], [True, False])
