"""The request target (RFC 9112, 3.2): what a request line asks for, taken apart."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

_ABSOLUTE = b"http://"


def split_target(target: bytes) -> tuple[str, ...] | None:
    """
    The parts of a target's path, each percent-decoded exactly once, after the path was split: an encoded slash is part of a name.

    The query is left away.  Bytes that are no UTF-8 become surrogates (PEP 383).  The absolute form, which proxies are sent, is understood as well.

    @return: At least one part, C{("",)} for C{/}; None where the target is no path.
    """
    if target[:7].lower() == _ABSOLUTE:
        target = b"/" + target[7:].partition(b"/")[2]
    if not target.startswith(b"/"):
        return None
    path = target.partition(b"?")[0]
    if b"%" not in path:
        return tuple(path[1:].decode("utf-8", "surrogateescape").split("/"))
    return tuple(unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in path[1:].split(b"/"))
