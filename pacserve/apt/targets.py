"""
Files of mirrors, as apt asks for them, and below which repositories they lie.  Pure, and the only door for paths from outside.

apt(8) asks a proxy by the absolute form.  In the form of DebTorrent the host of the mirror is the first part of the path, behind `https:/` where the
mirror is asked by https.  Both mean the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from pacserve.fetch.urls import URL, parse_url

# Parts of a path, and bytes of one: more than any repository has.
PARTS_LIMIT = 64
_LONGEST_PART = 255
# Besides letters, digits and `-._~`: what RFC 3986, 3.3 lets stand in a part of a path, without the plus, which some stores take for a blank.
_RAW = "!$&'()*,;=:@"


@dataclass(frozen=True, slots=True)
class Target:
    """
    A file of a mirror.

    Attributes:
        origin: `SCHEME://HOST[:PORT]` of the mirror.
        path: The parts of the path, each percent-decoded; none is empty, `.` or `..`.
    """

    origin: str
    path: tuple[str, ...]

    @property
    def url(self) -> str:
        """The URL by which the mirror is asked: its characters are encoded as apt encodes them."""
        return f"{self.origin}/{'/'.join([_encoded(part) for part in self.path])}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]

    @property
    def folder(self) -> Target:
        """The folder that the file lies in."""
        return Target(self.origin, self.path[:-1])

    def below(self, base: Target) -> str | None:
        """Returns the path of this file from a base on, decoded; None where it does not lie below that."""
        count = len(base.path)
        if self.origin != base.origin or len(self.path) <= count or self.path[:count] != base.path:
            return None
        return "/".join(self.path[count:])

    def sibling(self, relative: str) -> Target:
        """Returns another file, by its path from the folder of this one on."""
        return Target(self.origin, (*self.path[:-1], *relative.split("/")))


def target_of(url: str) -> Target | None:
    """Returns the file, or the base of a repository, that a URL names; None where it is no http or https URL, or has a query or a password."""
    try:
        parsed = parse_url(url)
    except ValueError:
        return None
    if parsed.userinfo or "?" in parsed.target:
        return None
    path = _cleaned([_decoded(part) for part in parsed.target[1:].split("/")])
    return None if path is None else Target(parsed.origin, path)


def asked_target(authority: str | None, parts: Sequence[str], is_here: Callable[[str], bool]) -> Target | None:
    """
    Returns the file that a request asks for.

    Args:
        authority: That of a target in absolute form; None for one in origin form.
        parts: Those of the path, each percent-decoded once.
        is_here: Returns whether an authority names this daemon itself: a target in absolute form that does is meant as one in origin form.

    Returns:
        None where it is none: no host, `..`, a slash or a character that can't be printed in a part, or too many parts.
    """
    if authority is not None and not is_here(authority):
        return _target("http", authority, parts)
    if parts and parts[0] in ("http:", "https:"):  # /https://HOST/PATH, and what is left of it where slashes were made one
        rest = parts[2:] if len(parts) > 1 and not parts[1] else parts[1:]
        return _target(parts[0][:-1], rest[0], rest[1:]) if rest else None
    return _target("http", parts[0], parts[1:]) if parts else None


def _target(scheme: str, authority: str, parts: Sequence[str]) -> Target | None:
    path = _cleaned(parts)
    if not path or "@" in authority or authority.endswith(":"):
        return None
    try:
        url: URL = parse_url(f"{scheme}://{authority}/")
    except ValueError:
        return None
    return Target(url.origin, path) if url.target == "/" else None


def _cleaned(parts: Sequence[str]) -> tuple[str, ...] | None:
    """Returns the parts of a path without those that mean nothing; None where one is none."""
    path = tuple([part for part in parts if part not in ("", ".")])
    if len(path) > PARTS_LIMIT or not all(map(_is_part, path)):
        return None
    return path


def _is_part(part: str) -> bool:
    """Returns whether this may be a part of a path: a server that decodes it once more, or takes a backslash for a slash, sees the same one."""
    if not part.isprintable() or len(part.encode("utf-8", "surrogateescape")) > _LONGEST_PART:
        return False
    return part != ".." and "/" not in part and "\\" not in part and not ("%" in part and _decoded(part) != part)


def _decoded(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "surrogateescape")


def _encoded(part: str) -> str:
    return quote(part, safe=_RAW)
