"""The head of a request: its target (RFC 9112, 3.2) and its Via (RFC 9110, 7.6.3), taken apart."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

_ABSOLUTE = b"http://"
_AUTHORITY_END = re.compile(rb"[/?#]")  # RFC 3986, 3.2
# 19 digits, as 2^63 has.
_NUMBER = re.compile(r"[0-9]{1,19}\Z")


def split_target(target: bytes) -> tuple[str, ...] | None:
    """
    Returns the parts of a target's path, each percent-decoded exactly once, after the path was split: an encoded slash is part of a name.

    The query is dropped.  Bytes that are no UTF-8 become surrogates (PEP 383).  The absolute form, which proxies are sent, is understood, too.

    Returns:
        At least one part, `("",)` for `/`; None where the target is no path.
    """
    if target[:7].lower() == _ABSOLUTE:
        target = _without_authority(target)
    if not target.startswith(b"/"):
        return None
    path = target.partition(b"?")[0]
    if b"%" not in path:
        return tuple(path[1:].decode("utf-8", "surrogateescape").split("/"))
    return tuple(unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in path[1:].split(b"/"))


def authority_of(target: bytes) -> str | None:
    """
    Returns the host, with a port where there is one, that a target in absolute form names, as it was sent; None for every other target.

    It counts more than the Host header (RFC 9112, 3.2.2).
    """
    if target[:7].lower() != _ABSOLUTE:
        return None
    return target[7 : _authority_end(target)].decode("latin-1")


def path_of(target: bytes) -> str:
    """Returns the path of a target as it was sent, with its first slash and without the query.  Bytes that are no UTF-8 become surrogates."""
    if target[:7].lower() == _ABSOLUTE:
        target = _without_authority(target)
    return target.partition(b"?")[0].decode("utf-8", "surrogateescape")


def _authority_end(target: bytes) -> int:
    match = _AUTHORITY_END.search(target, 7)
    return len(target) if match is None else match.start()


def _without_authority(target: bytes) -> bytes:
    """Returns a target in absolute form as the origin's own clients would send it (RFC 9112, 3.2.1)."""
    rest = target[_authority_end(target) :]
    return rest if rest.startswith(b"/") else b"/" + rest


def query_of(target: bytes) -> str:
    """Returns the query of a target as it was sent; empty where there is none.  Bytes that are no UTF-8 become surrogates."""
    return target.partition(b"?")[2].decode("utf-8", "surrogateescape")


def query_number(query: str, field: str) -> int | None:
    """
    Returns the number in a field of a query: 1 to 19 ASCII digits, and the field only once.

    Other fields are ignored.

    Returns:
        None where the field is missing, comes twice, or holds anything else.
    """
    values = [value for name, _, value in (item.partition("=") for item in query.split("&")) if name == field]
    return int(values[0]) if len(values) == 1 and _NUMBER.match(values[0]) else None


# Besides letters, digits and `-._~`: what RFC 3986, 3.3 lets stand in a part of a path.  pacman sends all names raw.
_RAW = "!$&'()*+,;=:@"


@lru_cache(maxsize=4096)
def path_part(name: str) -> str:
    """Returns a name as one part of the path of a URL, percent-encoded only where that must be.  Remembered: many clients ask for the same files."""
    return quote(name, safe=_RAW)


_PACSERVE_PREFIX = "pacserve-"


def via_value(instance: str) -> str:
    """Returns the Via value of the pacserve with this instance id."""
    return f"1.1 {_PACSERVE_PREFIX}{instance}"


def names_pacserve(value: str) -> bool:
    """
    Returns whether one of the hops in a Via value is a pacserve, which shows that a request has passed one already and prevents loops.

    Comments are skipped, case does not matter, and an entry without the protocol counts as well.
    """
    for entry in _without_comments(value).split(","):
        words = entry.split()
        if words and words[min(1, len(words) - 1)].lower().startswith(_PACSERVE_PREFIX):
            return True
    return False


def _without_comments(value: str) -> str:
    """Returns the value without its comments, which nest and may hold commas (RFC 9110, 5.6.5)."""
    kept: list[str] = []
    depth = 0
    escaped = False
    for char in value:
        if escaped:
            escaped = False
        elif depth and char == "\\":
            escaped = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(char)
    return "".join(kept)
