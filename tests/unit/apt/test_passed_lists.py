"""Tests for `pacserve.apt.passed_lists`."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt import passed_lists
from pacserve.apt.bases import Bases
from pacserve.apt.content import StatedFile
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.passed_lists import SIZE_LIMIT, PassedFolder, PassedLists
from pacserve.apt.targets import Target, target_of
from pacserve.packages.files import HeldFile

BASE = Target("http://deb.example", ("debian",))
URL = "http://deb.example/debian/dists/a/main/binary-amd64/Packages.xz"


def known(url: str = URL, number: int = 0, size: int = 5) -> KnownFile:
    """An index that a client was given."""
    return KnownFile(StatedFile(size, bytes([number]) * 32, "Packages.xz"), (url,), url)


class ListsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "passed"
        self.folder = PassedFolder(str(self.path), Bases((BASE,)))
        self.spooled = Path(folder.name) / "blob"
        self.spooled.write_bytes(b"first")
        self.held = 0
        self.here = True
        self.lists = PassedLists(self.folder, self.hold, self.open, self.in_thread)

    async def hold(self, file: KnownFile) -> bool:
        """Holds the file."""
        self.held += 1
        return self.here

    def open(self, name: str) -> HeldFile | None:
        """Opens the file of the spool."""
        return HeldFile(name, FileIO(os.open(self.spooled, os.O_RDONLY), "rb"), 5, 0, '"x"')

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Does it at once."""
        return work()

    def kept(self) -> dict[str, bytes]:
        """What is in the folder."""
        return {path.name: path.read_bytes() for path in self.path.iterdir()} if self.path.exists() else {}

    def test_kept(self) -> None:
        """A list that a client was given is kept, and found again by its base, without the suffix of its compression."""
        self.lists.given(known())
        (name,) = self.kept()
        self.assertEqual(self.kept()[name], b"first")
        self.assertEqual(self.folder.lists(), {str(self.path / name.removesuffix(".xz")): (BASE,)})

    def test_once(self) -> None:
        """The same list is kept once; another one takes its place, however it is compressed."""
        for _ in range(2):
            self.lists.given(known())
        self.assertEqual(self.held, 1)
        self.spooled.write_bytes(b"later")
        self.lists.given(known(URL.replace(".xz", ".gz"), 1))
        self.assertEqual(list(self.kept().values()), [b"later"])

    def test_not_here(self) -> None:
        """A list that could not be fetched is tried again the next time."""
        self.here = False
        self.lists.given(known())
        self.assertEqual(self.kept(), {})
        self.here = True
        self.lists.given(known())
        self.assertEqual(len(self.kept()), 1)

    def test_others(self) -> None:
        """Nothing else is kept: other indexes, other bases, what is no index, what is too large or can't be named."""
        for file in (
            known("http://deb.example/debian/dists/a/Contents-amd64.gz"),
            known("http://other.example/debian/dists/a/Packages.xz"),
            known(size=SIZE_LIMIT + 1),
            known(f"http://deb.example/debian/{'x' * 200}/{'y' * 50}/Packages"),
            KnownFile(StatedFile(5, bytes(32), "x_1_amd64"), (URL,)),
        ):
            self.lists.given(file)
        self.assertEqual((self.held, self.kept()), (0, {}))

    def test_foreign_files(self) -> None:
        """Other files in the folder are no lists."""
        self.path.mkdir()
        for name in (".new-1", "Packages", "http%3A%2F%2Fother.example%2FPackages"):
            (self.path / name).touch()
        self.assertEqual(self.folder.lists(), {})

    def test_bounded(self) -> None:
        """The oldest lists go where there are too many."""
        self.patch(passed_lists, "LISTS_LIMIT", 2)
        for number in range(3):
            self.lists.given(known(URL.replace("amd64", f"arch{number}"), number))
            for path in self.path.iterdir():
                os.utime(path, (path.stat().st_mtime - 10, path.stat().st_mtime - 10))
        targets = sorted(self.kept())
        self.assertEqual(["arch1" in targets[0], "arch2" in targets[1], len(targets)], [True, True, 2])

    def test_too_many(self) -> None:
        """No more lists wait to be kept than are kept."""
        self.patch(passed_lists, "LISTS_LIMIT", 2)
        waiting: Deferred[bool] = Deferred()

        async def hold(file: KnownFile) -> bool:
            self.held += 1
            return await waiting

        lists = PassedLists(self.folder, hold, self.open, self.in_thread)
        for number in range(5):
            lists.given(known(URL.replace("amd64", f"arch{number}"), number))
        waiting.callback(True)
        self.assertEqual(self.held, 3)

    def test_no_place(self) -> None:
        """Where the folder can't be written that is told, and tried again with the next list."""
        self.path.write_bytes(b"no folder")
        self.lists.given(known())
        self.lists.given(known())
        self.assertEqual(self.held, 2)

    def test_stamp(self) -> None:
        """The folder tells that it has changed."""
        self.assertIsNone(self.folder.stamp())
        self.lists.given(known())
        self.assertIsNotNone(self.folder.stamp())
        self.assertEqual(target_of(URL), target_of(known().plain))
