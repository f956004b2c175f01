"""
From datagrams to peers.

A datagram is a hint: it says where to ask, and everything that matters is asked over TCP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.discovery.announcement import Announcement, Kind, decode
from pacserve.discovery.announcer import FAMILY_DELAY, Announcer
from pacserve.discovery.contacts import Contacts
from pacserve.discovery.filters import PeerFilters
from pacserve.discovery.link import LANLink, LANListener
from pacserve.discovery.neighbours import Neighbour, Neighbours
from pacserve.errors import RemoteProtocolError
from pacserve.network.addresses import Endpoint, LocalAddresses, parse_address
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.roster import Roster
from pacserve.peers.watch import PeerWatch

# Peers that announced themselves.
PEERS_LIMIT = 1024
# Seconds from the first announcement of a host to the first question: by then it was heard by both IP versions.
CONTACT_DELAY, CONTACT_JITTER, CONTACT_JITTER_EACH = FAMILY_DELAY + 0.1, 0.1, 0.02
# Seconds for which a hello by IPv6 is taken for the same one as that by IPv4.
SAME_HELLO = 2 * FAMILY_DELAY
# Hosts that have been contacted and have not shown who they are.
CONTACTS_LIMIT = 32
# Seconds within which a host is asked what changed, and from one such question to the next.
NEWS_JITTER, NEWS_JITTER_EACH = 0.01, 0.005
NEWS_SPACING = 2.0
# Intervals without a sign of life after which a peer is dropped.
SILENT_INTERVALS = 3
# Looks for silent peers in an interval.
_SWEEPS_PER_INTERVAL = 10
# Seconds after a change of the network by which it shows in this host's addresses, a reading of which is good for some time.
ADDRESSES_DELAY = 2.5


class Discovery(LANListener):
    """
    Finds peers, and forgets those that have gone.

    Args:
        local: Says which addresses are this host's, and which are of its LANs.
        concerns: Says whether the host that sent an announcement is worth asking for its inventory.
        instance: This daemon's own instance id.
        interval: Seconds between two announcements of a host.

    Attributes:
        heard_at: When another host of this network was last heard; None where none ever was.
    """

    _log = Logger()

    def __init__(  # noqa: PLR0917
        self,
        link: LANLink,
        announcer: Announcer,
        neighbours: Neighbours,
        peers: Roster,
        watch: PeerWatch,
        filters: PeerFilters,
        local: LocalAddresses,
        concerns: Callable[[Announcement], bool],
        clock: IReactorTime,
        random: Random,
        instance: str,
        interval: float,
    ) -> None:
        self._link = link
        self._announcer = announcer
        self._neighbours = neighbours
        self._peers = peers
        self._watch = watch
        self._filters = filters
        self._local = local
        self._concerns = concerns
        self._clock = clock
        self._random = random
        self._instance = instance
        self._interval = interval
        self._named = [peer for peer in peers if not peer.discovered]
        self._found: dict[Endpoint, Peer] = {}
        self._looked_at: dict[Endpoint, float] = {}
        self._contacts = Contacts(clock, lambda instance: neighbours.get(instance) is not None, self._room, self._contact)
        self._sweep_timer: IDelayedCall | None = None
        self.heard_at: float | None = None

    def start(self) -> None:
        """
        Listens, and says hello.

        Raises:
            StartError: The port can't be had.
        """
        self._watch.looked = self._looked
        self._link.start(self)
        self._announcer.hello()
        self._sweep_timer = self._clock.callLater(self._interval / _SWEEPS_PER_INTERVAL, self._sweep)

    def stop(self) -> None:
        """Says goodbye, and listens no more."""
        self._announcer.bye()
        self._link.stop()
        self._contacts.stop()
        if self._sweep_timer is not None and self._sweep_timer.active():
            self._sweep_timer.cancel()
        self._watch.looked = lambda _: None

    def left_out(self) -> Sequence[Endpoint]:
        """Returns where hosts announced themselves that the filters leave out."""
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
        if announcement.instance == self._instance and self._local.owns(address):
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
        for peer in self._found.values():
            self._watch.look_within(peer, self._jitter(NEWS_JITTER, NEWS_JITTER_EACH))
        if self._sweep_timer is not None and self._sweep_timer.getTime() > self._clock.seconds() + ADDRESSES_DELAY:
            self._sweep_timer.reset(ADDRESSES_DELAY)

    def _heard(self, announcement: Announcement, endpoint: Endpoint) -> None:
        """Somebody is there, or says so."""
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
            self._told(peer, announcement, now)
        elif announcement.kind is Kind.HELLO:
            self._look(peer, now)  # started anew, or one of the user's list that is back

    def _is_repeated(self, instance: str, version: int) -> bool:
        """Returns whether a hello was heard by IPv4 just before, so that the answer has been sent or will be."""
        neighbour, now = self._neighbours.get(instance), self._clock.seconds()
        if neighbour is None:
            return False
        if version == 4:
            neighbour.greeted = now
            return False
        return neighbour.greeted is not None and 0 <= now - neighbour.greeted < SAME_HELLO

    def _heard_elsewhere(self, neighbour: Neighbour, kind: Kind, now: float) -> None:
        """A host announced itself at an address by which it is not used."""
        if not neighbour.used:
            self._contact_soon(neighbour)
        elif kind is Kind.HELLO:  # its network has changed, and it may not be any more where it was
            for endpoint in neighbour.used:
                self._look(self._found[endpoint], now)

    def _told(self, peer: Peer, announcement: Announcement, now: float) -> None:
        """A peer announced itself."""
        peer.announced = announcement.generation
        if peer.state is PeerState.DEAD:
            self._look(peer, now)
            return
        peer.alive_at = now
        if peer.identity is not None and peer.identity.generation != announcement.generation:
            self._look(peer, now)

    def _left(self, announcement: Announcement, endpoint: Endpoint) -> None:
        """Somebody says that a host has gone, which anyone may."""
        peer = self._at(endpoint)
        if peer is None or peer.instance != announcement.instance:
            return
        peer.leaving = True
        self._look(peer, self._clock.seconds())

    def _look(self, peer: Peer, now: float) -> None:
        """Looks at a peer soon, but not too often, whatever anybody sends."""
        since = now - self._looked_at.get(peer.configured, now - NEWS_SPACING)
        wait = self._jitter(NEWS_JITTER, NEWS_JITTER_EACH)
        self._watch.look_within(peer, max(wait, NEWS_SPACING - since) if since >= 0 else wait)

    def _contact_soon(self, neighbour: Neighbour) -> None:
        self._contacts.plan(neighbour.instance, CONTACT_DELAY + self._jitter(CONTACT_JITTER, CONTACT_JITTER_EACH))

    def _room(self) -> int:
        return CONTACTS_LIMIT - sum(peer.state is PeerState.NEW for peer in self._found.values())

    def _contact(self, instance: str) -> int:
        """Takes in the endpoints of a host by which it is best used, and drops those by which it must not be; how many are new."""
        neighbour = self._neighbours.get(instance)
        if neighbour is None:
            return 0
        admitted = [endpoint for endpoint in self._filters.admitted(neighbour.heard) if self._is_attached(endpoint)]
        for endpoint in set(neighbour.heard) - set(admitted):
            peer = self._found.get(endpoint)
            if peer is not None and peer.instance == instance:  # it may be under way to showing who it is
                self._drop(peer)
        added = 0
        for endpoint in _preferred(endpoint for endpoint in admitted if not self._is_dead(endpoint)):
            if self._at(endpoint) is None and len(self._found) < PEERS_LIMIT:
                self._add(neighbour, endpoint)
                added += 1
        return added

    def _add(self, neighbour: Neighbour, endpoint: Endpoint) -> None:
        def make(slot: int) -> Peer:
            return Peer(
                slot,
                endpoint,
                (endpoint.host,),
                endpoint,
                instance=neighbour.instance,
                announced=neighbour.generation,
                state=PeerState.NEW,
                alive_at=self._clock.seconds(),
            )

        self._found[endpoint] = peer = self._peers.add(make)
        self._watch.look(peer)

    def _looked(self, peer: Peer) -> None:
        """A peer was looked at."""
        self._looked_at[peer.configured] = self._clock.seconds()
        if not peer.discovered:
            return
        unusable = peer.state is PeerState.UNKNOWN and bool(peer.trouble)
        if unusable or not peer.verified or (peer.state is PeerState.DEAD and peer.leaving):
            self._drop(peer)
        elif peer.instance is not None:
            neighbour = self._neighbours.get(peer.instance)
            if neighbour is not None:
                self._settle(neighbour, peer)
            if peer.identity is not None and peer.announced > peer.identity.generation and peer.state is not PeerState.DEAD:
                peer.announced = peer.identity.generation  # told while it was looked at: once more, and no more than that
                self._watch.look_within(peer, NEWS_SPACING)

    def _settle(self, neighbour: Neighbour, peer: Peer) -> None:
        """A host has shown who it is at an address, or does not answer there any more: it is used by its best addresses alone."""
        self._neighbours.shown(neighbour, peer.configured)
        if peer.state is PeerState.DEAD:
            if any(endpoint not in self._found for endpoint in neighbour.heard):
                self._contact_soon(neighbour)
            return
        alive = [endpoint for endpoint in neighbour.used if not self._is_dead(endpoint)]
        for endpoint in set(alive) - set(_preferred(alive)):
            other = self._found[endpoint]
            if other.identity == peer.identity:
                self._drop(other)

    def _is_attached(self, endpoint: Endpoint) -> bool:
        return self._local.attached(parse_address(endpoint.host))

    def _is_dead(self, endpoint: Endpoint) -> bool:
        peer = self._found.get(endpoint)
        return peer is not None and peer.state is PeerState.DEAD

    def _drop(self, peer: Peer) -> None:
        """Knows a peer no more, until it is heard again."""
        self._watch.drop(peer)
        self._found.pop(peer.configured, None)
        self._looked_at.pop(peer.configured, None)
        neighbour = self._neighbours.get(peer.instance or "")
        if neighbour is not None:
            self._neighbours.unheard(neighbour, peer.configured)
            if neighbour.heard and not neighbour.used:
                self._contact_soon(neighbour)  # it may answer by another address
        if peer.verified:
            for successor in self._neighbours:
                if peer.configured in successor.heard and not successor.used:
                    self._contact_soon(successor)

    def _drop_far(self) -> None:
        """Drops those that are not in a network of this host's any more: they may answer from afar."""
        for endpoint, peer in list(self._found.items()):
            if not self._is_attached(endpoint):
                self._drop(peer)

    def _sweep(self) -> None:
        """Looks at those that were not heard for an interval, and drops those that have gone."""
        self._sweep_timer = self._clock.callLater(self._interval / _SWEEPS_PER_INTERVAL, self._sweep)
        now = self._clock.seconds()
        try:
            self._drop_far()
            for peer in list(self._found.values()):
                silent = now - peer.alive_at
                if peer.state is PeerState.DEAD and silent >= SILENT_INTERVALS * self._interval:
                    self._drop(peer)
                elif silent >= self._interval and peer.state is not PeerState.DEAD:
                    self._watch.look_within(peer, self._jitter(NEWS_JITTER, NEWS_JITTER_EACH))
            for neighbour in self._neighbours:
                for endpoint, heard_at in list(neighbour.heard.items()):
                    if endpoint not in self._found and now - heard_at >= SILENT_INTERVALS * self._interval:
                        self._neighbours.unheard(neighbour, endpoint)
        except Exception:
            self._log.failure("looking for silent peers")

    def _at(self, endpoint: Endpoint) -> Peer | None:
        """Returns the peer at an endpoint, whoever named it."""
        return self._found.get(endpoint) or next((peer for peer in self._named if peer.endpoint == endpoint), None)

    def _jitter(self, least: float, each: float) -> float:
        return self._random.uniform(0, least + each * len(self._neighbours))


def _preferred(endpoints: Iterable[Endpoint]) -> Sequence[Endpoint]:
    """
    By which addresses a host is used: by all of IPv4, since two hosts may go by one id; otherwise by all of IPv6 that mean the same everywhere;
    otherwise by the link-local ones.
    """
    groups: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        address = parse_address(endpoint.host)
        groups.setdefault(0 if address.version == 4 else 2 if address.is_link_local else 1, []).append(endpoint)
    return groups[min(groups)] if groups else ()
