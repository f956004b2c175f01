"""
The Host headers that are answered.

DNS rebinding makes a browser ask this host in the name of a foreign page, but can't change the host that its request names.

Routes that peers ask are not checked.  Peers may know this host by any name, and what they are answered is for the whole LAN anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pacserve.errors import RequestError
from pacserve.network.addresses import IPAddress, LocalAddresses, is_loopback, parse_address

_LONGEST_HOST = 300
"""Characters: a name has 253, a port and its colon 6."""

# RFC 9110, 7.2, and RFC 6874 for the zone, whose percent sign some clients send as it is.
_HOST = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)(?:%(?:25)?[A-Za-z0-9_.~-]{1,15})?\]|(?P<plain>[A-Za-z0-9_.-]+))(?::[0-9]{0,5})?\Z")


class Hosts:
    """
    Knows the names and addresses by which this host may be asked.

    Args:
        names: The names of this host, besides `localhost`.
    """

    def __init__(self, local: LocalAddresses, names: Iterable[str]) -> None:
        self._local = local
        self._names = frozenset({"localhost", *(name.lower().rstrip(".") for name in names)} - {""})
        self._others = ", ".join(sorted(self._names - {"localhost"}))

    def check(self, host: str | None, client: IPAddress) -> None:
        """
        Returns where a request names this host.

        Args:
            host: The host that the request names; None for none, as HTTP/1.0 allows, which is answered on loopback: no browser leaves it out.

        Raises:
            RequestError: 421, it names another host.
        """
        if host is None:
            if is_loopback(client):
                return
            raise RequestError(421, "the request has no Host header")
        asked = _asked(host) if len(host) <= _LONGEST_HOST else None
        if asked is None or not (asked in self._names if isinstance(asked, str) else is_loopback(asked) or self._local.owns(asked)):
            known = f", or as {self._others}" if self._others else ""
            raise RequestError(
                421, f"this host is not asked by that name: ask for it as localhost, by one of its addresses{known}; --name adds a name"
            )


@lru_cache(maxsize=256)
def _asked(host: str) -> str | IPAddress | None:
    """Returns the name in lower case, or the address, that a Host header states; None where it is not of that form."""
    match = _HOST.match(host)
    if match is None:
        return None
    text: str = match["bracketed"] or match["plain"]
    try:
        return parse_address(text)
    except ValueError:
        return None if match["bracketed"] else text.lower().removesuffix(".")
