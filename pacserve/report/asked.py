"""The files of mirrors that were asked for through this host, by the targets of the requests.  Rules only."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

_SCHEME = re.compile(r"(https?):/+", re.IGNORECASE)
# The authority of this host itself: apt asks its proxy also for sources that lead to it.
_HERE = re.compile(r"(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?\Z")
_HOST = re.compile(r"(?:localhost|[^/@]*[.:\]][^/@]*)\Z")


@lru_cache(maxsize=1024)
def asked_url(target: str) -> str | None:
    """
    Returns the URL of the file of a mirror that a request target names, percent-decoded, so that each file has one.  Remembered: while a status page
    is open the same requests are shown every second.

    Args:
        target: `http://deb.example/debian/x`, `/deb.example/debian/x` or `/https://deb.example/x`, as apt sends them, or anything else.

    Returns:
        None where it names none.
    """
    text = target.partition("?")[0]
    if text.startswith("/"):
        return _behind(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    host, slash, path = text[scheme.end() :].partition("/")
    further = _behind(f"/{path}") if _HERE.match(host) else None
    return further or unquote(f"{scheme[1].lower()}://{host}{slash}{path}")


def _behind(path: str) -> str | None:
    """Returns the URL in a path that begins with a host."""
    rest = path.lstrip("/")
    scheme = _SCHEME.match(rest)
    host, slash, path = rest[0 if scheme is None else scheme.end() :].partition("/")
    if not (host and slash and _HOST.match(host)):
        return None
    return unquote(f"{'http' if scheme is None else scheme[1].lower()}://{host}/{path}")
