"""What the parts of pacserve know of each other.  Declared for who uses them; implementations subclass them explicitly."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from pacserve.model import Answer, Ask, Delta, FileRequest, HeldFile, Inventory, IPAddress, PacmanConfiguration, Rank, Wanted


class ConfigurationSource(Protocol):
    """Knows pacman.conf."""

    @abstractmethod
    def current(self) -> PacmanConfiguration:
        """The configuration as it was last read well.  Cheap: it is called for every request."""


class SyncDatabases(Protocol):
    """Knows what the sync databases state of package files."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """Grows whenever the databases may state something else than before."""

    @abstractmethod
    async def refresh(self, repo: str) -> None:
        """
        Reads the database of C{repo} again if it changed since it was last read.  Returns without waiting when it did not, and after a bounded
        time when reading takes long or fails; never raises.
        """

    @abstractmethod
    async def refresh_all(self) -> None:
        """Refreshes the databases of all repositories as L{refresh} does, all at once."""

    @abstractmethod
    def size(self, repo: str, name: str) -> int | None:
        """The size in bytes that the database of C{repo} states for the package file C{name}; None where it does not know it."""

    @abstractmethod
    def sizes(self, name: str) -> Sequence[int]:
        """The sizes that the databases of all repositories state for the package file C{name}; empty where none knows it."""


class LocalPackages(Protocol):
    """The local package caches, complete files only."""

    @abstractmethod
    def open(self, name: str, size: int | None) -> HeldFile | None:
        """
        Opens a package file or signature, looked up in the folders themselves.

        @param size: The only size that will do, None for any size at which the file counts as complete.
        @return: None where no cache holds the complete file.  The caller closes the file.
        """

    @abstractmethod
    async def inventory(self) -> Inventory:
        """What the caches hold.  Folders and databases that changed are read again first."""

    @abstractmethod
    def changes(self, since: int) -> Delta | None:
        """
        What leads from the inventory of the generation C{since} to the one that was read last.  Nothing is read.

        @return: None where that generation is not known, or not any more.
        """


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

        @param deadline: The time of the injected clock at which the answer is worth nothing any more.
        @raise AbsentError: It certainly does not have the file.
        @raise FetchError: It could not be asked, or did not answer well or in time.
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


class FileResolver(Protocol):
    """Finds a file, whatever it takes."""

    @abstractmethod
    async def resolve(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, looking: bool = False) -> Answer:
        """
        Answers within 8 seconds.

        @param local_only: Only the local caches are looked at: the question came from another pacserve, and must not travel on.
        @param looking: The client does not want the file now, so that where it is sent to has not disappointed it when it comes back.
        @raise RequestError: 404 when every source said that it has no such file, 504 when some could not say.
        """


class LocalAddresses(Protocol):
    """Knows this machine's own addresses, as they are now."""

    @abstractmethod
    def owns(self, address: IPAddress) -> bool:
        """Whether the address is loopback or one of this machine's own."""

    @abstractmethod
    def attached(self, address: IPAddress) -> bool:
        """Whether the address is in a network that one of this machine's interfaces is directly attached to."""


class LANListener(Protocol):
    """Takes what arrives from the LAN."""

    @abstractmethod
    def datagram_received(self, payload: bytes, source: str) -> None:
        """
        A datagram came to one of the groups, by an interface that is in use.

        @param payload: At most 1,024 bytes, of anybody's making.
        @param source: The address that it came from, an IPv6 link-local one with C{%zone}; never an IPv4-mapped one.
        """

    @abstractmethod
    def network_changed(self) -> None:
        """An interface came, went or changed its addresses, or the machine was suspended: discovery starts afresh."""


class LANLink(Protocol):
    """Carries datagrams between the hosts of the LANs that this machine is in."""

    @abstractmethod
    def start(self, listener: LANListener) -> None:
        """
        Begins to listen.

        @raise StartError: The port can't be had; nothing is left open.
        """

    @abstractmethod
    def stop(self) -> None:
        """Listens and sends no more; the listener is not called again."""

    @abstractmethod
    def send(self, payload: bytes, version: int) -> None:
        """
        Sends to the groups of an IP version on every interface in use.  What can't be sent is lost as any datagram may be; never raises.

        @param version: 4 or 6.
        """


class Audience(Protocol):
    """Who may ask."""

    @abstractmethod
    def admits(self, client: IPAddress) -> bool:
        """Whether this client is answered; others get 403."""


class Front(Protocol):
    """Answers everything below one first path part."""

    @property
    @abstractmethod
    def audience(self) -> Audience:
        """Who may ask this front."""

    @abstractmethod
    async def answer(self, ask: Ask) -> Answer:
        """
        Answers a GET or HEAD; for both alike, the body of a HEAD's answer is left away by who sends it.

        @raise RequestError: The answer is an HTTP error.
        """
