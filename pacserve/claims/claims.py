"""
The claims of files that this host keeps for others.  Rules only: time comes in as a number of seconds that never become less.

A claim saves bytes of the WAN and decides nothing else: every answer may be wrong, late or forged, and costs a second download at worst.  Hosts state
their instance ids themselves, so that their rights go by the address that they ask from.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pacserve.bounded import ExpiringMemory
from pacserve.claims.followers import Followers
from pacserve.network.addresses import network_of
from pacserve.peers.reputation import Failure, Reputations

# Seconds for which a claim holds without a sign of life of its holder.
LEASE = 2.0
# Seconds that this may become on a host that is late itself, and so hears its holders late.
LONGEST_LEASE = 6.0
# Seconds for which it is remembered who lost a lease: a machine that was only late is heard within a few.
LAPSED = 30.0
_LAPSED_LIMIT = 1024
# Seconds for which a file that was downloaded is remembered; by then its holder has told what it holds.
FINISHED = 10.0
CLAIMS_LIMIT = 4096
CLAIMS_PER_SOURCE = 64
# Claims of one /64 of IPv6, in which a host can take any number of addresses, and claims that only this host itself can have.
CLAIMS_PER_NETWORK = CLAIMS_LIMIT // 2
CLAIMS_RESERVED = 64
# This host, as the source of its own claims: no address of another one.
OWN = ""
# Followers of all claims together: a thousand hosts that upgrade at once have some 5,000, spread over as many keepers.
_FOLLOWERS_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The answer to a host that wants to download a file.

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
    heard_at: float
    finished: bool
    followers: Followers


class Claims:
    """
    The claims that this host keeps for others, bounded in number and in time.

    Args:
        reputations: Those of the hosts that ask, by their addresses.
        lease: Gives the seconds for which a claim holds without a sign of life: more while this host itself is late to hear it.
    """

    def __init__(self, reputations: Reputations, lease: Callable[[], float] = lambda: LEASE) -> None:
        self._reputations = reputations
        self._lease = lease
        # By the time of their last sign of life, so that those which have run out stand first: there is one order for each of the two terms.
        # The one in front ends first; a dict would look for it behind all those that have ended.
        self._leased: OrderedDict[str, _Claim] = OrderedDict()
        self._finished: OrderedDict[str, _Claim] = OrderedDict()
        self._by_source: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self._followers = 0
        # Instance id and address of the host that lost the lease of a key.
        self._lapsed: ExpiringMemory[str, tuple[str, str]] = ExpiringMemory(_LAPSED_LIMIT, LAPSED)

    def __len__(self) -> int:
        return len(self._leased) + len(self._finished)

    def handle(self, action: str, key: str, instance: str, source: str, now: float, written: int | None = None) -> Verdict:
        """
        Does what a host asks.

        Args:
            action: `ask`, `renew`, `report`, `finish` or `release`.
            instance: The host's instance id, as it states it.
            source: The address that it asks from.
            written: The bytes of the file that it says it has; None where it does not say.
        """
        if action == "ask":
            return self.ask(key, instance, source, now, written)
        if action == "renew":
            return Verdict(None, self.renew(key, instance, source, now, written))
        if action == "report":
            return self.report(key, instance, source, now, written)
        (self.finish if action == "finish" else self.release)(key, instance, source, now)
        return _ON_ITS_OWN

    def ask(self, key: str, instance: str, source: str, now: float, written: int | None = None) -> Verdict:
        """
        Grants a host the claim of a file, or tells it which host to follow.

        A host that asks again could not download from its leader, and is told another one if possible.

        Args:
            instance: The host's instance id, as it states it.
            source: The address that it asks from.
            written: The bytes of the file that it says it has; None where it does not say, and is not going to.
        """
        self._expire(now)
        claim = self._get(key, now)
        if claim is None:
            return _GRANTED if self._grant(key, instance, source, now) else _ON_ITS_OWN
        if claim.holder != instance:
            return self._follow(claim, instance, source, now, written)
        if claim.source != source:  # another host that states the same id, or the same one at another address: it can't follow itself
            return _ON_ITS_OWN
        if claim.finished and not self._may_hold(source, now):
            return _ON_ITS_OWN
        self._extend(key, claim, now, finished=False)  # the holder has lost its file, or this answer
        return _GRANTED

    def renew(self, key: str, instance: str, source: str, now: float, written: int | None = None) -> bool:
        """
        Takes a sign of life of a holder; returns whether it still holds the claim.

        A host that lost its lease, and was only late, gets the claim back from the host that got it meanwhile: it has more of the file, and the
        other one follows it as soon as that shows a sign of life.

        Args:
            written: The bytes of the file that it says it has; None where it does not say.
        """
        self._expire(now)
        claim = self._leased.get(key)
        if claim is None or (claim.holder, claim.source) != (instance, source):
            return self._return(key, claim, instance, source, now)
        if self._is_liar(source, now):
            return False
        self._extend(key, claim, now, finished=False)
        if written is not None:
            claim.followers.report(instance, source, written, now)
        return True

    def report(self, key: str, instance: str, source: str, now: float, written: int | None) -> Verdict:
        """
        Notes how far a follower is; returns the host that it is to follow from now on.

        The answer names nobody to a host that is not known as a follower: it goes on as it does.

        Args:
            written: The bytes of the file that it says it has; None where it does not say.
        """
        self._expire(now)
        claim = self._get(key, now)
        leader = None if claim is None or written is None else claim.followers.report(instance, source, written, now)
        if claim is not None and claim.finished and leader is not None:
            self._extend(key, claim, now, finished=True)  # as long as hosts follow they may have to ask for another leader
        return Verdict(leader, granted=False)

    def finish(self, key: str, instance: str, source: str, now: float) -> None:
        """Notes that the holder has the file: for a while hosts that ask are sent there, since not all of them know yet what it holds."""
        self._expire(now)
        claim = self._leased.get(key)
        if claim is not None and (claim.holder, claim.source) == (instance, source):
            self._extend(key, claim, now, finished=True)

    def release(self, key: str, instance: str, source: str, now: float) -> None:
        """Ends a claim whose holder gives the file up."""
        self._expire(now)
        claim = self._get(key, now)
        if claim is not None and (claim.holder, claim.source) == (instance, source):
            self._end(key, claim)

    def _get(self, key: str, now: float) -> _Claim | None:
        """Returns the claim of a key; one whose holder has been found out as a liar ends here."""
        claim = self._leased.get(key) or self._finished.get(key)
        if claim is not None and self._is_liar(claim.source, now):
            self._end(key, claim)
            return None
        return claim

    def _grant(self, key: str, instance: str, source: str, now: float) -> bool:
        if not self._may_hold(source, now):
            return False
        # Downloads that have ended are remembered as long as there is room.
        if self._by_source[source] >= CLAIMS_PER_SOURCE and not self._drop(key for key, claim in self._finished.items() if claim.source == source):
            return False
        limit = CLAIMS_LIMIT if source == OWN else CLAIMS_LIMIT - CLAIMS_RESERVED
        if len(self) >= limit and not self._drop(iter(self._finished)):
            return False
        network = network_of(source)
        if network is not None and self._by_network[network] >= CLAIMS_PER_NETWORK:
            return False
        self._leased[key] = _Claim(instance, source, now, False, Followers(instance))
        self._by_source[source] += 1
        if network is not None:
            self._by_network[network] += 1
        return True

    def _return(self, key: str, claim: _Claim | None, instance: str, source: str, now: float) -> bool:
        """Gives a claim back to a host that lost its lease, in place of the claim of another host; returns whether that may be."""
        if self._lapsed.get(key, now) != (instance, source) or key in self._finished or not self._may_hold(source, now):
            return False
        if claim is not None:
            self._end(key, claim)
        self._lapsed.forget(key)
        self._reputations.of(source).kept_lease()
        return self._grant(key, instance, source, now)

    def _follow(self, claim: _Claim, instance: str, source: str, now: float, written: int | None) -> Verdict:
        known = len(claim.followers)
        leader = claim.followers.leader(instance, source, now, written, room=source == OWN or self._followers < _FOLLOWERS_LIMIT)
        self._followers += len(claim.followers) - known
        return _ON_ITS_OWN if leader is None else Verdict(leader, granted=False)

    def _drop(self, keys: Iterator[str]) -> bool:
        """Forgets the first of some downloaded files; returns whether there is one."""
        key = next(keys, None)
        if key is None:
            return False
        self._end(key, self._finished[key])
        return True

    def _extend(self, key: str, claim: _Claim, now: float, *, finished: bool) -> None:
        """Makes a claim hold from now on, and the last in its order."""
        self._leased.pop(key, None)
        self._finished.pop(key, None)
        claim.finished = finished
        claim.heard_at = now
        (self._finished if finished else self._leased)[key] = claim

    def _expire(self, now: float) -> None:
        """Forgets the claims that have run out, whether a host asks for them or not: each lost lease counts."""
        for claims, term in ((self._leased, self._lease()), (self._finished, FINISHED)):
            while claims:
                key, claim = next(iter(claims.items()))
                if now < claim.heard_at + term:
                    break
                self._end(key, claim)
                if not claim.finished:
                    lost_at = claim.heard_at + term
                    self._lapsed.remember(key, (claim.holder, claim.source), lost_at)
                    self._reputations.of(claim.source).failed(Failure.LOST_LEASE, lost_at)

    def _is_liar(self, source: str, now: float) -> bool:
        reputation = self._reputations.find(source)
        return reputation is not None and reputation.is_liar(now)

    def _may_hold(self, source: str, now: float) -> bool:
        reputation = self._reputations.find(source)
        return reputation is None or reputation.may_hold_claims(now)

    def _end(self, key: str, claim: _Claim) -> None:
        self._leased.pop(key, None)
        self._finished.pop(key, None)
        self._followers -= len(claim.followers)
        self._by_source[claim.source] -= 1
        if self._by_source[claim.source] <= 0:
            del self._by_source[claim.source]
        network = network_of(claim.source)
        if network is not None:
            self._by_network[network] -= 1
            if self._by_network[network] <= 0:
                del self._by_network[network]
