"""Where a file is.  How it is handed over from there is another question, which `pacserve.delivery` answers.  Values only."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from pacserve.packages.files import HeldFile
from pacserve.sources.upstreams import Upstream
from pacserve.web.bodies.arriving import ArrivingFile


class Holder(enum.Enum):
    """The kind of place that has a file."""

    CATALOGUE = "database"
    """It is a signature, which the database of the package carries."""
    CACHE = "cache"
    FOLDER = "folder"
    """It lies in a folder of this host that the configuration names as a mirror."""
    PEER = "peer"
    RUNNING = "running download"
    """It is being downloaded on this host."""
    INDEX = "index"
    """It is a database, which this host asks the mirrors for, or a copy that it has kept."""
    UNASKED = "mirrors, not asked yet"
    """The mirrors may have it; a download asks them itself."""
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class Offer:
    """
    The facts about a place that decide how the file is handed over.

    Attributes:
        sendable: True if the client can be sent to that host by the address that is known of it.
        secret: True if a password stands in the URL, which no client gets to see.
        conclusive: True if the host said that it has the file; False if it answered without saying yes or no.
        small: True if the host stated a size of at most `SMALL_FILE_LIMIT` bytes.
    """

    holder: Holder
    sendable: bool = True
    secret: bool = False
    conclusive: bool = True
    small: bool = False


@dataclass(frozen=True, slots=True)
class LocalFile:
    """
    A complete file of this host, open for reading.  The receiver of the location closes it.

    Attributes:
        origin: For the access log.
        holder: CACHE, CATALOGUE, FOLDER, or INDEX for the last good copy of a database.
    """

    held: HeldFile
    origin: str = "cache"
    holder: Holder = Holder.CACHE

    @property
    def offer(self) -> Offer:
        """The facts for the table of deliveries."""
        return Offer(self.holder)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """
    A file at a peer or a mirror that was asked for it.

    Attributes:
        url: Where a client finds it.
        origin: For the access log: `peer 10.0.0.3:15678` or `mirror https://example.org/core/os/x86_64`.
        size: The bytes that the host stated, None where it stated none.
        upstream: How it can be downloaded from there.
        offer: The facts for the table of deliveries.
        holder: Names the peer in the history of redirects; empty for mirrors, which are not remembered.
    """

    url: str
    origin: str
    size: int | None
    upstream: Upstream
    offer: Offer
    holder: str = ""


@dataclass(frozen=True, slots=True)
class RunningDownload:
    """
    A file that is being downloaded on this host.

    Attributes:
        origin: For the access log: `downloaded`, `relayed`.
        holder: RUNNING, or INDEX for a database.
    """

    file: ArrivingFile
    origin: str
    holder: Holder = Holder.RUNNING

    @property
    def offer(self) -> Offer:
        """The facts for the table of deliveries."""
        return Offer(self.holder)


@dataclass(frozen=True, slots=True)
class UnaskedMirrors:
    """Mirrors that may have a file, best first; nobody has asked them."""

    upstreams: Sequence[Upstream]

    @property
    def offer(self) -> Offer:
        """The facts for the table of deliveries."""
        return Offer(Holder.UNASKED)


Location = LocalFile | RemoteFile | RunningDownload | UnaskedMirrors
