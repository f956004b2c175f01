"""
The table of deliveries: what becomes of a file, by where it is and by the circumstances.  Rules only.

docs/adr/0009-where-and-how.md says why it is as it is, and `why` reads its reasons.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pacserve.packages.files import SMALL_FILE_LIMIT, FileKind, FileRequest
from pacserve.packages.names import is_signature
from pacserve.sources.locations import Holder, Offer


class Misses(enum.Enum):
    """The choices for a file that no host of the LAN has."""

    AUTO = "auto"
    """Like `fetch` as long as there is a peer that can be used, otherwise like `redirect`."""
    REDIRECT = "redirect"
    """pacman is sent to the mirror."""
    FETCH = "fetch"
    """It is downloaded here once, and handed to pacman meanwhile."""


class Hits(enum.Enum):
    """The choices for a file that a peer has."""

    AUTO = "auto"
    """Like `redirect`, but like `relay` if the client comes back for the file or can't be sent to that peer."""
    REDIRECT = "redirect"
    """pacman is sent to the peer."""
    RELAY = "relay"
    """It is fetched from the peer, checked, and handed to pacman."""


class Delivery(enum.Enum):
    """How a file is handed over."""

    FILE = "file"
    """A local file is sent."""
    JOIN = "join"
    """A download that runs is passed on."""
    REDIRECT = "redirect"
    """The client is sent to the host that has the file."""
    RELAY = "relay"
    """The file is fetched from a peer, checked, and passed on."""
    DOWNLOAD = "download"
    """The file is downloaded from mirrors once for the LAN, and passed on."""
    SEND_THROUGH = "send through"
    """The file is fetched from mirrors, kept nowhere, and passed on."""
    NEXT = "next"
    """The next candidate is tried."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    Everything besides the place of a file that decides how it is handed over.

    Attributes:
        peers: True if at least one peer can be used.
        spool: True if downloads can be kept on this host.
        digest: True if the catalogue states the SHA-256 of the file.
        small: True if the file has at most `SMALL_FILE_LIMIT` bytes, as each detached signature has: the client is sent nowhere else for it.
        returned: True if the client was sent to a peer for this file within the last hour, and asks again.
        head_only: True if the client does not want the file now (HEAD).
        far_ahead: True if the first byte that the client wants will not be here for a long time, should it be downloaded.
        shared: True if the file is one that hosts of a LAN share; downloads ask the mirrors for no other.
    """

    misses: Misses
    hits: Hits
    kind: FileKind = FileKind.PACKAGE
    peers: bool = True
    spool: bool = True
    digest: bool = True
    small: bool = False
    returned: bool = False
    head_only: bool = False
    far_ahead: bool = False
    shared: bool = True

    @property
    def fetches(self) -> bool:
        """True if a file that no host of the LAN has is downloaded here."""
        return self.spool and (self.misses is Misses.FETCH or (self.misses is Misses.AUTO and self.peers))


@dataclass(frozen=True, slots=True)
class Decision:
    """
    An entry of the table.

    Attributes:
        reason: Why, for a person: what would be done, or why the next candidate is tried.
    """

    delivery: Delivery
    reason: str


_FILE = Decision(Delivery.FILE, "it is sent from here")
_COPY = Decision(Delivery.FILE, "this host asks the mirrors for news, once for all, and keeps a copy")
_JOIN = Decision(Delivery.JOIN, "it is being downloaded here, and passed on while it arrives")
_DOWNLOAD = Decision(Delivery.DOWNLOAD, "no one on the LAN has it: it is downloaded here, once for all")
_TO_PEER = Decision(Delivery.REDIRECT, "pacman is sent there")
_RELAY = Decision(Delivery.RELAY, "it is fetched from there and checked")
_TO_MIRROR = Decision(Delivery.REDIRECT, "pacman is sent there")
_SMALL_RELAY = Decision(Delivery.RELAY, "it is small: it is fetched from there, held whole and handed on")
_SMALL_THROUGH = Decision(Delivery.SEND_THROUGH, "it is small: it is fetched from the mirrors, held whole and handed on")
_UNDECIDED = Decision(Delivery.REDIRECT, "it said neither yes nor no: pacman is sent there, and meets what it would have met without pacserve")
_SEND_THROUGH = Decision(Delivery.SEND_THROUGH, "it is sent through from there, since a password stands in its URL")

