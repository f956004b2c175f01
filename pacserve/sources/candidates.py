"""The question of the resolver to the sources, and their answer."""

from __future__ import annotations

import enum
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pacserve.network.addresses import IPAddress
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.locations import Location, Offer


class Rank(enum.IntEnum):
    """The place of a kind of candidate in the order in which candidates are tried: the smaller the earlier."""

    CATALOGUE = -10
    CACHE = 0
    FOLDERS = 5
    """Folders of this host that stand before all mirrors in the configuration."""
    RUNNING = 7
    """A download that runs on this host, for clients that are sent nowhere else: what a peer gave would go into the same file."""
    PEERS = 10
    """Peers whose inventory lists the file."""
    PEERS_UNKNOWN = 20
    """Peers that may hold the file although no inventory lists it."""
    PEERS_AGAIN = 30
    """Peers that disappointed this client, or that lately did not give a file that they have."""
    DOWNLOAD = 80
    MIRRORS = 90
    FOLDERS_LAST = 95
    """Folders of this host that stand behind a mirror."""
    PEERS_LAST = 100
    """Peers whose bytes can't be checked, for a client that was disappointed before; and peers for a signature, as long as mirrors answer."""
    CACHE_LAST = 110
    """A signature of this host that did not serve the client well."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A file that a client wants.

    Attributes:
        size: The only size in bytes that will do: as the catalogue states it, or where no catalogue knows the file a mirror; None where neither does.
        client: Who asked, IPv4-mapped addresses already unmapped.
        expected: What the catalogue states; None where it does not know the file.
        visited: The peers (`RemoteFile.holder`) that this client was sent to for this file within the last hour.
        checked: True if the bytes of a peer would be checked before the client gets the last of them.
        offset: The first byte that the client wants, as far as it has said so.
        head_only: True if the client does not want the file now (HEAD).
        mirrors_failed: True if every mirror of the repository failed lately, so that a signature is better taken from a peer.
        shared: True if hosts of the LAN may learn of the file.  If not, by its name or its repository, it comes from this host or a mirror.
        forced: True if the client states no condition (`pacman -Syy`): an index that the mirrors have is not compared by its date.
    """

    request: FileRequest
    size: int | None
    client: IPAddress
    expected: ExpectedFile | None = None
    visited: frozenset[str] = frozenset()
    checked: bool = False
    offset: int = 0
    head_only: bool = False
    mirrors_failed: bool = False
    forced: bool = False
    shared: bool = True


Settle = Callable[[float], Coroutine[Any, Any, Location]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    Somewhere that a file may come from.

    Attributes:
        offer: The offer, as far as it is known before the candidate is settled.
        settle: Makes the candidate good: opens the file, or makes sure that the host behind it has it.  It takes the time of the injected clock at
            which the location is worth nothing any more, raises AbsentError where the candidate certainly does not have the file, and FetchError
            where it could not be asked, or did not answer well or in time.  It may be called more than once.
    """

    rank: Rank
    offer: Offer
    settle: Settle


@dataclass(frozen=True, slots=True)
class Considered:
    """
    A host or a folder that was considered for a file.

    Attributes:
        who: As in the access log: `cache`, `peer 10.0.0.3:15678`, `mirror https://mirror.example`.
        rank: Where it stands in the order.
        reason: Why it would do or why not, in a few words.
        offer: The offer; None if this is no candidate.
        how: How the file would be fetched, where there is more to say than the reason of the decision; the words go on behind that.
    """

    who: str
    rank: Rank
    reason: str
    offer: Offer | None
    how: str = ""


class PackageSource(Protocol):
    """Somewhere that files come from: caches, folders, peers, downloads, mirrors."""

    @property
    @abstractmethod
    def best(self) -> Rank:
        """The rank that none of its candidates surpasses: it is not asked for them as long as there are better ones to try."""

    @abstractmethod
    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        """Returns the candidates for a file, best first.  It answers from memory or a look into a local folder; no other host is asked."""

    async def look(self, wanted: Wanted) -> None:
        """Finds out what `consider` will tell of a file, where that may take a while: most sources know it at any time.  Never raises."""
        return

    @abstractmethod
    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        """
        Returns everything that is considered for a file, with the reason of each, by the same rules as `candidates`.

        Those with an offer come in the order in which `candidates` has them tried; nothing is started, and no other host is asked.
        """
