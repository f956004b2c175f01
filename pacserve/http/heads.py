"""
Heads of requests that wait behind another one on their connection (RFC 9112, 9.3.2), taken apart before it is their turn.

They are a hint only: each is parsed again, and all that is wrong with it is said, when its turn has come.  So whatever is unusual ends the look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"([A-Z]+) ([\x21-\x7e]+) HTTP/1\.([01])\Z")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, 5.6.2
_NO_VALUE = re.compile(rb"[\x00\r\n]")  # RFC 9110, 5.5

_MOST_FIELDS = 100


@dataclass(frozen=True, slots=True)
class WaitingHead:
    """
    The head of a request.

    Attributes:
        fields: The headers, by their names in lower case: those of one name are joined by a comma (RFC 9110, 5.3).
        last: True if the connection ends with the answer.
    """

    method: bytes
    target: bytes
    fields: Mapping[bytes, bytes]
    last: bool

    def header(self, name: str) -> str | None:
        """Returns the value of a header, None where there is none; bytes beyond ASCII are Latin-1."""
        value = self.fields.get(name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")


def waiting_heads(data: bytes, skip: int, most: int) -> list[WaitingHead]:
    """
    Returns the complete heads of requests at the beginning of some bytes, up to the first one that is malformed, unusual, has a body, or is the last.

    Args:
        skip: How many of them were looked at before, and are left out.
        most: How many are returned.
    """
    found: list[WaitingHead] = []
    first = 0
    while len(found) < most:
        if data.startswith(b"\r\n", first):  # an empty line before a request is passed over (RFC 9112, 2.2)
            first += 2
        end = data.find(b"\r\n\r\n", first)
        if end < 0:
            break
        if skip:
            skip -= 1
        else:
            head = _parsed(data[first:end])
            if head is None:
                break
            found.append(head)
            if head.last:
                break
        first = end + 4
    return found


def ends_connection(connection: bytes) -> bool:
    """Returns whether a Connection header says that the connection ends with the answer (RFC 9112, 9.6)."""
    return any(option.strip(b" \t").lower() == b"close" for option in connection.split(b","))


def _parsed(text: bytes) -> WaitingHead | None:
    line, *lines = text.split(b"\r\n")
    request = _REQUEST_LINE.match(line)
    if request is None or len(lines) > _MOST_FIELDS:
        return None
    method, target, version = request.groups()
    fields: dict[bytes, bytes] = {}
    for each in lines:
        name, colon, value = each.partition(b":")
        if not colon or _NAME.match(name) is None or _NO_VALUE.search(value) is not None:
            return None  # a folded line, too, begins with what is in no name
        name, value = name.lower(), value.strip(b" \t")
        fields[name] = b"%b, %b" % (fields[name], value) if name in fields else value
    if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
        return None
    return WaitingHead(method, target, fields, version == b"0" or ends_connection(fields.get(b"connection", b"")))
