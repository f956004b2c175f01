"""The Server lines that name pacserve, and what may be wrong with them.  Rules only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from pacserve.config.settings import DEFAULT_PORT

_LOOPBACK = re.compile(r"localhost\.?|127(?:\.[0-9]{1,3}){3}|::1", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_PATH = re.compile(r"/request/\$repo/\$arch/*\Z")
_LONGER_VARIABLE = re.compile(r"\$(?:repo|arch)[A-Za-z0-9_.-]+")
# The schemes of mirrors that pacserve can ask, and of folders that it can read.
MIRROR_SCHEMES = frozenset({"http", "https"})
USABLE_SCHEMES = MIRROR_SCHEMES | {"file"}


def server_line(port: int) -> str:
    """Returns the line that makes the pacserve of this host a Server."""
    return f"Server = http://localhost:{port}/request/$repo/$arch"


def scheme_of(server: str) -> str:
    """Returns the scheme of a Server line in lower case; empty where it has none."""
    match = _SCHEME.match(server)
    return "" if match is None else match[1].lower()


def pacserve_port(server: str) -> int | None:
    """Returns the port at which a Server line names the pacserve of this host; None for all other lines."""
    url = _parsed(server)
    if url is None or url.scheme.lower() != "http" or not _LOOPBACK.fullmatch(url.hostname or "") or not _PATH.match(url.path):
        return None
    return url.port or 80


def pacserve_serves(servers: Sequence[str]) -> bool:
    """Returns whether a repository with these Server lines is one that pacserve can help with: one that has an http or https mirror."""
    return any(scheme_of(server) in MIRROR_SCHEMES for server in servers)


def meant_for_this_host(server: str, port: int) -> bool:
    """
    Returns whether a Server line is meant for the pacserve of this host, whether or not it reaches it.

    Args:
        port: The port of the pacserve of this host.
    """
    if pacserve_port(server) is not None:
        return True
    url = _parsed(server if scheme_of(server) else f"http://{server}")
    return url is not None and _LOOPBACK.fullmatch(url.hostname or "") is not None and bool(mistake_in(server, port))


def mistake_in(server: str, port: int) -> str:
    """
    Returns why a Server line that is meant for a pacserve does not reach it, or reaches it with paths that it does not know.

    Lines for the pacserve of another host are judged, too.  Empty where the line is right, or names something else.

    Args:
        port: The port of the pacserve of this host.
    """
    scheme = scheme_of(server)
    url = _parsed(server if scheme else f"http://{server}")
    if url is None:
        return "it is no URL" if re.search(r"/request\b", server) else ""
    asks = url.path == "/request" or url.path.startswith("/request/")
    here = _LOOPBACK.fullmatch(url.hostname or "") is not None and (url.port or 80) in {port, DEFAULT_PORT}
    if scheme == "file" or not (asks or here):
        return ""
    if scheme != "http":
        return f"pacserve speaks http, not {scheme}" if scheme else "http:// is missing"
    return _mistake_in_path(url)


def _mistake_in_path(url: SplitResult) -> str:
    longer = _LONGER_VARIABLE.search(url.path)
    if longer is not None:
        return f"{longer[0]} names no repository or architecture of pacman.conf; $repo and $arch do, also for mirrors that need the other"
    if url.query or url.fragment or url.path != url.path.rstrip():
        return "something stands behind $arch, which pacman takes for a part of the URL"
    return "" if _PATH.match(url.path) else "pacserve is asked under /request/$repo/$arch"


def _parsed(server: str) -> SplitResult | None:
    try:
        url = urlsplit(server)
        return url if url.port != 0 else None  # the port is read here: a wrong one is an error
    except ValueError:
        return None
