"""Tests for `pacserve.transfer.unfinished_store`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile
from pacserve.transfer import journals, partial
from pacserve.transfer.journals import OpenJournal
from pacserve.transfer.spans import Span
from pacserve.transfer.stores import KeptFile
from pacserve.transfer.unfinished import SIZE_KEPT, UNSTATED_TIME
from pacserve.transfer.unfinished_store import UnfinishedStore
from tests.unit.transfer.test_journals import OnFullDisk

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
SIZE = SIZE_KEPT
DATA = bytes(range(256)) * (SIZE // 256)
EXPECTED = ExpectedFile(SIZE, hashlib.sha256(DATA).digest())
OTHER = ExpectedFile(SIZE, bytes(32))


class UnfinishedStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        boot = TemporaryDirectory()
        self.addCleanup(boot.cleanup)
        self.boot_id = Path(boot.name) / "boot_id"
        self.patch(journals, "_BOOT_ID", self.boot_id)
        self.start_machine(1)
        self.store = self.open()

    def start_machine(self, number: int) -> None:
        """The machine is started, for the first time or again."""
        self.boot_id.write_text(f"{number:08}-53ad-4b41-9a5e-5b4a2e5a3b52\n")

    def open(self, *, clean: bool = False) -> UnfinishedStore:
        """The store of a daemon that starts, after one that was killed."""
        store = UnfinishedStore(str(self.folder))
        store.open(clean=clean)
        return store

    def begin(self, store: UnfinishedStore | None = None, expected: ExpectedFile = EXPECTED) -> KeptFile:
        """The file of a download that begins."""
        kept = (store or self.store).begin(NAME, expected)
        assert kept is not None
        assert isinstance(kept.record, OpenJournal)
        self.addCleanup(kept.file.close)
        self.addCleanup(kept.record.close)
        return kept

    def write(self, kept: KeptFile, *spans: Span) -> None:
        """Bytes arrive."""
        for first, end in spans:
            os.pwrite(kept.file.fileno(), DATA[first:end], first)
            kept.record.add(first, end)

    def left(self, store: UnfinishedStore | None = None, *spans: Span, expected: ExpectedFile = EXPECTED) -> KeptFile:
        """A download that has failed after these bytes."""
        kept = self.begin(store, expected)
        self.write(kept, *spans)
        (store or self.store).leave(kept.file)
        return kept

    def names(self) -> list[str]:
        """Returns the names of all files."""
        return sorted(path.name for path in self.folder.iterdir())

    def test_killed(self) -> None:
        """A daemon that was killed left what it had written down: all ranges that were whole, and of the others all but less than a step."""
        kept = self.begin()
        self.write(kept, (0, 300_000), (500_000, 600_000))
        kept.record.write_down()
        self.write(kept, (600_000, 610_000))
        again = self.begin(self.open())
        self.assertEqual((again.spans, again.held), (((0, 300_000), (500_000, 600_000)), False))
        self.assertEqual(os.pread(again.file.fileno(), 300_000, 0), DATA[:300_000])

    def test_killed_again(self) -> None:
        """What a later daemon adds is found by the next one as well."""
        self.write(self.begin(), (0, 300_000))
        self.write(self.begin(self.open()), (600_000, 900_000))
        self.assertEqual(self.begin(self.open()).spans, ((0, 300_000), (600_000, 900_000)))

    def test_left(self) -> None:
        """A download that failed leaves every byte, a short journal, and no room on the disk behind the last byte."""
        kept = self.begin()
        os.posix_fallocate(kept.file.fileno(), 0, SIZE)
        for first in range(0, 300_000, 1000):
            self.write(kept, (first, first + 1000))
        self.store.leave(kept.file)
        (file,) = self.store.files()
        self.assertEqual((file.journal.spans, Path(file.path).stat().st_size), (((0, 300_000),), 300_000))
        self.assertLess(Path(file.path + ".spans").stat().st_size, 200)
        self.assertEqual((self.store.beginning(EXPECTED), self.store.beginning(OTHER), self.store.beginning(None)), (300_000, 0, 0))
        self.assertGreaterEqual(self.store.taken(EXPECTED.sha256, SIZE), 300_000)
        self.assertEqual((self.store.taken(EXPECTED.sha256, SIZE + 1), self.store.taken(None, SIZE)), (0, 0))
        self.assertEqual(self.begin().spans, ((0, 300_000),))

    def test_nothing_arrived(self) -> None:
        """A download that brought nothing leaves nothing, whether it failed or the daemon was killed."""
        self.left()
        self.assertEqual(self.names(), [])
        self.begin()
        self.open()
        self.assertEqual(self.names(), [])

    def test_small(self) -> None:
        """Small files, and those of which nothing is stated, are not kept."""
        for expected in (None, ExpectedFile(SIZE, None), ExpectedFile(SIZE - 1, bytes(32))):
            self.assertIsNone(self.store.begin(NAME, expected))
        self.assertEqual(self.names(), [])

    def test_complete(self) -> None:
        """A file that was given another name leaves no journal, and neither does one that was wrong."""
        kept = self.begin()
        self.write(kept, (0, SIZE))
        os.rename(str(kept.file.name), self.folder / NAME)  # noqa: PTH104
        self.store.forget(kept.file)
        self.assertEqual(self.names(), [NAME])
        kept = self.begin()
        self.write(kept, (0, SIZE))
        self.store.forget(kept.file)
        self.assertEqual(self.names(), [NAME])
        self.assertFalse(self.store.leave(kept.file))

    def test_two(self) -> None:
        """Two downloads of one file have a file each, and the next goes on with the one that has more, and removes the other."""
        first, second = self.begin(), self.begin()
        self.write(first, (0, 10))
        self.write(second, (0, 20))
        self.store.leave(first.file)
        self.store.leave(second.file)
        self.assertEqual((self.begin().spans, self.begin().spans, len(self.names())), (((0, 20),), (), 4))

    def test_forgotten_after_another(self) -> None:
        """A file that was wrong takes the one that was begun in its place along with it in no case."""
        wrong = self.begin()
        self.store.forget(wrong.file)
        self.left(None, (0, 10))
        self.store.forget(wrong.file)
        self.assertEqual(self.begin().spans, ((0, 10),))

    def test_held(self) -> None:
        """It is kept that bytes of an untrusted source are there."""
        kept = self.begin()
        kept.record.hold()
        self.write(kept, (0, 300_000))
        self.assertTrue(self.begin(self.open()).held)

    def test_machine_crashed(self) -> None:
        """After a crash of the machine nothing is kept, since the disk may have zeros; after a clean end everything is, and then is of this start."""
        self.left(None, (0, 10))
        for number in (2, 3):
            self.start_machine(number)
            self.open(clean=True)
        self.assertEqual(len(self.open().files()), 1)
        self.start_machine(4)
        self.assertEqual((self.open().files(), self.names()), ([], []))

    def test_boot_id(self) -> None:
        """Where the kernel does not tell one start from another, only the files of a daemon are kept that ended well."""
        for nothing in (None, "", "odd 5\n"):
            self.boot_id.unlink(missing_ok=True)
            if nothing is not None:
                self.boot_id.write_text(nothing)
            self.left(self.open(), (0, 10))
            self.assertEqual((len(self.open(clean=True).files()), self.open().files()), (1, []))

    def test_age(self) -> None:
        """A restart does not make a file younger."""
        self.left(None, (0, 10))
        (file,) = self.store.files()
        os.utime(file.path + ".spans", (1000, 1000))
        self.assertEqual(self.open().files()[0].used, 1000)

    def test_damaged(self) -> None:
        """Whatever is not to be relied on is removed by the next daemon, and until then is used by no download."""

        def journal(path: str, text: bytes) -> None:
            Path(path + ".spans").write_bytes(text)

        def link(path: str) -> None:
            Path(path).rename(self.folder / "elsewhere")
            Path(path).symlink_to(self.folder / "elsewhere")

        def fifo(path: str) -> None:
            Path(path).unlink()
            os.mkfifo(path)

        damages: list[Callable[[str], object]] = [
            lambda path: journal(path, b""),
            lambda path: journal(path, b"nonsense\n"),
            lambda path: journal(path, Path(path + ".spans").read_bytes() + b"7 5\n"),
            lambda path: os.truncate(path, 5),
            lambda path: os.truncate(path, SIZE + 1),
            lambda path: Path(path).unlink(),
            lambda path: Path(path + ".spans").unlink(),
            link,
            lambda path: link(path + ".spans"),
            fifo,
            lambda path: fifo(path + ".spans"),
            lambda path: Path(path).rename(path[:-1]),
        ]
        for damage in damages:
            self.left(None, (0, 10))
            path = self.store.files()[0].path
            damage(path)
            self.assertEqual(self.store.files(), [])
            self.assertEqual(self.begin(expected=EXPECTED).spans, ())
            self.store = self.open()
            self.assertEqual(set(self.names()) - {"elsewhere"}, set())

    def test_of_another_user(self) -> None:
        """Files of another user are not relied on."""
        self.left(None, (0, 10))
        user = os.geteuid()
        self.patch(os, "geteuid", lambda: user + 1)
        self.assertEqual(self.store.files(), [])

    def test_journal_on_a_full_disk(self) -> None:
        """A journal that can't be written costs its file, or what comes from then on, and no download."""
        self.left(None, (0, 10))
        left = self.names()
        self.patch(partial, "create", lambda folder: OnFullDisk(f"{folder}/.partial-", "xb"))
        self.assertIsNone(self.store.begin(NAME, EXPECTED))
        self.assertIsNone(self.store.begin(NAME, OTHER))
        self.assertEqual(self.names(), left)

    def test_room(self) -> None:
        """The oldest goes when the disk is full, but for the one that is wanted and those that are written."""
        for number, expected in enumerate((EXPECTED, OTHER, ExpectedFile(SIZE, bytes([1] * 32)))):
            self.left(None, (0, 10), expected=expected)
            journal = next(file.path for file in self.store.files() if file.sha256 == expected.sha256) + ".spans"
            os.utime(journal, (1000 + number, 1000 + number))
        self.begin(expected=OTHER)
        self.assertTrue(self.store.remove_oldest(EXPECTED.sha256))
        self.assertEqual([file.sha256 for file in self.store.files()], [EXPECTED.sha256])
        self.assertFalse(self.store.remove_oldest(EXPECTED.sha256))
        self.assertTrue(self.store.remove_oldest(None))

    def test_trim(self) -> None:
        """Files that are not to be kept are removed, but for one that a download has just taken."""
        self.left(None, (0, 10))
        now = self.store.files()[0].used
        self.assertEqual(self.store.trim(1 << 30, now + UNSTATED_TIME - 1, lambda _: ()), [])

        def take(_: str) -> list[ExpectedFile]:
            self.begin()
            return []

        self.assertEqual(self.store.trim(1 << 30, now + UNSTATED_TIME + 1, take), [])
        self.assertEqual(len(self.names()), 2)
        self.left(None, (0, 10), expected=OTHER)
        self.assertEqual(self.store.trim(1 << 30, now + UNSTATED_TIME + 1, lambda _: ()), [NAME])
        self.assertEqual(len(self.names()), 2)
