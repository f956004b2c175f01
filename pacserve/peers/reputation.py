"""
The reputation of other hosts: one for each, whatever it is asked for.  Rules only: time comes in as a number of seconds that never become less.

A host is known here by its address.  Instance ids and ports are chosen by the host itself, so that a liar could change them at will.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from math import inf

from pacserve.bounded import FairMemory
from pacserve.network.addresses import Endpoint, network_of, parse_address

# All durations are in seconds.

# A host that gave wrong bytes is neither asked nor followed, and holds no claim: long enough that a broken disk costs a few downloads a day, short
# enough that a repaired host comes back by itself.
DISTRUST = 3600.0

# A peer that failed to say whether it has a file is not asked for files, doubled each time: one that answers /info and nothing else would cost every
# request its budget otherwise.
FIRST_PENALTY = 1.0
LAST_PENALTY = 60.0

# A peer that said that it has a file and did not give it comes last among the peers: about as long as a busy disk or a broken link may last.
WITHHELD_PENALTY = 60.0

# So many failures of a leader within the window, and it is not followed for a while; a claim that is never used costs each file of those who believe
# it some seconds.
LEADER_FAILURES_LIMIT = 3
LEADER_FAILURES_WINDOW = 60.0
LEADER_PENALTY = 30.0

# A host that lost so many leases within the window gets none for a while.  What is older has been forgiven: a machine that is suspended once a day
# has done nothing wrong.
LOST_LEASES_LIMIT = 3
LOST_LEASES_WINDOW = 600.0
LOST_LEASES_PENALTY = 600.0

# Nobody waits for a keeper of claims that did not answer in its round: a few rounds go on without it, and it is soon heard again.
KEEPER_PENALTY = 10.0

# The time in which the standing of a peer counts half: a machine that was busy a few minutes ago deserves to be asked again.
HALF_LIFE = 60.0
# Every peer is taken to need so long for an answer at least: one that is idle, or that nobody has asked yet, is not better than the next.
_LEAST_DELAY = 0.002
# A failure makes a peer look slower by this.
_FAILURE_COST = 0.1
# Bytes per second that a peer is taken to give away, over all hosts that it serves: a gigabit link that is not used by packages alone.
_SPEED = 50e6

# Hosts outside the roster that are remembered, some 500 bytes each.
STRANGERS_LIMIT = 1024


class Failure(enum.Enum):
    """The promises that a host can break without lying."""

    SILENT = "silent"
    """It did not say in time, or not well, whether it has a file."""
    WITHHELD = "withheld"
    """It said that it has a file, and did not give it."""
    MISLED = "misled"
    """It was followed, and gave too little or nothing."""
    LOST_LEASE = "lost lease"
    """It claimed a download, and showed no sign of life until its lease ran out."""
    ABSENT_KEEPER = "absent keeper"
    """It was asked for the claim of a file, and did not answer in the whole round."""


def identity_of(endpoint: Endpoint) -> str:
    """Returns the identity of the host that listens at an endpoint: its address without a zone, or its name where that is not resolved yet."""
    try:
        return str(parse_address(endpoint.host))
    except ValueError:
        return endpoint.host


@dataclass(slots=True)
class Standing:
    """
    Measures how well a peer does, so that requests are spread over those that do well.  Each value is half forgotten after `HALF_LIFE`.

    Attributes:
        sent: Bytes that clients of this host were sent there for.
        delay: Seconds until the peer said whether it has a file.
        failures: How often the peer did not say so in time.
    """

    sent: float = 0.0
    delay: float = _LEAST_DELAY
    failures: float = 0.0
    _as_of: float = 0.0

    def answered(self, delay: float, now: float) -> None:
        """Notes after how many seconds the peer said whether it has a file."""
        self._fade(now)
        self.delay += (delay - self.delay) / 4

    def failed(self, now: float) -> None:
        """Notes that the peer did not say in time whether it has a file."""
        self._fade(now)
        self.failures += 1

    def chosen(self, size: int, now: float) -> None:
        """Notes that a client was sent there for so many bytes."""
        self._fade(now)
        self.sent += size

    def cost(self, now: float) -> float:
        """Returns the seconds that a client is expected to lose there: the less the better."""
        self._fade(now)
        return max(self.delay, _LEAST_DELAY) + self.failures * _FAILURE_COST + self.sent / _SPEED

    def _fade(self, now: float) -> None:
        passed = now - self._as_of
        if passed > 0:
            factor = 0.5 ** (passed / HALF_LIFE)
            self.sent *= factor
            self.failures *= factor
            self.delay = _LEAST_DELAY + (self.delay - _LEAST_DELAY) * factor
            self._as_of = now


@dataclass(slots=True)
class Reputation:
    """
    Judges one host by what it did.

    Attributes:
        standing: How well the host did lately as a holder of files.
        failures: How often in a row the host failed to say whether it has a file.
    """

    standing: Standing = field(default_factory=Standing)
    failures: int = 0
    _asked_again_at: float = 0.0
    _distrusted_until: float = 0.0
    _last_until: float = 0.0
    _leader_failures: int = 0
    _leader_failures_since: float = 0.0
    _followed_again_at: float = 0.0
    _leases_lost_at: deque[float] = field(default_factory=lambda: deque(maxlen=LOST_LEASES_LIMIT))
    _granted_again_at: float = 0.0
    _waited_for_again_at: float = 0.0

    def answered(self, delay: float, now: float) -> None:
        """Notes that the host said within so many seconds whether it has a file, which ends the doubling of penalties."""
        self.failures = 0
        self.standing.answered(delay, now)

    def chosen(self, size: int, now: float) -> None:
        """Notes that a client was sent there for so many bytes."""
        self.standing.chosen(size, now)

    def slow(self, passed: float, now: float) -> None:
        """
        Notes that the host had not said after so many seconds whether it has a file, when another one had.

        A new connection or a busy moment may be all that was wrong.
        """
        self.standing.answered(2 * passed, now)

    def served(self) -> None:
        """Notes that the host gave all that was missing of a file, and the right bytes."""
        self._leader_failures = 0

    def failed(self, failure: Failure, now: float) -> bool:
        """
        Notes a promise that the host broke.

        Returns:
            True if this is news; of a burst of questions that failed together only the first is.
        """
        if failure is Failure.SILENT:
            if now < self.asked_again_at:
                return False
            self.failures += 1
            self._asked_again_at = now + doubled(FIRST_PENALTY, self.failures, LAST_PENALTY)
            self.standing.failed(now)
        elif failure is Failure.WITHHELD:
            self._last_until = now + WITHHELD_PENALTY
        elif failure is Failure.MISLED:
            self._mislead(now)
        elif failure is Failure.LOST_LEASE:
            self._lose_lease(now)
        else:
            self._waited_for_again_at = now + KEEPER_PENALTY
        return True

    def kept_lease(self) -> None:
        """Takes back the last lost lease: the host was only late to show a sign of life."""
        if self._leases_lost_at:
            self._leases_lost_at.pop()

    def lied(self, now: float) -> None:
        """Notes that the host gave wrong bytes: it is neither asked nor followed, and holds no claim, for `DISTRUST`."""
        self._distrusted_until = now + DISTRUST

    @property
    def asked_again_at(self) -> float:
        """Returns the time until which the host is not asked for files."""
        return max(self._asked_again_at, self._distrusted_until)

    def may_be_asked(self, now: float) -> bool:
        """Returns whether it makes sense to ask the host for a file."""
        return now >= self._asked_again_at and now >= self._distrusted_until

    def comes_last(self, now: float) -> bool:
        """Returns whether the other holders of a file are to be tried before this one, which withheld a file lately."""
        return now < self._last_until

    def may_be_followed(self, now: float) -> bool:
        """Returns whether a download of this host may be followed."""
        return now >= self._followed_again_at and not self.is_liar(now)

    def may_hold_claims(self, now: float) -> bool:
        """Returns whether the host may be granted the claim of a file."""
        return now >= self._granted_again_at and not self.is_liar(now)

    def is_worth_waiting_for(self, now: float) -> bool:
        """Returns whether a claim that another keeper grants has to wait for the answer of this one."""
        return now >= self._waited_for_again_at

    def is_liar(self, now: float) -> bool:
        """Returns whether the host gave wrong bytes within `DISTRUST`."""
        return now < self._distrusted_until

    def cost(self, now: float) -> float:
        """Returns the seconds that a client is expected to lose there."""
        return self.standing.cost(now)

    def leave(self) -> bool:
        """
        Forgets what was held against the daemon that has gone, and keeps what was held against the host.

        Returns:
            False where nothing is left that is worth remembering.
        """
        self.standing = Standing()
        self.failures = 0
        self._asked_again_at = self._waited_for_again_at = 0.0
        until = max(self._distrusted_until, self._last_until, self._followed_again_at, self._granted_again_at)
        return until > 0 or self._leader_failures > 0 or len(self._leases_lost_at) > 0

    def _mislead(self, now: float) -> None:
        if now - self._leader_failures_since >= LEADER_FAILURES_WINDOW:
            self._leader_failures, self._leader_failures_since = 0, now
        self._leader_failures += 1
        if self._leader_failures >= LEADER_FAILURES_LIMIT:
            self._leader_failures, self._followed_again_at = 0, now + LEADER_PENALTY

    def _lose_lease(self, now: float) -> None:
        lost_at = self._leases_lost_at
        lost_at.append(now)
        if len(lost_at) == LOST_LEASES_LIMIT and now - lost_at[0] < LOST_LEASES_WINDOW:
            self._granted_again_at = now + LOST_LEASES_PENALTY
            lost_at.clear()


@dataclass(slots=True)
class _Member:
    """
    The entry of a host that is in the roster.

    Attributes:
        peers: How many peers of the roster are at its address.
    """

    reputation: Reputation
    peers: int = 0


class Reputations:
    """
    Remembers the reputations of hosts by their identities.

    Hosts of the roster, which is bounded itself, are always remembered.  Of all others the last `STRANGERS_LIMIT` are, so that forged addresses can't
    push out what is known of peers; the addresses of one IPv6 network, which a host takes at will, have a quarter of these.
    """

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}
        self._strangers: FairMemory[str, Reputation] = FairMemory(STRANGERS_LIMIT, inf, lambda identity: network_of(identity) or identity)

    def __len__(self) -> int:
        return len(self._members) + len(self._strangers)

    def find(self, identity: str) -> Reputation | None:
        """Returns what is known of a host; None where that is nothing."""
        member = self._members.get(identity)
        return self._strangers.get(identity, 0.0) if member is None else member.reputation

    def of(self, identity: str) -> Reputation:
        """Returns the reputation of a host, to note something in it; of the strangers this one is now the last to be forgotten."""
        member = self._members.get(identity)
        if member is not None:
            return member.reputation
        reputation = self._strangers.get(identity, 0.0) or Reputation()
        self._strangers.remember(identity, reputation, 0.0)
        return reputation

    def enter(self, identity: str) -> Reputation:
        """Returns the reputation of a host that has one more peer in the roster, and keeps it until that peer leaves."""
        member = self._members.get(identity)
        if member is None:
            known = self._strangers.get(identity, 0.0)
            self._strangers.forget(identity)
            member = self._members[identity] = _Member(known or Reputation())
        member.peers += 1
        return member.reputation

    def leave(self, identity: str) -> None:
        """Treats a host as a stranger from now on, if this was its last peer in the roster."""
        member = self._members[identity]
        member.peers -= 1
        if not member.peers:
            del self._members[identity]
            if member.reputation.leave():
                self._strangers.remember(identity, member.reputation, 0.0)


def doubled(first: float, times: int, most: float) -> float:
    """Returns `first`, doubled each time but the first, and `most` at most."""
    return float(min(most, first * 2 ** (min(times, 16) - 1)))
