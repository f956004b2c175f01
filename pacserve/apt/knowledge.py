"""The protocols of those who know files of repositories before they are here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pacserve.apt.bases import Bases
from pacserve.apt.content import StatedFile
from pacserve.apt.targets import Target
from pacserve.network.addresses import IPAddress
from pacserve.web.answers import Answer
from pacserve.web.front import Ask


@dataclass(frozen=True, slots=True)
class KnownFile:
    """
    A file whose content is known before it is here.

    Attributes:
        urls: Those by which its mirror has it, best first.
        plain: The URL of an index by its name, even where it is asked for by its digest; empty for what is none.
    """

    stated: StatedFile
    urls: tuple[str, ...]
    plain: str = field(default="", compare=False)


class Extent(NamedTuple):
    """
    How much is known.

    Attributes:
        lists: The number of lists.
        files: The number of files that they state, those that several state counted several times.
    """

    lists: int
    files: int


class Lists(Protocol):
    """Knows the sources of this host's own apt, and the lists that apt has verified."""

    @abstractmethod
    def bases(self) -> Bases:
        """Returns the bases below which files may be asked for; from memory."""

    @abstractmethod
    async def refresh(self) -> None:
        """Reads sources and lists again that have changed.  Waits for a bounded time; never raises."""

    @abstractmethod
    async def refresh_bases(self) -> None:
        """Reads the sources again, since somebody asks below a base that is not known.  Never raises."""

    @abstractmethod
    def find(self, target: Target) -> StatedFile | None:
        """Returns what the lists state of a package or of a file of a source package; None where none states it."""

    @abstractmethod
    def stated(self, sha256: bytes) -> StatedFile | None:
        """Returns the file with this digest, if anybody may have it; None where no list states it, or only that of a repository with a password."""

    @abstractmethod
    def matching(self, text: str, most: int) -> Sequence[StatedFile]:
        """
        Returns the files whose label contains `text`, each once, the best matches first.

        Args:
            most: How many are given.
        """

    @abstractmethod
    def extent(self) -> Extent:
        """Returns how much is known now."""


class Releases(Protocol):
    """Hands out the files that state the indexes of a suite, and remembers which."""

    @abstractmethod
    async def release(self, target: Target, ask: Ask) -> Answer:
        """
        Answers a request for InRelease, Release or Release.gpg.

        Raises:
            RequestError: The status of the mirror where it has none, 503 where it can't be asked and there is no copy.
        """

    @abstractmethod
    def find(self, target: Target, client: IPAddress) -> KnownFile | None:
        """
        Returns an index as the release states it that this client was given last, or by its digest; None where none states it.

        Raises:
            RequestError: 503, the client was given a release that is not known any more.
        """
