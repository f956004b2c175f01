"""
The datagram by which pacservers of a LAN find each other.

It states the identity of a host and its port, never its address: that is the one that the datagram came from.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass

from pacserve.errors import RemoteProtocolError
from pacserve.peers import fields

ANNOUNCEMENT_VERSION = 1

# Bytes of a datagram: eight times the usual, and with its headers below 1,280, which every link of IPv6 carries whole (RFC 8200, 5).
DATAGRAM_LIMIT = 1024
# A pacserve need not be root, and what listens below (RFC 6335, 6: system ports) is another program's service that a forger would have us talk to.
LEAST_PORT = 1024
_MOST_PORT = 65535
_WHERE = "announcement"


class Kind(enum.Enum):
    """The purpose of an announcement."""

    HELLO = "hello"
    """The sender is new here, and asks the other hosts to announce themselves."""
    HERE = "here"
    """The sender is here."""
    BYE = "bye"
    """The sender is about to stop.  Anyone may have forged it."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """
    The message of a pacserver to the LAN.

    Attributes:
        instance: As in its `/info`.
        port: Where it listens, TCP.
        generation: Of its inventory; means nothing across instances.
        architectures: Those of its pacman.conf; none where it has no pacman.
        content: True if it takes part in sharing content of other package systems: it holds some, or answers such a system.
    """

    kind: Kind
    instance: str
    port: int
    generation: int
    architectures: tuple[str, ...]
    content: bool = False


def encode(announcement: Announcement) -> bytes:
    """Returns the datagram."""
    document: dict[str, object] = {
        "pacserve": ANNOUNCEMENT_VERSION,
        "kind": announcement.kind.value,
        "instance": announcement.instance,
        "port": announcement.port,
        "generation": announcement.generation,
        "arch": list(announcement.architectures),
    }
    if announcement.content:
        document["content"] = True
    return json.dumps(document, separators=(",", ":")).encode()


def decode(payload: bytes) -> Announcement | None:
    """
    Reads a datagram.  Fields that are not known are ignored, as are later versions as long as these fields stand.

    Returns:
        None where the kind is not known: it is of a later version, so nothing is asked of its other fields.

    Raises:
        RemoteProtocolError: It is no announcement, or one with a field that is missing, of the wrong type or out of its bounds.
    """
    if len(payload) > DATAGRAM_LIMIT:
        raise RemoteProtocolError(f"{_WHERE} is over {DATAGRAM_LIMIT:,} bytes")
    document = fields.parse_object(payload, _WHERE)
    fields.version(document.get("pacserve"), _WHERE, "pacserve")
    kind = _kind(document.get("kind"))
    if kind is None:
        return None
    return Announcement(
        kind,
        fields.instance_id(document.get("instance"), _WHERE),
        fields.integer(document.get("port"), _WHERE, "port", LEAST_PORT, _MOST_PORT),
        fields.generation(document.get("generation"), _WHERE),
        fields.architectures(document.get("arch"), _WHERE),
        document.get("content") is True,
    )


def concerns(announcement: Announcement, architectures: Sequence[str], *, content: bool) -> bool:
    """
    Returns whether the host that sent an announcement is worth asking for its inventory.

    Either it may have files of pacman that this host can use, or both take part in sharing content: they hold some, answer a package system that has
    any, or have no pacman and so nothing else to share.  A host with pacman alone reads no lists of which it could use nothing.

    Args:
        architectures: Those of this host.
        content: True if this host takes part in sharing content of other package systems.
    """
    if not set(architectures).isdisjoint(announcement.architectures):
        return True
    return (content or not architectures) and (announcement.content or not announcement.architectures)


def _kind(value: object) -> Kind | None:
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{_WHERE}: kind is no word")
    try:
        return Kind(value)
    except ValueError:
        return None
