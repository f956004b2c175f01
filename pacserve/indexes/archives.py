"""Checks that an archive has its end: RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.2, bzip2, and POSIX.1-1988 ustar."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from typing import BinaryIO

# Bytes that an archive is unpacked to at most, and frames and blocks that it may have: Arch's largest database has less than 1 GiB, and a larger one
# would only keep this machine busy.
UNPACKED_LIMIT = 4 << 30
BLOCKS_LIMIT = 1_000_000

_READ_BYTES = 1 << 20
_ZSTD, _ZSTD_SKIPPABLE = 0xFD2FB528, 0x184D2A5
_TAR_BLOCK = 512


def is_whole(file: BinaryIO, saw: Callable[[bytes], object] = lambda _: None) -> bool | None:
    """
    Returns whether nothing is missing at the end of an archive, as when a connection ended too early.

    gzip and bzip2 are unpacked, which takes a second for each 300 MB, and checks the whole content.  xz, zstd and tar tell the end by their
    structure, so that nothing is unpacked, and their content may be damaged.

    Args:
        file: Open at its start.
        saw: Told each piece of what is unpacked, in order.

    Returns:
        None for a kind of archive whose end can't be told.

    Raises:
        OSError: It can't be read.
    """
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return _unpacks(gzip.GzipFile(fileobj=file).read, saw)
    if head.startswith(b"BZh"):
        return _unpacks(bz2.BZ2File(file).read, saw)
    if head == b"\xfd7zXZ\x00":
        return _ends_as_xz(file)
    if head[:4] == _ZSTD.to_bytes(4, "little") or head[1:4] == b"\x2a\x4d\x18":
        return _ends_as_zstd(file)
    if head.startswith((b"\x04\x22\x4d\x18", b"LZIP", b"\x89LZO", b"LRZI", b"\x1f\x9d")):
        return None
    return _ends_as_tar(file)


def _unpacks(read: Callable[[int], bytes], saw: Callable[[bytes], object]) -> bool:
    total = 0
    try:
        while piece := read(_READ_BYTES):
            total += len(piece)
            if total > UNPACKED_LIMIT:
                return False
            saw(piece)
    except (EOFError, OSError, zlib.error):
        return False
    return True


def _ends_as_xz(file: BinaryIO) -> bool:
    """Returns whether there is a stream footer; padding may follow it."""
    tail = _tail(file).rstrip(b"\0")
    return tail.endswith(b"YZ") and len(tail) >= 24 and zlib.crc32(tail[-8:-2]) == int.from_bytes(tail[-12:-8], "little")


def _ends_as_tar(file: BinaryIO) -> bool:
    """Returns whether there are the two empty blocks at the end, which no text in a database looks like."""
    tail = _tail(file)
    return file.tell() % _TAR_BLOCK == 0 and tail.endswith(bytes(2 * _TAR_BLOCK))


def _ends_as_zstd(file: BinaryIO) -> bool:
    """Returns whether the last block of the last frame is there; sizes are followed, and nothing is unpacked."""
    size = file.seek(0, 2)
    offset = 0
    left = BLOCKS_LIMIT
    while offset < size and left > 0:
        left -= 1
        magic, following = _number(file, offset, 4), _number(file, offset + 4, 4)
        if magic >> 4 == _ZSTD_SKIPPABLE:
            offset += 8 + following
            continue
        if magic != _ZSTD:
            return False
        descriptor = following & 0xFF
        single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
        offset += 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
        last = False
        while not last and offset < size and left > 0:
            left -= 1
            block = _number(file, offset, 3)
            last, kind = bool(block & 1), block >> 1 & 3
            if kind == 3:
                return False
            offset += 3 + (1 if kind == 1 else block >> 3)
        if not last:
            return False
        offset += 4 * checksum
    return offset == size


def _number(file: BinaryIO, offset: int, size: int) -> int:
    file.seek(offset)
    return int.from_bytes(file.read(size), "little")


def _tail(file: BinaryIO) -> bytes:
    """Returns the end of a file, which is read to its end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _READ_BYTES))
    return file.read()
