"""Tests for `pacserve.apt.index`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO, FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.content import StatedFile, label_of
from pacserve.apt.index import SIZE_LIMIT, Index, ListedFile, key_of, write

STAMP = (1, 2, 3)
DIGEST = sha256(b"zlib").digest()
ZLIB = ListedFile(b"pool/z/zlib1g_1.2-1_amd64.deb", 7, DIGEST, "zlib1g_1.2-1_amd64")
ODD = ListedFile(b"odd.deb", 8, sha256(b"odd").digest(), "odd_4_all")

_listed = st.builds(
    ListedFile,
    st.binary(min_size=1, max_size=12),
    st.integers(1, SIZE_LIMIT),
    st.integers(0, 40).map(lambda number: sha256(bytes([number])).digest()),
    st.text("ab~+.", max_size=6).map(label_of),
)


def written(files: Iterable[ListedFile]) -> bytes:
    """Returns an index."""
    output = BytesIO()
    write(output, STAMP, files)
    return output.getvalue()


class IndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "index")

    def read(self, content: bytes) -> Index:
        """Returns the index in a file of this content."""
        self.path.write_bytes(content)
        index = Index(FileIO(self.path))
        self.addCleanup(index.close)
        return index

    def index(self, *files: ListedFile) -> Index:
        """Returns an index of files."""
        return self.read(written(files))

    def find(self, index: Index, file: ListedFile) -> StatedFile | None:
        """Returns a file that is looked up by its path."""
        return index.find(key_of(file.path), file.path.rpartition(b"/")[2].decode())

    def test_found(self) -> None:
        """A file is found by its path and by its digest, with the same label, whether that is the one of its name or another."""
        index = self.index(ZLIB, ODD)
        self.assertEqual((len(index), index.stamp), (2, STAMP))
        for file in (ZLIB, ODD):
            stated = StatedFile(file.size, file.sha256, file.label)
            self.assertEqual(self.find(index, file), stated)
            self.assertEqual(index.stated(file.sha256), stated)

    def test_not_found(self) -> None:
        """What was not written is not found; an empty index has nothing."""
        for index in (self.index(ZLIB), self.index()):
            self.assertIsNone(self.find(index, ODD))
            self.assertIsNone(index.stated(ODD.sha256))
            self.assertEqual(list(index.matching("odd")), [])

    def test_many(self) -> None:
        """Everything is found in an index with many buckets and blocks of labels, and files of any size."""
        files = [ListedFile(b"pool/%d" % n, SIZE_LIMIT - n, sha256(b"%d" % n).digest(), f"name{n}") for n in range(3000)]
        index = self.index(*files)
        for file in files:
            stated = StatedFile(file.size, file.sha256, file.label)
            self.assertEqual((self.find(index, file), index.stated(file.sha256)), (stated, stated))

    def test_two_digests(self) -> None:
        """A path with two digests is not known, even if the first is stated once more; the same twice is."""
        index = self.index(ZLIB, ZLIB._replace(sha256=ODD.sha256), ZLIB, ODD, ODD)
        self.assertIsNone(self.find(index, ZLIB))
        self.assertIsNotNone(self.find(index, ODD))

    def test_digest_is_key(self) -> None:
        """A digest that is made of another file's key is not taken for that."""
        key = key_of(ODD.path)
        for fake in (key + key, bytes(5) + key + bytes(11)):
            index = self.index(*(ZLIB._replace(path=b"%d" % number, sha256=fake) for number in range(8)))
            self.assertIsNone(self.find(index, ODD))
            self.assertEqual(self.find(self.index(ZLIB._replace(sha256=fake), ODD), ODD), StatedFile(ODD.size, ODD.sha256, ODD.label))

    def test_one_bucket(self) -> None:
        """A list whose files share a bucket gives no more of them than a lookup can bear."""
        same = [bytes(4) + sha256(b"%d" % n).digest()[4:] for n in range(1000)]
        index = self.index(*(ZLIB._replace(path=b"%d" % n, sha256=digest) for n, digest in enumerate(same)))
        self.assertEqual(sum(index.stated(digest) is not None for digest in same), 256)

    def test_matching(self) -> None:
        """Files are found by a part of the label as well."""
        index = self.index(ZLIB, ODD)
        self.assertEqual(list(index.matching("lib1")), [StatedFile(7, DIGEST, ZLIB.label)])
        self.assertEqual(len(list(index.matching("_"))), 2)
        self.assertEqual(list(index.matching("é")), [])

    def test_damaged(self) -> None:
        """A file that was cut, has one wrong byte, or is of another version is none, and is closed."""
        content = written([ZLIB, ODD])
        damaged = [content[:at] for at in range(0, len(content), 7)] + [content + b"x", b"x" + content[1:]]
        damaged += [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in range(64, len(content), 5)]
        for one in damaged:
            self.path.write_bytes(one)
            file = FileIO(self.path)
            self.assertRaises(ValueError, Index, file)
            self.assertTrue(file.closed)

    def test_cut_later(self) -> None:
        """A file that is cut while it is used knows nothing any more, and neither does one that was closed."""
        index = self.index(ZLIB, ODD)
        for trouble in (lambda: os.truncate(self.path, 100), index.close):
            trouble()
            for file in (ZLIB, ODD):
                self.assertIsNone(self.find(index, file))
                self.assertIsNone(index.stated(file.sha256))
            self.assertEqual(list(index.matching("odd")), [])

    @given(st.lists(_listed, max_size=40))
    def test_any(self, files: list[ListedFile]) -> None:
        """Whatever a list states is found again, unless it contradicts itself."""
        index = self.read(written(files))
        for file in files:
            known = {(other.sha256, other.size, other.label) for other in files if other.path == file.path}
            found = index.find(key_of(file.path), file.path.rpartition(b"/")[2].decode("utf-8", "surrogateescape"))
            self.assertEqual(found, StatedFile(file.size, file.sha256, file.label) if len(known) == 1 else None)
        index.close()

    @given(st.binary(max_size=200))
    def test_bytes(self, content: bytes) -> None:
        """Any bytes are no index."""
        self.path.write_bytes(content)
        self.assertRaises(ValueError, Index, FileIO(self.path))
