"""
The wire format of `/info`: who a pacserver is and what it holds.

Text from another host is bounded before it is unpacked, before it is parsed, and name by name after that.  pacman's files, those of them whose names
were no names at first, and the content of other package systems travel in different fields, since readers that know only the former must not meet
names that they would refuse.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pacserve.errors import RemoteProtocolError
from pacserve.packages.names import is_content, is_early, parse_content_name, parse_package_file
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

_Grammar = Callable[[str], object]
"""Gives None for a name that a field must not hold."""
# The fields that there were not at first, all of which may be missing.
_LATER_FIELDS: Mapping[str, _Grammar] = {"content": parse_content_name, "further": parse_package_file}


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """
    An `/info`: all files that a pacserver holds, or the changes since a generation.

    Attributes:
        instance: 128 random bits, drawn at each start, in hexadecimal.
        generation: Grows when `files` changes; means nothing across instances.
        architectures: Those of its pacman.conf, which matter for pacman's files alone; none where it has no pacman.
        files: Sizes in bytes by the names under which hosts share files; of a delta, those that were added or changed.
        since: The generation of the same instance which the delta leads on from, None where `files` is all that it holds.
        removed: The names that went since then; none of them is in `files`.
        skipped: How many of its entries were not understood and left out.
    """

    instance: str
    generation: int
    architectures: tuple[str, ...]
    files: Mapping[str, int]
    since: int | None = None
    removed: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def content(self) -> Mapping[str, int]:
        """Those of `files` that are shared by content, whatever the architecture of their holders."""
        return {name: size for name, size in self.files.items() if is_content(name)}


def encode(info: PeerInfo) -> bytes:
    """Returns the JSON text of `/info`.  A host without content of other package systems sends what protocol version 1 had before there were any."""
    document: dict[str, object] = {
        "protocol": PROTOCOL_VERSION,
        "instance": info.instance,
        "generation": info.generation,
        "arch": list(info.architectures),
    }
    if info.since is not None:
        document["since"] = info.since
    later = {name: _later_field(name) for name in info.files if not is_early(name)}
    document["files"] = {name: size for name, size in info.files.items() if name not in later} if later else dict(info.files)
    for name, field in later.items():
        listed: Any = document.setdefault(field, {})
        listed[name] = info.files[name]
    if info.since is not None:
        document["removed"] = [name for name in info.removed if is_early(name)]
        for name in info.removed:
            if not is_early(name):
                removed: Any = document.setdefault(f"{_later_field(name)}_removed", [])
                removed.append(name)
    return json.dumps(document, separators=(",", ":")).encode()


def _later_field(name: str) -> str:
    """Returns the field for a name that readers of the first version don't know."""
    return "content" if is_content(name) else "further"


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
    Reads the JSON text of `/info`.

    Fields that are not known are ignored, as are later protocol versions as long as these fields stand.  An entry that is not understood, a name
    outside the grammar of its field or a size that is none, is left out and counted: a later version may have a reason for it, and the other
    entries stand.

    Raises:
        RemoteProtocolError: Not JSON, a field missing or of the wrong type, too much of anything, or a name that is listed and removed.
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
    listed = [_object(document.get("files"), "files"), *(_object(document.get(field, {}), field) for field in _LATER_FIELDS)]
    names = sum(map(len, listed))
    if names > NAMES_LIMIT:
        raise RemoteProtocolError(f"/info lists more than {NAMES_LIMIT:,} files")
    files = _sizes(listed[0], parse_package_file)
    for entries, grammar in zip(listed[1:], _LATER_FIELDS.values(), strict=True):
        files.update(_sizes(entries, grammar))
    if "since" not in document:
        if "removed" in document or any(f"{field}_removed" in document for field in _LATER_FIELDS):
            raise RemoteProtocolError("/info: removed without since")
        return PeerInfo(instance, generation, architectures, files, skipped=names - len(files))
    since = fields.integer(document["since"], _WHERE, "since", 0, generation)
    gone = [_list(document.get("removed"), "removed"), *(_list(document.get(f"{field}_removed", []), f"{field}_removed") for field in _LATER_FIELDS)]
    names += sum(map(len, gone))
    if names > NAMES_LIMIT:
        raise RemoteProtocolError(f"/info changes more than {NAMES_LIMIT:,} files")
    grammars = (parse_package_file, *_LATER_FIELDS.values())
    removed = tuple(name for entries, grammar in zip(gone, grammars, strict=True) for name in _understood(entries, grammar))
    if not files.keys().isdisjoint(removed):
        raise RemoteProtocolError("/info removes what it lists")
    return PeerInfo(instance, generation, architectures, files, since, removed, names - len(files) - len(removed))


def _object(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"/info: {field} is no object")
    return value


def _list(value: object, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise RemoteProtocolError(f"/info: {field} is no list")
    return value


def _sizes(entries: dict[str, Any], grammar: _Grammar) -> dict[str, int]:
    """Returns the entries that are understood: a name of the field's grammar, and a size."""
    if all(map(_is_size, entries.values())) and all(map(grammar, entries)):
        return entries  # as good as always, and 100,000 names need not be copied
    return {name: size for name, size in entries.items() if _is_size(size) and grammar(name)}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _SIZE_LIMIT


def _understood(entries: Iterable[object], grammar: _Grammar) -> Iterable[str]:
    """Returns the names of the field's grammar."""
    return (name for name in entries if isinstance(name, str) and grammar(name))
