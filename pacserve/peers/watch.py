"""Polls the `/info` of the peers in the background, so that no request has to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.network.addresses import Endpoint, network_of
from pacserve.peers.budgets import Budgets
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventories import Inventories
from pacserve.peers.news import PeerNews
from pacserve.peers.peer import Myself, Peer, PeerState
from pacserve.peers.reputation import identity_of
from pacserve.peers.roster import Roster

# Peers that announced themselves which are polled at the same time: a thousand machines that are switched on together must not melt the LAN.
POLLS_LIMIT = 32
# Those of one address: its daemons wait for each other, and not all other hosts for them.
POLLS_PER_ADDRESS = 2
# Those of one network of IPv6, where a host can take addresses at will: its daemons leave a part of all polls to the other networks.
POLLS_PER_NETWORK = 24
# Seconds after which a poll that had to wait for others of its address is tried again.
_BUSY_INTERVAL = 0.1
# Seconds for which the inventories of a host that has sent too much are kept: if it has to wait longer they are forgotten, and its daemons are asked
# now and then for no more than whether they are there.
_LONG_PAUSE = 30.0

Outcome = TypeVar("Outcome")
Resolve = Callable[[str], Awaitable[Sequence[str]]]


class PeerWatch:
    """
    Keeps the inventories of the peers fresh, and notices when a peer dies or comes back.

    Args:
        myself: This daemon, which is no peer of itself.
        resolve: Gives the addresses of a host name, empty where there are none.

    Attributes:
        stated: The names of packages that peers have stated.
    """

    _log = Logger()

    def __init__(self, peers: Roster, holdings: Holdings, client: HTTPClient, myself: Myself, resolve: Resolve, clock: IReactorTime) -> None:
        self._peers = peers
        self._budgets = Budgets()
        self._inventories = Inventories(peers, holdings, client, myself, self._budgets, clock)
        self.stated = self._inventories.stated
        self._resolve = resolve
        self._clock = clock
        self._listeners: list[Callable[[Peer], object]] = []
        self._timers: dict[int, IDelayedCall] = {}
        self._running: dict[int, Deferred[None]] = {}
        self._running_at: Counter[str] = Counter()
        self._few = DeferredSemaphore(POLLS_LIMIT)
        self._few_of_network: dict[str, DeferredSemaphore] = {}
        self._complaints = Complaints(self._log)
        self._news = PeerNews(clock)
        self._stopped = False

    def notify(self, listener: Callable[[Peer], object]) -> None:
        """Calls a listener with each peer after a poll of it."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Polls every peer now, and from then on."""
        for peer in self._peers:
            self.poll(peer)

    def stop(self) -> None:
        """Polls no peer any more."""
        self._stopped = True
        self._news.tell_found()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for running in list(self._running.values()):
            running.cancel()
        self._inventories.stop()

    def poll(self, peer: Peer) -> bool:
        """
        Polls one peer now, unless that is under way.

        A host that has caused much work has to wait: its peers are polled as soon as they may be, and if that takes long, now and then for no more
        than whether they are there.

        Returns:
            True if it is polled now.
        """
        if not self._may_be_polled(peer):
            return False
        wait = self._wait(peer)
        if wait > 0 and not self._may_be_brief(peer, wait):
            self.poll_within(peer, min(wait, _LONG_PAUSE))
            return False
        peer.observed.brief_at = self._clock.seconds() if wait > 0 else None
        timer = self._timers.pop(peer.slot, None)
        if timer is not None:
            timer.cancel()
        running = self._queued(peer) if peer.discovered else self._begin(peer)
        self._running[peer.slot] = running
        self._running_at[identity_of(peer.configured)] += 1
        polled = self._complaints.hear(running, f"polling peer {peer.configured}").addCallback(lambda _: self._ended(peer))
        self._complaints.hear(polled, f"taking note of peer {peer.configured}")
        return True

    def pause(self, endpoint: Endpoint) -> float:
        """Returns the seconds until the host at an endpoint may be polled, by the work that it has caused; 0 where it may now."""
        return self._budgets.pause(endpoint, self._clock.seconds())

    def poll_within(self, peer: Peer, seconds: float) -> None:
        """Polls a peer after so many seconds, if that does not happen before."""
        if not self._may_be_polled(peer):
            return
        timer = self._timers.get(peer.slot)
        if timer is None:
            self._timers[peer.slot] = self._clock.callLater(seconds, self._due, peer)
        elif timer.getTime() > self._clock.seconds() + seconds:
            timer.reset(seconds)

    def suspect(self, peer: Peer, trouble: str = "") -> None:
        """
        Polls a peer now that may have died.

        Args:
            trouble: Why a question was not answered: the peer is taken to be dead until the poll shows the contrary.  Empty for one that was slow.
        """
        if trouble and self._peers.at(peer.slot) is peer:
            peer.observed.silent(trouble)
        self.poll(peer)

    def drop(self, peer: Peer) -> None:
        """Takes a peer out of the roster, and forgets what it holds."""
        if self._peers.at(peer.slot) is not peer:
            return
        self._inventories.forget(peer)
        self._peers.remove(peer)
        self._news.dropped(peer)
        timer = self._timers.pop(peer.slot, None)
        if timer is not None:
            timer.cancel()
        running = self._running.pop(peer.slot, None)
        if running is not None:
            running.cancel()

    def _may_be_polled(self, peer: Peer) -> bool:
        return not self._stopped and peer.slot not in self._running and self._peers.at(peer.slot) is peer

    def _wait(self, peer: Peer) -> float:
        """Returns the seconds until a peer may be polled; 0 where it may now."""
        pause = self.pause(peer.endpoint or peer.configured)
        busy = peer.discovered and self._running_at[identity_of(peer.configured)] >= POLLS_PER_ADDRESS
        return max(pause, _BUSY_INTERVAL) if busy else pause

    def _may_be_brief(self, peer: Peer, wait: float) -> bool:
        """Returns whether a peer that has to wait is asked at least whether it is there."""
        last = peer.observed.brief_at
        return wait > _LONG_PAUSE and (last is None or self._clock.seconds() - last >= _LONG_PAUSE)

    def _queued(self, peer: Peer) -> Deferred[None]:
        """Polls a peer when its turn has come: in its network first, so that those of a network which wait take no place from others."""
        network = network_of(peer.configured.host)
        if network is None:
            return self._few.run(self._begin, peer)
        few = self._few_of_network.setdefault(network, DeferredSemaphore(POLLS_PER_NETWORK))
        running: Deferred[None] = few.run(self._few.run, self._begin, peer)
        return running.addBoth(partial(self._left_network, network, few))

    def _left_network(self, network: str, few: DeferredSemaphore, outcome: Outcome) -> Outcome:
        """Forgets a network none of whose peers is polled, so that their number is bounded by that of the peers."""
        if few.tokens == few.limit:
            self._few_of_network.pop(network, None)
        return outcome

    def _begin(self, peer: Peer) -> Deferred[None]:
        if self._stopped:  # stopping cancelled the polls before this one, and so made it start
            return succeed(None)
        return Deferred.fromCoroutine(self._poll(peer))

    def _ended(self, peer: Peer) -> None:
        address = identity_of(peer.configured)
        self._running_at[address] -= 1
        if not self._running_at[address]:
            del self._running_at[address]
        if self._peers.at(peer.slot) is not peer:
            return  # the peer was dropped meanwhile, and its slot may be another one's
        self._running.pop(peer.slot, None)
        if self._stopped:
            return
        wait = peer.next_poll()
        if wait is None and peer.observed.brief_at is not None:
            wait = _LONG_PAUSE
        if wait is not None:
            self._timers[peer.slot] = self._clock.callLater(wait, self._due, peer)
        for listener in self._listeners:
            listener(peer)

    def _due(self, peer: Peer) -> None:
        del self._timers[peer.slot]
        self.poll(peer)

    async def _poll(self, peer: Peer) -> None:
        observed, reason = peer.observed, "its name is not known"
        if not peer.literal and (peer.endpoint is None or peer.state is PeerState.DEAD):
            observed.addresses = tuple(await self._resolve(peer.configured.host)) or observed.addresses
        for endpoint in _in_turn(peer):
            try:
                await self._inventories.ask(peer, endpoint)
            except RemoteProtocolError as error:
                self._inventories.forget(peer)
                peer.answered(PeerState.UNKNOWN, str(error))
            except FetchError as error:
                reason = str(error)
                continue
            observed.endpoint = endpoint
            observed.answered_at = self._clock.seconds()
            self._peers.moved(peer)
            break
        else:
            observed.silent(reason)
            if observed.gone():
                self._inventories.forget(peer)
        self._news.polled(peer)


def _in_turn(peer: Peer) -> Sequence[Endpoint]:
    """Returns the endpoints to try: the one at which the peer was last reached first."""
    found = [Endpoint(address, peer.configured.port) for address in peer.observed.addresses]
    if peer.endpoint is not None:
        return [peer.endpoint, *(endpoint for endpoint in found if endpoint != peer.endpoint)]
    return found
