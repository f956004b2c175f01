"""The digests of apt's archives as they are kept over restarts.  Pure."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

DIGESTS_LIMIT = 16_384
"""Files whose digests are kept, 56 bytes each: some five times the packages of a desktop."""

# One more for every change of the form: files of another one are as if they were not there.
_MAGIC = b"pacserve archives 1\n"
_RECORD = struct.Struct(">QQq32s")
_CHECK_BYTES = 32

KEPT_BYTES = len(_MAGIC) + _CHECK_BYTES + DIGESTS_LIMIT * _RECORD.size
"""The size of the largest file that `encode_digests` makes."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """
    The facts by which a file is known again that was read before, within one folder.

    Attributes:
        size: Bytes.
        modified: The mtime in nanoseconds since the epoch.
    """

    inode: int
    size: int
    modified: int


def encode_digests(known: Mapping[FileIdentity, bytes]) -> bytes:
    """Returns digests as they are kept: the first `DIGESTS_LIMIT`, behind a digest of them all, since a disk that fails must not invent any."""
    entries = list(known.items())[:DIGESTS_LIMIT]
    body = b"".join([_RECORD.pack(one.inode, one.size, one.modified, sha256) for one, sha256 in entries])
    return _MAGIC + hashlib.sha256(body).digest() + body


def decode_digests(data: bytes) -> dict[FileIdentity, bytes]:
    """Returns the digests that were kept; none where the data is damaged, too long, or of another version."""
    body = data[len(_MAGIC) + _CHECK_BYTES :]
    if len(data) > KEPT_BYTES or len(body) % _RECORD.size or data[: len(data) - len(body)] != _MAGIC + hashlib.sha256(body).digest():
        return {}
    return {FileIdentity(inode, size, modified): sha256 for inode, size, modified, sha256 in _RECORD.iter_unpack(body)}
