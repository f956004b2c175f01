"""
The wire format of `/info`: who a pacserver is and what it holds.

What comes from another host is bounded before it is unpacked, before it is parsed, and name by name after that.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.errors import RemoteProtocolError
from pacserve.packages.names import parse_package_file
from pacserve.peers import fields

PROTOCOL_VERSION = 1

# Bytes as they travel: 100,000 names are some 1.1 MiB packed.
PACKED_LIMIT = 4 << 20
# Bytes of JSON.
UNPACKED_LIMIT = 32 << 20
NAMES_LIMIT = 100_000
# JSON values and containers: a parsed empty list is 28 times its text, so that text alone bounds nothing.  Leaves room for fields to come.
_VALUES_LIMIT = 5 * NAMES_LIMIT
_CONTAINERS_LIMIT = 2 * NAMES_LIMIT
# Bytes of one file: 1 TiB.
_SIZE_LIMIT = 1 << 40
_WHERE = "/info"


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """
    What a pacserver says of itself: all that it holds, or what changed since a generation.

    Attributes:
        instance: 128 random bits, drawn at each start, in hexadecimal.
        generation: Grows when `files` changes; means nothing across instances.
        architectures: Those of its pacman.conf.
        files: Sizes in bytes by the names of package files and signatures; of a delta, those that were added or changed.
        since: The generation of the same instance which the delta leads on from, None where `files` is all that it holds.
        removed: The names that went since then; none of them is in `files`.
    """

    instance: str
    generation: int
    architectures: tuple[str, ...]
    files: Mapping[str, int]
    since: int | None = None
    removed: tuple[str, ...] = ()


def encode(info: PeerInfo) -> bytes:
    """Returns the JSON text of `/info`."""
    document: dict[str, object] = {
        "protocol": PROTOCOL_VERSION,
        "instance": info.instance,
        "generation": info.generation,
        "arch": list(info.architectures),
    }
    if info.since is not None:
        document["since"] = info.since
    document["files"] = dict(info.files)
    if info.since is not None:
        document["removed"] = info.removed
    return json.dumps(document, separators=(",", ":")).encode()


def pack(text: bytes) -> bytes:
    """Returns the text gzipped, the same bytes each time."""
    return gzip.compress(text, compresslevel=6, mtime=0)


def unpack(body: bytes, encoding: str | None) -> bytes:
    """
    Returns the text of a body as it was transferred.

    Args:
        encoding: The Content-Encoding, None for none.

    Raises:
        RemoteProtocolError: Another encoding than gzip, broken, or larger than `UNPACKED_LIMIT`.
    """
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise RemoteProtocolError("/info in an encoding that was not asked for")
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        text = unpacker.decompress(body, UNPACKED_LIMIT + 1)
    except zlib.error:
        raise RemoteProtocolError("/info is not gzip as it claims") from None
    if len(text) > UNPACKED_LIMIT:
        raise RemoteProtocolError(f"/info is over {UNPACKED_LIMIT >> 20} MiB unpacked")
    if not unpacker.eof:
        raise RemoteProtocolError("/info ends too early")
    return text


def decode(text: bytes) -> PeerInfo:
    """
    Reads the JSON text of `/info`.  Fields that are not known are ignored, as are later protocol versions as long as these fields stand.

    Raises:
        RemoteProtocolError: Not JSON, a field missing or of the wrong type, too much of anything, or a name outside the package-name grammar.
    """
    if len(text) > UNPACKED_LIMIT:
        raise RemoteProtocolError(f"/info is over {UNPACKED_LIMIT >> 20} MiB")
    if text.count(b",") > _VALUES_LIMIT or text.count(b"[") + text.count(b"{") > _CONTAINERS_LIMIT:
        raise RemoteProtocolError("/info holds too many values")
    document = fields.parse_object(text, _WHERE)
    instance = fields.instance_id(document.get("instance"), _WHERE)
    fields.version(document.get("protocol"), _WHERE, "protocol")
    generation = fields.generation(document.get("generation"), _WHERE)
    architectures = fields.architectures(document.get("arch"), _WHERE)
    files = _files(document.get("files"))
    if "since" not in document:
        if "removed" in document:
            raise RemoteProtocolError("/info: removed without since")
        return PeerInfo(instance, generation, architectures, files)
    since = fields.integer(document["since"], _WHERE, "since", 0, generation)
    return PeerInfo(instance, generation, architectures, files, since, _removed(document.get("removed"), files))


def _files(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise RemoteProtocolError("/info: files is no object")
    if len(value) > NAMES_LIMIT:
        raise RemoteProtocolError(f"/info lists more than {NAMES_LIMIT:,} files")
    for name, size in value.items():
        if parse_package_file(name) is None:
            raise RemoteProtocolError("/info lists a name that is no package file's")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _SIZE_LIMIT:
            raise RemoteProtocolError("/info states a size that is none")
    return value


def _removed(value: object, files: Mapping[str, int]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise RemoteProtocolError("/info: removed is no list")
    if len(value) + len(files) > NAMES_LIMIT:
        raise RemoteProtocolError(f"/info changes more than {NAMES_LIMIT:,} files")
    for name in value:
        if not isinstance(name, str) or parse_package_file(name) is None:
            raise RemoteProtocolError("/info removes a name that is no package file's")
        if name in files:
            raise RemoteProtocolError("/info removes what it lists")
    return tuple(value)
