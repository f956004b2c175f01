"""Fronts for peers: `/package/FILE` and `/info`.  Both answer from the local caches alone, and never ask another host."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pacserve.errors import RequestError
from pacserve.http.request import query_number
from pacserve.http.validators import matches_none_match
from pacserve.packages.inventory import Inventory, LocalPackages
from pacserve.peers.inventory import PeerInfo, encode, pack
from pacserve.peers.peer import Myself
from pacserve.waiting import Waiters
from pacserve.web.answers import Answer, DocumentAnswer, FileAnswer
from pacserve.web.front import Ask, Front

# Deltas that are kept as they are sent: peers that are told of the same change know one of the last few generations.
_DELTAS_KEPT = 4
# Bytes of a delta from which on it is packed: what is shorter travels in one packet anyway.
_WORTH_PACKING = 1000
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

_NO_WEIGHT = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*\Z")


class PackageFront(Front):
    """`/package/FILE`, which peers ask for, and `/package/FILE/data`, to which pacman is redirected: the same file."""

    def __init__(self, packages: LocalPackages) -> None:
        self._packages = packages

    async def answer(self, ask: Ask) -> Answer:
        if len(ask.parts) == 1 or (len(ask.parts) == 2 and ask.parts[1] == "data"):
            held = self._packages.open(ask.parts[0], None)
            if held is not None:
                return FileAnswer(held, named=len(ask.parts) == 2)
        raise RequestError(404, "not in a local cache")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """
    An answer in the forms in which it may be sent.

    Attributes:
        packed: The gzipped form; None if the plain one is short enough.
    """

    plain: bytes
    packed: bytes | None
    etag: str


class InfoFront(Front):
    """
    `/info`: who this daemon is and what it holds; `/info?since=GENERATION`: what changed since then, where that is still known.

    Args:
        myself: This daemon, whose instance id and name stay the same until it ends.
        in_thread: Packs whole lists, which takes some 60 ms for 20,000 names.
        leaving: True if the daemon is about to end: a peer that has heard its goodbye asks here whether that is true.
    """

    def __init__(
        self,
        packages: LocalPackages,
        myself: Myself,
        in_thread: InThread,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._packages = packages
        self._myself = myself
        self._in_thread = in_thread
        self._leaving = leaving
        self._packing: Waiters | None = None
        self._state: tuple[Inventory, tuple[str, ...]] | None = None
        self._whole: _Prepared | None = None
        self._deltas: dict[int, _Prepared] = {}

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "ask for /info")
        if self._leaving():
            raise RequestError(503, "this daemon is about to end")
        since = query_number(ask.query, "since")
        prepared = await self._prepare(await self._packages.inventory(), tuple(self._myself.architectures()), since)
        headers = [("ETag", prepared.etag), ("Vary", "Accept-Encoding"), ("Cache-Control", "no-cache")]
        condition = ask.header("If-None-Match")
        if condition is not None and matches_none_match(condition, prepared.etag):
            return DocumentAnswer(b"", tuple(headers), 304, quiet=True)
        headers.append(("Content-Type", "application/json"))
        if prepared.packed is None or not _takes_gzip(ask.header("Accept-Encoding") or ""):
            return DocumentAnswer(prepared.plain, tuple(headers), quiet=True)
        headers.append(("Content-Encoding", "gzip"))
        return DocumentAnswer(prepared.packed, tuple(headers), quiet=True)

    async def _prepare(self, inventory: Inventory, architectures: tuple[str, ...], since: int | None) -> _Prepared:
        """Returns an answer, prepared once for all peers that ask for the same."""
        if not self._is_latest(inventory, architectures):
            self._state = (inventory, architectures)
            self._whole = None
            self._deltas.clear()
        if since is not None:
            prepared = self._deltas.get(since) or self._prepare_delta(architectures, since)
            if prepared is not None:
                return prepared
        while self._packing is not None:  # one list at a time, however many ask, and however often it changes
            await self._packing.wait()
        if self._whole is not None and self._is_latest(inventory, architectures):
            return self._whole
        return await self._packed(inventory, architectures)

    def _is_latest(self, inventory: Inventory, architectures: tuple[str, ...]) -> bool:
        return self._state is not None and self._state[0] is inventory and self._state[1] == architectures

    async def _packed(self, inventory: Inventory, architectures: tuple[str, ...]) -> _Prepared:
        """Returns the whole list, and keeps it for those that ask while it stays the same."""

        def work() -> _Prepared:
            myself = self._myself
            info = PeerInfo(myself.instance, inventory.generation, architectures, inventory.files, name=myself.name, shares_content=myself.content)
            plain = encode(info)
            return _Prepared(plain, pack(plain), self._etag(f"{inventory.generation}", architectures))

        waiting = self._packing = Waiters()
        try:
            prepared: _Prepared = await self._in_thread(work)
            if self._is_latest(inventory, architectures):
                self._whole = prepared
        finally:
            self._packing = None
            waiting.wake()
        return prepared

    def _prepare_delta(self, architectures: tuple[str, ...], since: int) -> _Prepared | None:
        delta = self._packages.changes(since)
        if delta is None:
            return None
        myself = self._myself
        info = PeerInfo(
            myself.instance,
            delta.generation,
            architectures,
            delta.files,
            delta.since,
            delta.removed,
            name=myself.name,
            shares_content=myself.content,
        )
        plain = encode(info)
        packed = pack(plain) if len(plain) >= _WORTH_PACKING else None
        prepared = _Prepared(plain, packed, self._etag(f"{delta.since}+{delta.generation}", architectures))
        if len(self._deltas) >= _DELTAS_KEPT:
            del self._deltas[next(iter(self._deltas))]
        self._deltas[since] = prepared
        return prepared

    def _etag(self, generations: str, architectures: tuple[str, ...]) -> str:
        """
        Returns an entity tag.

        It is weak, since the packed and the plain form share it (RFC 9110, 8.8.1).  No architecture holds a plus, so no delta has the tag of a list.
        """
        return f'W/"{self._myself.instance[:16]}-{generations}-{"-".join(architectures)}"'


def _takes_gzip(accepted: str) -> bool:
    """Returns whether an Accept-Encoding header names gzip, and not with a weight of zero (RFC 9110, 12.4.2)."""
    for item in accepted.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return not _NO_WEIGHT.match(weight)
    return False
