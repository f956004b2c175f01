"""The values that travel between the parts of pacserve.  All are frozen, none does any I/O."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from ipaddress import IPv4Address, IPv6Address
from typing import Any

IPAddress = IPv4Address | IPv6Address


class FileKind(enum.Enum):
    """What pacman asks for; it decides who may be asked for it."""

    PACKAGE = "package"
    SIGNATURE = "signature"
    """The detached signature of a package."""
    DATABASE = "database"
    """A sync database, its signature, and everything else in a repository that is not a package: it comes from mirrors only."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One file of one repository, as pacman asks for it: every field has passed its grammar."""

    repo: str
    arch: str
    name: str
    kind: FileKind

    def __str__(self) -> str:
        return f"{self.repo}/{self.arch}/{self.name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What the sources are asked for.

    @ivar size: The size in bytes that the sync database of the requested repository states, None where it does not know the file.
    @ivar client: Who asked, IPv4-mapped addresses already unmapped.
    @ivar avoid: The holders (L{RedirectAnswer.holder}) that this client was sent to for this file a while ago: they are no candidates again.
    @ivar offset: The first byte that the client wants, as far as it has said so.
    @ivar looking: The client does not want the file now (HEAD).
    """

    request: FileRequest
    size: int | None
    client: IPAddress
    avoid: frozenset[str] = frozenset()
    offset: int = 0
    looking: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """
    What a sync database states of a package file.

    @ivar size: Bytes.
    @ivar sha256: 32 bytes, None where it states none.
    """

    size: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """
    Where a peer listens.

    @ivar host: An IPv4 address, an IPv6 address without brackets (link-local ones with C{%zone}), or a host name that is still to be resolved.
    @ivar port: A TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """C{http://HOST:PORT}, the zone of a link-local address written as RFC 6874 has it."""
        return f"http://{self}".replace("%", "%25")


@dataclass(frozen=True, slots=True)
class HeldFile:
    """
    A complete file of a local package cache, open for reading.  Whoever receives it closes it.

    @ivar size: Bytes.
    @ivar modified: The mtime in whole seconds since the epoch.
    @ivar etag: A strong entity tag with its quotes (RFC 9110, 8.8.3).
    """

    name: str
    file: FileIO
    size: int
    modified: int
    etag: str


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer is a local file."""

    held: HeldFile
    origin: str = "cache"


@dataclass(frozen=True, slots=True)
class RedirectAnswer:
    """
    The answer is a 307 to who holds the file.

    @ivar origin: For the access log: C{peer 10.0.0.3:15678} or C{mirror https://example.org/core/os/x86_64}.
    @ivar size: The bytes that whoever was asked stated, None where nobody did.
    @ivar holder: Names the host for L{Wanted.avoid}; empty for hosts that are never avoided.
    """

    url: str
    origin: str
    size: int | None = None
    holder: str = ""


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """
    The answer is made here and stands in memory.

    @ivar headers: Everything but Content-Length, which is set from the body; for 304 the body is empty.
    @ivar quiet: Logged at debug only: what peers ask again and again in the background.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain; charset=utf-8"),)
    status: int = 200
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """
    The answer is a file that may still be arriving.

    @ivar file: A L{pacserve.interfaces.ArrivingFile}, which knows who gives it.
    @ivar origin: What is done with it: C{downloaded}, C{relayed}.
    """

    file: Any
    origin: str


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """
    The answer is a stream of server-sent events, which lasts as long as the client stays.

    @ivar events: A L{pacserve.web.events.Events}.
    """

    events: Any


Answer = FileAnswer | RedirectAnswer | DocumentAnswer | StreamAnswer | EventsAnswer


@dataclass(frozen=True, slots=True)
class Ask:
    """
    An HTTP request as the fronts see it.

    @ivar method: C{GET} or C{HEAD}.
    @ivar parts: The parts of the path behind the first one, each percent-decoded once.  Undecodable bytes are surrogates, which pass no grammar.
    @ivar client: Who asks, IPv4-mapped addresses unmapped.
    @ivar header: Gives the value of a request header (several of one name joined by a comma, RFC 9110, 5.3), None where there is none.
    @ivar query: What follows the first question mark, as it was sent; empty where there is none.
    """

    method: str
    parts: tuple[str, ...]
    client: IPAddress
    header: Callable[[str], str | None]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """
    A request that was answered, and how.

    @ivar front: The first part of the path; empty for C{/}, and for what no front answers.
    @ivar target: The request target as it came: of anybody's making.
    @ivar client: Who asked.
    @ivar origin: Where the answer is from, or for an error who was asked; as in the access log, may be empty.
    @ivar size: The bytes of the body, for a redirect those of the file behind it; None where they are not known.
    @ivar seconds: From the request to the end of the answer.
    @ivar redirected: The client was sent elsewhere.
    @ivar complete: The connection did not end before the answer did.
    @ivar quiet: What peers ask again and again in the background.
    """

    front: str
    method: str
    target: bytes
    client: IPAddress
    status: int
    origin: str
    size: int | None
    seconds: float
    redirected: bool = False
    complete: bool = True
    quiet: bool = False


class Rank(enum.IntEnum):
    """How much a kind of candidate is preferred: the smaller the better.  Joined downloads and the swarm go between peers and mirrors."""

    CACHE = 0
    PEER = 10
    PEERS_UNKNOWN = 20
    DOWNLOAD = 80
    MIRRORS = 90


@dataclass(frozen=True, slots=True)
class Repository:
    """
    A repository of pacman.conf.

    @ivar servers: Its Server lines in pacman's order, C{$repo} and C{$arch} expanded, every scheme, without a trailing slash.
    """

    name: str
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PacmanConfiguration:
    """
    What pacserve needs of pacman.conf(5), fully resolved.

    @ivar architectures: In pacman's order; C{$arch} stands for the first.
    @ivar cache_dirs: Absolute paths.
    @ivar database_dir: DBPath; the sync databases are in its folder C{sync}.
    """

    architectures: tuple[str, ...]
    cache_dirs: tuple[str, ...]
    database_dir: str
    repositories: Mapping[str, Repository]


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    The complete package files and signatures of the local caches.

    @ivar generation: Grows by at least one whenever C{files} changed.
    @ivar files: The size in bytes of each file by its name.
    """

    generation: int
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Delta:
    """
    What leads from one inventory to a later one.

    @ivar since: The generation of the earlier one.
    @ivar generation: That of the later one.
    @ivar files: The sizes in bytes of the files that were added or changed, by name.
    @ivar removed: The names that went; the earlier one need not have had all of them.
    """

    since: int
    generation: int
    files: Mapping[str, int]
    removed: tuple[str, ...]
