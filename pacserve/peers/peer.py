"""What is known of one other pacserver.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pacserve.network.addresses import Endpoint
from pacserve.packages.names import is_content
from pacserve.peers.standing import Standing

# Seconds between two looks at a peer that answers; most of these are 304 without a body.
REFRESH_INTERVAL = 15.0
# Seconds between two looks at a peer whose /info can't be used, at most: reading 32 MiB of JSON for nothing takes up to a second of CPU.
LAST_REFRESH = 300.0
# Seconds until a peer that did not answer is tried again: doubled each time, so that a restarted daemon is back at once and a switched-off machine
# costs a packet now and then.
FIRST_RETRY = 1.0
LAST_RETRY = 10.0
# A peer that was silent this often in a row has gone: what it held is forgotten.
SILENCES_UNTIL_FORGOTTEN = 3
# Seconds for which a peer that failed to confirm a file is not asked for files, doubled each time: one that answers /info and nothing else would
# cost every request its budget otherwise.
FIRST_PENALTY = 1.0
LAST_PENALTY = 60.0


class PeerState(enum.Enum):
    """What may be asked of a peer now."""

    NEW = "new"
    """It announced itself, and nothing it said counts before its `/info` says the same: it is not asked for files."""
    UNKNOWN = "unknown"
    """What it holds is not known, since it was never reached, has no usable `/info` or is one too many: it is asked by HEAD for every file."""
    KNOWN = "known"
    """Its inventory is known: it is asked only for what it holds."""
    REFUSED = "refused"
    """It is not to be asked at all: it is this daemon itself, of another architecture, or another name of a peer that is known already."""
    DEAD = "dead"
    """It did not answer when it was last asked."""


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What stays of an `/info` once the holdings have its files: a thousand peers with a dictionary each would take half a gigabyte.

    Attributes:
        generation: Of the inventory that it has; means nothing across instances.
        count: How many files it listed that this host can use, 0 when they were not asked for.
        shared: True if it shares an architecture with this host; otherwise only its content of other package systems counts.
        skipped: How many entries of its last answer were not understood.
    """

    instance: str
    generation: int
    architectures: tuple[str, ...]
    count: int
    shared: bool = True
    skipped: int = field(default=0, compare=False)


@dataclass(slots=True)
class Peer:
    """
    A peer: an entry of the user's list, or one that announced itself.

    Attributes:
        slot: Its bit in the holdings.
        configured: As the user wrote it, when the host may be a name; otherwise where it announced itself.
        instance: The instance id that it announced; None for those of the user's list, which may be any daemon.
        announced: The generation that it last announced.
        addresses: What the host was last resolved to.
        endpoint: The address at which it is asked; None while its name was never resolved.
        identity: Who it was by its last usable `/info`; kept while the peer is silent for a short time.
        etag: The entity tag of that `/info`.
        listed: True if the holdings have its inventory, as of `etag`.
        trouble: Why it is not used, or its `/info` is not; empty when all is well.
        silences: How often in a row it did not answer.
        unusable: How often in a row its `/info` could not be used.
        failures: How often in a row it failed to say whether it has a file.
        asked_again_at: Until then it is not asked for files.
        verified: True if its `/info` has once stated what was announced.
        leaving: It said goodbye, and nobody has looked yet whether that is true.
        alive_at: When it was last heard of.
        changed_at: When its inventory last changed.
        standing: How well it did lately.
        told: The state and the trouble that were last logged.
    """

    slot: int
    configured: Endpoint
    addresses: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    instance: str | None = None
    announced: int = 0
    state: PeerState = PeerState.UNKNOWN
    identity: Identity | None = None
    etag: str | None = None
    listed: bool = False
    trouble: str = ""
    silences: int = 0
    unusable: int = 0
    failures: int = 0
    asked_again_at: float = 0.0
    verified: bool = False
    leaving: bool = False
    alive_at: float = 0.0
    changed_at: float = 0.0
    standing: Standing = field(default_factory=Standing)
    told: tuple[PeerState, str] | None = None

    @property
    def literal(self) -> bool:
        """True if the user wrote an address, which needs no resolving."""
        return self.addresses == (self.configured.host,)

    @property
    def discovered(self) -> bool:
        """True if it announced itself, rather than being named by the user."""
        return self.instance is not None

    def heard(self, state: PeerState, trouble: str = "") -> None:
        """It answered a look, and this is what may be asked of it from now on."""
        self.state, self.trouble, self.silences, self.leaving = state, trouble, 0, False
        self.unusable = self.unusable + 1 if trouble and state is PeerState.UNKNOWN else 0

    def silent(self, reason: str) -> None:
        """It did not answer a look."""
        self.state, self.trouble = PeerState.DEAD, reason
        self.silences += 1

    def gone(self) -> bool:
        """Returns whether it has been silent for so long that what it held is not worth remembering."""
        return self.silences >= SILENCES_UNTIL_FORGOTTEN

    @property
    def offers_packages(self) -> bool:
        """True if this host can use files of pacman from the peer, as far as is known: they share an architecture."""
        return self.identity is None or self.identity.shared

    def offers(self, name: str) -> bool:
        """Returns whether this host can use a file of that name from the peer: content always, and one of pacman where they share an architecture."""
        return self.offers_packages or is_content(name)

    def next_look(self) -> float | None:
        """Seconds until it should be looked at again; None for one that announces itself and says when there is news."""
        if self.silences == 0:
            if self.discovered and not self.unusable:
                return None
            return _doubled(REFRESH_INTERVAL, max(1, self.unusable), LAST_REFRESH)
        return _doubled(FIRST_RETRY, self.silences, LAST_RETRY)

    def confirmed(self) -> None:
        """It said in time whether it has a file."""
        self.failures = 0

    def failed(self, now: float) -> bool:
        """
        It did not say in time whether it has a file, or not well.

        Returns:
            Whether this is news; of a burst of requests that failed together only the first is.
        """
        if now < self.asked_again_at:
            return False
        self.failures += 1
        self.asked_again_at = now + _doubled(FIRST_PENALTY, self.failures, LAST_PENALTY)
        return True

    def may_be_asked(self, now: float) -> bool:
        """Returns whether it makes sense to ask it for a file."""
        return self.endpoint is not None and self.state in (PeerState.KNOWN, PeerState.UNKNOWN) and not self.leaving and now >= self.asked_again_at


def _doubled(first: float, times: int, most: float) -> float:
    return float(min(most, first * 2 ** (min(times, 16) - 1)))
