"""What the resolver asks the sources, and what they answer."""

from __future__ import annotations

import enum
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pacserve.network.addresses import IPAddress
from pacserve.packages.files import FileRequest
from pacserve.web.answers import Answer


class Rank(enum.IntEnum):
    """How much a kind of candidate is preferred: the smaller the better.  Joined downloads and the swarm go between peers and mirrors."""

    CACHE = 0
    PEER = 10
    PEERS_UNKNOWN = 20
    DOWNLOAD = 80
    MIRRORS = 90


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the sources are asked for.

    Attributes:
        size: The size in bytes that the sync database of the requested repository states, None where it does not know the file.
        client: Who asked, IPv4-mapped addresses already unmapped.
        avoid: The holders (`RedirectAnswer.holder`) that this client was sent to for this file a while ago: they are no candidates again.
        offset: The first byte that the client wants, as far as it has said so.
        looking: The client does not want the file now (HEAD).
    """

    request: FileRequest
    size: int | None
    client: IPAddress
    avoid: frozenset[str] = frozenset()
    offset: int = 0
    looking: bool = False


class Candidate(Protocol):
    """Something that may answer a request."""

    @property
    @abstractmethod
    def rank(self) -> Rank:
        """How much this kind of candidate is preferred."""

    @abstractmethod
    async def settle(self, deadline: float) -> Answer:
        """
        Makes the candidate good: opens the file, or makes sure that the host behind it has it.

        Args:
            deadline: The time of the injected clock at which the answer is worth nothing any more.

        Raises:
            AbsentError: It certainly does not have the file.
            FetchError: It could not be asked, or did not answer well or in time.
        """


class PackageSource(Protocol):
    """Somewhere that files come from: caches, peers, mirrors."""

    @property
    @abstractmethod
    def best(self) -> Rank:
        """The rank that none of its candidates surpasses: it is not asked for them as long as there are better ones to try."""

    @abstractmethod
    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        """Who may have the file, best first.  Answers from memory or a look into a local folder; nobody is asked."""
