"""
Datagrams become peers here.

A datagram is a hint: it says where to ask, and everything that matters is asked over TCP.  Data flows one way: from the link through discovery to the
roster and the watch.  The end of a poll comes back as an event, `polled`, which whoever wires the two connects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from pacserve.discovery.announcement import Announcement, Kind, decode
from pacserve.discovery.announcer import FAMILY_DELAY, Announcer, Timing
from pacserve.discovery.contacts import Contacts
from pacserve.discovery.filters import PeerFilters
from pacserve.discovery.link import LANListener
from pacserve.discovery.neighbours import Neighbour, Neighbours
from pacserve.discovery.places import Places
from pacserve.errors import RemoteProtocolError
from pacserve.network.addresses import Endpoint, LocalAddresses, parse_address
from pacserve.peers.peer import Announced, Myself, Peer, PeerState, found
from pacserve.peers.roster import Roster

# Seconds from the first announcement of a host to the first question: by then it was heard by both IP versions.
CONTACT_DELAY, CONTACT_JITTER, CONTACT_JITTER_EACH = FAMILY_DELAY + 0.1, 0.1, 0.02
# Seconds for which a hello by IPv6 is taken for the same one as that by IPv4.
SAME_HELLO = 2 * FAMILY_DELAY
# Seconds until an address is thought of again at which as many were contacted as may be at a time.
_CONTACT_PAUSE = 1.0
# Seconds within which a host is asked what changed, and from one such question to the next.
NEWS_JITTER, NEWS_JITTER_EACH = 0.01, 0.005
NEWS_SPACING = 2.0
# Intervals without a sign of life after which a peer is dropped.
SILENT_INTERVALS = 3
# Sweeps for silent peers in an interval.
_SWEEPS_PER_INTERVAL = 10
# Seconds after a change of the network by which it shows in this host's addresses, a reading of which is good for some time.
ADDRESSES_DELAY = 2.5


class Polls(Protocol):
    """Polls peers, as far as discovery asks for it."""

    @abstractmethod
    def poll(self, peer: Peer) -> bool:
        """Polls a peer now, unless that is under way; returns whether it was not."""

    @abstractmethod
    def pause(self, endpoint: Endpoint) -> float:
        """Returns the seconds until the host at an endpoint may be polled, by the work that it has caused; 0 where it may now."""

    @abstractmethod
    def poll_within(self, peer: Peer, seconds: float) -> None:
        """Polls a peer after so many seconds, if that does not happen before."""

    @abstractmethod
    def drop(self, peer: Peer) -> None:
        """Takes a peer out of the roster."""


@dataclass(frozen=True, slots=True)
class Vicinity:
    """
    The hosts around this one.

    Attributes:
        local: Says which addresses are this host's, and which are of its LANs.
        filters: Say which hosts may be used.
        neighbours: The hosts that were heard.
        concerns: Says whether the host that sent an announcement is worth asking for its inventory.
    """

    local: LocalAddresses
    filters: PeerFilters
    neighbours: Neighbours
    concerns: Callable[[Announcement], bool]


class Discovery(LANListener):
    """
    Finds peers, and forgets those that have gone.

    Args:
        myself: This daemon, which hears its own datagrams.

    Attributes:
        heard_at: When another host of this network was last heard; None where none ever was.
    """

    _log = Logger()

    def __init__(self, announcer: Announcer, vicinity: Vicinity, peers: Roster, polls: Polls, myself: Myself, timing: Timing) -> None:
        self._announcer = announcer
        self._neighbours = vicinity.neighbours
        self._filters = vicinity.filters
        self._local = vicinity.local
        self._peers = peers
        self._polls = polls
        self._myself = myself
        self._timing = timing
        self._clock = timing.clock
        self._concerns = vicinity.concerns
        self._named = [peer for peer in peers if not peer.discovered]
        self._found = Places()
        self._polled_at: dict[Endpoint, float] = {}
        self._contacts = Contacts(self._clock, lambda instance: self._neighbours.get(instance) is not None, self._found.room, self._contact)
        self._sweep_timer: IDelayedCall | None = None
        self.heard_at: float | None = None

    def start(self) -> None:
        """Says hello, and looks for peers that have gone from now on."""
        self._announcer.hello()
        self._sweep_timer = self._clock.callLater(self._timing.interval / _SWEEPS_PER_INTERVAL, self._sweep)

    def stop(self) -> None:
        """Says goodbye, and looks for no peers any more."""
        self._announcer.bye()
        self._contacts.stop()
        if self._sweep_timer is not None:
            if self._sweep_timer.active():
                self._sweep_timer.cancel()
            self._sweep_timer = None

    def left_out(self) -> Sequence[Endpoint]:
        """Returns the endpoints of the hosts that announced themselves and that the filters leave out."""
        return [endpoint for one in self._neighbours for endpoint in sorted(set(one.heard) - set(self._filters.admitted(one.heard)))]

    def datagram_received(self, payload: bytes, source: str) -> None:
        try:
            announcement = decode(payload)
            address = parse_address(source)
        except (RemoteProtocolError, ValueError) as error:
            self._log.debug("a datagram of {source} is not understood: {error}", source=source, error=error)
            return
        if announcement is None or not self._local.attached(address):
            return
        if announcement.instance == self._myself.instance and self._local.owns(address):
            return
        self.heard_at = self._clock.seconds()
        if not self._concerns(announcement):
            return
        endpoint = Endpoint(source, announcement.port)
        if announcement.kind is Kind.BYE:
            self._left(announcement, endpoint)
        else:
            self._heard(announcement, endpoint)
        if announcement.kind is Kind.HELLO and not self._is_repeated(announcement.instance, address.version):
            self._announcer.answer()

    def network_changed(self) -> None:
        self._announcer.hello()
        self._drop_far()
        for peer in self._found:
            self._polls.poll_within(peer, self._jitter(NEWS_JITTER, NEWS_JITTER_EACH))
        if self._sweep_timer is not None and self._sweep_timer.getTime() > self._clock.seconds() + ADDRESSES_DELAY:
            self._sweep_timer.reset(ADDRESSES_DELAY)

    def polled(self, peer: Peer) -> None:
        """Takes note of the end of a poll, before the start and after the stop as well, when it changes nothing."""
        if self._sweep_timer is None:
            return
        self._polled_at[peer.configured] = self._clock.seconds()
        announced, identity = peer.announced, peer.identity
        if announced is None:
            return
        unusable = peer.state is PeerState.UNKNOWN and bool(peer.trouble)
        if unusable or not peer.observed.verified or (peer.state is PeerState.DEAD and peer.leaving):
            self._drop(peer)
            return
        neighbour = self._neighbours.get(announced.instance)
        if neighbour is not None:
            self._settle(neighbour, peer)
        if identity is not None and announced.generation > identity.generation and peer.state is not PeerState.DEAD:
            announced.generation = identity.generation  # news came while it was polled: it is polled once more, and no more than that
            self._polls.poll_within(peer, NEWS_SPACING)

    def _heard(self, announcement: Announcement, endpoint: Endpoint) -> None:
        """Takes in a datagram in which a host says that it is there."""
        now = self._clock.seconds()
        heard = self._neighbours.heard(announcement.instance, endpoint, now)
        if heard is None:
            return
        neighbour, new = heard
        neighbour.generation = announcement.generation
        if new:
            self._contact_soon(neighbour)
        peer = self._at(endpoint)
        if peer is None:
            self._heard_elsewhere(neighbour, announcement.kind, now)
        elif peer.instance == announcement.instance:
            self._news(peer, announcement, now)
        elif announcement.kind is Kind.HELLO:
            self._poll(peer, now)  # a daemon that was started anew, or a peer of the user's list that is back

    def _is_repeated(self, instance: str, version: int) -> bool:
        """Returns whether the same hello came by IPv4 just before, so that the answer has been sent or will be."""
        neighbour, now = self._neighbours.get(instance), self._clock.seconds()
        if neighbour is None:
            return False
        if version == 4:
            neighbour.greeted = now
            return False
        return neighbour.greeted is not None and 0 <= now - neighbour.greeted < SAME_HELLO

    def _heard_elsewhere(self, neighbour: Neighbour, kind: Kind, now: float) -> None:
        """Takes in an announcement from an address at which the host is not used."""
        if not neighbour.used:
            self._contact_soon(neighbour)
        elif kind is Kind.HELLO:  # its network has changed, and it may have left its other addresses
            for endpoint in neighbour.used:
                if (peer := self._found.get(endpoint)) is not None:
                    self._poll(peer, now)

    def _news(self, peer: Peer, announcement: Announcement, now: float) -> None:
        """Takes in an announcement of a peer, which is polled where it has news."""
        if peer.announced is None:
            return
        peer.announced.generation = announcement.generation
        if peer.state is PeerState.DEAD:
            self._poll(peer, now)
            return
        peer.announced.heard_at = now
        if peer.identity is not None and peer.identity.generation != announcement.generation:
            self._poll(peer, now)

    def _left(self, announcement: Announcement, endpoint: Endpoint) -> None:
        """Polls a peer that is said to have gone: anyone may have said so."""
        peer = self._at(endpoint)
        if peer is None or peer.announced is None or peer.announced.instance != announcement.instance:
            return
        peer.announced.goodbyes += 1
        self._poll(peer, self._clock.seconds())

    def _poll(self, peer: Peer, now: float) -> None:
        """Polls a peer soon, but not too often, whatever is announced."""
        since = now - self._polled_at.get(peer.configured, now - NEWS_SPACING)
        wait = self._jitter(NEWS_JITTER, NEWS_JITTER_EACH)
        self._polls.poll_within(peer, max(wait, NEWS_SPACING - since) if since >= 0 else wait)

    def _contact_soon(self, neighbour: Neighbour) -> None:
        self._contacts.plan(neighbour.instance, CONTACT_DELAY + self._jitter(CONTACT_JITTER, CONTACT_JITTER_EACH))

    def _contact(self, instance: str) -> int:
        """Takes in the best endpoints of a host, and drops those at which it must not be used; returns how many are new."""
        neighbour = self._neighbours.get(instance)
        if neighbour is None:
            return 0
        admitted = [endpoint for endpoint in self._filters.admitted(neighbour.heard) if self._is_attached(endpoint)]
        for endpoint in set(neighbour.heard) - set(admitted):
            peer = self._found.get(endpoint)
            if peer is not None and peer.instance == instance:  # the peer may be about to show its identity
                self._drop(peer)
        added = 0
        for endpoint in _preferred(endpoint for endpoint in admitted if not self._is_dead(endpoint)):
            if self._at(endpoint) is not None or not self._found.has_place(endpoint):
                continue
            pause = self._pause(endpoint)
            if pause > 0:
                self._contacts.plan(instance, pause)
                continue
            self._add(neighbour, endpoint)
            added += 1
        return added

    def _pause(self, endpoint: Endpoint) -> float:
        """Returns the seconds for which an endpoint is not contacted, so that its host does not take the turn of others; 0 where it may be now."""
        return self._polls.pause(endpoint) if self._found.may_contact(endpoint) else _CONTACT_PAUSE

    def _add(self, neighbour: Neighbour, endpoint: Endpoint) -> None:
        announced = Announced(neighbour.instance, neighbour.generation, self._clock.seconds())
        peer = self._peers.add(partial(found, endpoint=endpoint, announced=announced))
        self._found.add(peer)
        self._polls.poll(peer)

    def _settle(self, neighbour: Neighbour, peer: Peer) -> None:
        """Uses a host at its best addresses alone, once it has shown its identity at one of them or no longer answers there."""
        self._neighbours.shown(neighbour, peer.configured)
        if peer.state is PeerState.DEAD:
            if any(endpoint not in self._found for endpoint in neighbour.heard):
                self._contact_soon(neighbour)
            return
        alive = [endpoint for endpoint in neighbour.used if not self._is_dead(endpoint)]
        for endpoint in set(alive) - set(_preferred(alive)):
            other = self._found.get(endpoint)
            if other is not None and other.identity == peer.identity:
                self._drop(other)

    def _is_attached(self, endpoint: Endpoint) -> bool:
        return self._local.attached(parse_address(endpoint.host))

    def _is_dead(self, endpoint: Endpoint) -> bool:
        peer = self._found.get(endpoint)
        return peer is not None and peer.state is PeerState.DEAD

    def _drop(self, peer: Peer) -> None:
        """Forgets a peer, until it is heard again."""
        self._polls.drop(peer)
        self._found.remove(peer)
        self._polled_at.pop(peer.configured, None)
        neighbour = self._neighbours.get(peer.instance or "")
        if neighbour is not None:
            self._neighbours.unheard(neighbour, peer.configured)
            if neighbour.heard and not neighbour.used:
                self._contact_soon(neighbour)  # the host may answer at another address
        if peer.observed.verified:
            for successor in self._neighbours:
                if peer.configured in successor.heard and not successor.used:
                    self._contact_soon(successor)

    def _drop_far(self) -> None:
        """
        Drops the peers that are not in a network of this host any more: they may answer from afar.

        And this daemon itself, which heard its own datagram from a new address of this host before it knew of that.
        """
        for peer in self._found:
            if not self._is_attached(peer.configured) or self._is_this_daemon(peer):
                self._drop(peer)

    def _is_this_daemon(self, peer: Peer) -> bool:
        announced = peer.announced
        own = announced is not None and announced.instance == self._myself.instance
        return own and self._local.owns(parse_address(peer.configured.host))

    def _sweep(self) -> None:
        """Polls the peers that were not heard for an interval, and drops those that have gone."""
        self._sweep_timer = self._clock.callLater(self._timing.interval / _SWEEPS_PER_INTERVAL, self._sweep)
        now = self._clock.seconds()
        try:
            self._drop_far()
            for peer in self._found:
                silent = now - peer.alive_at
                if peer.state is PeerState.DEAD and silent >= SILENT_INTERVALS * self._timing.interval:
                    self._drop(peer)
                elif silent >= self._timing.interval and peer.state is not PeerState.DEAD:
                    self._polls.poll_within(peer, self._jitter(NEWS_JITTER, NEWS_JITTER_EACH))
            for neighbour in self._neighbours:
                for endpoint, heard_at in list(neighbour.heard.items()):
                    if endpoint not in self._found and now - heard_at >= SILENT_INTERVALS * self._timing.interval:
                        self._neighbours.unheard(neighbour, endpoint)
        except Exception:
            self._log.failure("looking for silent peers")

    def _at(self, endpoint: Endpoint) -> Peer | None:
        """Returns the peer at an endpoint, discovered or named by the user."""
        return self._found.get(endpoint) or next((peer for peer in self._named if peer.endpoint == endpoint), None)

    def _jitter(self, least: float, each: float) -> float:
        return self._timing.random.uniform(0, least + each * len(self._neighbours))


def _preferred(endpoints: Iterable[Endpoint]) -> Sequence[Endpoint]:
    """
    Returns the addresses at which a host is used: all of IPv4, since two hosts may go by one id; otherwise all of IPv6 that mean the same everywhere;
    otherwise the link-local ones.
    """
    groups: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        address = parse_address(endpoint.host)
        groups.setdefault(0 if address.version == 4 else 2 if address.is_link_local else 1, []).append(endpoint)
    return groups[min(groups)] if groups else ()