_FAR_AHEAD = Decision(Delivery.NEXT, "the client wants the end of the file, which will not be here for a long time")
_HEAD_ONLY = Decision(Delivery.NEXT, "the client does not want the file now")
_NOT_FETCHED = Decision(Delivery.NEXT, "--misses redirect: nothing is downloaded here")
_ALONE = Decision(Delivery.NEXT, "there is no peer to share it with, so that nothing is downloaded here")
_NO_SPOOL = Decision(Delivery.NEXT, "the spool can't be used, so that nothing can be downloaded here")
_UNCHECKABLE = Decision(Delivery.NEXT, "--hits relay: no database states the SHA-256 of the file, so that it could not be checked")
_UNREACHABLE = Decision(Delivery.NEXT, "the client can't be sent there by that address, and the file could not be checked here")
_ASKED_BEFORE = Decision(Delivery.NEXT, "the mirrors were all asked for it before, since it is small")


def is_small(request: FileRequest, size: int | None) -> bool:
    """Returns whether a file is known to be so small that no client is sent elsewhere for it: pacman asks for a signature once, and nowhere else."""
    return is_signature(request.name) or (size is not None and size <= SMALL_FILE_LIMIT)


def checks(hits: Hits, *, digest: bool, spool: bool, small: bool) -> bool:
    """Returns whether a client that was disappointed by a peer gets the bytes of peers only after a check."""
    return digest and (small or (spool and hits is not Hits.REDIRECT))


def decide(offer: Offer, now: Circumstances) -> Decision:
    """Returns how a file that is there is handed over under these circumstances."""
    match offer.holder:
        case Holder.CACHE | Holder.CATALOGUE | Holder.FOLDER:
            return _FILE
        case Holder.RUNNING:
            return _FAR_AHEAD if now.far_ahead else _JOIN
        case Holder.INDEX:
            return _COPY if now.fetches else _why_not_fetched(now)
        case Holder.UNASKED:
            return _from_mirrors(now)
        case Holder.PEER:
            return _from_peer(offer, now)
        case Holder.MIRROR:
            return _from_mirror(offer, now)


def _from_mirrors(now: Circumstances) -> Decision:
    """Returns what becomes of a file that mirrors may have, which a download would ask itself."""
    if not now.fetches and not now.small:
        return _why_not_fetched(now)
    if now.head_only:
        return _HEAD_ONLY
    if not now.fetches:
        return _SMALL_THROUGH
    return _FAR_AHEAD if now.far_ahead else _DOWNLOAD


def _why_not_fetched(now: Circumstances) -> Decision:
    if now.misses is Misses.REDIRECT:
        return _NOT_FETCHED
    return _NO_SPOOL if not now.spool else _ALONE


def _from_peer(offer: Offer, now: Circumstances) -> Decision:
    """Returns what becomes of a file that a peer has."""
    if now.small:  # it is held in memory, so that no spool is needed; a signature is checked by pacman, and by nobody else
        return _UNCHECKABLE if now.hits is Hits.RELAY and not now.digest and now.kind is FileKind.PACKAGE else _SMALL_RELAY
    checkable = now.digest and now.spool
    if now.hits is Hits.RELAY or (now.hits is Hits.AUTO and checkable and (now.returned or not offer.sendable)):
        if checkable:
            return _RELAY
        return _NO_SPOOL if now.digest else _UNCHECKABLE
    return _TO_PEER if offer.sendable else _UNREACHABLE


def _from_mirror(offer: Offer, now: Circumstances) -> Decision:
    """Returns what becomes of a file that a mirror was asked for."""
    if now.small and now.shared and not now.head_only and now.kind is not FileKind.DATABASE:
        return _ASKED_BEFORE
    if now.small or offer.small:
        return _SMALL_THROUGH
    if offer.secret:
        return _SEND_THROUGH
    return _TO_MIRROR if offer.conclusive else _UNDECIDED
