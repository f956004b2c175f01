"""The values that `/status` returns.  Rules only; every value is a number or text for people."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.web.origins import Share


@dataclass(frozen=True, slots=True)
class HostStatus:
    """
    The state of this daemon.

    Attributes:
        started: The time of the start, in seconds since the epoch.
        misses: `auto`, `redirect` or `fetch`.
        hits: `auto`, `redirect` or `relay`.
        generation: The generation of its inventory.
        files: The number of package files and signatures that it offers.
        size: The bytes of these files.
        multicast_heard: Seconds since an announcement was last heard; None where none ever was, or multicast is off.
        info_asked: Seconds since another host last asked for `/info`; None where none ever did.
        multicast_interval: Seconds between two announcements.
        cache_dirs: The package caches of pacman whose files it offers.
        no_pacman: Why this host has no pacman; empty where it has one.
    """

    version: str
    instance: str
    name: str
    port: int
    started: float
    misses: str
    hits: str
    multicast: bool
    generation: int
    files: int
    size: int
    multicast_heard: float | None
    info_asked: float | None
    multicast_interval: float = 60.0
    pacman_conf: str = "/etc/pacman.conf"
    cache_dirs: tuple[str, ...] = ()
    no_pacman: str = ""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """
    Another pacserver.

    Attributes:
        address: Its address and port, `10.0.0.3:15678`; as configured while its name was never resolved.
        name: Its name as the user wrote it; empty for a peer that announced itself.
        state: `new`, `unknown`, `known`, `refused`, `dead`; see `pacserve.peers.peer.PeerState`.
        reason: Why it is not used; empty when it is.
        files: The number of files that it holds and this host can use, as far as is known.
        heard: Seconds since it was last heard of; None where it never was.
        delay: Seconds that it lately took to say whether it has a file.
        failures: The number of questions in a row that it did not answer.
        given: Bytes that it gave, or for which clients of this host were redirected to it, since the start.
        skipped: Entries of its last `/info` that were not understood.
        host_name: The host name that it tells of itself, which any host may claim; empty where it tells none.
    """

    address: str
    name: str
    instance: str
    discovered: bool
    state: str
    reason: str
    files: int
    heard: float | None
    delay: float
    failures: int
    given: int
    skipped: int = 0
    host_name: str = ""


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """
    A mirror of pacman.conf, or of a source of apt.

    Attributes:
        url: Scheme, host and port; never a password.
        repositories: The repositories that it serves, for apt the folders below which these lie.
        state: `well`, `slow`, `failed`, `lied`: it gave a wrong file, or `resting`: it has asked to be left alone.
        avoided: Seconds for which it is still asked last.
        rate: Its speed of late in bytes per second; None where that is not known.
    """

    url: str
    repositories: tuple[str, ...]
    state: str
    avoided: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class AptStatus:
    """
    The state of the front for apt.

    Attributes:
        port: The port on which apt is answered.
        mirrors: Those below whose folders files may be asked for.
        lists: The number of lists of packages that are known.
        stated: The number of files that these state.
        archives: The number of files that are offered to peers from where apt keeps them.
        releases: The number of releases that are kept, so that who has got one gets its indexes.
    """

    port: int
    mirrors: tuple[MirrorStatus, ...]
    lists: int
    stated: int
    archives: int
    releases: int


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """
    A folder of this host that is a mirror (`file://`).

    Attributes:
        trouble: Why the database of the repository can't be read there; empty where it can.
    """

    repository: str
    path: str
    trouble: str


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """
    A running download.

    Attributes:
        source: The host that gave the latest bytes; empty while none has.
        done: Bytes that have arrived.
        size: Bytes of the whole file; None where no host stated them.
        seconds: Seconds since it began.
        verified: True if a database states its SHA-256.
        shares: What each host gave of the bytes that are here.
    """

    name: str
    repository: str
    source: str
    done: int
    size: int | None
    seconds: float
    verified: bool
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """
    The traffic from one origin.

    Attributes:
        origin: A value of `Origin`.
        size: Bytes; for a redirect, the size that the peer or mirror stated.
    """

    origin: str
    requests: int
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    The traffic of one minute, hour or day.

    Attributes:
        began: The begin of the period in seconds since the epoch.
        cache: Bytes from package caches of this host; the other fields are bytes, too.
    """

    began: float
    cache: int
    peers: int
    mirrors: int


@dataclass(frozen=True, slots=True)
class FindingStatus:
    """
    A trouble that the daemon's own checks have found; `pacsrv doctor` makes these and others.

    Attributes:
        check: The name of the check.
        level: `warning` or `wrong`.
        text: What was found, in one line.
        cure: What to do about it, in one line.
    """

    check: str
    level: str
    text: str
    cure: str


@dataclass(frozen=True, slots=True)
class TrafficStatus:
    """
    Traffic since the start of the history, which survives a restart.

    Attributes:
        tallies: The answers to this host's own clients, by origin.
        saved: Bytes that did not come over the WAN because a cache or a peer had them.
        served: Bytes that other hosts got from this one.
        minutes: The last hour, the oldest first; empty minutes are left out.
        days: The traffic by day (UTC), likewise.
        hours: The last day by hour, likewise.
    """

    since: float
    tallies: tuple[Tally, ...]
    saved: int
    served: int
    minutes: tuple[Bucket, ...]
    days: tuple[Bucket, ...]
    hours: tuple[Bucket, ...] = ()

    @property
    def asked(self) -> int:
        """Bytes that this host's own clients asked for, wherever they came from."""
        return sum([tally.size for tally in self.tallies])


@dataclass(frozen=True, slots=True)
class Record:
    """
    One answered request.

    Attributes:
        at: The time of the answer in seconds since the epoch.
        client: The client's address.
        path: The request target.
        origin: In words, as in the log: the source of the answer, or the hosts that were asked in vain.
        size: Bytes; None where they are not known.
        seconds: Seconds until the answer was complete.
        redirected: True if the client was redirected.
        ended: True if the whole answer was sent.
        own: True if a program of this host asked, False if another host did.
        method: `GET`, or `HEAD` where only the question was whether the file is here.
    """

    at: float
    client: str
    path: str
    status: int
    origin: str
    size: int | None
    seconds: float
    redirected: bool
    ended: bool
    own: bool = True
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class UnfinishedStatus:
    """
    A download that did not become complete, and goes on where it was when the file is asked for again.

    Attributes:
        done: Bytes that are here.
        size: Bytes of the whole file.
        since: When it began, in seconds since the epoch.
    """

    name: str
    done: int
    size: int
    since: float


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """
    The folder in which downloads are kept.

    Attributes:
        files: The number of complete files.
        size: Their bytes.
        limit: The most bytes of all files, the unfinished ones among them.
    """

    directory: str
    files: int
    size: int
    limit: int
    unfinished: tuple[UnfinishedStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """
    The whole state of a daemon, as `/status` returns it.

    Attributes:
        findings: The troubles that the daemon's checks have found; None while they have not run.
        apt: None where apt is not answered.
    """

    host: HostStatus
    peers: tuple[PeerStatus, ...]
    mirrors: tuple[MirrorStatus, ...]
    transfers: tuple[TransferStatus, ...]
    traffic: TrafficStatus
    spool: SpoolStatus | None
    claims: int
    recent: tuple[Record, ...]
    folders: tuple[FolderStatus, ...] = ()
    findings: tuple[FindingStatus, ...] | None = None
    apt: AptStatus | None = None
