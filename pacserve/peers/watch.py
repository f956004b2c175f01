"""Looks at the peers in the background, so that no request has to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import BodyAnswer, HTTPClient
from pacserve.model import Endpoint
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventory import PACKED_LIMIT, PeerInfo, decode, unpack
from pacserve.peers.peer import Identity, Peer, PeerState
from pacserve.peers.urls import info_url

# Seconds for a whole /info: 4 MiB over a slow wireless link.
INFO_TIMEOUT = 5.0
_ETAG_LIMIT = 128

Resolve = Callable[[str], Awaitable[Sequence[str]]]
Decode = Callable[[Callable[[], PeerInfo]], Awaitable[PeerInfo]]


class PeerWatch:
    """
    Keeps the inventories of the peers fresh, and notices when a peer dies or comes back.

    @param resolve: Gives the addresses of a host name, empty where there are none.
    @param in_thread: Runs the parsing of an inventory where it does not stop the reactor.
    @param instance: This daemon's own instance id.
    @param architectures: Gives the architectures of this host.
    """

    _log = Logger()

    def __init__(  # noqa: PLR0917
        self,
        peers: Sequence[Peer],
        holdings: Holdings,
        client: HTTPClient,
        clock: IReactorTime,
        resolve: Resolve,
        in_thread: Decode,
        instance: str,
        architectures: Callable[[], Sequence[str]],
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._clock = clock
        self._resolve = resolve
        self._in_thread = in_thread
        self._instance = instance
        self._architectures = architectures
        self._timers: dict[int, IDelayedCall] = {}
        self._running: dict[int, Deferred[None]] = {}
        self._stopped = False

    def start(self) -> None:
        """Looks at every peer now, and from then on."""
        for peer in self._peers:
            self.look(peer)

    def stop(self) -> None:
        """Looks at nobody any more."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for running in list(self._running.values()):
            running.cancel()

    def look(self, peer: Peer) -> None:
        """Looks at one peer now, unless that is under way."""
        if self._stopped or peer.slot in self._running:
            return
        timer = self._timers.pop(peer.slot, None)
        if timer is not None:
            timer.cancel()
        running = Deferred.fromCoroutine(self._look(peer))
        self._running[peer.slot] = running
        running.addErrback(lambda failure: failure.trap(CancelledError) and None)
        running.addErrback(lambda failure: self._log.failure("looking at peer {peer}", failure, peer=peer.configured))
        running.addBoth(lambda _: self._looked(peer))

    def _looked(self, peer: Peer) -> None:
        del self._running[peer.slot]
        if not self._stopped:
            self._timers[peer.slot] = self._clock.callLater(peer.next_look(), self._due, peer)

    def _due(self, peer: Peer) -> None:
        del self._timers[peer.slot]
        self.look(peer)

    async def _look(self, peer: Peer) -> None:
        reason = "its name is not known"
        if not peer.literal and (peer.endpoint is None or peer.state is PeerState.DEAD):
            peer.addresses = tuple(await self._resolve(peer.configured.host)) or peer.addresses
        for endpoint in _in_turn(peer):
            try:
                await self._ask(peer, endpoint)
            except RemoteProtocolError as error:
                self._forget(peer)
                peer.heard(PeerState.UNKNOWN, str(error))
            except FetchError as error:
                reason = str(error)
                continue
            peer.endpoint = endpoint
            break
        else:
            peer.silent(reason)
            if peer.gone():
                self._forget(peer)
        self._tell(peer)

    async def _ask(self, peer: Peer, endpoint: Endpoint) -> None:
        """
        Asks for C{/info} and takes it in.

        @raise RemoteProtocolError: The host answers, but not with a usable C{/info}.
        @raise FetchError: The host does not answer.
        """
        headers = {"Accept-Encoding": "gzip"}
        if peer.etag is not None:
            headers["If-None-Match"] = peer.etag
        answer = await self._client.get(info_url(endpoint), timeout=INFO_TIMEOUT, limit=PACKED_LIMIT, headers=headers)
        if answer.status == 403:
            self._forget(peer)
            peer.heard(PeerState.REFUSED, "it refuses this host (403): add this host's network to its --peers")
            return
        if answer.status == 304 and peer.etag is not None and peer.identity is not None:
            self._judge(peer, peer.identity)
            if peer.state is not PeerState.KNOWN:
                self._list(peer, {})
            elif not peer.listed:  # it was not used when it sent its inventory, so that was not kept
                peer.etag = None
                await self._ask(peer, endpoint)
            return
        if answer.status != 200:
            raise RemoteProtocolError(f"it answers {answer.status} to /info")
        info = await self._in_thread(lambda: _read(answer))
        etag = answer.header("ETag")
        peer.identity = Identity(info.instance, info.architectures, len(info.files))
        peer.etag = etag if etag is not None and len(etag) <= _ETAG_LIMIT else None
        self._judge(peer, peer.identity)
        self._list(peer, info.files if peer.state is PeerState.KNOWN else {})

    def _judge(self, peer: Peer, identity: Identity) -> None:
        """Decides whether a peer that answers well is used."""
        twin = next((p for p in self._peers if p is not peer and p.state is PeerState.KNOWN and _same(p, identity)), None)
        if identity.instance == self._instance:
            peer.heard(PeerState.REFUSED, "it is this daemon")
        elif twin is not None:
            peer.heard(PeerState.REFUSED, f"it is the same daemon as {twin.configured}")
        elif not set(identity.architectures) & set(self._architectures()):
            peer.heard(PeerState.REFUSED, f"its architecture is {' '.join(identity.architectures) or 'none'}")
        else:
            peer.heard(PeerState.KNOWN)

    def _list(self, peer: Peer, files: Mapping[str, int]) -> None:
        self._holdings.replace(peer.slot, files)
        peer.listed = peer.state is PeerState.KNOWN

    def _forget(self, peer: Peer) -> None:
        peer.identity = peer.etag = None
        peer.listed = False
        self._holdings.replace(peer.slot, {})

    def _tell(self, peer: Peer) -> None:
        """One line when something changed that a user may wonder about."""
        if (peer.state, peer.trouble) == peer.told:
            return
        peer.told = (peer.state, peer.trouble)
        if peer.state is PeerState.KNOWN and peer.identity is not None:
            self._log.info("peer {peer} holds {count} files", peer=peer.endpoint, count=peer.identity.count)
        elif peer.state is PeerState.DEAD:
            self._log.info("peer {peer} does not answer: {trouble}", peer=peer.configured, trouble=peer.trouble)
        elif peer.state is PeerState.REFUSED:
            self._log.info("peer {peer} is not used: {trouble}", peer=peer.configured, trouble=peer.trouble)
        else:
            self._log.info("peer {peer} is asked for each file, its inventory can't be read: {trouble}", peer=peer.endpoint, trouble=peer.trouble)


def _in_turn(peer: Peer) -> Sequence[Endpoint]:
    """Where to try: where it was last reached first."""
    found = [Endpoint(address, peer.configured.port) for address in peer.addresses]
    if peer.endpoint is not None:
        return [peer.endpoint, *(endpoint for endpoint in found if endpoint != peer.endpoint)]
    return found


def _same(peer: Peer, identity: Identity) -> bool:
    return peer.identity is not None and peer.identity.instance == identity.instance


def _read(answer: BodyAnswer) -> PeerInfo:
    return decode(unpack(answer.body, answer.header("Content-Encoding")))
