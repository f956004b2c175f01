"""Tests for `pacserve.apt.scanning`."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
from hashlib import sha256
from io import BytesIO, FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipUnless
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt import scanning
from pacserve.apt.content import StatedFile
from pacserve.apt.index import Index, ListedFile, key_of
from pacserve.apt.scanning import STANZA_LIMIT, listed, scan, stanzas

DIGEST = sha256(b"zlib").digest()
PACKAGE = f"""Package: zlib1g
Source: zlib
Version: 1:1.2.13+dfsg-1
Architecture: amd64
Description: compression
 Filename: pool/wrong
Filename: ./pool/z/zlib1g_1.2.13+dfsg-1_amd64.deb
Size: 86000
SHA256: {DIGEST.hex()}
Description-md5: x
""".encode()
FILE = ListedFile(b"pool/z/zlib1g_1.2.13+dfsg-1_amd64.deb", 86000, DIGEST, "zlib1g_1.2.13+dfsg-1_amd64")
SOURCE = f"""Package: zlib
Binary: zlib1g
Checksums-Sha256:
 {DIGEST.hex()} 120 zlib_1.2.dsc
\t{DIGEST.hex()} 130 zlib_1.2.orig.tar.gz
 {DIGEST.hex()} none zlib_1.2.debian.tar.xz
Directory: pool/z
Files:
 x
