"""The hosts that follow the download of one file: a tree, so that no host feeds many others.  Rules only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

# Followers that one host feeds; later ones are sent to one of these.
FOLLOWERS_PER_HOST = 16
# Followers of one download that are remembered.
FOLLOWERS_LIMIT = 1024
# Followers at one address: hosts state their ids themselves, and leaders that don't exist lead nowhere.
FOLLOWERS_PER_SOURCE = 4


@dataclass(slots=True)
class _Place:
    """
    The place of a host in the tree.

    Attributes:
        leader: The host that it was told to follow; empty for the root.
        feeds: How many hosts it feeds.
        deserted: True if a follower has asked for another leader: it gets no more followers.
    """

    leader: str = ""
    feeds: int = 0
    deserted: bool = False


class Followers:
    """
    Tells each host which one to follow: the root or one that asked before it, so that there are no circles.

    Args:
        root: The instance id of the host that downloads the file.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._places = {root: _Place()}
        self._by_source: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places) - 1

    def leader(self, instance: str, source: str, *, room: bool = True) -> str | None:
        """
        Returns the leader of a host.

        A host that asks again could not download from its leader, and is told another one; the root is told again, since its lease shows that it is
        alive.

        Args:
            instance: Its instance id, which is not that of the root.
            source: The address that it asks from.
            room: True if it may be remembered.

        Returns:
            None where no host has room for it.
        """
        place = self._places.get(instance)
        before = ""
        if place is None:
            if not room or len(self) >= FOLLOWERS_LIMIT or self._by_source[source] >= FOLLOWERS_PER_SOURCE:
                return None
        elif place.leader == self._root:
            return self._root
        else:
            before = place.leader
            self._leave(place)
        leader = self._with_room(instance, before)
        if leader is None:
            return None
        if place is None:
            place = self._places[instance] = _Place()
            self._by_source[source] += 1
        place.leader = leader
        self._places[leader].feeds += 1
        return leader

    def _leave(self, place: _Place) -> None:
        """Takes a host away from its leader."""
        former = self._places.get(place.leader)
        if former is not None:
            former.feeds -= 1
            former.deserted = True
        place.leader = ""

    def _with_room(self, instance: str, avoid: str) -> str | None:
        """Returns the first that has room of those that asked before a host, or all where it has not asked yet."""
        for candidate, place in self._places.items():
            if candidate == instance:
                break
            if candidate != avoid and not place.deserted and place.feeds < FOLLOWERS_PER_HOST and (place.leader or candidate == self._root):
                return candidate
        return None
