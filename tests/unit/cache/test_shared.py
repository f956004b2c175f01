"""Tests for `pacserve.cache.shared`, and for what the inventory leaves out."""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.packages import CachedPackages
from pacserve.cache.shared import SharedPackages
from pacserve.packages.inventory import Inventory
from tests.fakes.interfaces import Databases
from tests.unit.cache.test_packages import at_once

OURS, BASH = "ours-2-1-any.pkg.tar.zst", "bash-5-1-any.pkg.tar.zst"
FILES = {OURS: 10, f"{OURS}.sig": 5, BASH: 40, f"{BASH}.sig": 6}


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, size in FILES.items():
            (self.folder / name).write_bytes(bytes(size))
        self.private: Collection[str] = {"ours"}
        databases = Databases({("ours", OURS): 10, ("core", BASH): 40})
        now = self.folder.stat().st_ctime + 60
        self.clock = Clock()
        self.own = CachedPackages(lambda: [str(self.folder)], databases, at_once, self.clock, lambda: now, lambda: self.private)
        self.shared = SharedPackages(self.own, lambda: self.private, databases)

    def inventory(self) -> Inventory:
        """What peers are told."""
        return self.successResultOf(Deferred.fromCoroutine(self.shared.inventory()))

    def opened(self, packages: CachedPackages | SharedPackages) -> set[str]:
        """The files that can be opened."""
        found = set()
        for name in FILES:
            held = packages.open(name, None)
            if held is not None:
                held.file.close()
                found.add(name)
        return found

    def test_kept_from_the_lan(self) -> None:
        """The packages of a private repository are neither listed nor given to peers, and are there for the own pacman."""
        public = {BASH, f"{BASH}.sig"}
        self.assertEqual((set(self.inventory().files), self.opened(self.shared), self.opened(self.own)), (public, public, set(FILES)))

    def test_generation(self) -> None:
        """Nobody learns that something private has come, and peers learn at once that a repository has become private or public."""
        before = self.inventory().generation
        (self.folder / "ours-1-1-any.pkg.tar.zst").write_bytes(b"earlier")
        self.clock.advance(61)
        self.assertEqual(self.inventory().generation, before)
        self.private = ()
        self.assertEqual(set(self.inventory().files), {*FILES, "ours-1-1-any.pkg.tar.zst"})
        self.private = {"ours"}
        self.assertEqual(self.inventory().generation, before + 2)
        delta = self.shared.changes(before + 1)
        assert delta is not None
        self.assertEqual(set(delta.removed), {OURS, f"{OURS}.sig", "ours-1-1-any.pkg.tar.zst"})