""".encode()


def files(text: bytes) -> list[ListedFile]:
    """Returns what a list states."""
    return [file for stanza in stanzas(BytesIO(text)) for file in listed(stanza)]


class ListedTests(SynchronousTestCase):
    def test_package(self) -> None:
        """A binary package is stated with its label, and not by what stands in its description."""
        self.assertEqual(files(PACKAGE), [FILE])

    def test_line_ends(self) -> None:
        """Lines may end as those of Windows do, and the last one not at all."""
        self.assertEqual(files(PACKAGE.replace(b"\n", b"\r\n") + b"\r\n" + PACKAGE.rstrip()), [FILE, FILE])

    def test_source(self) -> None:
        """The files of a source package lie in its folder; a line that states none is left out."""
        found = files(SOURCE)
        self.assertEqual([(file.path, file.size) for file in found], [(b"pool/z/zlib_1.2.dsc", 120), (b"pool/z/zlib_1.2.orig.tar.gz", 130)])
        self.assertEqual(found[1].label, "zlib_1.2.orig.tar.gz")

    def test_flat_source(self) -> None:
        """Files of a source package without a folder, or with one that means nothing, lie at the base."""
        for directory in (b"", b"Directory: .\n", b"Directory: ./\n"):
            self.assertEqual(files(SOURCE.replace(b"Directory: pool/z\n", directory))[0].path, b"zlib_1.2.dsc", directory)

    def test_left_out(self) -> None:
        """A package is not known that lacks a field, leads out of the repository, or has no real size or digest."""
        for before, after in (
            (b"Filename: .", b"Filename: .."),
            (b"pool/z/", b"pool/../"),
            (b"Filename: ./pool", b"Filenames: ./pool"),
            (b"Size: 86000", b"Size: -1"),
            (b"Size: 86000", b"Size: 0"),
            (b"Size: 86000", b"Size: 1e3"),
            (b"Size: 86000", b"Size: 9999999999999"),
            (b"SHA256: ", b"SHA256: 00"),
            (b"Version: ", b"Version:\nX: "),
            (b"Architecture: ", b"X: "),
            (b"zlib1g_", b"x" * 5000),
        ):
            self.assertEqual(files(PACKAGE.replace(before, after)), [], after)

    def test_huge(self) -> None:
        """A stanza that is too large, of one line or of many, is left out, and the next one is read."""
        for piece in (b"x" * 100, b"X: y\n" * 20, b"\x00" * 100):
            huge = PACKAGE + piece * (STANZA_LIMIT // 50)
            self.assertEqual(files(PACKAGE + b"\n" + huge + b"\n\n" + PACKAGE), [FILE, FILE], piece)

    def test_endless(self) -> None:
        """A list that does not end is given up."""
        with patch.object(scanning, "LIST_LIMIT", 10 * len(PACKAGE)):
            self.assertRaises(ValueError, files, PACKAGE * 11)

    def test_pieces(self) -> None:
        """It does not matter where a list is cut while it is read."""
        text = PACKAGE + b"\n" + SOURCE + b"\n\n\n" + PACKAGE
        whole = files(text)
        for size in (1, 2, 3, 7, 100):
            with patch.object(scanning, "_READ_SIZE", size):
                self.assertEqual(files(text), whole, size)

    @given(
        st.lists(st.sampled_from([b"\n", b"\n\n", b"Filename:", b" x", b"Checksums-Sha256:", b"Size: 1", PACKAGE, SOURCE]) | st.binary(max_size=9))
    )
    def test_bytes(self, pieces: list[bytes]) -> None:
        """Any bytes are read without an error, and no file is stated that lies outside the repository."""
        for file in files(b"".join(pieces)):
            self.assertTrue(file.size > 0 and len(file.sha256) == 32 and b".." not in file.path.split(b"/"))


class ScanTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def scanned(self, path: Path) -> Index:
        """Returns the index of a list."""
        place = self.folder / "index"
        with place.open("wb") as output:
            scan(str(path), output)
        index = Index(FileIO(place))
        self.addCleanup(index.close)
        return index

    def test_plain(self) -> None:
        """The index of a list names the version of the list."""
        path = self.folder / "Packages"
        path.write_bytes(PACKAGE)
        index, found = self.scanned(path), path.stat()
        self.assertEqual(index.stamp, (found.st_mtime_ns, found.st_ino, found.st_size))
        self.assertEqual(index.find(key_of(FILE.path), "x"), StatedFile(FILE.size, DIGEST, "x"))

    @skipUnless(os.path.exists("/usr/lib/apt/apt-helper"), "apt is not installed")  # noqa: PTH110
    def test_compressed(self) -> None:
        """A compressed list is decompressed by apt; one that is damaged has no index."""
        path = self.folder / "Packages.gz"
        path.write_bytes(gzip.compress(PACKAGE))
        self.assertEqual(len(self.scanned(path)), 1)
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))
        self.assertRaises(ValueError, self.scanned, path)

    def test_without_apt(self) -> None:
        """On a host without apt the forms are understood that mirrors have."""
        self.patch(scanning, "_APT_HELPER", str(self.folder / "none"))
        for suffix, data in ((".gz", gzip.compress(PACKAGE)), (".xz", lzma.compress(PACKAGE)), (".bz2", bz2.compress(PACKAGE))):
            path = self.folder / f"Packages{suffix}"
            path.write_bytes(data)
            self.assertEqual(len(self.scanned(path)), 1)
            path.write_bytes(data[: len(data) // 2])
            self.assertRaises(EOFError, self.scanned, path)
        path = self.folder / "Packages.lz4"
        path.touch()
        self.assertRaises(OSError, self.scanned, path)

    def test_no_file(self) -> None:
        """What is no file, or not there, is not waited for."""
        os.mkfifo(self.folder / "fifo")
        for name in ("fifo", "none"):
            self.assertRaises(OSError, self.scanned, self.folder / name)

    def test_replaced(self) -> None:
        """A list that is replaced while it is read is read again, but not for ever."""
        path = self.folder / "Packages"
        path.write_bytes(PACKAGE)
        versions = [(number, 1, 1) for number in range(9)]
        with patch.object(scanning, "stamp_of", side_effect=[*versions[:2], versions[2], versions[2]]):
            self.assertEqual(self.scanned(path).stamp, versions[2])
        with patch.object(scanning, "stamp_of", side_effect=versions):
            self.assertRaises(ValueError, self.scanned, path)

    def test_main(self) -> None:
        """A list that can't be read is told in one line, without its path."""
        errors = self.folder / "errors"
        with errors.open("w") as output, patch.object(sys, "argv", ["scanning", str(self.folder / "none")]), patch.object(sys, "stderr", output):
            self.assertEqual(scanning.main(), 1)
        self.assertEqual(errors.read_text(), "no such file or directory\n")
