"""Tests for `pacserve.transfer.spool`."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import ConfigurationError
from pacserve.packages.files import ExpectedFile
from pacserve.transfer import partial
from pacserve.transfer.spool import UNUSED_TIME, Elsewhere, Spool, SpooledFile

ZLIB, XZ = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst"


class SpoolCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.spooled = Path(folder.name) / "spool"
        self.folder = self.spooled / "pkg"

    def spool(self, limit: int = 1 << 30) -> Spool:
        """A spool that is open."""
        spool = Spool(str(self.spooled), limit)
        spool.open()
        self.addCleanup(spool.close)
        return spool

    def put(self, spool: Spool, name: str, data: bytes = b"data", modified: int | None = None) -> None:
        """Writes and publishes a file."""
        with spool.create() as file:
            file.write(data)
            spool.publish(file, name, modified)

    def names(self) -> set[str]:
        """Returns the names in the folder that are not hidden."""
        return {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}


class SpoolTests(SpoolCase):
    def test_published(self) -> None:
        """A file has its name when it is complete, and is hidden before that."""
        spool = self.spool()
        with spool.create() as file:
            self.assertEqual(self.names(), set())
            file.write(b"data")
            spool.publish(file, ZLIB, 1_000_000)
        self.assertEqual(self.names(), {ZLIB})
        self.assertEqual(((self.folder / ZLIB).read_bytes(), (self.folder / ZLIB).stat().st_mtime), (b"data", 1_000_000))

    def test_names(self) -> None:
        """Nothing but a package file is published."""
        spool = self.spool()
        with spool.create() as file:
            for name in ("../evil", "core.db", ".hidden", "a/b", ""):
                self.assertRaises(ValueError, spool.publish, file, name, None)
            spool.discard(file)
            spool.discard(file)
        self.assertEqual((sorted(path.name for path in self.spooled.iterdir()), self.names()), ([".pacserve-spool", "pkg"], set()))

    def test_locked(self) -> None:
        """A second daemon on the same spool is told so, until the first has ended."""
        first = self.spool()
        error = self.assertRaises(ConfigurationError, Spool(str(self.spooled), 1).open)
        self.assertIn("--spool", str(error))
        first.close()
        self.spool()

    def test_no_folder(self) -> None:
        """A folder that can't be made is named."""
        self.spooled.parent.joinpath("file").touch()
        error = self.assertRaises(ConfigurationError, Spool(str(self.spooled.parent / "file" / "spool"), 1).open)
        self.assertIn("file/spool", str(error))

    def test_removed_while_running(self) -> None:
        """A folder that somebody removes is made again."""
        spool = self.spool()
        (self.spooled / ".pacserve-spool").unlink()
        self.folder.rmdir()
        self.spooled.rmdir()
        self.assertTrue(spool.has_room(1))
        self.assertRaises(ConfigurationError, Spool(str(self.spooled), 1).open)
        self.put(spool, ZLIB)
        self.assertEqual(self.names(), {ZLIB})

    def test_taken_while_running(self) -> None:
        """When another daemon has made the removed folder anew it is that one's, and this one keeps nothing there."""
        spool = self.spool()
        (self.spooled / ".pacserve-spool").unlink()
        self.folder.rmdir()
        self.spooled.rmdir()
        self.spool()
        self.assertRaises(OSError, spool.has_room, 1)
        self.assertRaises(OSError, spool.create)

    def test_clean_end(self) -> None:
        """The files of a daemon that ended well are there at once; those that had not arrived wholly are removed."""
        spool = self.spool()
        self.put(spool, ZLIB)
        spool.create().close()
        spool.close()
        self.spool()
        self.assertEqual(({path.name for path in self.spooled.iterdir()}, self.names()), ({"pkg", ".pacserve-spool"}, {ZLIB}))

    def test_packages_of_others(self) -> None:
        """A folder with packages that is no spool is refused, with the option that chooses another one, and nothing in it is touched."""
        self.folder.mkdir(parents=True)
        for name in (ZLIB, "README"):
            (self.folder / name).write_bytes(b"precious")
            error = self.assertRaises(ConfigurationError, self.spool)
            self.assertIn("it has files that pacserve did not put there", str(error))
            self.assertIn("--spool", str(error))
            self.assertEqual(([path.name for path in self.spooled.iterdir()], self.names()), (["pkg"], {name}))
            (self.folder / name).unlink()
        self.spool()

    def test_taken_by_others_while_running(self) -> None:
        """Where somebody has put a folder of packages in the place of the spool nothing is kept, and nothing is touched."""
        spool = self.spool()
        (self.spooled / ".pacserve-spool").unlink()
        (self.folder / ZLIB).write_bytes(b"precious")
        self.assertRaises(OSError, spool.has_room, 1)
        self.assertRaises(OSError, spool.create)
        self.assertEqual(self.names(), {ZLIB})

    def test_folder_of_pacman(self) -> None:
        """The package cache that pacman fills does not become a spool, not even while it is empty; a spool may become one that pacman fills."""
        self.folder.mkdir(parents=True)
        spool = Spool(str(self.spooled), 1)
        error = self.assertRaises(ConfigurationError, spool.open, f"{self.spooled}/../spool/pkg/")
        self.assertIn("pacman keeps its own packages there", str(error))
        self.assertEqual([path.name for path in self.spooled.iterdir()], ["pkg"])
        spool.open("/nowhere")
        spool.close()
        spool.open(str(self.folder))
        spool.close()

    def test_trim(self) -> None:
        """Beyond the limit the least recently used go, and before them those that a package cache holds as well."""
        spool = self.spool(limit=25)
        for number, name in enumerate("abcd"):
            self.put(spool, f"{name}-1-1-any.pkg.tar.zst", bytes(10))
            os.utime(self.folder / f"{name}-1-1-any.pkg.tar.zst", (1000 + number, 1000 + number))
        removed = spool.trim(lambda file: 0.0 if file.name.startswith("d") and file.size == 10 else None)
        self.assertEqual([name[0] for name in removed], ["d", "a"])
        self.assertEqual({name[0] for name in self.names()}, {"b", "c"})
        self.assertEqual(spool.trim(lambda file: 0.0), [])

    def test_slack(self) -> None:
        """A spool that was full has room for some more files after it was trimmed, so that it is not full again with the next one."""
        spool = self.spool(limit=1000)
        for number in range(101):
            self.put(spool, f"p{number}-1-1-any.pkg.tar.zst", bytes(10))
        self.assertEqual(len(spool.trim(lambda file: None)), 6)
        self.assertEqual(len(self.names()), 95)

    def test_fits(self) -> None:
        """Whether the files are within the limit is known from what was published since they were counted, and not before that."""
        spool = self.spool(limit=25)
        self.put(spool, ZLIB, bytes(10))
        self.assertFalse(spool.fits)
        spool.trim(lambda file: None)
        self.assertTrue(spool.fits)
        self.put(spool, XZ, bytes(15))
        self.assertTrue(spool.fits)
        self.put(spool, "one-more-1-1-any.pkg.tar", bytes(1))
        self.assertFalse(spool.fits)
        spool.trim(lambda file: None)
        self.assertTrue(spool.fits)

    def test_published_meanwhile(self) -> None:
        """A file that is published while the folder is read counts, whether it was seen there or not."""
        spool = self.spool(limit=25)
        read = spool.files

        def files() -> Iterator[SpooledFile]:
            found = list(read())
            self.put(spool, ZLIB, bytes(26))
            return iter(found)

        self.patch(spool, "files", files)
        spool.trim(lambda file: None)
        self.assertFalse(spool.fits)

    def test_date_to_come(self) -> None:
        """A time that a mirror states is kept, also 1970, but for one that is to come by more than a clock may be ahead, or that there is not."""
        spool = self.spool()
        now = int((self.spooled / "pkg").stat().st_mtime)
        for modified in (now + 10 * 86_400, 253_402_300_799, -1):
            self.put(spool, ZLIB, modified=modified)
            self.assertLess(abs((self.folder / ZLIB).stat().st_mtime - now), 3600)
        self.put(spool, ZLIB, modified=1)
        self.assertEqual((self.folder / ZLIB).stat().st_mtime, 1)
        self.put(spool, ZLIB, modified=now + 7200)
        self.assertEqual((self.folder / ZLIB).stat().st_mtime, now + 7200)

    def test_trim_by_use(self) -> None:
        """The file goes that was not used for longest, whatever its date says."""
        spool = self.spool(limit=15)
        first, second = (f"{name}-1-1-any.pkg.tar.zst" for name in "ab")
        now = int((self.spooled / "pkg").stat().st_mtime)
        for name, used, modified in ((first, now + 1000, 1000), (second, now + 500, now + 80_000)):
            self.put(spool, name, bytes(10))
            os.utime(self.folder / name, (used, modified))
        self.assertEqual(spool.trim(lambda file: None), [second])

    def test_given_up(self) -> None:
        """A file that another package cache holds as well goes, but not before neither of the two was used for a while."""
        spool = self.spool()
        self.put(spool, ZLIB)
        self.put(spool, XZ)
        now = max((self.folder / ZLIB).stat().st_ctime, (self.folder / ZLIB).stat().st_atime)
        later = now + UNUSED_TIME + 1

        def elsewhere(changed: float) -> Elsewhere:
            return lambda file: changed if file.name == ZLIB else None

        self.assertEqual(spool.give_up(elsewhere(0.0), now + UNUSED_TIME - 1), [])
        self.assertEqual(spool.give_up(elsewhere(later - UNUSED_TIME + 1), later), [])
        os.utime(self.folder / ZLIB, (later - 1, 0))  # it was read
        self.assertEqual(spool.give_up(elsewhere(0.0), later), [])
        os.utime(self.folder / ZLIB, (0, 0))
        with (self.folder / ZLIB).open("rb") as reading:
            self.assertEqual(spool.give_up(elsewhere(0.0), later), [ZLIB])
            self.assertEqual(reading.read(), b"data")
        self.assertEqual(self.names(), {XZ})

    def test_given_up_after_the_clock_was_set_back(self) -> None:
        """Times far ahead do not keep a file for as long."""
        spool = self.spool()
        self.put(spool, ZLIB)
        self.assertEqual(spool.give_up(lambda file: 1e10, 1000.0), [ZLIB])

    def test_given_up_by_another(self) -> None:
        """Nothing is given up in a spool that is not this daemon's any more."""
        spool = self.spool()
        self.put(spool, ZLIB)
        spool.close()
        self.assertEqual(spool.give_up(lambda file: 0.0, 1e10), [])

    def leave(self, spool: Spool, size: int) -> float:
        """A download ends after so many bytes; returns when."""
        kept = spool.keep(ZLIB, ExpectedFile(1 << 20, bytes(32)))
        assert kept is not None
        with kept.file:
            kept.file.write(bytes(size))
            kept.record.add(0, size)
            spool.leave(kept.file)
        return spool.unfinished.files()[0].used

    def test_unfinished(self) -> None:
        """Files that did not become complete count for the limit, and have half of it at most."""
        spool = self.spool(limit=1 << 20)
        now = self.leave(spool, 400_000)
        self.put(spool, ZLIB, bytes(500_000))
        self.put(spool, XZ, bytes(200_000))
        self.assertEqual((spool.trim_unfinished(lambda _: (), now), spool.trim(lambda _: None)), ([], [ZLIB]))
        self.leave(spool, 600_000)
        self.assertEqual((spool.trim_unfinished(lambda _: (), now), spool.unfinished.files()), ([ZLIB], []))
        self.assertEqual(spool.trim(lambda _: None), [])

    def test_unfinished_of_another(self) -> None:
        """None of them is removed from a spool that is not this daemon's any more."""
        spool = self.spool(limit=1)
        now = self.leave(spool, 10)
        spool.close()
        self.assertEqual(spool.trim_unfinished(lambda _: (), now), [])
        self.assertEqual([file.journal.done for file in self.spool().unfinished.files()], [10])

    def test_unfinished_where_it_is_not_kept(self) -> None:
        """A file that is not to survive is removed when its download ends."""
        spool = self.spool()
        self.assertIsNone(spool.keep(ZLIB, None))
        with spool.create() as file:
            spool.leave(file)
        self.assertEqual({path.name for path in self.spooled.iterdir()}, {"pkg", ".pacserve-spool"})

    def test_others_files(self) -> None:
        """Files that are not the spool's are not counted, and stay."""
        spool = self.spool(limit=0)
        (self.folder / "README").write_text("mine")
        spool.trim(lambda file: None)
        self.assertEqual(self.names(), {"README"})

    def test_room(self) -> None:
        """A file that the disk does not take is known before it is fetched."""
        spool = self.spool()
        self.assertTrue(spool.has_room(1))
        self.assertFalse(spool.has_room(1 << 60))

    def test_room_of_unfinished_files(self) -> None:
        """Files that are not complete go where that makes the room, and stay where nothing would be won."""
        spool = self.spool()
        for number in range(2):
            kept = spool.keep(ZLIB, ExpectedFile(1 << 20, bytes([number] * 32)))
            assert kept is not None
            with kept.file:
                os.pwrite(kept.file.fileno(), bytes(4096), 0)
                kept.record.add(0, 4096)
                spool.leave(kept.file)
        taken = sum(file.taken for file in spool.unfinished.files())
        self.assertGreater(taken, 0)
        self.patch(partial, "has_room", lambda _, size: size <= 10 * taken - sum(file.taken for file in spool.unfinished.files()))
        self.assertFalse(spool.has_room(10 * taken + 1))
        self.assertEqual(len(spool.unfinished.files()), 2)
        self.assertTrue(spool.has_room(9 * taken + 1))
        self.assertEqual(len(spool.unfinished.files()), 1)

    def test_no_room_is_told(self) -> None:
        """A disk without room is told once, and again after a file as large as the one that had none has found some."""
        spool = self.spool()
        warnings: list[str] = []

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            warnings.append(str(event["folder"]))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        free = [1 << 20, 1 << 20, 1 << 30, 1 << 20, 1 << 40, 1 << 20]
        told = []
        for available, size in zip(free, (2 << 20, 2 << 20, 1, 2 << 20, 2 << 20, 2 << 20), strict=True):
            self.patch(partial, "has_room", lambda _, size, available=available: size < available)
            spool.has_room(size)
            told.append(len(warnings))
        self.assertEqual(told, [1, 1, 1, 1, 1, 2])
