"""Tests for `pacserve.transfer.trimming`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile
from pacserve.transfer import unfinished
from pacserve.transfer.spool import UNUSED_TIME, Spool, SpooledFile
from pacserve.transfer.trimming import TRIM_INTERVAL, SpoolTrimming, changed_elsewhere
from pacserve.transfer.unfinished import UNSTATED_TIME

ZLIB, XZ, NEW = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst", "new-1-1-any.pkg.tar.zst"


class Folders(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pacman = Path(folder.name) / "pacman"
        self.pacman.mkdir()
        self.spool = Spool(f"{folder.name}/spool", 8)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.packages = Path(self.spool.packages)
        (self.packages / ZLIB).write_bytes(b"good")

    def files(self) -> set[str]:
        """The files of the spool."""
        return {path.name for path in self.packages.iterdir()}


class ChangedElsewhereTests(Folders):
    def spooled(self) -> SpooledFile:
        """The file of the spool."""
        (file,) = self.spool.files()
        return file

    def changed(self, *folders: Path | str) -> float | None:
        """When the other file changed."""
        return changed_elsewhere([str(folder) for folder in folders], {ZLIB}, self.spooled())

    def test_held(self) -> None:
        """A file of the same name and size counts in any of the folders."""
        (self.pacman / ZLIB).write_bytes(b"good")
        self.assertEqual(self.changed("/nowhere", self.pacman), (self.pacman / ZLIB).stat().st_ctime)

    def test_not_named(self) -> None:
        """A file whose name is in none of the folders is not looked for."""
        (self.pacman / ZLIB).write_bytes(b"good")
        self.assertIsNone(changed_elsewhere([str(self.pacman)], {XZ}, self.spooled()))

    def test_not_complete(self) -> None:
        """A file of another size or name is not complete."""
        (self.pacman / ZLIB).write_bytes(b"goo")
        (self.pacman / f"{ZLIB}.part").write_bytes(b"good")
        (self.pacman / "download-abc").mkdir()
        (self.pacman / "download-abc" / ZLIB).write_bytes(b"good")
        self.assertIsNone(self.changed(self.pacman))

    def test_spool_itself(self) -> None:
        """The folder of the spool is no other one, whatever path leads there."""
        (self.pacman / "link").symlink_to(self.packages)
        self.assertIsNone(self.changed(self.packages, f"{self.packages}/../pkg/", self.pacman / "link"))

    def test_links(self) -> None:
        """A link to the file of the spool stores nothing twice: a symbolic one would lead nowhere without it."""
        (self.pacman / ZLIB).symlink_to(self.packages / ZLIB)
        self.assertIsNone(self.changed(self.pacman))
        (self.pacman / ZLIB).unlink()
        (self.pacman / ZLIB).hardlink_to(self.packages / ZLIB)
        self.assertIsNone(self.changed(self.pacman))

    def test_link_to_a_copy(self) -> None:
        """A symbolic link is not served to the LAN, so it counts for nothing even where it leads to a copy."""
        (self.pacman / "copy").write_bytes(b"good")
        (self.pacman / ZLIB).symlink_to("copy")
        self.assertIsNone(self.changed(self.pacman))

    def test_no_file(self) -> None:
        """A folder or a FIFO of that name is no file, and is not waited for."""
        (self.pacman / ZLIB).mkdir()
        self.assertIsNone(self.changed(self.pacman))
        (self.pacman / ZLIB).rmdir()
        os.mkfifo(self.pacman / ZLIB)
        self.assertIsNone(self.changed(self.pacman))


class SpoolTrimmingTests(Folders):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.now = (self.packages / ZLIB).stat().st_ctime
        self.threads: list[Deferred[None]] = []
        self.slow = False
        self.stated: list[ExpectedFile] = []
        self.trimming = SpoolTrimming(self.spool, lambda: [str(self.pacman)], lambda _: self.stated, self.in_thread, self.clock, lambda: self.now)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Does work when a test says so."""
        if self.slow:
            self.threads.append(Deferred())
            await self.threads[-1]
        return work()

    def test_each_minute(self) -> None:
        """A file that pacman has by now leaves the spool though nothing is downloaded, until the daemon stops."""
        self.trimming.start()
        (self.pacman / ZLIB).write_bytes(b"good")
        self.now += UNUSED_TIME + 1
        self.assertEqual(self.files(), {ZLIB})
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(self.files(), set())
        self.trimming.stop()
        self.trimming.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_further_place(self) -> None:
        """A file that a further place keeps under another name is given up likewise."""
        asked: list[str] = []
        changed: list[float | None] = [None]

        def kept(file: SpooledFile) -> float | None:
            asked.append(file.name)
            return changed[0]

        self.trimming.consult(kept)
        self.now += UNUSED_TIME + 1
        self.trimming.start()
        self.addCleanup(self.trimming.stop)
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual((self.files(), set(asked)), ({ZLIB}, {ZLIB}))
        changed[0] = self.now - 1
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(self.files(), {ZLIB}, "that place has it since a moment ago")
        changed[0] = 0.0
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(self.files(), set())

    def test_unfinished(self) -> None:
        """A download that nobody goes on with is given up some day, as the databases state its file no more; with each download nobody looks."""
        kept = self.spool.keep(XZ, ExpectedFile(1 << 20, bytes(32)))
        assert kept is not None
        with kept.file:
            kept.file.write(b"x")
            kept.record.add(0, 1)
            self.spool.leave(kept.file)
        self.patch(unfinished, "_SHARE", 1 << 20)
        self.trimming.start()
        self.addCleanup(self.trimming.stop)
        self.now += UNSTATED_TIME + 1
        self.stated = [ExpectedFile(1 << 20, bytes(32))]
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(len(self.spool.unfinished.files()), 1)
        self.stated = []
        self.trimming.trim_soon()
        self.assertEqual(len(self.spool.unfinished.files()), 1)
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(self.spool.unfinished.files(), [])

    def test_held_elsewhere_goes_first(self) -> None:
        """Beyond the limit a file that pacman has goes before an older one, and at once."""
        for name in (XZ, NEW):
            (self.packages / name).write_bytes(b"good")
        (self.pacman / NEW).write_bytes(b"good")
        self.trimming.trim_soon()
        self.assertEqual(self.files(), {ZLIB, XZ})

    def test_counted(self) -> None:
        """The folder is not read for downloads that the spool takes, and for a full one once in many downloads."""
        spool = Spool(f"{self.pacman}/spool", 10_000)
        spool.open()
        self.addCleanup(spool.close)
        trimming = SpoolTrimming(spool, list, lambda _: (), self.in_thread, self.clock, lambda: self.now)
        read, readings = spool.files, []

        def files() -> Iterator[SpooledFile]:
            readings.append(len(list(Path(spool.packages).iterdir())))
            return read()

        self.patch(spool, "files", files)
        for number in range(1000):
            with spool.create() as file:
                file.write(bytes(20))
                spool.publish(file, f"p{number}-1-1-any.pkg.tar.zst", None)
            trimming.trim_soon()
        self.assertEqual(sorted(set(readings)), [1, 501])
        self.assertEqual(len(readings), 1 + 500 // 26 + 1)
        self.assertLessEqual(len(list(Path(spool.packages).iterdir())), 500)

    def test_one_at_a_time(self) -> None:
        """While one thread works another one waits, which sees what came meanwhile, and no more than that one."""
        self.slow = True
        for _ in range(5):
            self.trimming.trim_soon()
        self.assertEqual(len(self.threads), 1)
        self.threads[0].callback(None)
        for name in (XZ, NEW):
            (self.packages / name).write_bytes(b"good")
        self.assertEqual(len(self.threads), 2)
        self.threads[1].callback(None)
        self.assertEqual((len(self.files()), len(self.threads)), (2, 2))
