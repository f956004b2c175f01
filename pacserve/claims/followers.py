"""
The hosts that follow the download of one file: a tree, in which no host feeds more others than its uplink bears.  Rules only.

Hosts say how many bytes they have, and nothing else: what a leader gives is what its followers get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf

from pacserve.claims.places import KEEPS_UP_RATIO, Place
from pacserve.network.addresses import network_of

# Followers that one host feeds at most, however fast it is; later ones are sent to one of these.
FOLLOWERS_PER_HOST = 16
# Followers that a host feeds while it is not known how fast it is: one would make a chain of all hosts, and three or more would share a single uplink
# for seconds in a LAN that is as slow as the WAN.
FIRST_FOLLOWERS = 2
# Hosts that follow each other in a chain, where a leader can't feed two as fast as the file comes.  With more of them the way through the chain,
# 0.1 s a host, takes as long as what it saves.
CHAIN_LIMIT = 64
# Followers of one download that are remembered.
FOLLOWERS_LIMIT = 1024
# Followers at one address: hosts state their ids themselves, and leaders that don't exist lead nowhere.
FOLLOWERS_PER_SOURCE = 4
# Followers of one /64 of IPv6, in which a host can take any number of addresses.
FOLLOWERS_PER_NETWORK = FOLLOWERS_LIMIT // 2
# Complaints of the hosts at one address that count.
COMPLAINTS_PER_SOURCE = 3
# A host that gets less than this part of what the fastest follower gets feeds nobody else.
SLUGGISH_RATIO = 0.5
# Seconds between two moves of a host, in which it is seen whether the first was of use, and how often one host is moved for one file.
MOVE_INTERVAL = 2.0
MOVES_LIMIT = 6
# Seconds that a host may be behind another one to become its leader: as long nothing comes then.
_LAG_ALLOWED = 1.0
# What three followers get together, to what two did, from which on the root is not at the end of its uplink.
_MORE_RATIO = 1.25
# Seconds for which the rate of the fastest follower holds: to find it all have to be looked at.
_FASTEST_KNOWN = 0.25


class Followers:
    """
    Tells each host which one to follow.

    Args:
        root: The instance id of the host that downloads the file.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._places = {root: Place(reports=True)}
        self._by_source: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self._complaints: Counter[str] = Counter()
        self._fastest: tuple[float, float] = -1.0, 0.0
        # Bytes per second that the root gives to all of its followers together, as soon as it is shown to be less than two of them need.
        self._uplink: float | None = None
        self._has_uplink = False
        self._shared = 0.0
        # True if that was found to be wrong: those followers were slow themselves.
        self._feeds_many = False

    def __len__(self) -> int:
        return len(self._places) - 1

    def leader(self, instance: str, source: str, now: float = 0.0, written: int | None = 0, *, room: bool = True) -> str | None:
        """
        Returns the leader of a host that asks.

        A host that asks again could not download from its leader, and is told another one.  The root is told again, since its lease shows that it is
        alive; and so is, once, a leader that waits for bytes itself: where one host hangs, all behind it ask at the same moment.

        Args:
            instance: Its instance id, which is not that of the root.
            source: The address that it asks from.
            written: The bytes that it has; None where it does not say, as hosts of earlier versions.
            room: True if it may be remembered.

        Returns:
            None where no host has room for it.
        """
        place = self._places.get(instance)
        if place is None:
            if not room or not self._may_join(source):
                return None
        elif place.leader == self._root or place.source != source:  # nobody moves a host by stating its id
            return self._root
        elif place.leader:
            if place.leader != place.stayed_with and written is not None and self._places[place.leader].has_given_all_to(written, now):
                place.stayed_with = place.leader
                return place.leader
            self._complain(place, source)
            self._detach(instance, place)
        leader = self._choose(instance, place, now, reports=written is not None)
        if leader is None:
            return None
        if place is None:
            place = self._places[instance] = Place(source, reports=written is not None)
            self._by_source[source] += 1
            network = network_of(source)
            if network is not None:
                self._by_network[network] += 1
        place.written = written or 0
        self._attach(instance, place, leader, now)
        return leader

    def report(self, instance: str, source: str, written: int, now: float) -> str | None:
        """
        Notes how many bytes a host has, and returns the host that it should follow from now on.

        Returns:
            None where it is not known as a follower.
        """
        place, root = self._places.get(instance), self._places[self._root]
        if instance == self._root:
            if root.report(written, now):
                self._judge_root(now)
            return None
        if place is None or place.source != source or not place.leader:
            return None
        if place.report(written, now):
            if written > root.has_by(now) + _LAG_ALLOWED * (root.rate or inf):
                place.complain(self._root)  # it can't have that
            if place.leader == self._root:
                self._judge_root(now)
            if place.moves < MOVES_LIMIT and now - place.placed_at >= MOVE_INTERVAL and self._should_move(place, now):
                better = self._better(instance, place, now)
                if better is not None:
                    place.tried = True
                    leader = self._places[place.leader]
                    leader.slow = leader.slow or self._drags(leader, now)
                    self._move(instance, place, better, now)
        return place.leader

    def _should_move(self, place: Place, now: float) -> bool:
        """Returns whether a follower may get more from another leader."""
        leader = self._places[place.leader]
        if place.leader == self._root:
            return self._is_chain and self._is_too_much_for(place, leader)
        if self._drags(leader, now) or self._is_too_much_for(place, leader):
            return True
        return self._is_sluggish(place, now) and not (place.tried and leader.reports)

    def _is_too_much_for(self, place: Place, leader: Place) -> bool:
        """Returns whether a leader feeds more hosts than it can, and this follower is the one that has least."""
        followers = [self._places[one] for one in leader.followers]
        return len(followers) > 1 and all(one.is_held_up(leader) for one in followers) and place.written <= min(one.written for one in followers)

    def _judge_root(self, now: float) -> None:
        """Finds out whether the root can feed two hosts as fast as the file comes; where it can't the followers become a chain."""
        root = self._places[self._root]
        followers = [place for place in map(self._places.__getitem__, root.followers) if not place.doubted]
        if not followers or not all(one.is_held_up(root) for one in followers):
            return
        given = sum(one.rate or 0.0 for one in followers)
        wrong = self._feeds_many and len(followers) > FIRST_FOLLOWERS and given < _MORE_RATIO * self._shared
        if wrong or (len(followers) > 1 and not self._has_uplink):
            # Three followers that together get no more than two did are not slow themselves, whatever it looked like with one.
            self._has_uplink, self._feeds_many = True, False
            self._uplink = self._shared = given
            if self._is_chain:
                self._make_chain(now)
        elif len(root.followers) == 1 and self._uplink is not None and given < KEEPS_UP_RATIO * self._uplink:
            self._uplink = None  # the others have left, and this one gets no more for that: its own link is slow
            self._feeds_many = True

    def _make_chain(self, now: float) -> None:
        """Has each host follow the one that is next before it in what it has of the file, and those that are known to be slow come last."""
        able = [(one, place) for one, place in self._places.items() if place.reports and place.leader and not place.doubted]
        able.sort(key=lambda pair: (pair[1].slow, -pair[1].has_by(now)))
        leader = self._root
        for one, place in able:
            if place.leader == leader:
                place.placed(leader, now)  # it shared its leader until now
            elif len(self._places[leader].followers) < FOLLOWERS_PER_HOST:
                self._move(one, place, leader, now)
            else:
                continue
            leader = one

    @property
    def _is_chain(self) -> bool:
        """True if no host should feed more than one other."""
        return self._uplink is not None and len(self) <= CHAIN_LIMIT

    def _limit(self, place: Place) -> int:
        """Returns how many followers a host can feed without being slower than the file comes."""
        if self._is_chain:
            return 1
        followers = [self._places[one] for one in place.followers]
        if len(followers) >= FIRST_FOLLOWERS and place.rate and all(one.rate and not one.is_held_up(place) for one in followers):
            return len(followers) + 1
        return FIRST_FOLLOWERS

    def _has_room(self, place: Place, now: float) -> bool:
        if len(place.followers) >= FOLLOWERS_PER_HOST:
            return False
        followers = [self._places[one] for one in place.followers]
        return sum(1 for one in followers if one.reports and not one.doubted and not self._drags(one, now)) < self._limit(place)

    def _is_sluggish(self, place: Place, now: float) -> bool:
        """Returns whether a host gets much less than others do."""
        return place.rate is not None and place.rate < SLUGGISH_RATIO * self._fastest_rate(now)

    def _drags(self, place: Place, now: float) -> bool:
        """Returns whether a host gets so little that nobody should follow it."""
        leader = self._places.get(place.leader)
        if leader is None:
            return False
        return self._is_sluggish(place, now) or self._is_slow_itself(place, leader)

    def _is_slow_itself(self, place: Place, leader: Place) -> bool:
        """Returns whether a host is held up by its own link: other followers of its leader are not, or there are none."""
        if not place.is_held_up(leader):
            return False
        others = [self._places[one] for one in leader.followers if self._places[one] is not place and not self._places[one].doubted]
        if leader is self._places[self._root] and self._feeds_many:
            return True
        if not others:
            return leader is not self._places[self._root] or self._uplink is None
        return any(one.rate is not None and not one.is_held_up(leader) for one in others)

    def _fastest_rate(self, now: float) -> float:
        """Returns the rate of the fastest follower, which counts up to that of the root."""
        if now - self._fastest[0] > _FASTEST_KNOWN:
            root = self._places[self._root]
            rates = [place.rate for place in self._places.values() if place.rate is not None and place is not root]
            self._fastest = now, min(max(rates, default=0.0), root.rate or 0.0)
        return self._fastest[1]

    def _candidates(self, instance: str, place: Place | None) -> Iterator[tuple[str, Place]]:
        """Returns the hosts that a host can follow: neither one that follows it by any way round, nor one that was of no use to it."""
        below = self._below(instance) if place is not None else frozenset()
        for one, candidate in self._places.items():
            if one in below or candidate.deserted or len(candidate.followers) >= FOLLOWERS_PER_HOST:
                continue
            if (candidate.leader or one == self._root) and (place is None or one not in place.left):
                yield one, candidate

    def _choose(self, instance: str, place: Place | None, now: float, *, reports: bool) -> str | None:
        """Returns the first host with room of those that asked earlier; the first that is of any use where none has room."""
        last = None
        for one, candidate in self._candidates(instance, place):
            last = last or one
            if one != self._root and (candidate.doubted or not candidate.reports or self._drags(candidate, now)):
                continue
            # A host that does not say how far it is can't be moved: it is as near to the root as it was in earlier versions.  One whose leader was of
            # no use does not wait for another one that may be.
            if not reports or place is not None or self._has_room(candidate, now):
                return one
        return last

    def _better(self, instance: str, place: Place, now: float) -> str | None:
        """Returns the first host with room that is known to be fast, and is no more than a little behind."""
        for one, candidate in self._candidates(instance, place):
            if one == place.leader or not self._has_room(candidate, now):
                continue
            if one == self._root:
                return one
            if candidate.rate is None or candidate.doubted or self._drags(candidate, now):
                continue
            if candidate.has_by(now) + _LAG_ALLOWED * candidate.rate >= place.written:
                return one
        return None

    def _below(self, instance: str) -> set[str]:
        """Returns a host and all that follow it by any way round."""
        found, ahead = {instance}, [instance]
        while ahead:
            for one in self._places[ahead.pop()].followers:
                if one not in found:
                    found.add(one)
                    ahead.append(one)
        return found

    def _move(self, instance: str, place: Place, leader: str, now: float) -> None:
        place.moves += 1
        self._detach(instance, place)
        self._attach(instance, place, leader, now)

    def _attach(self, instance: str, place: Place, leader: str, now: float) -> None:
        place.placed(leader, now)
        self._places[leader].followers[instance] = None

    def _detach(self, instance: str, place: Place) -> None:
        former = self._places.get(place.leader)
        if former is not None:
            former.followers.pop(instance, None)
        place.leader = ""

    def _complain(self, place: Place, source: str) -> None:
        """Notes that a host could not download from its leader."""
        place.left = (*place.left, place.leader)[-FOLLOWERS_PER_HOST:]
        if self._complaints[source] < COMPLAINTS_PER_SOURCE:
            self._complaints[source] += 1
            self._places[place.leader].complain(source)

    def _may_join(self, source: str) -> bool:
        """Returns whether one more host at an address is remembered: this host, which asks from none, always is."""
        if not source:
            return True
        if len(self) >= FOLLOWERS_LIMIT or self._by_source[source] >= FOLLOWERS_PER_SOURCE:
            return False
        network = network_of(source)
        return network is None or self._by_network[network] < FOLLOWERS_PER_NETWORK
