"""Tests for `pacserve.indexes.archives`."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.indexes import archives
from pacserve.indexes.archives import is_whole

_FRAME = b"\x28\xb5\x2f\xfd"
_BEGINNINGS = (b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", _FRAME, b"\x50\x2a\x4d\x18", b"LZIP", b"")


def archive() -> bytes:
    """A database that is not compressed."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:") as tar:
        for number in range(20):
            text = Random(number).randbytes(700).hex().encode()
            member = tarfile.TarInfo(f"package{number}-1-1/desc")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return data.getvalue()


def block(data: bytes, *, kind: int = 0, last: bool = False) -> bytes:
    """A block of zstd (RFC 8878, 3.1.1.2)."""
    size = 1000 if kind == 1 else len(data)
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + data


def zstd(descriptor: int, fields: int, *, checksum: bool) -> bytes:
    """A frame of zstd with a header that has so many bytes after its descriptor."""
    blocks = block(bytes(50)) + block(b"x", kind=1) + block(bytes(70), kind=2, last=True)
    return _FRAME + bytes([descriptor]) + bytes(fields) + blocks + (b"abcd" if checksum else b"")


TAR = archive()
WHOLE: Mapping[str, bytes] = {
    "tar": TAR,
    "gzip": gzip.compress(TAR),
    "gzip of two": gzip.compress(TAR) + gzip.compress(TAR),
    "bzip2": bz2.compress(TAR),
    "xz": lzma.compress(TAR),
    "xz, padded": lzma.compress(TAR) + bytes(4),
    "zstd": zstd(0x04, 1, checksum=True),
    "zstd, single segment": zstd(0x20, 1, checksum=False),
    "zstd, all fields": zstd(0xC7, 1 + 4 + 8, checksum=True),
    "zstd of two": b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab" + zstd(0x41, 1 + 1 + 2, checksum=False) + zstd(0x82, 1 + 2 + 4, checksum=False),
}


class ArchiveTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Archives that have their end are whole."""
        for name, data in WHOLE.items():
            self.assertIs(is_whole(io.BytesIO(data)), True, name)

    def test_cut_off(self) -> None:
        """Archives that end earlier are not, wherever that is; only the padding of some does not matter."""
        two = {"gzip of two": len(gzip.compress(TAR)), "xz, padded": len(lzma.compress(TAR)), "zstd of two": 10}
        for name, data in WHOLE.items():
            least = len(TAR.rstrip(b"\0")) if name == "tar" else 0
            for size in {7, 30, *range(40, len(data), max(1, len(data) // 200)), len(data) - 5, len(data) - 1}:
                if (name == "tar" and size >= least) or size >= two.get(name, len(data)):
                    continue
                self.assertIs(is_whole(io.BytesIO(data[:size])), False, f"{name}: {size}")

    def test_unknown(self) -> None:
        """Of other archives nothing is said."""
        for head in (b"LZIP", b"\x04\x22\x4d\x18", b"\x89LZO", b"LRZI", b"\x1f\x9d"):
            self.assertIsNone(is_whole(io.BytesIO(head + bytes(100))))

    def test_damaged(self) -> None:
        """The content of gzip is checked as well, and a block that zstd does not have is an error."""
        data = bytearray(WHOLE["gzip"])
        data[len(data) // 2] ^= 1
        self.assertIs(is_whole(io.BytesIO(bytes(data))), False)
        self.assertIs(is_whole(io.BytesIO(_FRAME + b"\x20\x00" + block(b"", kind=3, last=True))), False)

    def test_bounds(self) -> None:
        """An archive that unpacks to more than there is reason to, or has no end of blocks, is not read to its end."""
        self.patch(archives, "UNPACKED_LIMIT", 1 << 20)
        self.assertIs(is_whole(io.BytesIO(gzip.compress(bytes(5 << 20)))), False)
        self.patch(archives, "BLOCKS_LIMIT", 10)
        self.assertIs(is_whole(io.BytesIO(_FRAME + b"\x20\x00" + block(b"") * 100 + block(b"", last=True))), False)

    @given(st.sampled_from(_BEGINNINGS), st.binary(max_size=300))
    def test_any_bytes(self, beginning: bytes, data: bytes) -> None:
        """Any bytes of a mirror are judged, and raise nothing."""
        self.assertIn(is_whole(io.BytesIO(beginning + data)), (True, False, None))
