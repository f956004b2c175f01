"""Tests for `pacserve.apt.archive_folder`."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt import archive_folder
from pacserve.apt.archive_folder import hash_part, keep_digests, list_archives, open_archive, parse_folder, read_digests
from pacserve.apt.known_digests import FileIdentity, encode_digests

ZLIB = "zlib1g_1%3a1.2.13-1_amd64.deb"
KNOWN = {FileIdentity(1, 2, 3): bytes(range(32))}


class FolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = Path(folder.name)

    def names(self) -> list[str]:
        """The archives that are found."""
        return [archive.name for archive in list_archives(self.folder)]

    def test_listed(self) -> None:
        """Package files are found; `partial`, what lies in it, links, empty files, FIFOs and everything else are not."""
        for name in (ZLIB, "a_1_all.deb"):
            (self.path / name).write_bytes(b"data")
        (self.path / "partial").mkdir()
        (self.path / "partial" / "b_1_all.deb").write_bytes(b"da")
        (self.path / "folder.deb").mkdir()
        (self.path / "link.deb").symlink_to(ZLIB)
        (self.path / "empty.deb").touch()
        (self.path / "lock").write_bytes(b"x")
        os.mkfifo(self.path / "fifo.deb")
        self.assertEqual(self.names(), ["a_1_all.deb", ZLIB])

    def test_no_folder(self) -> None:
        """Where there is no folder there are no files."""
        self.assertEqual(list_archives(f"{self.folder}/none"), ())

    def test_bounded(self) -> None:
        """There are no more files than digests can be kept of."""
        self.patch(archive_folder, "DIGESTS_LIMIT", 2)
        for number in range(4):
            (self.path / f"a_{number}_all.deb").write_bytes(b"data")
        self.assertEqual(len(self.names()), 2)

    def test_opened(self) -> None:
        """A file is opened as long as it is the one that was found, whatever has its name now."""
        file = self.path / ZLIB
        file.write_bytes(b"data")
        (archive,) = list_archives(self.folder)
        opened = open_archive(self.folder, archive)
        assert opened is not None
        with opened[0] as held:
            self.assertEqual(held.read(), b"data")
        os.utime(file, ns=(0, archive.identity.modified + 1))
        self.assertIsNone(open_archive(self.folder, archive))
        os.utime(file, ns=(0, archive.identity.modified))
        file.rename(self.path / "other")
        self.assertIsNone(open_archive(self.folder, archive))
        file.symlink_to("other")
        self.assertIsNone(open_archive(self.folder, archive))

    def test_hashed(self) -> None:
        """A file is read part by part, to its end."""
        self.patch(archive_folder, "PART_BYTES", 5)
        self.patch(archive_folder, "_READ_BYTES", 2)
        data = bytes(range(13))
        (self.path / ZLIB).write_bytes(data)
        (archive,) = list_archives(self.folder)
        digest, ends, offset = hashlib.sha256(), [], 0
        while offset < len(data):
            after = hash_part(self.folder, archive, digest, offset)
            assert after is not None
            ends.append(after)
            offset = after
        self.assertEqual((ends, digest.digest()), ([5, 10, 13], hashlib.sha256(data).digest()))

    def test_changed_meanwhile(self) -> None:
        """A file that is another one between two parts, or that becomes so while a part is read, is given up."""
        file = self.path / ZLIB
        file.write_bytes(b"data")
        (archive,) = list_archives(self.folder)

        class Writing:
            def update(self, data: bytes, /) -> None:
                file.write_bytes(b"longer")

        self.assertIsNone(hash_part(self.folder, archive, Writing(), 0))
        self.assertIsNone(hash_part(self.folder, archive, hashlib.sha256(), 2))

    def test_kept(self) -> None:
        """Digests are known again from their file, whose folder is made, and take the place of the former ones."""
        path = f"{self.folder}/state/apt/archives"
        keep_digests(path, b"former")
        self.assertEqual(read_digests(path), {})
        Path(f"{path}.new").write_bytes(b"of a daemon that was killed")
        keep_digests(path, encode_digests(KNOWN))
        self.assertEqual(read_digests(path), KNOWN)
        self.assertEqual([file.name for file in Path(path).parent.iterdir()], ["archives"])

    def test_not_believed(self) -> None:
        """A file that others can write to, a link and a FIFO keep nothing."""
        path = f"{self.folder}/archives"
        keep_digests(path, encode_digests(KNOWN))
        Path(path).chmod(0o620)
        self.assertEqual(read_digests(path), {})
        Path(path).chmod(0o600)
        self.assertEqual(read_digests(path), KNOWN)
        Path(f"{self.folder}/link").symlink_to(path)
        os.mkfifo(f"{self.folder}/fifo")
        for name in ("link", "fifo", "none"):
            self.assertEqual(read_digests(f"{self.folder}/{name}"), {})

    def test_no_place(self) -> None:
        """Where nothing can be written nothing is, and no error comes of it."""
        (self.path / "file").touch()
        keep_digests(f"{self.folder}/file/archives", b"data")


class ParseTests(SynchronousTestCase):
    def test_folder(self) -> None:
        """The folder is read as a shell would read it."""
        for output, folder in (
            (b"FOLDER='/var/cache/apt/archives/'\n", "/var/cache/apt/archives"),
            (b"FOLDER='/srv/apt cache/'\n", "/srv/apt cache"),
            (b"FOLDER=''\n", None),
            (b"FOLDER='/'\n", None),
            (b"", None),
            (b"FOLDER='/a", None),
            (b"\xff", None),
        ):
            self.assertEqual(parse_folder(output), folder)

    @given(st.binary())
    def test_anything(self, output: bytes) -> None:
        """Whatever is printed is an absolute path or none."""
        folder = parse_folder(output)
        self.assertTrue(folder is None or folder.startswith("/"))
