"""
URLs of other hosts, read strictly.

The code that checks a URL and the code that connects must mean the same host.  So the URL of a request is put together again from its parsed parts,
and a URL that could be read in two ways is refused.
"""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from urllib.parse import quote, unquote_to_bytes, urljoin

from pacserve.network.addresses import IPAddress, parse_address

# Characters of the longest URL that is asked for: RFC 9110, 4.1 asks for at least 8,000, and a CDN's signed URL may have 2,000.
URL_LIMIT = 8192
DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 3986, 2: printable ASCII without the characters that must be encoded.  Square brackets pass in paths and queries, where many servers use them.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PATH_CHARACTER = r"[A-Za-z0-9._~!$&'()*+,;=:@/%\[\]-]"
# Characters of a path or query that a repair leaves alone: those that may be there, the beginnings of query and fragment, and what has been encoded.
_LEFT_ALONE = "._~!$&'()*+,;=:@/%[]?#-"
_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?:(?P<userinfo>[A-Za-z0-9._~!$&'()*+,;=:%-]*)@)?"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9_.-]{1,15})?)\]|(?P<host>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{0,5}))?"
    rf"(?P<path>/{_PATH_CHARACTER}*)?"
    rf"(?P<query>\?(?:{_PATH_CHARACTER}|[?|])*)?"
    r"(?:#[!-~]*)?\Z"
)


@dataclass(frozen=True, slots=True)
class URL:
    """
    An http or https URL.

    Attributes:
        host: In lower case, without brackets and without a trailing dot; the zone of a link-local address behind `%`.
        target: Path and query, beginning with a slash.
        userinfo: `USER:PASSWORD` as written, percent-encoded; empty where there is none.
    """

    scheme: str
    host: str
    port: int
    target: str
    userinfo: str = ""

    @property
    def origin(self) -> str:
        """`SCHEME://HOST[:PORT]`: no secrets, and the same text for the same server."""
        host = f"[{self.host}]".replace("%", "%25") if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port == DEFAULT_PORTS[self.scheme] else f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


@lru_cache(maxsize=1024)
def parse_url(text: str) -> URL:
    """
    Parses an absolute URL; its fragment is dropped.

    Raises:
        ValueError: It is neither http nor https, too long, or not a URL by RFC 3986.  The message does not repeat it.
    """
    match = _URL.match(text) if len(text) <= URL_LIMIT else None
    if match is None:
        raise ValueError("no http or https URL")
    scheme = match["scheme"].lower()
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError("a port that does not exist")
    host = _bracketed(match["ipv6"]) if match["ipv6"] is not None else _name(match["host"])
    return URL(scheme, host, port, (match["path"] or "/") + (match["query"] or ""), match["userinfo"] or "")


def resolve_reference(base: URL, reference: str) -> URL:
    """
    Returns the URL that a Location header means (RFC 9110, 10.2.2), repaired where it has raw blanks or UTF-8.

    Raises:
        ValueError: It is not an http or https URL.
    """
    if len(reference) > URL_LIMIT:
        raise ValueError("a URL that is too long")
    reference = repaired(reference)
    # urljoin() would take "http:x" and "http://" for relative ones (RFC 3986, 5.2.2, non-strict).
    return parse_url(reference if _SCHEME.match(reference) else urljoin(str(base), reference))


def repaired(reference: str) -> str:
    """
    Returns a URL or a relative reference, percent-encoded where servers and people forget it, as curl does for pacman.

    These are blanks, UTF-8, and the few other characters that may not be there.  The host is left alone: it would be guessed which one is meant.

    Args:
        reference: Bytes that are no UTF-8 as surrogates (PEP 383).

    Raises:
        ValueError: It has control characters, which are not forgotten but planted.
    """
    reference = reference.strip(" \t")
    if _CONTROL.search(reference):
        raise ValueError("control characters in a URL")
    authority = _AUTHORITY.match(reference)
    begin = 0 if authority is None else authority.end()
    return reference[:begin] + quote(reference[begin:], safe=_LEFT_ALONE, errors="surrogateescape")


def literal_address(host: str) -> IPAddress | None:
    """
    Returns the address in the host part of a URL; None where it is a name.  `127.1`, `0x7f.1` and `2130706433` are addresses, too,
    as they are for `inet_aton(3)` and so for `getaddrinfo(3)`.
    """
    try:
        return parse_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_localhost(host: str) -> bool:
    """Returns whether a host name means this host everywhere (RFC 6761, 6.3, and what /etc/hosts files commonly add)."""
    return host in ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback") or host.endswith(".localhost")


def basic_authorization(userinfo: str) -> str:
    """Returns the value of (Proxy-)Authorization for `USER:PASSWORD` as it stands in a URL (RFC 7617)."""
    user, _, password = userinfo.partition(":")
    return "Basic " + b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode("ascii")


def _bracketed(text: str) -> str:
    bare, _, zone = text.partition("%25")
    if ":" not in bare:
        raise ValueError("no IPv6 address")
    address = parse_address(bare)
    return f"{address}%{zone}" if zone and address.is_link_local else str(address)


def _name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not all(0 < len(label) < 64 for label in name.split(".")):
        raise ValueError("no host name")
    return name
