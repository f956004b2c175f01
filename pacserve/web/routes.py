"""Routes: each says how one first path part can be asked, by whom, and which front answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pacserve.web.front import Front


class Methods(enum.Enum):
    """The methods by which a route can be asked."""

    READ = ("GET", "HEAD")
    CHANGE = ("POST",)

    @property
    def allowed(self) -> str:
        """The value of an Allow header (RFC 9110, 10.2.1)."""
        return ", ".join(self.value)


class Audience(enum.Enum):
    """The kinds of hosts that may ask; `AccessRules` know which addresses belong to each."""

    CLIENTS = "clients"
    PEERS = "peers"


class HostHeader(enum.Enum):
    """
    How the host that a request names is treated.

    DNS rebinding makes a browser ask this host in the name of a foreign page, but can't change the name that it asks for.
    """

    CHECKED = "checked"
    ORIGIN = "checked in origin form"
    """A proxy's: a target in absolute form names the host that is meant, and the front knows which of these there are."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Route:
    """
    A first path part with everything below it.

    Attributes:
        path: The first path part; empty for `/`.
        host: Whether a request must name this host.
        rest: True if it takes every path that is below no other one, whatever its own, with all parts of it.
        refusal: What is said of any other method; empty for which ones there are.
    """

    path: str
    methods: Methods
    audience: Audience
    host: HostHeader
    front: Front
    rest: bool = False
    refusal: str = ""
