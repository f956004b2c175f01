"""
One other pacserver, as far as it is known.  Rules only: time comes in as a number of seconds.

Each part of a peer has one writer: `Observed` the watch, `Announced` discovery, and its reputation whoever deals with its host.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pacserve.network.addresses import Endpoint, parse_address
from pacserve.packages.names import is_content
from pacserve.peers.reputation import Reputation, doubled

# Seconds between two polls of a peer that answers; most of these are 304 without a body.
REFRESH_INTERVAL = 15.0
# Seconds between two polls of a peer whose /info can't be used, at most: reading 32 MiB of JSON for nothing takes up to a second of CPU.
LAST_REFRESH = 300.0
# Seconds until a peer that did not answer is tried again: doubled each time, so that a restarted daemon is back at once and a switched-off machine
# costs a packet now and then.
FIRST_RETRY = 1.0
LAST_RETRY = 10.0
# A peer that was silent this often in a row has gone: what it held is forgotten.
SILENCES_UNTIL_FORGOTTEN = 3


@dataclass(frozen=True, slots=True)
class Myself:
    """
    This daemon, as other hosts know it.

    Attributes:
        instance: Its instance id.
        architectures: Gives its architectures, which are those of pacman.conf as it is now.
        name: The host name that it tells them; empty where it tells none.
        content: True if it takes part in sharing content, since it answers a package system whose files are shared by content.
    """

    instance: str
    architectures: Callable[[], Sequence[str]]
    name: str = ""
    content: bool = False


class PeerState(enum.Enum):
    """The questions that a peer may be asked now."""

    NEW = "new"
    """It announced itself, and nothing it said counts before its `/info` says the same: it is not asked for files."""
    UNKNOWN = "unknown"
    """Its files are not known, since it was never reached, has no usable `/info` or is one too many: it is asked by HEAD for every file."""
    KNOWN = "known"
    """Its inventory is known: it is asked only for what it holds."""
    REFUSED = "refused"
    """It is not to be asked at all: it is this daemon itself, of another architecture, or another name of a peer that is known already."""
    DEAD = "dead"
    """It did not answer the last question."""


@dataclass(frozen=True, slots=True)
class Identity:
    """
    The part of an `/info` that is kept when the holdings have its files: a thousand peers with a dictionary each would take half a gigabyte.

    Attributes:
        generation: Of the inventory that the peer has; means nothing across instances.
        count: How many files it listed that this host can use, 0 when they were not asked for.
        shared: True if it shares an architecture with this host; otherwise only its content of other package systems counts.
        skipped: How many entries of its last answer were not understood.
        content: True if it takes part in sharing content, whether it holds any or not.
    """

    instance: str
    generation: int
    architectures: tuple[str, ...]
    count: int
    shared: bool = True
    skipped: int = field(default=0, compare=False)
    content: bool = False


@dataclass(slots=True)
class Observed:
    """
    The results of the polls of a peer.  The watch alone writes them.

    Attributes:
        addresses: The addresses that the host was last resolved to.
        endpoint: The address at which the peer is asked; None while its name was never resolved.
        trouble: Why the peer is not used, or its `/info` is not; empty when all is well.
        identity: The peer by its last usable `/info`; kept while it is silent for a short time.
        etag: The entity tag of that `/info`.
        listed: True if the holdings have its inventory, as of `etag`.
        verified: True if its `/info` has once stated what was announced.
        silences: How often in a row the peer did not answer.
        unusable: How often in a row its `/info` could not be used.
        goodbyes: How many of its goodbyes were followed by an answer all the same.
        answered_at: When the peer last answered.
        changed_at: When its inventory last changed.
        brief_at: When the peer was last asked for no more than who it is, since its host has sent too much; None if it was asked for all.
        logged: The state and the trouble that were last logged.
        name: The host name that the peer last told of itself, which any host may claim; empty where it told none.
    """

    addresses: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    state: PeerState = PeerState.UNKNOWN
    trouble: str = ""
    identity: Identity | None = None
    etag: str | None = None
    listed: bool = False
    verified: bool = False
    silences: int = 0
    unusable: int = 0
    goodbyes: int = 0
    answered_at: float = 0.0
    changed_at: float = 0.0
    brief_at: float | None = None
    logged: tuple[PeerState, str] | None = None
    name: str = ""

    def silent(self, reason: str) -> None:
        """Notes that the peer did not answer."""
        self.state, self.trouble = PeerState.DEAD, reason
        self.silences += 1

    def gone(self) -> bool:
        """Returns whether the peer has been silent for so long that what it held is not worth remembering."""
        return self.silences >= SILENCES_UNTIL_FORGOTTEN


@dataclass(slots=True)
class Announced:
    """
    The claims that a peer makes in datagrams, which anyone may have forged.  Discovery alone writes them.

    Attributes:
        instance: The instance id.
        generation: The generation of its inventory.
        heard_at: When the peer was last heard.
        goodbyes: How often the peer said goodbye.
    """

    instance: str
    generation: int = 0
    heard_at: float = 0.0
    goodbyes: int = 0


@dataclass(slots=True)
class Peer:
    """
    A peer: an entry of the user's list, or one that announced itself.

    Attributes:
        slot: Its bit in the holdings.
        configured: The endpoint as the user wrote it, when the host may be a name; otherwise the one at which the peer announced itself.
        observed: The results of its polls.
        announced: What it announced; None for those of the user's list, which may be any daemon.
        reputation: That of its host, which the roster looks up.
    """

    slot: int
    configured: Endpoint
    observed: Observed = field(default_factory=Observed)
    announced: Announced | None = None
    reputation: Reputation = field(default_factory=Reputation)

    @property
    def state(self) -> PeerState:
        """The questions that the peer may be asked now."""
        return self.observed.state

    @property
    def trouble(self) -> str:
        """The reason why the peer or its `/info` is not used; empty when all is well."""
        return self.observed.trouble

    @property
    def endpoint(self) -> Endpoint | None:
        """The address at which the peer is asked; None while its name was never resolved."""
        return self.observed.endpoint

    @property
    def name(self) -> str:
        """The host name that the peer tells of itself, which any host may claim; empty where it told none."""
        return self.observed.name

    def with_name(self, endpoint: Endpoint | None = None) -> str:
        """
        Returns an endpoint of the peer, and behind it the name that it tells, if any: the endpoint is a fact, and the name a claim.

        Args:
            endpoint: One of its endpoints; None for the one at which it is asked, or else the configured one.
        """
        place = endpoint or self.endpoint or self.configured
        return f"{place} ({self.name})" if self.name else str(place)

    @property
    def identity(self) -> Identity | None:
        """The peer by its last usable `/info`."""
        return self.observed.identity

    @property
    def changed_at(self) -> float:
        """The time when the inventory last changed."""
        return self.observed.changed_at

    @property
    def alive_at(self) -> float:
        """The time when the peer last answered or was heard; 0 where it never was."""
        return self.observed.answered_at if self.announced is None else max(self.observed.answered_at, self.announced.heard_at)

    @property
    def instance(self) -> str | None:
        """The instance id that the peer announced; None for those of the user's list."""
        return None if self.announced is None else self.announced.instance

    @property
    def discovered(self) -> bool:
        """True if the peer announced itself, rather than being named by the user."""
        return self.announced is not None

    @property
    def leaving(self) -> bool:
        """True if the peer said goodbye, and no answer has shown since then that this was not true."""
        return self.announced is not None and self.announced.goodbyes > self.observed.goodbyes

    @property
    def literal(self) -> bool:
        """True if the user wrote an address, which needs no resolving."""
        return _is_address(self.configured.host)

    def answered(self, state: PeerState, trouble: str = "") -> None:
        """Notes that the peer answered a poll, and what it may be asked from now on; for the watch alone."""
        observed = self.observed
        observed.state, observed.trouble, observed.silences = state, trouble, 0
        observed.unusable = observed.unusable + 1 if trouble and state is PeerState.UNKNOWN else 0
        if self.announced is not None:
            observed.goodbyes = self.announced.goodbyes

    @property
    def offers_packages(self) -> bool:
        """True if this host can use files of pacman from the peer, as far as is known: they share an architecture."""
        return self.identity is None or self.identity.shared

    def offers(self, name: str) -> bool:
        """
        Returns whether the peer may have a file of that name which this host can use, or keep the claims for it.

        pacman's files come from peers that share an architecture, and content from those that take part in sharing it: all hosts that do so agree on
        who keeps a claim only where none of them thinks of others.
        """
        if is_content(name):
            return self.identity is None or self.identity.content
        return self.offers_packages

    def next_poll(self) -> float | None:
        """Returns the seconds until the peer should be polled again; None for one that announces itself and says when there is news."""
        observed = self.observed
        if observed.silences:
            return doubled(FIRST_RETRY, observed.silences, LAST_RETRY)
        if self.discovered and not observed.unusable:
            return None
        return doubled(REFRESH_INTERVAL, max(1, observed.unusable), LAST_REFRESH)

    def may_be_asked(self, now: float) -> bool:
        """Returns whether it makes sense to ask the peer for a file."""
        observed = self.observed
        known = observed.state is PeerState.KNOWN or observed.state is PeerState.UNKNOWN
        return known and observed.endpoint is not None and not self.leaving and self.reputation.may_be_asked(now)


def named(slot: int, endpoint: Endpoint) -> Peer:
    """Makes a peer of the user's list, by address or by name."""
    if not _is_address(endpoint.host):
        return Peer(slot, endpoint)
    return Peer(slot, endpoint, Observed((endpoint.host,), endpoint))


def found(slot: int, endpoint: Endpoint, announced: Announced) -> Peer:
    """Makes a peer that announced itself at an endpoint."""
    return Peer(slot, endpoint, Observed((endpoint.host,), endpoint, PeerState.NEW), announced)


def _is_address(host: str) -> bool:
    try:
        parse_address(host)
    except ValueError:
        return False
    return True
