"""Tests for `pacserve.pacman.database_reader`, with real libalpm in real child processes."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.children import ChildOutcome
from pacserve.packages.files import ExpectedFile
from pacserve.pacman.databases import NO_PYALPM, Databases
from tests.fakes.interfaces import Configuration

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
CPP = "c++pkg-2.0+r3~rc1-1-any.pkg.tar.xz"


class Folder(Configuration):
    """A pacman.conf whose databases are in this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__("core")
        self.value = type(self.value)(self.value.architectures, (), f"{folder}/", self.value.repositories)


class DatabaseReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "sync").mkdir()
        self.database = self.folder / "sync" / "core.db"
        self.cwd: Path | None = None

    def write(self, packages: Sequence[Mapping[str, bytes]], compression: str = "gz") -> None:
        """Writes a database with these fields besides NAME and VERSION, as repo-add(8) does."""
        with tarfile.open(self.database, f"w:{compression}") as archive:  # type: ignore[call-overload]  # the mode is no literal
            for number, fields in enumerate(packages):
                stated = {"NAME": b"p%d" % number, "VERSION": b"1-1", **fields}
                text = b"".join(b"%%%b%%\n%b\n\n" % (name.encode(), value) for name, value in stated.items())
                info = tarfile.TarInfo(f"p{number}-1-1/desc")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))

    async def run_command(self, command: Sequence[str]) -> ChildOutcome:
        done = subprocess.run(command, check=False, capture_output=True, cwd=self.cwd, env={**os.environ, "LC_ALL": "C"})
        return ChildOutcome(done.returncode, done.stdout, done.stderr.decode())

    def read(self) -> ChildOutcome:
        command = (sys.executable, "-P", "-m", "pacserve.pacman.database_reader", str(self.folder), "core")
        return self.successResultOf(Deferred.fromCoroutine(self.run_command(command)))

    def databases(self) -> Databases:
        databases = Databases(Folder(self.folder), self.run_command, Clock())
        self.successResultOf(Deferred.fromCoroutine(databases.refresh("core")))
        return databases

    def assert_broken(self) -> None:
        outcome = self.read()
        self.assertEqual((1, b""), (outcome.status, outcome.output))
        self.assertNotIn("Traceback", outcome.complaint)
        self.assertTrue(outcome.complaint)

    def test_printed(self) -> None:
        """Each package file is printed with its size, whatever compressed the database; a signature in it does not matter."""
        for compression in ("gz", "xz", "bz2", ""):
            self.write([{"FILENAME": ZLIB.encode(), "CSIZE": b"95872", "PGPSIG": b"eA=="}, {"FILENAME": CPP.encode(), "CSIZE": b"7"}], compression)
            self.assertEqual(ChildOutcome(0, f"{ZLIB}\t95872\t\n{CPP}\t7\t\n".encode(), ""), self.read())

    def test_known(self) -> None:
        """What libalpm reads from a database is what is known of its packages."""
        digest = bytes(range(32))
        self.write(
            [
                {"FILENAME": ZLIB.encode(), "CSIZE": b"95872", "SHA256SUM": digest.hex().encode()},
                {"FILENAME": CPP.encode(), "CSIZE": b"7", "SHA256SUM": b"none"},
                {"FILENAME": b"core.db", "CSIZE": b"1"},
            ]
        )
        databases = self.databases()
        self.assertEqual((95872, [95872]), (databases.size("core", ZLIB), databases.sizes(ZLIB)))
        self.assertEqual(ExpectedFile(95872, digest), databases.expected("core", ZLIB))
        self.assertEqual([ExpectedFile(7, None)], databases.all_expected(CPP))
        self.assertIsNone(databases.expected("core", "core.db"))
        self.assertIsNone(databases.size("core", "core.db"))

    def test_not_stated(self) -> None:
        """A size that the database does not state is not taken for one of 0 bytes."""
        self.write([{"FILENAME": ZLIB.encode()}])
        self.assertEqual([], self.databases().sizes(ZLIB))

    def test_empty(self) -> None:
        """A database without packages is no broken one."""
        self.write([])
        self.assertEqual(ChildOutcome(0, b"", ""), self.read())

    def test_missing(self) -> None:
        """A database that is not there is told by the exit status."""
        self.assert_broken()

    def test_garbage(self) -> None:
        """A file that is no database, such as the page of a captive portal, is told by the exit status."""
        self.database.write_bytes(b"<html>log in first</html>" * 100)
        self.assert_broken()

    def test_cut(self) -> None:
        """A database that ends in the middle is not taken for one with fewer packages."""
        self.write(
            [{"FILENAME": b"p%d-1-1-any.pkg.tar.zst" % number, "CSIZE": b"1", "DESC": os.urandom(200).hex().encode()} for number in range(200)]
        )
        raw = self.database.read_bytes()
        self.database.write_bytes(raw[: len(raw) // 2])
        self.assert_broken()

    def test_path(self) -> None:
        """A database with a path for a file name is one that libalpm refuses as a whole."""
        self.write([{"FILENAME": b"../" + ZLIB.encode(), "CSIZE": b"1"}, {"FILENAME": CPP.encode(), "CSIZE": b"7"}])
        self.assert_broken()

    def test_inconsistent(self) -> None:
        """A database that libalpm complains of and still reads is not taken for a broken one."""
        self.write([{"FILENAME": ZLIB.encode(), "CSIZE": b"1", "NAME": b"other"}, {"FILENAME": CPP.encode(), "CSIZE": b"7"}])
        self.assertEqual(ChildOutcome(0, f"{ZLIB}\t1\t\n{CPP}\t7\t\n".encode(), ""), self.read())

    def test_undecodable_name(self) -> None:
        """A name that is no text is left out, the others are not."""
        self.write([{"FILENAME": b"\xff-1-1-any.pkg.tar.zst", "CSIZE": b"1"}, {"FILENAME": ZLIB.encode(), "CSIZE": b"2"}])
        self.assertEqual(ChildOutcome(0, f"{ZLIB}\t2\t\n".encode(), ""), self.read())

    def test_leaves_nothing(self) -> None:
        """Reading writes nothing beside the database, where it may have no right to."""
        self.write([{"FILENAME": ZLIB.encode(), "CSIZE": b"1"}])
        self.read()
        self.assertEqual(["core.db", "sync"], sorted(path.name for path in self.folder.rglob("*")))

    def test_current_folder(self) -> None:
        """Modules that lie in the folder where the daemon was started are not run."""
        self.write([{"FILENAME": ZLIB.encode(), "CSIZE": b"1"}])
        self.cwd = self.folder
        (self.folder / "pyalpm.py").write_text("raise SystemExit('hijacked')")
        self.assertEqual([1], self.databases().sizes(ZLIB))


class WithoutPyalpmTests(SynchronousTestCase):
    def test_status(self) -> None:
        """Where pyalpm can't be imported, the program says so by its exit status alone."""
        code = "import runpy, sys; sys.modules['pyalpm'] = None; runpy.run_module('pacserve.pacman.database_reader', run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", code, "/nowhere", "core"], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (NO_PYALPM, b"", b""))
