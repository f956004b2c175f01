"""What the parts of pacserve know of each other.  Declared for who uses them; implementations subclass them explicitly."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pacserve.model import Answer, Answered, Ask, Delta, ExpectedFile, FileRequest, HeldFile, Inventory, IPAddress, PacmanConfiguration, Rank, Wanted


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
    async def read_all(self) -> bool:
        """
        Refreshes the databases of all repositories and waits until each was read, however long that takes; never raises.

        @return: Whether all that there are could be read, so that a file that none of them states is in none.
        """

    @abstractmethod
    def size(self, repo: str, name: str) -> int | None:
        """The size in bytes that the database of C{repo} states for the package file C{name}; None where it does not know it."""

    @abstractmethod
    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        """What the database of C{repo} states for the package file C{name}; None where it does not know it."""

    @abstractmethod
    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        """What the databases of all repositories state for the package file C{name}; empty where none knows it."""

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


class AnswerHead(Protocol):
    """The head of another host's answer."""

    @property
    def status(self) -> int:
        """From 200 to 599."""

    @property
    def length(self) -> int | None:
        """The Content-Length in bytes, None where none is stated."""

    def header(self, name: str) -> str | None:
        """The value of a header; None where there is none."""


class IncomingBody(Protocol):
    """An answer whose body has not been read yet.  It must be either consumed or dropped."""

    @property
    def answer(self) -> AnswerHead:
        """Its status and headers."""

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        """
        Hands the body to C{take} piece by piece, and returns when it ended as the host meant it to.

        @param take: Returns the seconds until it wants the next piece.  What it raises ends the connection, and is raised here.
        @param stall: Seconds without a byte after which the connection is given up.
        @raise FetchError: The body stalled, or the connection was lost.
        """

    def drop(self) -> None:
        """Lets go of the connection."""


class Upstream(Protocol):
    """
    A host that a file can be downloaded from.

    @cvar trusted: Whether what it gives may be handed on before all of it was checked.
    @cvar wan: Whether what it gives comes from outside the LAN.
    """

    trusted: bool = True
    wan: bool = True

    @property
    @abstractmethod
    def label(self) -> str:
        """For messages and the log."""

    @abstractmethod
    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        """
        Asks for a file.  Redirects have been followed.

        @param timeout: Seconds for everything up to the last header.
        @raise FetchError: No answer.
        """

    @property
    def rate(self) -> float | None:
        """Bytes per second that it gave lately; None where that is not known."""
        return None

    def measured(self, rate: float) -> None:
        """It gave so many bytes per second."""
        return

    @abstractmethod
    def succeeded(self) -> None:
        """It gave what it was asked for."""

    @abstractmethod
    def failed(self) -> None:
        """It gave nothing, or began to give a file and did not end."""

    @abstractmethod
    def lied(self) -> None:
        """What it gave is not what it should have been."""


class Claim(Protocol):
    """What the LAN says to a download."""

    @property
    @abstractmethod
    def leaders(self) -> Sequence[Upstream]:
        """The hosts that download the file already and are to be followed; empty where this one is to download it."""

    @abstractmethod
    def end(self, *, kept: bool) -> None:
        """The download has ended, and the file is here to be handed on, or not."""


class ClaimKeeper(Protocol):
    """Keeps the claims of others."""

    @abstractmethod
    def keep(self, what: str, instance: str, key: str, source: str) -> bytes:
        """
        Does what a host asks, and gives the answer as it is sent.

        @param what: C{ask}, C{renew}, C{finish} or C{release}.
        @param instance: The host's instance id, as it states it.
        @param key: What is claimed.
        @param source: The address that it asks from.
        """


class RunningDownloads(Protocol):
    """Knows what is being downloaded."""

    @abstractmethod
    async def running(self, request: FileRequest) -> ArrivingFile | None:
        """
        The file of the download that runs for a request; None where there is none, and none is started.

        It is given once the first byte has arrived: before that nobody knows of which version it is, and who goes on with it at some byte could not
        tell whether that is the file that it has the beginning of.
        """


class Claiming(Protocol):
    """Agrees with the LAN who downloads a file."""

    @abstractmethod
    async def claim(self, request: FileRequest, expected: ExpectedFile | None) -> Claim:
        """Asks whether somebody downloads this file.  Takes half a second at most, and never raises."""


class Upstreams(Protocol):
    """Knows where files can be downloaded from."""

    @abstractmethod
    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        """The hosts that may have a file, best first.  Nobody is asked."""


class ArrivingFile(Protocol):
    """A file that may still be arriving."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The bytes that it will have; None while that is not known."""

    @property
    @abstractmethod
    def modified(self) -> int | None:
        """Its mtime in seconds since the epoch, where the source stated one."""

    @property
    @abstractmethod
    def etag(self) -> str:
        """A strong entity tag with its quotes; empty where nothing is known that would make one."""

    @property
    @abstractmethod
    def giver(self) -> str:
        """Who gave the last of it, for the access log; empty while nobody has given anything."""

    @abstractmethod
    def reader(self) -> ArrivingReader:
        """For one who reads it from any offset on."""


class ArrivingReader(Protocol):
    """Reads a file while it arrives."""

    @abstractmethod
    def read(self, offset: int, size: int) -> bytes:
        """
        What has arrived, from an offset on; nothing where nothing more has.  What was read is never taken back: another source that goes on gives the
        same bytes, or the file has failed for this reader.
        """

    @abstractmethod
    async def more(self, offset: int) -> bool:
        """Waits until there is something to read at this offset; False when there never will be."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """Whether all of the file is there, and right."""

    @abstractmethod
    def close(self) -> None:
        """Reads no more."""


class FileResolver(Protocol):
    """Finds a file, whatever it takes."""

    @abstractmethod
    async def resolve(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, looking: bool = False, offset: int = 0) -> Answer:
        """
        Answers within 8 seconds.

        @param local_only: Only the local caches are looked at: the question came from another pacserve, and must not travel on.
        @param offset: The first byte that the client wants.
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


class Witness(Protocol):
    """Is told of each request that was answered."""

    @abstractmethod
    def answered(self, answered: Answered) -> None:
        """Takes note.  It is called for every request, thousands of times a second: it must be cheap, and never raises."""


class Front(Protocol):
    """
    Answers everything below one first path part.

    @cvar changes: Whether what is asked of it changes something: it is asked by POST then, otherwise by GET and HEAD.
    """

    changes: bool = False

    @property
    @abstractmethod
    def audience(self) -> Audience:
        """Who may ask this front."""

    @abstractmethod
    async def answer(self, ask: Ask) -> Answer:
        """
        Answers a GET or HEAD, or a POST where it L{changes} something; for both alike, the body of a HEAD's answer is left away by who sends it.

        @raise RequestError: The answer is an HTTP error.
        """
