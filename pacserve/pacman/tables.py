"""
The file in which a child process hands over what a sync database states: it is used as it is, and never parsed as a whole.

All numbers are little-endian.  A header is followed by the index, which the daemon has in memory as one piece: for each bucket of names the number of
its first row, the rows, and the names, each with a newline.  Behind the index lie the detached signatures, which stay on the disk: Arch's largest
database has 15,000 of 119 to 566 bytes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from io import FileIO
from typing import BinaryIO, NamedTuple

from pacserve import __version__
from pacserve.packages.files import SIGNATURE_LIMIT
from pacserve.packages.kept_files import Stamp

# Packages of one database; Arch's largest has some 15,000.
PACKAGES_LIMIT = 500_000
# Bytes of all signatures of a database; those of Arch's largest are 7 MB together.  Whatever is above is left out.
SIGNATURES_LIMIT = 128 << 20
# Names that share a bucket.  By chance it is a handful; without a limit a database could be made so that each lookup goes through all names.
_BUCKET_LIMIT = 64
# Begins the file.  It names the version, since another one may accept other names, and behind it the layout below.
_MAGIC = f"pacserve {__version__[:20]} 1".encode().ljust(32)
# Magic, stamp (mtime in nanoseconds, inode, size), buckets, rows, bytes of all names, CRC-32 of the index.
_HEADER = struct.Struct("<32sqQQIIII")
# Size, SHA-256, whether that is stated; where the name is, and its length; the same for the signature, and its CRC-32.
_ROW = struct.Struct("<Q32s?IHIHI")
_BUCKET = struct.Struct("<II")


class StatedPackage(NamedTuple):
    """
    One package of a database.

    Attributes:
        name: Of its file; it has passed the grammar of package files.
        size: Bytes, at least 1.
        sha256: 32 bytes, None where the database states none.
        signature: Its detached signature, None where the database carries none.
    """

    name: str
    size: int
    sha256: bytes | None = None
    signature: bytes | None = None


def write(file: BinaryIO, stamp: Stamp, packages: Iterable[StatedPackage]) -> None:
    """
    Writes a table; of packages with the same name the last one counts.

    Args:
        stamp: Of the database that states all this.

    Raises:
        OSError: It can't be written.
    """
    known: dict[str, StatedPackage] = {}
    for package in packages:
        known[package.name] = package
        if len(known) >= PACKAGES_LIMIT:
            break
    buckets: list[list[bytes]] = [[] for _ in range(1 << len(known).bit_length())]
    mask = len(buckets) - 1
    names, signatures, name_at, signature_at = [], [], 0, 0
    for package in known.values():
        name, signature = package.name.encode("ascii"), package.signature or b""
        if not (len(signature) <= SIGNATURE_LIMIT and signature_at + len(signature) <= SIGNATURES_LIMIT):
            signature = b""
        bucket = buckets[zlib.crc32(name) & mask]
        if len(bucket) < _BUCKET_LIMIT:
            digest, size = package.sha256 or bytes(32), package.size
            place = (name_at, len(name), signature_at, len(signature), zlib.crc32(signature))
            bucket.append(_ROW.pack(size, digest, package.sha256 is not None, *place))
            names.append(name)
            signatures.append(signature)
            name_at += len(name) + 1
            signature_at += len(signature)
    starts = [0]
    for bucket in buckets:
        starts.append(starts[-1] + len(bucket))
    index = b"".join(
        (struct.pack(f"<{len(starts)}I", *starts), *(row for bucket in buckets for row in bucket), b"".join(name + b"\n" for name in names))
    )
    file.write(_HEADER.pack(_MAGIC, *stamp, len(buckets), len(names), name_at, zlib.crc32(index)))
    file.write(index)
    file.writelines(signatures)


class Table:
    """
    Knows what a database states of its packages.  A lookup takes some 2 us, and may be made in any thread.

    Args:
        file: A table, which is closed with this object, or when it is none.

    Attributes:
        stamp: Of the database.

    Raises:
        ValueError: It is no table, one of another version of pacserve, or damaged.
        OSError: It can't be read.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        try:
            header = os.pread(file.fileno(), _HEADER.size, 0)
            if len(header) < _HEADER.size or not header.startswith(_MAGIC):
                raise ValueError("no table of this version")
            fields: tuple[int, ...] = _HEADER.unpack(header)[1:]
            self.stamp: Stamp = (fields[0], fields[1], fields[2])
            buckets, self._rows, names, check = fields[3:]
            self._mask = buckets - 1
            self._rows_at = 4 * (buckets + 1)
            self._names_at = self._rows_at + _ROW.size * self._rows
            size = self._names_at + names
            if size > os.fstat(file.fileno()).st_size:
                raise ValueError("a table that was cut")
            # From the page cache, since it was written a moment ago or is small: 2 ms for 15,000 packages, 9 ms for 75,000.
            self._index = os.pread(file.fileno(), size, _HEADER.size)
            self._signatures_at = _HEADER.size + size
            if len(self._index) != size or zlib.crc32(self._index) != check:
                raise ValueError("a damaged table")
        except BaseException:
            file.close()
            raise

    def __len__(self) -> int:
        return self._rows

    def close(self) -> None:
        """Closes the file; after that there are no signatures."""
        self._file.close()

    def size(self, name: str) -> int | None:
        """Returns the size of a package file in bytes; None where the database does not know it."""
        row = self._row(name)
        return None if row is None else row[0]

    def stated(self, name: str) -> tuple[int, bytes | None] | None:
        """Returns the size and the SHA-256, if there is one, of a package file; None where the database does not know it."""
        row = self._row(name)
        return None if row is None else (row[0], row[1] if row[2] else None)

    def signature(self, name: str) -> bytes | None:
        """
        Returns the detached signature of a package file; None where the database carries none, or it can't be read.

        It is read from the disk there and then, since it is some hundred bytes that the page cache mostly has.
        """
        row = self._row(name)
        if row is None or not row[6] or self._file.closed:
            return None
        try:
            found = os.pread(self._file.fileno(), row[6], self._signatures_at + row[5])
        except OSError:
            return None
        return found if zlib.crc32(found) == row[7] else None

    def names(self, text: str) -> Iterator[str]:
        """Yields the names of the package files that contain `text`, in the order of the database."""
        if not text.isascii() or "\n" in text:
            return
        wanted, index, at = text.encode("ascii"), self._index, self._names_at
        while at < len(index) and (found := index.find(wanted, at)) >= 0:
            start = index.rfind(b"\n", at, found) + 1 or at
            at = index.index(b"\n", found) + 1
            yield index[start : at - 1].decode("ascii")

    def _row(self, name: str) -> tuple[int, bytes, bool, int, int, int, int, int] | None:
        if not name.isascii():
            return None
        wanted, index = name.encode("ascii"), self._index
        first, end = _BUCKET.unpack_from(index, 4 * (zlib.crc32(wanted) & self._mask))
        for number in range(first, end):
            row: tuple[int, bytes, bool, int, int, int, int, int] = _ROW.unpack_from(index, self._rows_at + _ROW.size * number)
            start = self._names_at + row[3]
            if index[start : start + row[4]] == wanted:
                return row
        return None
