"""Tests for `pacserve.pacman.database_reader`, with real libalpm in real child processes."""

import base64
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.children import ChildOutcome
from pacserve.packages.files import SIGNATURE_LIMIT, ExpectedFile
from pacserve.packages.names import parse_package_file
from pacserve.pacman import database_reader
from pacserve.pacman.databases import NO_PYALPM, Databases
from pacserve.pacman.kept_tables import KeptTables
from pacserve.pacman.tables import StatedPackage
from tests.fakes.interfaces import Configuration
from tests.fakes.tables import table

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

    async def run_command(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        stdout = subprocess.PIPE if output is None else output
        done = subprocess.run(command, check=False, stdout=stdout, stderr=subprocess.PIPE, cwd=self.cwd, env={**os.environ, "LC_ALL": "C"})
        return ChildOutcome(done.returncode, done.stdout or b"", done.stderr.decode())

    def read(self) -> ChildOutcome:
        command = (sys.executable, "-P", "-m", "pacserve.pacman.database_reader", str(self.folder), "core")
        return self.successResultOf(Deferred.fromCoroutine(self.run_command(command)))

    def databases(self) -> Databases:
        databases = Databases(Folder(self.folder), KeptTables(f"{self.folder}/kept"), self.run_command, Clock())
        self.addCleanup(databases.close)
        self.successResultOf(Deferred.fromCoroutine(databases.refresh("core")))
        return databases

    def assert_read(self, *packages: StatedPackage) -> None:
        """These packages are what is read, and nothing is complained of."""
        found = self.database.stat()
        self.assertEqual(table((found.st_mtime_ns, found.st_ino, found.st_size), *packages), self.read())

    def assert_broken(self) -> None:
        outcome = self.read()
        self.assertEqual((1, b""), (outcome.status, outcome.output))
        self.assertNotIn("Traceback", outcome.complaint)
        self.assertTrue(outcome.complaint)

    def test_read(self) -> None:
        """Each package file is read with its size and its signature, whatever compressed the database."""
        for compression in ("gz", "xz", "bz2", ""):
            self.write([{"FILENAME": ZLIB.encode(), "CSIZE": b"95872", "PGPSIG": b"eA=="}, {"FILENAME": CPP.encode(), "CSIZE": b"7"}], compression)
            self.assert_read(StatedPackage(ZLIB, 95872, None, b"x"), StatedPackage(CPP, 7))

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

    def test_signatures(self) -> None:
        """A signature is known in the bytes that pacman would take; none is made of what is no base64, empty, or larger than pacman takes."""
        largest = os.urandom(SIGNATURE_LIMIT)
        stated = {1: largest, 2: largest + b"x", 3: os.urandom(119), 4: b""}
        texts = {number: base64.b64encode(signature) for number, signature in stated.items()} | {5: b"!?", 6: b"abc", 7: b"\xff"}
        names = {number: f"p{number}-1-1-any.pkg.tar.zst" for number in range(1, 9)}
        self.write([{"FILENAME": name.encode(), "CSIZE": b"1"} | ({"PGPSIG": texts[n]} if n in texts else {}) for n, name in names.items()])
        databases = self.databases()
        known = {number: databases.signature("core", name) for number, name in names.items()}
        self.assertEqual({number: signature for number, signature in known.items() if signature is not None}, {1: largest, 3: stated[3]})
        self.assertEqual([databases.size("core", name) for name in names.values()], [1] * len(names))

    def test_empty(self) -> None:
        """A database without packages is no broken one."""
        self.write([])
        self.assert_read()

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
        self.assert_read(StatedPackage(ZLIB, 1), StatedPackage(CPP, 7))

    def test_undecodable_name(self) -> None:
        """A name that is no text is left out, the others are not."""
        self.write([{"FILENAME": b"\xff-1-1-any.pkg.tar.zst", "CSIZE": b"1"}, {"FILENAME": ZLIB.encode(), "CSIZE": b"2"}])
        self.assert_read(StatedPackage(ZLIB, 2))

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


class StatedTests(SynchronousTestCase):
    def packages(self, *stated: tuple[str | None, int, str | None, str | None]) -> list[StatedPackage]:
        """What is taken of packages with these file names, sizes, digests and signatures."""
        return list(database_reader.stated(SimpleNamespace(filename=f, size=s, sha256sum=d, base64_sig=g) for f, s, d, g in stated))

    def test_junk(self) -> None:
        """What is no package file and its size is left out, the others are taken."""
        names = (f"{ZLIB}.part", f".{ZLIB}", f"../{ZLIB}", "core.db", f"{ZLIB}.sig", "٣-1-1-any.pkg.tar.zst", "", None)
        self.assertEqual(self.packages(*((name, 1, None, None) for name in names)), [])
        self.assertEqual(self.packages(*((ZLIB, size, None, None) for size in (-1, 0, 10**15))), [])
        self.assertEqual(self.packages((".x", 1, None, None), (ZLIB, 1, None, None)), [StatedPackage(ZLIB, 1)])

    def test_digest(self) -> None:
        """Only a SHA-256 is taken for one."""
        for digest in (None, "", "none", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"):
            self.assertEqual(self.packages((ZLIB, 1, digest, None)), [StatedPackage(ZLIB, 1)])
        self.assertEqual(self.packages((ZLIB, 1, "0a" * 32, None)), [StatedPackage(ZLIB, 1, b"\x0a" * 32)])

    @given(st.text() | st.just(ZLIB), st.integers(), st.none() | st.text(), st.none() | st.text())
    def test_anything(self, name: str, size: int, digest: str | None, signature: str | None) -> None:
        """Whatever libalpm says, only package files with a size are known."""
        for package in self.packages((name, size, digest, signature)):
            self.assertTrue(parse_package_file(package.name) is not None and 0 < package.size < 10**15)
            self.assertTrue(package.signature is None or 0 < len(package.signature) <= SIGNATURE_LIMIT)


class WithoutPyalpmTests(SynchronousTestCase):
    def test_status(self) -> None:
        """Where pyalpm can't be imported, the program says so by its exit status alone."""
        code = "import runpy, sys; sys.modules['pyalpm'] = None; runpy.run_module('pacserve.pacman.database_reader', run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", code, "/nowhere", "core"], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (NO_PYALPM, b"", b""))
