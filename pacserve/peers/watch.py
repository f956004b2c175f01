"""Polls the `/info` of the peers in the background, so that no request has to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.network.addresses import Endpoint
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventories import INVENTORIES_LIMIT, Inventories
from pacserve.peers.inventory import PeerInfo
from pacserve.peers.peer import Myself, Peer, PeerState
from pacserve.peers.roster import Roster

# Peers that announced themselves which are polled at the same time: a thousand machines that are switched on together must not melt the LAN.
POLLS_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Offload:
    """
    The work that would stop the reactor.

    Attributes:
        resolve: Gives the addresses of a host name, empty where there are none.
        in_thread: Parses an inventory in another thread.
    """

    resolve: Callable[[str], Awaitable[Sequence[str]]]
    in_thread: Callable[[Callable[[], PeerInfo]], Awaitable[PeerInfo]]


class PeerWatch:
    """
    Keeps the inventories of the peers fresh, and notices when a peer dies or comes back.

    Args:
        myself: This daemon, which is no peer of itself.
    """

    _log = Logger()

    def __init__(self, peers: Roster, holdings: Holdings, client: HTTPClient, myself: Myself, offload: Offload, clock: IReactorTime) -> None:
        self._peers = peers
        self._inventories = Inventories(peers, holdings, client, myself, offload.in_thread, clock)
        self._resolve = offload.resolve
        self._clock = clock
        self._listeners: list[Callable[[Peer], object]] = []
        self._timers: dict[int, IDelayedCall] = {}
        self._running: dict[int, Deferred[None]] = {}
        self._few = DeferredSemaphore(POLLS_LIMIT)
        self._complaints = Complaints(self._log)
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
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for running in list(self._running.values()):
            running.cancel()

    def poll(self, peer: Peer) -> bool:
        """Polls one peer now, unless that is under way; returns whether it was not."""
        if not self._may_be_polled(peer):
            return False
        timer = self._timers.pop(peer.slot, None)
        if timer is not None:
            timer.cancel()
        running: Deferred[None] = self._few.run(self._begin, peer) if peer.discovered else self._begin(peer)
        self._running[peer.slot] = running
        polled = self._complaints.hear(running, f"polling peer {peer.configured}").addCallback(lambda _: self._ended(peer))
        self._complaints.hear(polled, f"taking note of peer {peer.configured}")
        return True

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
        if peer.observed.logged is not None:
            self._log.info("peer {peer} has gone", peer=peer.configured)
        timer = self._timers.pop(peer.slot, None)
        if timer is not None:
            timer.cancel()
        running = self._running.pop(peer.slot, None)
        if running is not None:
            running.cancel()

    def _may_be_polled(self, peer: Peer) -> bool:
        return not self._stopped and peer.slot not in self._running and self._peers.at(peer.slot) is peer

    def _begin(self, peer: Peer) -> Deferred[None]:
        if self._stopped:  # stopping cancelled the polls before this one, and so made it start
            return succeed(None)
        return Deferred.fromCoroutine(self._poll(peer))

    def _ended(self, peer: Peer) -> None:
        if self._peers.at(peer.slot) is not peer:
            return  # the peer was dropped meanwhile, and its slot may be another one's
        self._running.pop(peer.slot, None)
        if self._stopped:
            return
        wait = peer.next_poll()
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
        self._log_news(peer)

    def _log_news(self, peer: Peer) -> None:
        """Logs one line when something changed that a user may wonder about."""
        if (peer.state, peer.trouble) == peer.observed.logged or (peer.discovered and not peer.observed.verified):
            return
        peer.observed.logged = (peer.state, peer.trouble)
        if peer.state is PeerState.KNOWN and peer.identity is not None:
            self._log.info("peer {peer} holds {count} files", peer=peer.endpoint, count=peer.identity.count)
        elif peer.state is PeerState.DEAD:
            self._log.info("peer {peer} does not answer: {trouble}", peer=peer.configured, trouble=peer.trouble)
        elif peer.state is PeerState.REFUSED:
            self._log.info("peer {peer} is not used: {trouble}", peer=peer.configured, trouble=peer.trouble)
        elif not peer.trouble:
            self._log.info("peer {peer} is asked for each file, {count} inventories are known", peer=peer.endpoint, count=INVENTORIES_LIMIT)
        else:
            self._log.info("peer {peer} is asked for each file, its inventory can't be read: {trouble}", peer=peer.endpoint, trouble=peer.trouble)


def _in_turn(peer: Peer) -> Sequence[Endpoint]:
    """Returns the endpoints to try: the one at which the peer was last reached first."""
    found = [Endpoint(address, peer.configured.port) for address in peer.observed.addresses]
    if peer.endpoint is not None:
        return [peer.endpoint, *(endpoint for endpoint in found if endpoint != peer.endpoint)]
    return found
