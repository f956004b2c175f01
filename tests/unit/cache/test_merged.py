"""Tests for `pacserve.cache.merged`."""

from collections.abc import Mapping
from io import FileIO

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache import merged
from pacserve.cache.merged import MergedPackages
from pacserve.packages.files import HeldFile
from pacserve.packages.inventory import Delta, FurtherFiles, Inventory
from tests.fakes.interfaces import Packages

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BLOB, OTHER = (f"{label}@{'3a' * 32}.blob" for label in "ab")


class Further(FurtherFiles):
    """Files of these sizes."""

    revision: int = 0

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.asked = 0

    def become(self, held: Mapping[str, int]) -> None:
        """Holds these from now on."""
        self.held = dict(held)
        self.revision += 1

    def files(self) -> Mapping[str, int]:
        self.asked += 1
        return self.held

    def open(self, name: str, size: int | None) -> HeldFile | None:
        return HeldFile(name, FileIO("/dev/null"), self.held[name], 0, '"further"') if name in self.held else None


class MergedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.packages = Packages({ZLIB: 1}, 7)
        self.further = Further()
        self.merged = MergedPackages(self.packages, self.further)

    def inventory(self) -> Inventory:
        """What hosts are told."""
        return self.successResultOf(Deferred.fromCoroutine(self.merged.inventory()))

    def opened(self, name: str) -> str | None:
        """Where a file comes from, by its entity tag."""
        held = self.merged.open(name, None)
        if held is None:
            return None
        held.file.close()
        return held.etag

    def test_merged(self) -> None:
        """Both are told of and opened; what the caches have as well comes from them."""
        self.further.become({BLOB: 5, OTHER: 7})
        self.packages.listed = Inventory(8, {ZLIB: 1, OTHER: 6})
        self.assertEqual(self.inventory().files, {ZLIB: 1, OTHER: 6, BLOB: 5})
        self.assertEqual([self.opened(name) for name in (ZLIB, BLOB, OTHER, "none")], ['"tag"', '"further"', '"tag"', None])

    def test_generations(self) -> None:
        """The generation grows with each change of either, and what changed is known; a change that changes nothing is none."""
        first = self.inventory()
        self.assertEqual(first.files, {ZLIB: 1})
        self.further.become({BLOB: 5})
        second = self.inventory()
        self.packages.listed = Inventory(8, {BLOB: 5})
        third = self.inventory()
        self.further.become({})
        self.assertIs(self.inventory(), third, "the caches have it still")
        self.assertEqual([one.generation for one in (first, second, third)], [2, 3, 4])
        self.assertEqual(self.merged.changes(2), Delta(2, 4, {BLOB: 5}, (ZLIB,)))
        self.assertEqual(self.merged.changes(4), Delta(4, 4, {}, ()))
        self.assertIsNone(self.merged.changes(7))

    def test_unchanged(self) -> None:
        """While nothing changes it is the same inventory, and nobody is asked."""
        self.further.become({BLOB: 5})
        inventory, asked = self.inventory(), self.further.asked
        self.assertIs(self.inventory(), inventory)
        self.assertEqual(self.further.asked, asked)

    def test_bounded(self) -> None:
        """No more is told than a peer accepts, the files of the caches first."""
        self.patch(merged, "NAMES_LIMIT", 2)
        self.further.become({BLOB: 5, OTHER: 6})
        self.assertEqual(self.inventory().files, {ZLIB: 1, BLOB: 5})
