"""
Who downloads what, as the keeper of a file's claims knows it.  Rules only: time comes in as a number of seconds that never become less.

A claim saves bytes of the WAN and decides nothing else: every answer may be wrong, late or forged, and costs a second download at worst.  Hosts state
their instance ids themselves, so that what they may do goes by the address that they ask from.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pacserve.claims.followers import Followers
from pacserve.peers.conduct import DISTRUST

# Seconds for which a claim holds without a sign of life of its holder.
LEASE = 2.0
# Seconds for which a file that was downloaded is remembered; by then its holder has told what it holds.
FINISHED = 10.0
CLAIMS_LIMIT = 4096
CLAIMS_PER_SOURCE = 64
# Leases that a host may lose within a time, both in seconds, until it gets none for a while.  What is older has been forgiven: a machine that is
# suspended once a day has done nothing wrong.
LOSSES_LIMIT = 3
LOSSES_WINDOW = 600.0
BAN = 600.0
# Addresses of which losses or lies are remembered.
_OFFENDERS_LIMIT = 1024
# Followers of all claims together: a thousand hosts that upgrade at once have some 5,000, spread over as many keepers.
_FOLLOWERS_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a host is told that wants to download a file.

    Attributes:
        follow: The instance id of the host to follow; None when it is to download the file itself.
        granted: True if it holds the claim now, and has to renew it.
    """

    follow: str | None
    granted: bool


_ON_ITS_OWN = Verdict(None, granted=False)
_GRANTED = Verdict(None, granted=True)


@dataclass(slots=True)
class _Claim:
    holder: str
    source: str
    until: float
    finished: bool
    followers: Followers


@dataclass(slots=True)
class _Offences:
    """
    What is held against an address.

    Attributes:
        losses: When it lost its last leases.
        refused_until: Until then it gets none.
    """

    losses: deque[float] = field(default_factory=lambda: deque(maxlen=LOSSES_LIMIT))
    refused_until: float = 0.0


class Claims:
    """The claims that this host keeps for others, bounded in number and in time."""

    def __init__(self) -> None:
        # By the time of their last sign of life, so that those which have run out stand first: there is one order for each of the two terms.
        self._leased: dict[str, _Claim] = {}
        self._finished: dict[str, _Claim] = {}
        self._by_source: Counter[str] = Counter()
        self._offences: dict[str, _Offences] = {}
        self._followers = 0

    def __len__(self) -> int:
        return len(self._leased) + len(self._finished)

    def ask(self, key: str, instance: str, source: str, now: float) -> Verdict:
        """
        A host wants to download a file.  One that asks again gets nowhere with whom it was told to follow, and is told another one if possible.

        Args:
            instance: The host's instance id, as it states it.
            source: The address that it asks from.
        """
        self._expire(now)
        claim = self._get(key)
        if claim is None:
            return _GRANTED if self._grant(key, instance, source, now) else _ON_ITS_OWN
        if claim.holder != instance:
            return self._follow(claim, instance, source)
        if claim.source != source:  # another host that states the same id, or the same one at another address: it can't follow itself
            return _ON_ITS_OWN
        if claim.finished and self._is_refused(source, now):
            return _ON_ITS_OWN
        self._extend(key, claim, now, finished=False)  # it has lost what it had, or its answer
        return _GRANTED

    def renew(self, key: str, instance: str, source: str, now: float) -> bool:
        """Returns the holder is alive; whether it still holds the claim."""
        self._expire(now)
        claim = self._leased.get(key)
        if claim is None or (claim.holder, claim.source) != (instance, source):
            return False
        self._extend(key, claim, now, finished=False)
        return True

    def finish(self, key: str, instance: str, source: str, now: float) -> None:
        """The holder has the file: for a while whoever asks is sent there, since not everybody knows yet what it holds."""
        self._expire(now)
        claim = self._leased.get(key)
        if claim is not None and (claim.holder, claim.source) == (instance, source):
            self._extend(key, claim, now, finished=True)

    def release(self, key: str, instance: str, source: str, now: float) -> None:
        """The holder gives the file up."""
        self._expire(now)
        claim = self._get(key)
        if claim is not None and (claim.holder, claim.source) == (instance, source):
            self._end(key, claim)

    def distrust(self, source: str, now: float) -> None:
        """A host served wrong bytes: it gets no claim for `DISTRUST`, and loses those that it has."""
        self._offend(source).refused_until = now + DISTRUST
        for key, claim in [*self._leased.items(), *self._finished.items()]:
            if claim.source == source:
                self._end(key, claim)

    def _get(self, key: str) -> _Claim | None:
        return self._leased.get(key) or self._finished.get(key)

    def _grant(self, key: str, instance: str, source: str, now: float) -> bool:
        if self._is_refused(source, now):
            return False
        # What was downloaded is remembered as long as there is room.
        if self._by_source[source] >= CLAIMS_PER_SOURCE and not self._drop(key for key, claim in self._finished.items() if claim.source == source):
            return False
        if len(self) >= CLAIMS_LIMIT and not self._drop(iter(self._finished)):
            return False
        self._leased[key] = _Claim(instance, source, now + LEASE, False, Followers(instance))
        self._by_source[source] += 1
        return True

    def _follow(self, claim: _Claim, instance: str, source: str) -> Verdict:
        known = len(claim.followers)
        leader = claim.followers.leader(instance, source, room=self._followers < _FOLLOWERS_LIMIT)
        self._followers += len(claim.followers) - known
        return _ON_ITS_OWN if leader is None else Verdict(leader, granted=False)

    def _drop(self, keys: Iterator[str]) -> bool:
        """Forgets the first of some downloaded files; whether there is one."""
        key = next(keys, None)
        if key is None:
            return False
        self._end(key, self._finished[key])
        return True

    def _extend(self, key: str, claim: _Claim, now: float, *, finished: bool) -> None:
        """The claim holds from now on; it becomes the last in its order."""
        self._leased.pop(key, None)
        self._finished.pop(key, None)
        claim.finished = finished
        claim.until = now + (FINISHED if finished else LEASE)
        (self._finished if finished else self._leased)[key] = claim

    def _expire(self, now: float) -> None:
        """Forgets the claims that have run out, whether somebody asks for them or not: what their holders have lost counts."""
        for claims in (self._leased, self._finished):
            while claims:
                key, claim = next(iter(claims.items()))
                if now < claim.until:
                    break
                self._end(key, claim)
                if not claim.finished:
                    self._lose(claim)

    def _lose(self, claim: _Claim) -> None:
        offences = self._offend(claim.source)
        offences.losses.append(claim.until)
        if len(offences.losses) == LOSSES_LIMIT and claim.until - offences.losses[0] < LOSSES_WINDOW:
            offences.refused_until = max(offences.refused_until, claim.until + BAN)
            offences.losses.clear()

    def _offend(self, source: str) -> _Offences:
        """What is held against an address; it becomes the last to be forgotten."""
        offences = self._offences.pop(source, None) or _Offences()
        self._offences[source] = offences
        if len(self._offences) > _OFFENDERS_LIMIT:
            del self._offences[next(iter(self._offences))]
        return offences

    def _is_refused(self, source: str, now: float) -> bool:
        offences = self._offences.get(source)
        return offences is not None and now < offences.refused_until

    def _end(self, key: str, claim: _Claim) -> None:
        self._leased.pop(key, None)
        self._finished.pop(key, None)
        self._followers -= len(claim.followers)
        self._by_source[claim.source] -= 1
        if self._by_source[claim.source] <= 0:
            del self._by_source[claim.source]
