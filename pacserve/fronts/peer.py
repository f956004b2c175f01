"""What other pacservers ask: C{/package/FILE} and C{/info}.  Both answer from the local caches alone; nothing here ever asks anyone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pacserve.errors import RequestError
from pacserve.http.validators import matches_none_match
from pacserve.interfaces import Audience, ConfigurationSource, Front, LocalPackages
from pacserve.model import Answer, Ask, DocumentAnswer, FileAnswer, Inventory
from pacserve.peers.inventory import PeerInfo, encode, pack

_NO_WEIGHT = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*\Z")


class PackageFront(Front):
    """C{/package/FILE}, and C{/package/FILE/data}, to which pacman is sent: the same bytes."""

    def __init__(self, packages: LocalPackages, audience: Audience) -> None:
        self._packages = packages
        self._audience = audience

    @property
    def audience(self) -> Audience:
        return self._audience

    async def answer(self, ask: Ask) -> Answer:
        if len(ask.parts) == 1 or (len(ask.parts) == 2 and ask.parts[1] == "data"):
            held = self._packages.open(ask.parts[0], None)
            if held is not None:
                return FileAnswer(held)
        raise RequestError(404, "not in a local cache")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An inventory in the forms in which it is sent."""

    inventory: Inventory
    architectures: tuple[str, ...]
    plain: bytes
    packed: bytes
    etag: str


class InfoFront(Front):
    """
    C{/info}: who this daemon is and what it holds.

    @param instance: 128 random bits in hexadecimal, drawn at this start.
    """

    def __init__(self, packages: LocalPackages, configuration: ConfigurationSource, instance: str, audience: Audience) -> None:
        self._packages = packages
        self._configuration = configuration
        self._instance = instance
        self._audience = audience
        self._prepared: _Prepared | None = None

    @property
    def audience(self) -> Audience:
        return self._audience

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "ask for /info")
        prepared = self._prepare(await self._packages.inventory(), self._configuration.current().architectures)
        headers = [("ETag", prepared.etag), ("Vary", "Accept-Encoding"), ("Cache-Control", "no-cache")]
        condition = ask.header("If-None-Match")
        if condition is not None and matches_none_match(condition, prepared.etag):
            return DocumentAnswer(b"", tuple(headers), 304, quiet=True)
        headers.append(("Content-Type", "application/json"))
        if not _takes_gzip(ask.header("Accept-Encoding") or ""):
            return DocumentAnswer(prepared.plain, tuple(headers), quiet=True)
        headers.append(("Content-Encoding", "gzip"))
        return DocumentAnswer(prepared.packed, tuple(headers), quiet=True)

    def _prepare(self, inventory: Inventory, architectures: tuple[str, ...]) -> _Prepared:
        """Packing 100,000 names takes a while, and many peers ask for the same."""
        prepared = self._prepared
        if prepared is None or prepared.inventory is not inventory or prepared.architectures != architectures:
            plain = encode(PeerInfo(self._instance, inventory.generation, architectures, inventory.files))
            # The tag is weak: the packed and the plain form share it (RFC 9110, 8.8.1).
            etag = f'W/"{self._instance[:16]}-{inventory.generation}-{"-".join(architectures)}"'
            self._prepared = prepared = _Prepared(inventory, architectures, plain, pack(plain), etag)
        return prepared


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of zero (RFC 9110, 12.4.2)."""
    for item in accepted.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return not _NO_WEIGHT.match(weight)
    return False
