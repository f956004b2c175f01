"""
The file in which a child process hands over what one of apt's lists states: it is used from the disk, and never read as a whole into memory.

The file is only read by the host that has written it.  A header is followed by what the daemon has in memory: for each bucket of keys and of digests
the number of its first row, and the place of each block of labels.  Behind that lie the rows, sorted by the keys, the digests, sorted, each with the
number of its row, and the labels, sorted, in compressed blocks.  A lookup reads one bucket of rows, some 900 bytes, which the page cache mostly has.
A mapped file would cost as much memory as it has pages, and end the daemon by SIGBUS where it is cut.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from io import FileIO
from typing import IO, NamedTuple

from pacserve import __version__
from pacserve.apt.content import StatedFile, label_of
from pacserve.packages.kept_files import Stamp

# Files of one list; Debian's largest have some 130,000.
FILES_LIMIT = 500_000
# Bytes of a file: they have five in a row.
SIZE_LIMIT = (1 << 40) - 1
# Rows that a bucket has by chance: 16, seldom more than 40.  A list could be made so that all its files share one: those above the limit are left
# out.
_BUCKET_ROWS = 16
_BUCKET_LIMIT = 256
_LABELS_PER_BLOCK = 128
# Begins the file.  It names the version, since another one may make other labels, and behind it the layout below.
_MAGIC = f"pacserve {__version__[:20]} 1".encode().ljust(32)
# Magic, stamp (mtime in nanoseconds, inode, size), rows, digests, buckets of each, blocks of labels, bytes of these, CRC-32 of all that follows.
_HEADER = struct.Struct("<32sqQQIIIIII")
_KEY_SIZE = 16
_DIGEST_SIZE = 32
# Key, SHA-256, size (four bytes and one more), number of the label; the highest bit of that says that the label is that of the name of the file.
_ROW = struct.Struct("<16s32sIBI")
_OWN_NAME = 1 << 31
# Beginning of the digest, number of the row.
_DIGEST = struct.Struct("<4sI")
_READ_SIZE = 1 << 18


class ListedFile(NamedTuple):
    """
    A file that a list states.

    Attributes:
        path: From the base of its repository on, percent-decoded, without parts that mean nothing.
        size: Bytes, at most `SIZE_LIMIT`.
        sha256: 32 bytes.
        label: As that of `StatedFile`.
    """

    path: bytes
    size: int
    sha256: bytes
    label: str


class _Stated(NamedTuple):
    """A file of a list without its path, and whether its label is that of its name."""

    sha256: bytes
    size: int
    label: str
    own_name: bool


def key_of(path: bytes) -> bytes:
    """Returns the key under which the file with a path is found; see `ListedFile.path`."""
    return blake2b(path, digest_size=_KEY_SIZE).digest()


def write(file: IO[bytes], stamp: Stamp, files: Iterable[ListedFile]) -> None:
    """
    Writes an index.  A path that is stated with two digests is left out, since nothing says which of them the mirror has.

    Args:
        stamp: Of the list that states all this.

    Raises:
        OSError: It can't be written.
    """
    known: dict[bytes, _Stated | None] = {}
    for path, size, sha256, label in files:
        own_name = label == label_of(path.rpartition(b"/")[2].decode("utf-8", "surrogateescape"))
        key, stated = key_of(path), _Stated(sha256, size, label, own_name)
        if key in known or len(known) < FILES_LIMIT:
            known[key] = stated if known.get(key, stated) == stated else None
    labels = sorted({stated.label for stated in known.values() if stated is not None})
    numbers = {label: number for number, label in enumerate(labels)}
    bits = max(len(known) // _BUCKET_ROWS, 1).bit_length()
    rows: list[bytes] = []
    row_starts, digest_starts = array("I"), array("I")
    first_with: dict[bytes, int] = {}
    for key in sorted(known):
        found = known[key]
        if found is None:
            continue
        bucket = _bucket(key, bits)
        _begin_buckets(row_starts, bucket, len(rows))
        if len(rows) - row_starts[bucket] < _BUCKET_LIMIT:
            sha256, size, label, own_name = found
            first_with.setdefault(sha256, len(rows))
            rows.append(_ROW.pack(key, sha256, size & 0xFFFFFFFF, size >> 32, numbers[label] | (_OWN_NAME if own_name else 0)))
    _begin_buckets(row_starts, 1 << bits, len(rows))
    digests: list[bytes] = []
    for sha256 in sorted(first_with):
        bucket = _bucket(sha256, bits)
        _begin_buckets(digest_starts, bucket, len(digests))
        if len(digests) - digest_starts[bucket] < _BUCKET_LIMIT:
            digests.append(_DIGEST.pack(sha256[:4], first_with[sha256]))
    _begin_buckets(digest_starts, 1 << bits, len(digests))
    blocks = [zlib.compress("\n".join(labels[at : at + _LABELS_PER_BLOCK]).encode("ascii")) for at in range(0, len(labels), _LABELS_PER_BLOCK)]
    block_starts = array("I", [0])
    for block in blocks:
        block_starts.append(block_starts[-1] + len(block))
    content = b"".join((row_starts.tobytes(), digest_starts.tobytes(), block_starts.tobytes(), *rows, *digests, *blocks))
    file.write(_HEADER.pack(_MAGIC, *stamp, len(rows), len(digests), bits, len(blocks), block_starts[-1], zlib.crc32(content)))
    file.write(content)


def _bucket(key: bytes, bits: int) -> int:
    return int.from_bytes(key[:4], "big") >> 32 - bits


def _begin_buckets(starts: array[int], bucket: int, at: int) -> None:
    """Notes that all buckets up to one that have not begun begin at a row."""
    while len(starts) <= bucket:
        starts.append(at)


class Index:
    """
    Knows what a list states of the files of its repository.  A lookup takes some 4 us.

    Args:
        file: An index, which is closed with this object, or when it is none.

    Attributes:
        stamp: Of the list.

    Raises:
        ValueError: It is no index, one of another version of pacserve, or damaged.
        OSError: It can't be read.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._descriptor = file.fileno()
        try:
            header = os.pread(self._descriptor, _HEADER.size, 0)
            if len(header) < _HEADER.size or not header.startswith(_MAGIC):
                raise ValueError("no index of this version")
            fields: tuple[int, ...] = _HEADER.unpack(header)[1:]
            self._stamp: Stamp = (fields[0], fields[1], fields[2])
            self._rows, self._digests, self._bits, blocks, labels, check = fields[3:]
            if self._bits > 32:
                raise ValueError("a damaged index")
            starts = 4 * ((1 << self._bits) + 1)
            self._rows_at = _HEADER.size + 2 * starts + 4 * (blocks + 1)
            self._digests_at = self._rows_at + _ROW.size * self._rows
            self._labels_at = self._digests_at + _DIGEST.size * self._digests
            if self._labels_at + labels != os.fstat(self._descriptor).st_size or _checksum(self._descriptor, _HEADER.size) != check:
                raise ValueError("a damaged index")
            memory = os.pread(self._descriptor, self._rows_at - _HEADER.size, _HEADER.size)
            self._row_starts, self._digest_starts, self._block_starts = array("I"), array("I"), array("I")
            self._row_starts.frombytes(memory[:starts])
            self._digest_starts.frombytes(memory[starts : 2 * starts])
            self._block_starts.frombytes(memory[2 * starts :])
        except BaseException:
            file.close()
            raise

    def __len__(self) -> int:
        return self._rows

    @property
    def stamp(self) -> Stamp:
        """The version of the list."""
        return self._stamp

    def close(self) -> None:
        """Closes the file; nothing is known after that."""
        self._descriptor = -1  # another file may get the number
        self._file.close()

    def find(self, key: bytes, name: str) -> StatedFile | None:
        """
        Returns a file by its path; None where the list does not know it.

        Args:
            key: That of the path.
            name: The last part of the path.
        """
        bucket = _bucket(key, self._bits)
        rows = self._read(self._rows_at, _ROW.size, self._row_starts[bucket], self._row_starts[bucket + 1])
        at = rows.find(key)
        while at % _ROW.size:  # the bytes of a digest may be those of a key by malice only, but then they are looked at
            at = -1 if at < 0 else rows.find(key, at + 1)
            if at < 0:
                return None
        return self._stated(rows[at : at + _ROW.size], name)

    def stated(self, sha256: bytes) -> StatedFile | None:
        """Returns a file by its digest; None where the list does not state it."""
        bucket = _bucket(sha256, self._bits)
        digests = self._read(self._digests_at, _DIGEST.size, self._digest_starts[bucket], self._digest_starts[bucket + 1])
        for beginning, number in _DIGEST.iter_unpack(digests):
            if beginning == sha256[:4]:
                row = self._read(self._rows_at, _ROW.size, number, number + 1)
                if row[_KEY_SIZE : _KEY_SIZE + _DIGEST_SIZE] == sha256:
                    return self._stated(row)
        return None

    def matching(self, text: str) -> Iterator[StatedFile]:
        """Yields the files whose label contains `text`; this reads the whole file, some 10 ms for a large list."""
        if not text.isascii():
            return
        numbers: dict[int, str] = {}
        for block in range(len(self._block_starts) - 1):
            labels = self._labels(block)
            if any(text in label for label in labels):
                numbers.update((block * _LABELS_PER_BLOCK + at, label) for at, label in enumerate(labels) if text in label)
        for at in range(0, self._rows if numbers else 0, _LABELS_PER_BLOCK):
            for _, sha256, low, high, number in _ROW.iter_unpack(self._read(self._rows_at, _ROW.size, at, min(at + _LABELS_PER_BLOCK, self._rows))):
                label = numbers.get(number & ~_OWN_NAME)
                if label is not None:
                    yield StatedFile(high << 32 | low, sha256, label)

    def _stated(self, row: bytes, name: str | None = None) -> StatedFile | None:
        """Returns the file of a row; None where its label can't be read."""
        if len(row) != _ROW.size:
            return None
        _, sha256, low, high, number = _ROW.unpack(row)
        if name is not None and number & _OWN_NAME:
            return StatedFile(high << 32 | low, sha256, label_of(name))
        block, at = divmod(number & ~_OWN_NAME, _LABELS_PER_BLOCK)
        labels = self._labels(block)
        return StatedFile(high << 32 | low, sha256, labels[at]) if at < len(labels) else None

    def _labels(self, block: int) -> list[str]:
        compressed = self._read(self._labels_at, 1, self._block_starts[block], self._block_starts[block + 1])
        try:
            return zlib.decompress(compressed).decode("ascii").split("\n")
        except (ValueError, zlib.error):  # it can't be read any more
            return []

    def _read(self, start: int, size: int, first: int, end: int) -> bytes:
        """Returns things of one size by their numbers, from a place on; nothing where the disk does not give them."""
        try:
            return os.pread(self._descriptor, size * (end - first), start + size * first)
        except OSError:
            return b""


def _checksum(descriptor: int, at: int) -> int:
    check = 0
    while piece := os.pread(descriptor, _READ_SIZE, at):
        check = zlib.crc32(piece, check)
        at += len(piece)
    return check
