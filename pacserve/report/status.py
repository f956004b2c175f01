"""What `/status` and `/why` tell of a daemon, in JSON.  Rules only; everything is text for people, or a number."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar


class Origin(enum.Enum):
    """Where the bytes of an answer came from, as far as people care."""

    CACHE = "cache"
    """A package cache of this host, or its spool."""
    PEERS = "peers"
    MIRRORS = "mirrors"
    """The WAN, whether this host downloaded the file or pacman was sent there."""
    NONE = "none"
    """Nowhere: an error, or a page of pacserve's own."""


_KINDS = {
    "cache": Origin.CACHE,
    "copy": Origin.CACHE,
    "peer": Origin.PEERS,
    "mirror": Origin.MIRRORS,
    "downloaded": Origin.MIRRORS,
    "downloaded,": Origin.MIRRORS,
}


def origin_of(text: str, status: int) -> Origin:
    """
    Returns the kind of what an answer states as its origin.

    Args:
        text: As the access log has it: `cache`, `peer 10.0.0.3:15678`, `mirror https://example.org, downloaded`.
    """
    if status >= 400:
        return Origin.NONE
    return _KINDS.get(text.partition(" ")[0], Origin.NONE)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostStatus:
    """
    This daemon.

    Attributes:
        started: Seconds since the epoch.
        misses: `redirect` or `fetch`.
        hits: `redirect` or `relay`.
        generation: Of its inventory.
        files: Package files and signatures that it offers.
        size: Bytes of these.
        multicast_heard: Seconds since something was last heard by multicast; None where nothing ever was, or nobody listens.
        info_asked: Seconds since another host last asked for `/info`; None where none ever did.
        multicast_interval: Seconds between two announcements.
        cache_dirs: The folders of pacman that it offers files from.
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
        address: Where it is asked, `10.0.0.3:15678`; as configured while its name was never resolved.
        name: As the user wrote it; empty for one that announced itself.
        state: `new`, `unknown`, `known`, `refused`, `dead`; see `pacserve.peers.peer.PeerState`.
        reason: Why it is not used; empty when it is.
        files: Files that it holds and this host can use, as far as is known.
        heard: Seconds since it was last heard of; None where it never was.
        delay: Seconds until it says whether it has a file, lately.
        failures: How often in a row it did not say so.
        given: Bytes that it gave, or that clients of this host were sent there for, since the start.
        skipped: Entries of its last `/info` that were not understood.
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


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """
    A mirror of pacman.conf.

    Attributes:
        url: Scheme, host and port; never a password.
        repositories: That it serves.
        state: `well`, `slow` or `failed`.
        avoided: Seconds for which it still comes last.
        rate: Bytes per second that it gave lately; None where that is not known.
    """

    url: str
    repositories: tuple[str, ...]
    state: str
    avoided: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """
    A download that runs.

    Attributes:
        source: Who gives it now; empty while nobody does.
        size: Bytes of all of it, None where nobody said.
        seconds: Since it began.
        verified: True if a database states what it should be.
    """

    name: str
    repository: str
    source: str
    done: int
    size: int | None
    seconds: float
    verified: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What came from one origin.

    Attributes:
        origin: A value of `pacserve.report.status.Origin`.
        size: Bytes; of redirects those that whoever was asked stated.
    """

    origin: str
    requests: int
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    The traffic of one minute, hour or day.

    Attributes:
        began: Seconds since the epoch.
        cache: Bytes, as are the others.
    """

    began: float
    cache: int
    peers: int
    mirrors: int


@dataclass(frozen=True, slots=True)
class TrafficStatus:
    """
    Traffic since the start of the history, which survives a restart.

    Attributes:
        tallies: What this host's own clients were answered with.
        saved: Bytes that did not come over the WAN because a cache or a peer had them.
        served: Bytes that other hosts got from this one.
        minutes: The last hour, the oldest first; empty minutes are left out.
        days: The same by day (UTC).
        hours: The last day by hour.
    """

    since: float
    tallies: tuple[Tally, ...]
    saved: int
    served: int
    minutes: tuple[Bucket, ...]
    days: tuple[Bucket, ...]
    hours: tuple[Bucket, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """
    One answered request.

    Attributes:
        at: Seconds since the epoch.
        client: Its address.
        path: What was asked for.
        origin: In words, as in the log: who gave it, or who was asked in vain.
        size: Bytes; None where they are not known.
        seconds: Until the answer was complete.
        redirected: True if the client was sent elsewhere.
        ended: True if all of it was sent.
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


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """Where downloads are kept; `limit` and `size` in bytes."""

    directory: str
    files: int
    size: int
    limit: int


@dataclass(frozen=True, slots=True)
class Status:
    """All of it."""

    host: HostStatus
    peers: tuple[PeerStatus, ...]
    mirrors: tuple[MirrorStatus, ...]
    transfers: tuple[TransferStatus, ...]
    traffic: TrafficStatus
    spool: SpoolStatus | None
    claims: int
    recent: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """
    One candidate for a file.

    Attributes:
        who: `cache`, `peer 10.0.0.3:15678`, `download`, `mirror http://example.org`.
        verdict: `used` for the one that the file would come from, `next` for those that would be tried after it, `no` for the others.
        reason: Why; for a person.
    """

    who: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """
    Where a file would come from now.

    Attributes:
        size: Bytes that the database states, None where it does not know the file.
        last: The last requests for it, the latest first.
    """

    repository: str
    name: str
    size: int | None
    candidates: tuple[Reason, ...]
    last: tuple[Record, ...]


def encode(value: Status | Why) -> bytes:
    """Returns the JSON text."""
    return json.dumps(dataclasses.asdict(value), separators=(",", ":")).encode()


def decode(text: bytes, kind: type[T]) -> T:
    """
    Reads the JSON text.  Fields that this version does not know are left out.

    Raises:
        ValueError: It is not of that form.
    """
    return typing.cast("T", _read(json.loads(text), kind))


def _read(value: Any, kind: Any) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise ValueError(f"{kind.__name__} is no object")
        hints = typing.get_type_hints(kind)
        try:
            return kind(**{field.name: _read(value[field.name], hints[field.name]) for field in dataclasses.fields(kind)})
        except KeyError as error:
            raise ValueError(f"{kind.__name__} has no {error}") from None
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError("no list")
        return tuple(_read(item, typing.get_args(kind)[0]) for item in value)
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        return _read(value, next(one for one in typing.get_args(kind) if one is not type(None)))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
