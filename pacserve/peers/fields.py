"""
Reads the fields that the messages between pacservers have in common.

Each function takes a value that was read from JSON, of any type, and the name of the message it stood in, with which the text of an error begins.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pacserve.errors import RemoteProtocolError
from pacserve.network.names import told_name
from pacserve.packages.names import architecture

GENERATION_LIMIT = 1 << 63
ARCHITECTURES_LIMIT = 16
_VERSION_LIMIT = 1 << 31
_INSTANCE = re.compile(r"[0-9a-f]{32}\Z")


def parse_object(text: bytes, where: str) -> dict[str, Any]:
    """
    Returns the fields of a JSON object; of a field that comes twice, the last.  The caller bounds the length of the text.

    Raises:
        RemoteProtocolError: The text is no JSON, nested too deeply, has a number that is too long to read, or is no object.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise RemoteProtocolError(f"{where} is not JSON") from None
    if not isinstance(document, dict):
        raise RemoteProtocolError(f"{where} is no JSON object")
    return document


def integer(value: object, where: str, field: str, least: int, most: int) -> int:
    """
    Returns the value where it is an integer from `least` to `most`.

    Raises:
        RemoteProtocolError: Another number, or no integer; booleans and floats are none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RemoteProtocolError(f"{where}: {field} is no number from {least} to {most}")
    return value


def version(value: object, where: str, field: str) -> int:
    """
    Returns the version of the protocol that the other host speaks: this one or a later one.

    Raises:
        RemoteProtocolError: It is no integer from 1 to 2^31.
    """
    return integer(value, where, field, 1, _VERSION_LIMIT)


def instance_id(value: object, where: str) -> str:
    """
    Returns the value where it is an instance id: 128 bits in lower-case hexadecimal.

    Raises:
        RemoteProtocolError: It is anything else.
    """
    if not isinstance(value, str) or not _INSTANCE.match(value):
        raise RemoteProtocolError(f"{where} states no instance id of 32 hexadecimal digits")
    return value


def generation(value: object, where: str) -> int:
    """
    Returns the generation of an inventory, from 0 to `GENERATION_LIMIT`.

    Raises:
        RemoteProtocolError: It is anything else.
    """
    return integer(value, where, "generation", 0, GENERATION_LIMIT)


def architectures(value: object, where: str) -> tuple[str, ...]:
    """
    Returns the value where it is a list of at most `ARCHITECTURES_LIMIT` architectures of makepkg.conf(5).

    Raises:
        RemoteProtocolError: It is no list, a longer one, or one that holds something else.
    """
    if not isinstance(value, list) or len(value) > ARCHITECTURES_LIMIT:
        raise RemoteProtocolError(f"{where}: arch is no short list")
    for name in value:
        if not isinstance(name, str) or not architecture(name):
            raise RemoteProtocolError(f"{where}: arch holds what is no architecture")
    return tuple(value)


def host_name(value: object) -> str:
    """Returns the value where it is a name that a host may tell of itself; an empty text where it is anything else, as in messages without a name."""
    return value if isinstance(value, str) and value and told_name(value) == value else ""
