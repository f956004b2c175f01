"""Tests for `pacserve.indexes.copies`."""

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.indexes.copies import Copies, decode
from pacserve.indexes.freshness import Copy
from pacserve.packages.files import FileKind, FileRequest

DATA = b"\x1f\x8b and so on"
SIZE_LIMIT = 1 << 20


def request(name: str = "core.db", repo: str = "core", arch: str = "x86_64") -> FileRequest:
    """A request for a database."""
    return FileRequest(repo, arch, name, FileKind.DATABASE)


class CopiesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "spool" / "databases"
        self.copies = Copies(str(self.folder), SIZE_LIMIT, count_limit=3)
        self.copies.open()

    def keep(self, wanted: FileRequest | None = None, data: bytes = DATA) -> Copy:
        """Keeps a file."""
        wanted = wanted or request()
        with self.copies.create() as file:
            file.write(data)
            sha256 = hashlib.sha256(data).hexdigest()
            return self.copies.keep(file, Copy(wanted.repo, wanted.arch, wanted.name, "", len(data), sha256, "mirror a"), 1_700_000_000)

    def content(self, wanted: FileRequest | None = None) -> bytes | None:
        """Returns the names that are kept."""
        copy = self.copies.find(wanted or request())
        held = None if copy is None else self.copies.hold(copy)
        if held is None:
            return None
        with held.file as file:
            return file.read()

    def age(self, path: Path, seconds: float) -> None:
        """Makes a file look as if it had been used a while ago."""
        found = path.stat()
        os.utime(path, (found.st_atime - seconds, found.st_mtime - seconds))

    def test_kept(self) -> None:
        """A copy is found with its whole record, has the time of the mirror, and is still there after a restart."""
        kept = self.keep()
        for _ in range(2):
            self.assertEqual((self.copies.find(request()), self.content()), (kept, DATA))
            held = self.copies.hold(kept)
            assert held is not None
            held.file.close()
            self.assertEqual((held.modified, held.size, held.name), (1_700_000_000, len(DATA), "core.db"))
            self.copies = Copies(str(self.folder), SIZE_LIMIT)
            self.copies.open()
        self.assertEqual([self.content(request(repo="extra")), self.content(request(arch="any")), self.content(request("core.files"))], [None] * 3)

    def test_replaced(self) -> None:
        """A later file takes the place of the copy, which goes; who reads that one reads on."""
        before = self.copies.hold(self.keep())
        assert before is not None
        self.keep(data=b"BZh later")
        with before.file as file:
            self.assertEqual((file.read(), self.content()), (DATA, b"BZh later"))
        self.assertEqual(len(list(self.folder.iterdir())), 2)

    def test_long_names(self) -> None:
        """The longest names of all are kept, and names that look alike are told apart."""
        long = request("n" * 255, "r" * 128, "a" * 32)
        self.keep(long)
        self.keep(request("b.c", "a"), b"one")
        self.keep(request("c", "a.b"), b"two")
        self.assertEqual([self.content(long), self.content(request("b.c", "a")), self.content(request("c", "a.b"))], [DATA, b"one", b"two"])

    def test_most(self) -> None:
        """Of more copies than there may be the least recently used goes, and never the one that has just come."""
        for number, name in enumerate(("a.db", "b.db", "c.db")):
            self.keep(request(name))
            for path in self.folder.glob("*.json"):
                self.age(path, 10 - number)
        self.content(request("a.db"))
        self.keep(request("d.db"))
        self.assertEqual([self.content(request(f"{name}.db")) is not None for name in "abcd"], [True, False, True, True])
        self.assertEqual(len(list(self.folder.iterdir())), 6)
        for path in self.folder.glob("*.json"):
            self.age(path, -3600)
        self.keep(request("e.db"))
        self.assertIsNotNone(self.content(request("e.db")))

    def test_leftovers(self) -> None:
        """At the start goes what never became complete and what belongs to nothing; what is not pacserve's own stays."""
        kept = self.keep()
        self.copies.create().close()
        (record,) = self.folder.glob("*.json")
        for name in ("0" * 32 + ".json", f"{record.stem}.{'0' * 16}", "1" * 32 + "." + "1" * 16):
            (self.folder / name).write_bytes(record.read_bytes())
        (self.folder / "README").touch()
        self.copies.open()
        self.assertEqual({path.name for path in self.folder.iterdir()}, {record.name, f"{record.stem}.{kept.data}", "README"})

    def test_damaged(self) -> None:
        """A file whose content or length is not what it was is no copy."""
        for damage in (DATA[::-1], DATA + b"x", b""):
            kept = self.keep()
            (path,) = self.folder.glob(f"*.{kept.data}")
            path.write_bytes(damage)
            self.copies = Copies(str(self.folder), SIZE_LIMIT)
            self.assertIsNone(self.content())

    def test_link(self) -> None:
        """A link in the place of a copy is not followed."""
        kept = self.keep()
        (path,) = self.folder.glob(f"*.{kept.data}")
        path.rename(self.folder / "elsewhere")
        path.symlink_to(self.folder / "elsewhere")
        self.assertIsNone(self.content())

    def test_record_of_another(self) -> None:
        """A record that lies under the name of another file is not that file's."""
        kept = self.keep()
        (record,) = self.folder.glob("*.json")
        record.write_text(json.dumps(asdict(replace(kept, name="extra.db"))))
        self.assertIsNone(self.content())
        for text in ("", "{", "[" * 100_000, "x" * 20_000):
            record.write_text(text)
            self.assertIsNone(self.content())

    def test_record_not_written(self) -> None:
        """When the record can't be written the copy of before stays, and nothing else."""
        self.keep()

        def full(*_: object, **__: object) -> str:
            raise OSError(28, "No space left on device")

        self.patch(json, "dumps", full)
        self.assertRaises(OSError, self.keep, None, b"BZh later")
        self.assertEqual((self.content(), len(list(self.folder.iterdir()))), (DATA, 2))

    def test_folder_has_gone(self) -> None:
        """In a folder that somebody removed there is nothing, until something is kept again."""
        self.keep()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
        self.assertIsNone(self.content())
        self.assertTrue(self.copies.has_room(0))
        self.keep()
        self.assertEqual(self.content(), DATA)
        self.assertFalse(self.copies.has_room(1 << 60))

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_records(self, data: bytes) -> None:
        """A record that is damaged in any way raises nothing and is no copy."""
        self.assertIsNone(decode(data, SIZE_LIMIT))
