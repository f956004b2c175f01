"""
`/info` as pacserve wrote and read it before there was content of other package systems.

A frozen copy of the rules of protocol version 1 at commit cdd1523, with the grammar of names that it had: hosts of that version are in use, and must
be able to read what is sent today.  It is never changed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pacserve.errors import RemoteProtocolError
from pacserve.peers.inventory import PeerInfo

_UNPACKED_LIMIT = 32 << 20
_NAMES_LIMIT = 100_000
_VALUES_LIMIT = 5 * _NAMES_LIMIT
_CONTAINERS_LIMIT = 2 * _NAMES_LIMIT
_SIZE_LIMIT = 1 << 40
_INSTANCE = re.compile(r"[0-9a-f]{32}\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}\Z")
_PACKAGE = re.compile(
    r"(?=.{1,255}\Z)"
    r"(?P<name>[A-Za-z0-9@_+][A-Za-z0-9@._+-]*)"
    r"-(?P<version>(?:[0-9]+:)?[A-Za-z0-9@._+~]+-[0-9]+(?:\.[0-9]+)?)"
    r"-(?P<arch>[a-z0-9_]+)"
    r"(?P<suffix>\.pkg\.tar(?:\.(?:gz|bz2|xz|zst|lzo|lrz|lz4|lz|Z))?)"
    r"(?P<signature>\.sig)?\Z"
)


def encode(info: PeerInfo) -> bytes:
    """Returns the JSON text that was sent."""
    document: dict[str, object] = {"protocol": 1, "instance": info.instance, "generation": info.generation, "arch": list(info.architectures)}
    if info.since is not None:
        document["since"] = info.since
    document["files"] = dict(info.files)
    if info.since is not None:
        document["removed"] = info.removed
    return json.dumps(document, separators=(",", ":")).encode()


def decode(text: bytes) -> PeerInfo:
    """
    Reads a JSON text as it was read.

    Raises:
        RemoteProtocolError: The text was refused as a whole, and the peer asked for every single file.
    """
    _require(len(text) <= _UNPACKED_LIMIT and text.count(b",") <= _VALUES_LIMIT)
    _require(text.count(b"[") + text.count(b"{") <= _CONTAINERS_LIMIT)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("refused") from None
    _require(isinstance(document, dict))
    instance, generation, architectures = document.get("instance"), document.get("generation"), document.get("arch")
    _require(isinstance(instance, str) and _INSTANCE.match(instance))
    _require(_is_integer(document.get("protocol"), 1, 1 << 31) and _is_integer(generation, 0, 1 << 63))
    _require(isinstance(architectures, list) and len(architectures) <= 16)
    _require(all(isinstance(name, str) and _ARCHITECTURE.match(name) for name in architectures))
    files = document.get("files")
    _require(isinstance(files, dict) and len(files) <= _NAMES_LIMIT)
    _require(all(_PACKAGE.match(name) and _is_integer(size, 1, _SIZE_LIMIT) for name, size in files.items()))
    if "since" not in document:
        _require("removed" not in document)
        return PeerInfo(instance, generation, tuple(architectures), files)
    removed = document.get("removed")
    _require(_is_integer(document["since"], 0, generation))
    _require(isinstance(removed, list) and len(removed) + len(files) <= _NAMES_LIMIT)
    _require(all(isinstance(name, str) and _PACKAGE.match(name) and name not in files for name in removed))
    return PeerInfo(instance, generation, tuple(architectures), files, document["since"], tuple(removed))


def _is_integer(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _require(holds: object) -> None:
    if not holds:
        raise RemoteProtocolError("refused")
