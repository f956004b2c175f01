"""Tests for `pacserve.pacman.tables`."""

from __future__ import annotations

import os
import zlib
from io import BytesIO, FileIO
from tempfile import TemporaryFile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import SIGNATURE_LIMIT
from pacserve.packages.kept_files import Stamp
from pacserve.pacman import tables
from pacserve.pacman.tables import StatedPackage, Table

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BASH = "bash-5.2-1-x86_64.pkg.tar.zst"
STAMP = (1_700_000_000_000_000_000, 2**63 + 1, 9)
NAMES = st.text("ab-:~+", min_size=1, max_size=8)
PACKAGES = st.builds(
    StatedPackage,
    NAMES,
    st.integers(1, 10**15 - 1),
    st.none() | st.binary(min_size=32, max_size=32),
    st.none() | st.binary(min_size=1, max_size=600),
)


def written(*packages: StatedPackage, stamp: Stamp = STAMP) -> bytes:
    file = BytesIO()
    tables.write(file, stamp, packages)
    return file.getvalue()


def opened(content: bytes) -> Table:
    with TemporaryFile(buffering=0) as file:
        file.write(content)
        return Table(FileIO(os.dup(file.fileno()), "rb"))


class TableTests(SynchronousTestCase):
    def table(self, *packages: StatedPackage) -> Table:
        table = opened(written(*packages))
        self.addCleanup(table.close)
        return table

    @given(st.lists(PACKAGES, max_size=60), st.lists(NAMES))
    def test_round(self, packages: list[StatedPackage], others: list[str]) -> None:
        """What is written is what is known, and nothing else is; of packages with the same name the last one counts."""
        known = {package.name: package for package in packages}
        table = opened(written(*packages))
        for name in (*known, *others):
            package = known.get(name)
            self.assertEqual(table.size(name), package and package.size)
            self.assertEqual(table.stated(name), package and (package.size, package.sha256))
            self.assertEqual(table.signature(name), package and package.signature)
        self.assertEqual((len(table), table.stamp), (len(known), STAMP))
        table.close()

    @given(st.lists(PACKAGES, max_size=30), st.text("ab-\n٣", max_size=3))
    def test_names(self, packages: list[StatedPackage], text: str) -> None:
        """The names that contain a text are found, each once, in the order of the database."""
        table = opened(written(*packages))
        self.assertEqual(list(table.names(text)), [name for name in dict.fromkeys(package.name for package in packages) if text in name])
        table.close()

    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """What was damaged or cut is no table, or states nothing that is wrong."""
        packages = (StatedPackage(ZLIB, 7, bytes(range(32)), b"signed"), StatedPackage(BASH, 8))
        content = bytearray(written(*packages))
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        try:
            table = opened(bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else bytes(content))
        except ValueError:
            return
        for package in packages:
            self.assertEqual(table.stated(package.name), (package.size, package.sha256))
            self.assertIn(table.signature(package.name), (package.signature, None))
        table.close()

    def test_other_version(self) -> None:
        """The table of another version of pacserve, which may take other names for package files, is none."""
        self.patch(tables, "_MAGIC", b"pacserve 0".ljust(32))
        content = written(StatedPackage(ZLIB, 7))
        self.patch(tables, "_MAGIC", b"pacserve 0.1".ljust(32))
        with self.assertRaises(ValueError):
            opened(content)

    def test_no_text(self) -> None:
        """A name that is no ASCII is not known."""
        table = self.table(StatedPackage(ZLIB, 7))
        self.assertEqual([table.size(name) for name in ("٣", "\udcff", "")], [None, None, None])

    def test_closed(self) -> None:
        """A closed table gives no signatures, and no error."""
        table = self.table(StatedPackage(ZLIB, 7, None, b"signed"))
        table.close()
        self.assertIsNone(table.signature(ZLIB))

    def test_limits(self) -> None:
        """Signatures that pacman would not take, or that are too many for the disk, are left out; packages that are too many, too."""
        self.patch(tables, "SIGNATURES_LIMIT", SIGNATURE_LIMIT + 3)
        self.patch(tables, "PACKAGES_LIMIT", 5)
        signatures = (bytes(SIGNATURE_LIMIT + 1), bytes(SIGNATURE_LIMIT), b"1234", b"123", b"4", b"5")
        table = self.table(*(StatedPackage(f"p{number}", 1, None, signature) for number, signature in enumerate(signatures)))
        given = [signature and len(signature) for signature in (table.signature(f"p{number}") for number in range(6))]
        self.assertEqual(given, [None, SIGNATURE_LIMIT, None, 3, None, None])
        self.assertEqual([table.size(f"p{number}") for number in range(6)], [1, 1, 1, 1, 1, None])

    def test_same_bucket(self) -> None:
        """Names that are made to share a bucket do not make lookups slow: those that are too many are left out."""
        self.patch(zlib, "crc32", lambda _: 5)
        table = self.table(*(StatedPackage(f"p{number}", 1) for number in range(200)))
        self.assertEqual((len(table), table.size("p0"), table.size("p199")), (64, 1, None))
