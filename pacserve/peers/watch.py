"""Polls the `/info` of the peers in the background, so that no request has to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import BodyAnswer, HTTPClient
from pacserve.network.addresses import Endpoint
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventory import NAMES_LIMIT, PACKED_LIMIT, PeerInfo, decode, unpack
from pacserve.peers.peer import Identity, Myself, Peer, PeerState
from pacserve.peers.roster import Roster

# Seconds for a whole /info: 4 MiB over a slow wireless link.
INFO_TIMEOUT = 5.0
# Peers that announced themselves which are polled at the same time: a thousand machines that are switched on together must not melt the LAN.
POLLS_LIMIT = 32
# Inventories that are held of peers that announced themselves.  In a larger LAN nearly every file is held by one of these; the others are asked.
INVENTORIES_LIMIT = 128
# Characters of an entity tag that is kept; ours have some 50.
_ETAG_LIMIT = 128
# Bytes of an answer that is read at once: most are a few changes, and to hand them to a thread would take longer.
_READ_AT_ONCE = 16 << 10


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
        self._holdings = holdings
        self._client = client
        self._myself = myself
        self._offload = offload
        self._clock = clock
        self._listeners: list[Callable[[Peer], object]] = []
        self._timers: dict[int, IDelayedCall] = {}
        self._running: dict[int, Deferred[None]] = {}
        self._few = DeferredSemaphore(POLLS_LIMIT)
        self._listed = 0
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
        running.addErrback(lambda failure: failure.trap(CancelledError) and None)
        running.addErrback(lambda failure: self._log.failure("polling peer {peer}", failure, peer=peer.configured))
        running.addBoth(lambda _: self._ended(peer))
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
        self._forget(peer)
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
            observed.addresses = tuple(await self._offload.resolve(peer.configured.host)) or observed.addresses
        for endpoint in _in_turn(peer):
            try:
                await self._ask(peer, endpoint)
            except RemoteProtocolError as error:
                self._forget(peer)
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
                self._forget(peer)
        self._log_news(peer)

    async def _ask(self, peer: Peer, endpoint: Endpoint) -> None:
        """
        Asks for `/info` and takes it in.

        Raises:
            RemoteProtocolError: The host answers, but not with a usable `/info`.
            FetchError: The host does not answer.
        """
        since = self._since(peer)
        answer = await self._answer(peer, endpoint, since)
        if answer is None:
            return
        info = await self._read(answer)
        if info.since is not None and since is None:
            raise RemoteProtocolError("/info states changes where all was asked for")
        if peer.instance is not None and info.instance != peer.instance:
            raise RemoteProtocolError("it is another daemon than the one that announced itself there")
        await self._take(peer, endpoint, info, answer.header("ETag"))

    def _since(self, peer: Peer) -> int | None:
        """
        Returns the generation since which changes are asked for; None for all that a peer holds.

        For a peer for whose inventory there is no room this is the announced generation: no changes come then, but the rest of the answer, which
        matters.
        """
        if peer.observed.listed and peer.identity is not None:
            return peer.identity.generation
        return peer.announced.generation if peer.announced is not None and self._is_one_too_many(peer) else None

    def _is_one_too_many(self, peer: Peer) -> bool:
        return peer.discovered and not peer.observed.listed and self._listed >= INVENTORIES_LIMIT

    async def _answer(self, peer: Peer, endpoint: Endpoint, since: int | None) -> BodyAnswer | None:
        """Returns the answer to read; None where its meaning was taken in and there is nothing to read."""
        headers = {"Accept-Encoding": "gzip"}
        if peer.observed.etag is not None:
            headers["If-None-Match"] = peer.observed.etag
        answer = await self._client.get(info_url(endpoint, since), timeout=INFO_TIMEOUT, limit=PACKED_LIMIT, headers=headers)
        if answer.status == 403:
            self._forget(peer)
            peer.answered(PeerState.REFUSED, "it refuses this host (403): add this host's network to its --peers")
            return None
        if answer.status == 304 and peer.observed.etag is not None and peer.identity is not None:
            if peer.identity.shared is not self._shares_architecture(peer.identity.architectures):  # other files of it can be used than before
                peer.observed.etag = None
                return await self._answer(peer, endpoint, None)
            self._judge(peer, peer.identity)
            if peer.state is PeerState.REFUSED:
                self._unlist(peer)
            elif not peer.observed.listed and not self._is_one_too_many(peer):  # the peer was not used when it sent its inventory, which was not kept
                peer.observed.etag = None
                return await self._answer(peer, endpoint, None)
            return None
        if answer.status != 200:
            raise RemoteProtocolError(f"it answers {answer.status} to /info")
        return answer

    async def _read(self, answer: BodyAnswer) -> PeerInfo:
        if len(answer.body) <= _READ_AT_ONCE and answer.header("Content-Encoding") is None:
            return _read(answer)
        return await self._offload.in_thread(lambda: _read(answer))

    async def _take(self, peer: Peer, endpoint: Endpoint, info: PeerInfo, etag: str | None) -> None:
        """Takes in the `/info` of a peer."""
        observed, shared = peer.observed, self._shares_architecture(info.architectures)
        leads_on = _leads_on(peer, info, shared=shared)
        if peer.identity is None or (peer.identity.instance, peer.identity.generation) != (info.instance, info.generation):
            observed.changed_at = self._clock.seconds()
        files = info.files if shared else info.content
        if info.since is not None and leads_on:
            self._holdings.update(peer.slot, files, info.removed)
        count = self._holdings.count(peer.slot) if leads_on else len(files)
        observed.identity = identity = Identity(info.instance, info.generation, info.architectures, count, shared, info.skipped)
        observed.etag = etag if etag is not None and len(etag) <= _ETAG_LIMIT else None
        if info.skipped:
            self._log.debug("{count} entries of peer {peer} are not understood", count=info.skipped, peer=endpoint)
        self._judge(peer, identity)
        if peer.state is not PeerState.KNOWN:
            self._unlist(peer)
        elif info.since is None:
            self._holdings.replace(peer.slot, files)
            self._list(peer)
        elif leads_on:
            if count > NAMES_LIMIT:
                raise RemoteProtocolError(f"it holds more than {NAMES_LIMIT:,} files")
        else:  # the daemon was started anew, there is room for its inventory by now, or this host has other architectures
            self._unlist(peer)
            observed.etag = None
            await self._ask(peer, endpoint)

    def _shares_architecture(self, architectures: Sequence[str]) -> bool:
        """Returns whether pacman's files of a peer with these architectures can be used here; content of other package systems always can."""
        return not set(architectures).isdisjoint(self._myself.architectures())

    def _judge(self, peer: Peer, identity: Identity) -> None:
        """Decides whether a peer that answers well is used."""
        peer.observed.verified = True
        if identity.instance == self._myself.instance and not peer.discovered:  # a copy of a running machine has the same id, and is another host
            peer.answered(PeerState.REFUSED, "it is this daemon")
            return
        twin = self._twin(peer, identity)
        if twin is not None:
            peer.answered(PeerState.REFUSED, f"it is the same daemon as {twin.configured}")
        elif not identity.shared and not identity.count:
            peer.answered(PeerState.REFUSED, f"its architecture is {' '.join(identity.architectures) or 'none'}")
        elif self._is_one_too_many(peer):
            peer.answered(PeerState.UNKNOWN)
        else:
            peer.answered(PeerState.KNOWN)

    def _twin(self, peer: Peer, identity: Identity) -> Peer | None:
        """Returns the peer that the user named which is the same daemon.  Of discovered peers two may be two hosts with one id."""
        return next((p for p in self._peers if p is not peer and not p.discovered and p.state is PeerState.KNOWN and _same(p, identity)), None)

    def _list(self, peer: Peer) -> None:
        self._listed += peer.discovered and not peer.observed.listed
        peer.observed.listed = True

    def _unlist(self, peer: Peer) -> None:
        self._listed -= peer.discovered and peer.observed.listed
        peer.observed.listed = False
        self._holdings.replace(peer.slot, {})

    def _forget(self, peer: Peer) -> None:
        peer.observed.identity = peer.observed.etag = None
        self._unlist(peer)

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


def info_url(peer: Endpoint, since: int | None = None) -> str:
    """
    Returns the URL at which a peer says who it is and what it holds (docs/protocol.md).

    Args:
        since: A generation of its inventory: only what changed since then is asked for.
    """
    return f"{peer.url}/info" if since is None else f"{peer.url}/info?since={since}"


def _in_turn(peer: Peer) -> Sequence[Endpoint]:
    """Returns the endpoints to try: the one at which the peer was last reached first."""
    found = [Endpoint(address, peer.configured.port) for address in peer.observed.addresses]
    if peer.endpoint is not None:
        return [peer.endpoint, *(endpoint for endpoint in found if endpoint != peer.endpoint)]
    return found


def _leads_on(peer: Peer, info: PeerInfo, *, shared: bool) -> bool:
    """Returns whether changes can be applied to what is known of a peer."""
    known = peer.identity
    return peer.observed.listed and known is not None and (known.instance, known.generation, known.shared) == (info.instance, info.since, shared)


def _same(peer: Peer, identity: Identity) -> bool:
    return peer.identity is not None and peer.identity.instance == identity.instance


def _read(answer: BodyAnswer) -> PeerInfo:
    return decode(unpack(answer.body, answer.header("Content-Encoding")))
